"""What `seqzoo verify` says of one promise: it holds, it is broken, or nothing can be compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from seqzoo.errors import CorpusUnavailable, EnvironmentFault, SeqzooError
from seqzoo.plugin.trust import UntrustedError

__all__ = ["Broken", "Outcome", "Skipped", "Verdict", "verdict_of"]


class Outcome(StrEnum):
    """What a check found."""

    HOLDS = "holds"
    BROKEN = "broken"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Verdict:
    """One check: what was compared or is wrong, and what to do about it."""

    check: str
    outcome: Outcome
    detail: str


class Skipped(Exception):  # noqa: N818 (not an error)
    """There is nothing to compare."""


class Broken(Exception):  # noqa: N818 (of the run, not of this program)
    """A promise does not hold."""


def verdict_of(name: str, check: Callable[[], str]) -> Verdict:
    """The verdict of a check, which returns what it has compared."""
    try:
        return Verdict(name, Outcome.HOLDS, check())
    except (Skipped, CorpusUnavailable) as reason:
        return Verdict(name, Outcome.SKIPPED, str(reason))
    except (
        EnvironmentFault,
        UntrustedError,
    ):  # it cannot be checked here, whatever the run is like
        raise
    except (Broken, SeqzooError) as fault:
        return Verdict(name, Outcome.BROKEN, str(fault))
