"""run_sweep(...) -> failed members: members run as jobs, N at a time, until all have ended.

Each member is a `seqzoo run`, or a `seqzoo resume` where an earlier sweep was stopped. So a sweep
does nothing that a person could not do by hand, and a member that fails does not stop the others.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from seqzoo.model.threads import available_threads, user_chose_threads
from seqzoo.plugin.launcher import Launcher
from seqzoo.recipes.load import Recipe
from seqzoo.runs.interruption import Interrupted, Interruption
from seqzoo.storage import make_directory, write_whole
from seqzoo.sweep.folder import Completion, SweepFolder
from seqzoo.sweep.grid import GridSections
from seqzoo.sweep.members import Member
from seqzoo.sweep.plan import Plan, plan_of
from seqzoo.sweep.process import MemberRun, MemberState
from seqzoo.sweep.table import sweep_display
from seqzoo.sweep.work import Work
from seqzoo.terminal.console import can_redraw, messages, note

__all__ = ["run_sweep", "threads_each"]


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
    sections: GridSections,
    text: str,
    launcher: AbstractContextManager[Launcher],
    jobs: int | None,
) -> list[MemberRun]:
    """Run every member that is not finished, `jobs` at a time, and return those that failed.

    recipes: each member's, by its name. sections, text: of the grid file; a copy of it is kept.
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
        if all(run.is_finished for run in runs):
            plan = plan_of(sections, runs, folder.decisions, jobs=jobs or 1)
            plan.next()  # nothing, but it finds who was the best
            _report(plan)
            return []
        # In a terminal the table shows it, and a line would break the table.
        message = _nothing if can_redraw(console) else _stopping
        with (
            launcher as opened,
            Interruption(message) as interruption,
            sweep_display(console, runs) as display,
        ):
            try:
                plan = plan_of(sections, runs, folder.decisions, jobs=jobs or opened.room())
                work = Work(folder, plan, opened, display, jobs=jobs, threads=threads_each)
                work.run(interruption)
            finally:
                for run in runs:
                    run.kill()  # only members that have not ended
    if interruption.received is not None and not all(run.has_settled for run in runs):
        done = sum(run.is_finished for run in runs)
        raise Interrupted(
            interruption.received,
            f"Stopped with {done} of {len(runs)} members finished; to continue, run the same "
            f"command again",
        )
    _report(plan)
    return [run for run in runs if run.state is MemberState.FAILED]


def _report(plan: Plan) -> None:
    for sentence in plan.summary():
        note(sentence)
