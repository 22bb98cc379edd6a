"""Runs side by side: runs/*/result.json -> groups of results that may be compared.

Only results of one corpus, one split and one protocol stand in one group, and only they are
ranked. A rank is one more than the number of runs that are certainly better, those whose whole
interval lies below: runs that the noise of the split cannot tell apart share a rank, marked "=".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqzoo.errors import UsageError
from seqzoo.ladder import Ladder
from seqzoo.results import Result, read_result

__all__ = ["Board", "Group", "Row", "read_board"]


@dataclass(frozen=True)
class Row:
    """One line. result: None for a rung or the floor. rank: 0 for those."""

    name: str
    bits_per_byte: dict[str, float]
    accuracy: dict[str, float]
    rank: int = 0
    is_shared: bool = False
    adaptive: bool = False
    result: Result | None = None

    @property
    def kind(self) -> str:
        """run, baseline, or floor."""
        if self.result is not None:
            return "run"
        return "floor" if self.name == _FLOOR else "baseline"

    @property
    def passed(self) -> str:
        """The best rung that a run is below on test; empty for a rung."""
        if self.result is None:
            return ""
        passed = self.result.ladder.place(self.bits_per_byte["test"], "test").passed
        return passed.name if passed is not None else "none"


@dataclass(frozen=True)
class Group:
    """Results that may be compared, with their ladder; rows from best to worst on test."""

    corpus: str
    corpus_sha256: str
    split: str
    protocol: str
    rows: tuple[Row, ...]

    @property
    def title(self) -> str:
        """What the rows have in common."""
        corpus = f"{self.corpus} ({self.corpus_sha256[:8]})"
        return f"{corpus}, split {self.split}, {self.protocol}: bits per byte"


@dataclass(frozen=True)
class Board:
    """Groups, and a sentence for each result that could not be read."""

    groups: tuple[Group, ...]
    warnings: tuple[str, ...] = ()


_FLOOR = "true source"


def read_board(runs: Path) -> Board:
    """All results under a folder. A folder that is empty or missing gives an empty board."""
    by_protocol: dict[tuple[object, ...], list[Result]] = {}
    warnings = []
    for path in sorted(runs.glob("*/result.json")):
        try:
            # The folder may have been copied or renamed since; its name is what commands take.
            result = read_result(path).model_copy(update={"run": path.parent.name})
            if "test" not in result.scores:
                raise UsageError(f"{path} has no score for the test split; score the run again.")
        except UsageError as error:
            warnings.append(str(error))
            continue
        protocol = result.protocol
        key = (
            result.corpus.sha256,
            result.split,
            protocol.name,
            protocol.adaptive,
            protocol.lanes,
            protocol.warmup_tokens,
        )
        by_protocol.setdefault(key, []).append(result)
    groups = sorted(map(_group, by_protocol.values()), key=lambda group: group.title)
    return Board(tuple(groups), tuple(warnings))


def _group(results: Sequence[Result]) -> Group:
    newest = max(results, key=lambda result: result.created)
    rows = [*_run_rows(results), *_ladder_rows(newest.ladder)]
    rows.sort(key=lambda row: (row.bits_per_byte["test"], row.name))
    return Group(
        newest.corpus.name,
        newest.corpus.sha256,
        newest.split,
        newest.protocol.name,
        tuple(rows),
    )


def _run_rows(results: Sequence[Result]) -> Iterable[Row]:
    tests = [result.scores["test"] for result in results]
    ranks = [1 + sum(other.interval[1] < test.interval[0] for other in tests) for test in tests]
    for result, rank in zip(results, ranks, strict=True):
        yield Row(
            result.run,
            {split: score.bits_per_byte for split, score in result.scores.items()},
            {split: score.accuracy for split, score in result.scores.items()},
            rank,
            ranks.count(rank) > 1,
            result.protocol.adaptive,
            result,
        )


def _ladder_rows(ladder: Ladder) -> Iterable[Row]:
    for rung in ladder.rungs:
        if "test" in rung.bits_per_byte:
            bits, accuracy = dict(rung.bits_per_byte), dict(rung.accuracy)
            yield Row(rung.name, bits, accuracy, adaptive=rung.adaptive)
    if "test" in ladder.floor:
        yield Row(_FLOOR, dict(ladder.floor), {})
