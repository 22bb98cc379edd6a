"""Runs the checks one by one, and separates causes from their consequences.

A check that raises an exception is reported as crashed, and the others still run; if a finding
explains it, the check is skipped and refers to that. A finding that another finding explains is a
consequence of it: the report names causes first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import torch

from seqzoo.doctor.causes import EXPLAIN_CRASHES
from seqzoo.doctor.subject import Missing, Subject, Unusable, cause_of
from seqzoo.model.runtime import random_state, restore_random_state
from seqzoo.plugin.check import Check, Outcome

__all__ = ["Diagnosis", "Examined", "diagnose"]


@dataclass(frozen=True)
class Examined:
    """A check and its outcome. crashed: it raised an exception, which `outcome` describes."""

    check: Check
    outcome: Outcome
    seconds: float
    crashed: bool = False

    @property
    def is_finding(self) -> bool:
        """Whether something is wrong."""
        return self.outcome.status in ("warn", "fail")


@dataclass(frozen=True)
class Diagnosis:
    """All checks that were asked for, in order.

    explained: for each finding that follows from others, the names of those.
    """

    title: str
    examined: tuple[Examined, ...]
    explained: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def findings(self) -> tuple[Examined, ...]:
        """What is wrong: causes first, then their consequences."""
        found = [each for each in self.examined if each.is_finding]
        return tuple(sorted(found, key=lambda each: each.check.name in self.explained))

    @property
    def causes(self) -> tuple[Examined, ...]:
        """Findings that no other finding explains."""
        return tuple(each for each in self.findings if each.check.name not in self.explained)

    def reasons(self, name: str) -> tuple[str, ...]:
        """What explains a finding: the causes among its reasons, or all of its reasons."""
        all_reasons = self.explained.get(name, ())
        return tuple(each for each in all_reasons if each not in self.explained) or all_reasons

    @property
    def is_healthy(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def diagnose(
    subject: Subject,
    checks: Sequence[Check],
    *,
    watch: Callable[[float, str], None] = lambda share, name: None,
) -> Diagnosis:
    """Run `checks` in their order; torch's generators and threads are left as they were.

    watch: called before each check with the share that is done and the check's name.
    """
    examined: list[Examined] = []
    names = {check.name for check in checks}
    generators, threads = random_state(), torch.get_num_threads()
    try:
        for number, check in enumerate(checks):
            watch(number / len(checks), check.name)
            torch.set_num_threads(threads)
            if check.group != "environment":  # it looks at the threads that training would use
                torch.set_num_threads(_threads(subject))
            gate = _closed_gate(examined, check)
            examined.append(gate or _examine(subject, check, names))
    finally:
        restore_random_state(generators)
        torch.set_num_threads(threads)
    examined = _without_explained_crashes(examined)
    return Diagnosis(subject.title, tuple(examined), _explained(examined))


def _threads(subject: Subject) -> int:
    """The faster count; torch's own if the model cannot be tried, which a check reports."""
    try:
        return subject.threads
    except KeyboardInterrupt:
        raise
    except BaseException:
        return torch.get_num_threads()


def _closed_gate(examined: Sequence[Examined], check: Check) -> Examined | None:
    """The check as skipped, if a gate that explains it has failed."""
    for each in examined:
        if each.check.is_gate and each.outcome.status == "fail" and _explains(each.check, check):
            return Examined(check, Outcome.skipped(f"not run, see {each.check.name}"), 0.0)
    return None


def _examine(subject: Subject, check: Check, names: Collection[str]) -> Examined:
    began = time.perf_counter()
    crashed = False
    torch.manual_seed(subject.seed)  # a check's figures do not depend on those before it
    try:
        if subject.quick and not check.is_quick:
            raise Missing("left out of the quick mode")
        if reason := subject.skips(check.name):
            raise Missing(reason)
        outcome = check.examine(subject)
        if not isinstance(outcome, Outcome):
            raise TypeError(f"the check gave {type(outcome).__name__}, expected an Outcome")
    except Unusable as reason:
        if reason.reported_by in names:
            outcome = Outcome.skipped(str(reason))
        else:
            outcome, crashed = _crash(reason.__cause__ or reason), True
    except Missing as reason:
        outcome = Outcome.skipped(str(reason))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin's SystemExit must not end the others either
        outcome, crashed = _crash(error), True
    return Examined(check, outcome, time.perf_counter() - began, crashed)


def _crash(error: BaseException) -> Outcome:
    return Outcome.warned(
        f"the check could not be finished: {cause_of(error)}",
        why="What it looks at is unknown, and what it runs (the check, or a plugin) may fail in "
        "training too.",
        remedy="Fix what the message names, or disable a plugin with SEQZOO_DISABLE.",
    )


def _without_explained_crashes(examined: Sequence[Examined]) -> list[Examined]:
    """The same with checks as skipped that crashed on what another check has found broken."""
    broken = [
        each
        for each in examined
        if each.is_finding
        and not each.crashed
        and (each.outcome.status == "fail" or each.check.name in EXPLAIN_CRASHES)
    ]

    def shown(each: Examined) -> Examined:
        reason = next((other for other in broken if _explains(other.check, each.check)), None)
        if not each.crashed or reason is None:
            return each
        skipped = Outcome.skipped(f"it could not be finished, see {reason.check.name}")
        return Examined(each.check, skipped, each.seconds)

    return [shown(each) for each in examined]


def _explained(examined: Sequence[Examined]) -> dict[str, tuple[str, ...]]:
    """For each finding, what explains it. If two explain each other, the earlier is the cause."""
    found = [each for each in examined if each.is_finding]
    explained: dict[str, tuple[str, ...]] = {}
    for place, each in enumerate(found):
        reasons = tuple(
            other.check.name
            for other_place, other in enumerate(found)
            if other is not each
            and _accounts_for(other, each)
            and (other_place < place or not _accounts_for(each, other))
        )
        if reasons:
            explained[each.check.name] = reasons
    return explained


def _accounts_for(cause: Examined, other: Examined) -> bool:
    """By what the cause declares; checks that crashed with one message explain each other."""
    if cause.crashed and other.crashed and cause.outcome.seen == other.outcome.seen:
        return True
    return _explains(cause.check, other.check)


def _explains(cause: Check, other: Check) -> bool:
    return cause is not other and any(fnmatchcase(other.name, name) for name in cause.explains)
