"""Results without what a leaderboard does not show: thousands of them fit into memory."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel

from seqzoo.results.result import Result, SplitScore

__all__ = ["Compact"]

Record = TypeVar("Record", bound=BaseModel)

_EQUAL_IN_MANY = ("corpus", "protocol", "rungs", "floor")


class Compact:
    """Makes results smaller: blocks of one split only, and parts that are equal are one object."""

    def __init__(self, split: str) -> None:
        """split: the one that is ranked on."""
        self._split = split
        self._shared: dict[str, Any] = {}

    def __call__(self, result: Result) -> Result:
        """The result with the fields that a leaderboard reads."""
        kept: dict[str, Any] = {"left_out": (), "versions": {}, "plugins": {}}
        for name in _EQUAL_IN_MANY:
            value = getattr(result, name)
            kept[name] = self._shared.setdefault(repr(value), value)
        kept["scores"] = self._of(result.scores)
        if result.adaptive is not None:
            scores = self._of(result.adaptive.scores)
            kept["adaptive"] = _with(result.adaptive, {"scores": scores})
        return _with(result, kept)

    def _of(self, scores: dict[str, SplitScore]) -> dict[str, SplitScore]:
        without: dict[str, Any] = {"by_class": (), "by_distance": ()}
        return {
            name: _with(score, without if name == self._split else without | {"blocks": ()})
            for name, score in scores.items()
        }


def _with(record: Record, changes: dict[str, Any]) -> Record:
    """A copy that has no set of its own of the fields that were given; it is half of a result."""
    return record.model_construct(_NO_FIELDS, **(vars(record) | changes))


_NO_FIELDS: set[str] = set()
