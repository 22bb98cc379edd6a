"""run_sweep(...) -> failed members: members run as jobs, N at a time, until all have ended.

Each member is a `seqzoo run`, or a `seqzoo resume` where an earlier sweep was stopped. So a sweep
does nothing that a person could not do by hand, and a member that fails does not stop the others.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress

from seqzoo.errors import EnvironmentFault
from seqzoo.model.threads import available_threads, user_chose_threads
from seqzoo.plugin.launcher import Launcher
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import Recipe
from seqzoo.runs.interruption import Interrupted, Interruption
from seqzoo.storage import make_directory, write_whole
from seqzoo.sweep.by_optuna import Settings
from seqzoo.sweep.folder import Completion, SweepFolder
from seqzoo.sweep.grid import Grid
from seqzoo.sweep.members import Member, checked_recipes, members_of
from seqzoo.sweep.plan import Plan
from seqzoo.sweep.planned import asks, decides, first_settings, plan_of
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
    grid: Grid,
    members: Sequence[Member],
    recipes: Mapping[str, Recipe],
    *,
    registry: Registry,
    launcher: AbstractContextManager[Launcher],
    jobs: int | None,
) -> list[MemberRun]:
    """Run every member that is not finished, `jobs` at a time, and return those that failed.

    members, recipes: of the grid; a search that asks for settings adds further ones. A copy of the
    grid file is kept in the folder.
    launcher: opened when the members are known to be right. jobs: None: as many as it has room for.
    Raises Interrupted after a signal, when the members have saved, and LockedError where another
    sweep, or a member of one, is running here.
    """
    make_directory(folder.path)
    with folder.locked():
        if asks(grid.sections):
            # What another sweep has asked for since the members were made.
            members = members_of(grid, first_settings(grid.sections, folder.decisions))
            recipes = checked_recipes(members, registry)
        folder.settle(recipes)
        completions = folder.completions(recipes)
        write_whole(folder.copy, grid.text)
        runs = _runs_of(members, recipes, folder, completions)

        def add(settings: Sequence[Settings]) -> MemberRun:
            """The members of one more setting; the first of them is returned."""
            new = members_of(grid, settings)[len(runs) :]
            checked = checked_recipes(new, registry)
            runs.extend(_runs_of(new, checked, folder, folder.completions(checked)))
            return runs[-len(new)]

        def plan_for(number: int) -> Plan:
            return plan_of(grid.sections, runs, folder.decisions, add, jobs=number)

        finished = sum(run.state is MemberState.SKIPPED for run in runs)
        if finished:
            note(f"{finished} of {len(runs)} members are finished already")
        console = messages()
        plan, first = None, None
        if jobs is not None or not decides(grid.sections) or folder.decisions.exists():
            plan = plan_for(jobs or 1)
            if (first := plan.next()) is None:  # no place to run them is needed
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
                plan = plan or plan_for(jobs or opened.room())
                if plan.jobs is not None and jobs is not None and plan.jobs != jobs:
                    note(f"this search decides as it began, with {plan.jobs} at a time")
                work = Work(
                    folder, plan, opened, display, first=first, jobs=jobs, threads=threads_each
                )
                work.run(interruption)
            finally:
                for run in runs:
                    with suppress(Exception):  # one that cannot be killed leaves no other alive
                        run.kill()  # only members that have not ended
    if not plan.is_over():
        done = sum(run.is_finished for run in runs)
        total = grid.sections.num_members if asks(grid.sections) else len(runs)
        state = f"with {done} of {total} members finished; to continue, run the same command again"
        if interruption.received is not None:
            raise Interrupted(interruption.received, f"Stopped {state}")
        raise EnvironmentFault(f"the sweep ended {state}.")
    _report(plan)
    return [run for run in runs if run.state is MemberState.FAILED]


def _runs_of(
    members: Sequence[Member],
    recipes: Mapping[str, Recipe],
    folder: SweepFolder,
    completions: Mapping[str, Completion],
) -> list[MemberRun]:
    """The members as they are in their folders; what a new one has in its folder is removed."""
    for name, completion in completions.items():
        if completion is Completion.NEW:
            folder.clear(name)
    return [MemberRun(m, recipes[m.name], folder, completions[m.name]) for m in members]


def _report(plan: Plan) -> None:
    for sentence in plan.summary():
        note(sentence)
