"""What a visit has not, or what broke when it was made: told once, by one check."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from seqzoo.errors import SeqzooError

__all__ = ["Failures", "Missing", "Unusable", "cause_of"]

T = TypeVar("T")


class Missing(Exception):  # noqa: N818 (no error: there is nothing of the kind to look at)
    """There is no such thing in this visit; the message says why, as the reason of a skip."""


class Unusable(Missing):
    """Something that raised when it was made, or while it was read; `__cause__` is what it raised.

    told_by: the check that tells it. Every other check that needs the thing is skipped, unless
    that one is not among those that are run.
    """

    def __init__(self, what: str, *, told_by: str) -> None:
        super().__init__(f"{what}, see {told_by}")
        self.told_by = told_by


class Failures:
    """Makes things, and keeps what was raised: nothing that fails is tried twice."""

    def __init__(self) -> None:
        self._failed: dict[str, BaseException] = {}

    def made(self, make: Callable[[], T], what: str, *, told_by: str = "") -> T:
        """What `make` gives. Raises Unusable where it failed, now or earlier.

        what: is said of it then. Without told_by whoever asks first gets the error itself, and
        everyone after that Missing.
        """
        if what not in self._failed:
            try:
                return make()
            except (Missing, KeyboardInterrupt):
                raise
            except BaseException as error:  # a plugin's SystemExit is an error as any other
                self._failed[what] = error
                if not told_by:
                    raise
        if not told_by:
            raise Missing(f"{what}, as told above")
        raise Unusable(what, told_by=told_by) from self._failed[what]


def cause_of(error: BaseException) -> str:
    """What an error says and where it was raised, in a line."""
    said = " ".join(str(error).split())
    if isinstance(error, SeqzooError):
        return said.rstrip(".")
    named = f"{type(error).__name__}: {said[:300]}" if said else type(error).__name__
    if not (frames := traceback.extract_tb(error.__traceback__)):
        return named
    return f"{named} ({Path(frames[-1].filename).name}:{frames[-1].lineno})"
