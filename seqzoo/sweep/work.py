"""The loop of a sweep: starts what the plan says, and starts again what was lost."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from seqzoo.plugin.launcher import Launcher
from seqzoo.runs.interruption import Interruption
from seqzoo.sweep.folder import Completion, SweepFolder
from seqzoo.sweep.plan import Plan
from seqzoo.sweep.process import MemberRun, MemberState
from seqzoo.sweep.table import SweepDisplay

__all__ = ["Work"]

_TICK_SECONDS = 0.1
_SECONDS_BETWEEN_COUNTS = 1.0
_MOST_LOSSES = 3
"""How often in a row a member is lost, without a new step, before it has failed."""
_PATIENCE_SECONDS = 120.0
"""How long a member whose machine was lost may still hold its folder."""


class Work:
    """The members of a sweep that run, and those that were lost."""

    def __init__(
        self,
        folder: SweepFolder,
        plan: Plan,
        launcher: Launcher,
        display: SweepDisplay,
        *,
        first: MemberRun | None = None,
        jobs: int | None,
        threads: Callable[[int], int | None],
    ) -> None:
        """first: what the plan has said already. jobs: at a time; None: as many as the launcher has
        room for.

        threads: of each of so many members on this machine; None if they find it themselves.
        """
        self._folder = folder
        self._plan = plan
        self._launcher = launcher
        self._display = display
        self._jobs = jobs
        self._threads = threads
        self._running: list[MemberRun] = []
        self._lost: dict[MemberRun, float] = {}
        self._found: list[MemberRun] = [] if first is None else [first]
        self._room, self._counted_at = 0, -math.inf

    def run(self, interruption: Interruption) -> None:
        """Until all have ended, or the sweep is stopped and those that ran have saved."""
        while True:
            for run in list(self._running):
                if run.has_ended():
                    self._running.remove(run)
                    self._display.print_change(run)
                    if run.state is MemberState.LOST:
                        self._lost[run] = time.monotonic()
            if interruption.received is not None:
                for run in self._running:
                    run.ask_to_stop()
                if not self._running:
                    return
            elif self._start_one():
                continue
            elif not self._running and not self._lost:
                return
            self._display.show()
            time.sleep(_TICK_SECONDS)

    def _start_one(self) -> bool:
        """Start what was lost before, or what the plan says, if there is room and something."""
        for run in list(self._lost):
            self._recover(run)
        if len(self._running) >= self._places():
            return False
        next_run = self._found.pop(0) if self._found else self._plan.next()
        if next_run is None:
            return False
        threads = self._launcher.threads() or self._threads(self._places())
        next_run.start(self._launcher, threads=threads)
        if next_run.is_running:
            self._running.append(next_run)
        self._display.print_change(next_run)
        return True

    def _places(self) -> int:
        """How many may run at a time."""
        if self._jobs is not None:
            return self._jobs
        if (now := time.monotonic()) - self._counted_at >= _SECONDS_BETWEEN_COUNTS:
            self._room, self._counted_at = self._launcher.room(), now
        return self._room

    def _recover(self, run: MemberRun) -> None:
        """Put a lost member back into the line, as soon as nothing works in its folder."""
        if run.losses >= _MOST_LOSSES:
            run.give_up(f"its machine was lost {run.losses} times in a row")
        elif self._folder.is_free(run.name):
            completion = self._folder.completion(run.name)
            if completion is Completion.NEW:
                self._folder.clear(run.name)
            run.continue_from(completion)
            if run.has_reached_pause and completion is Completion.UNFINISHED:
                run.state = MemberState.PAUSED
            if run.state is MemberState.WAITING:
                self._found.append(run)
        elif time.monotonic() - self._lost[run] > _PATIENCE_SECONDS:
            run.give_up("its machine was lost, and a process still works in its folder")
        else:
            return
        del self._lost[run]
        if run.state is not MemberState.WAITING:
            self._display.print_change(run)
