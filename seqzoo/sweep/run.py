"""run_sweep(...) -> failed members: members run as jobs, N at a time, until all have ended.

Each member is a `seqzoo run`, or a `seqzoo resume` where an earlier sweep was stopped. So a sweep
does nothing that a person could not do by hand, and a member that fails does not stop the others.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from seqzoo.model.threads import available_threads, user_chose_threads
from seqzoo.plugin.launcher import Launcher
from seqzoo.recipes.load import Recipe
from seqzoo.runs.interruption import Interrupted, Interruption
from seqzoo.storage import make_directory, write_whole
from seqzoo.sweep.folder import Completion, SweepFolder
from seqzoo.sweep.members import Member
from seqzoo.sweep.process import MemberRun, MemberState
from seqzoo.sweep.table import SweepDisplay, sweep_display
from seqzoo.terminal.console import can_redraw, messages, note

__all__ = ["run_sweep", "threads_each"]

_TICK_SECONDS = 0.1
_SECONDS_BETWEEN_COUNTS = 1.0
_MOST_LOSSES = 3
"""How often in a row a member is lost, without a new step, before it has failed."""
_PATIENCE_SECONDS = 120.0
"""How long a member whose machine was lost may still hold its folder."""


def _nothing(_: int) -> str:
    return ""


def _stopping(number: int) -> str:
    again = "; press Ctrl-C again to stop at once" if number == signal.SIGINT else ""
    return f"\nstopping; the running members save first{again}\n"


def threads_each(jobs: int) -> int | None:
    """Threads for each of `jobs` members at a time, so that together they have the available cores.

    None: the environment has the number, which members take from there.
    """
    return None if user_chose_threads() else max(1, available_threads().number // jobs)


def run_sweep(
    folder: SweepFolder,
    members: Sequence[Member],
    recipes: Mapping[str, Recipe],
    *,
    text: str,
    launcher: AbstractContextManager[Launcher],
    jobs: int | None,
) -> list[MemberRun]:
    """Run every member that is not finished, `jobs` at a time, and return those that failed.

    recipes: each member's, by its name. text: of the grid file; a copy is kept in the folder.
    launcher: opened when the members are known to be right. jobs: None: as many as it has room for.
    Raises Interrupted after a signal, when the members have saved, and LockedError where another
    sweep, or a member of one, is running here.
    """
    make_directory(folder.path)
    with folder.locked():
        folder.settle(recipes)
        completions = folder.completions(recipes)
        write_whole(folder.copy, text)
        for name, completion in completions.items():
            if completion is Completion.NEW:
                folder.clear(name)
        runs = [MemberRun(m, recipes[m.name], folder, completions[m.name]) for m in members]
        finished = sum(run.state is MemberState.SKIPPED for run in runs)
        if finished:
            note(f"{finished} of {len(runs)} members are finished already")
        console = messages()
        if all(run.state is MemberState.SKIPPED for run in runs):
            return []
        # In a terminal the table shows it, and a line would break the table.
        message = _nothing if can_redraw(console) else _stopping
        with (
            launcher as opened,
            Interruption(message) as interruption,
            sweep_display(console, runs) as display,
        ):
            try:
                _Work(folder, runs, opened, jobs, display).run(interruption)
            finally:
                for run in runs:
                    run.kill()  # only members that have not ended
    if interruption.received is not None and not all(map(_is_settled, runs)):
        done = sum(run.state in (MemberState.FINISHED, MemberState.SKIPPED) for run in runs)
        raise Interrupted(
            interruption.received,
            f"Stopped with {done} of {len(runs)} members finished; to continue, run the same "
            f"command again",
        )
    return [run for run in runs if run.state is MemberState.FAILED]


class _Work:
    """The members of a sweep, each where it is in its life."""

    def __init__(
        self,
        folder: SweepFolder,
        runs: Sequence[MemberRun],
        launcher: Launcher,
        jobs: int | None,
        display: SweepDisplay,
    ) -> None:
        self._folder = folder
        self._launcher = launcher
        self._jobs = jobs
        self._display = display
        self._waiting = [run for run in runs if run.state is MemberState.WAITING]
        self._running: list[MemberRun] = []
        self._lost: dict[MemberRun, float] = {}
        self._room, self._counted_at = 0, -math.inf

    def run(self, interruption: Interruption) -> None:
        """Until all have ended, or the sweep is stopped and those that ran have saved."""
        while self._running or ((self._waiting or self._lost) and interruption.received is None):
            for run in list(self._running):
                if run.has_ended():
                    self._running.remove(run)
                    self._display.print_change(run)
                    if run.state is MemberState.LOST:
                        self._lost[run] = time.monotonic()
            if interruption.received is not None:
                for run in self._running:
                    run.ask_to_stop()
            else:
                for run in list(self._lost):
                    self._recover(run)
                if self._waiting and len(self._running) < self._places():
                    self._start(self._waiting.pop(0))
                    continue
            self._display.show()
            time.sleep(_TICK_SECONDS)

    def _places(self) -> int:
        """How many may run at a time."""
        if self._jobs is not None:
            return self._jobs
        if (now := time.monotonic()) - self._counted_at >= _SECONDS_BETWEEN_COUNTS:
            self._room, self._counted_at = self._launcher.room(), now
        return self._room

    def _start(self, run: MemberRun) -> None:
        threads = self._launcher.threads() or threads_each(self._places())
        run.start(self._launcher, threads=threads)
        if run.is_running:
            self._running.append(run)
        self._display.print_change(run)

    def _recover(self, run: MemberRun) -> None:
        """Put a lost member back into the line, as soon as nothing works in its folder."""
        if run.losses >= _MOST_LOSSES:
            run.give_up(f"its machine was lost {run.losses} times in a row")
        elif self._folder.is_free(run.name):
            completion = self._folder.completion(run.name)
            if completion is Completion.NEW:
                self._folder.clear(run.name)
            run.continue_from(completion)
            if run.state is MemberState.WAITING:
                self._waiting.insert(0, run)
        elif time.monotonic() - self._lost[run] > _PATIENCE_SECONDS:
            run.give_up("its machine was lost, and a process still works in its folder")
        else:
            return
        del self._lost[run]
        if run.state is not MemberState.WAITING:
            self._display.print_change(run)


def _is_settled(run: MemberRun) -> bool:
    return run.state in (MemberState.FINISHED, MemberState.SKIPPED, MemberState.FAILED)
