"""What an examination does not have, or what failed when it was made: one check reports it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from seqzoo.errors import SeqzooError
from seqzoo.plugin.place import place_of

__all__ = [
    "NO_RECIPE",
    "NO_RUN",
    "NO_TOKENIZER",
    "Exhausted",
    "Failures",
    "Missing",
    "Unusable",
    "cause_of",
    "or_none",
]

T = TypeVar("T")

NO_RECIPE = "there is no recipe"
NO_RUN = "there is no run yet"
NO_TOKENIZER = "there is no tokenizer; batches are tokens already"
"""Why checks do not look at a user's own code."""


class Missing(Exception):  # noqa: N818 (not an error: there is nothing of the kind to look at)
    """This examination has no such thing; the message says why, as the reason of a skip."""


class Exhausted(Missing):
    """Batches that can be read only once have been read to their end."""


class Unusable(Missing):
    """Something raised an exception when it was made or read; that is its `__cause__`.

    reported_by: the check that reports it. Every other check that needs the thing is skipped,
    unless that check is not among those that run.
    """

    def __init__(self, what: str, *, reported_by: str) -> None:
        super().__init__(f"{what}, see {reported_by}")
        self.reported_by = reported_by


def or_none(get: Callable[[], T]) -> T | None:
    """What `get` returns, or None if this examination does not have it or it cannot be used."""
    try:
        return get()
    except Missing:
        return None


class Failures:
    """Makes things and remembers exceptions: nothing that fails is tried twice."""

    def __init__(self) -> None:
        self._failed: dict[str, BaseException] = {}
        self._missing: dict[str, Missing] = {}

    def made(self, make: Callable[[], T], what: str, *, reported_by: str = "") -> T:
        """What `make` returns. Raises Unusable if it failed, now or earlier.

        what: the beginning of that message. Without reported_by the first caller gets the
        exception itself, and every later one gets Missing. A Missing is raised again as it was.
        """
        if what in self._missing:
            raise self._missing[what]
        if what not in self._failed:
            try:
                return make()
            except Exhausted:  # later there may be batches again
                raise
            except Missing as reason:
                self._missing[what] = reason
                raise
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # a plugin's SystemExit is an error like any other
                self._failed[what] = error
                if not reported_by:
                    raise
        if not reported_by:
            raise Missing(f"{what}, as reported above")
        raise Unusable(what, reported_by=reported_by) from self._failed[what]


def cause_of(error: BaseException) -> str:
    """What an exception says and where it was raised, in one line."""
    said = " ".join(str(error).split())
    if isinstance(error, SeqzooError):
        return said.rstrip(".")
    named = f"{type(error).__name__}: {said[:300]}" if said else type(error).__name__
    place = place_of(error)
    return f"{named} ({place})" if place else named
