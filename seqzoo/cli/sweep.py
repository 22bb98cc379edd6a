"""seqzoo sweep GRID"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from seqzoo.cli.options import DEFAULT_RUNS, AsJson, Into, RunsFolder, whole_number
from seqzoo.cli.trust import TrustOption, with_trust


def sweep(
    grid: Annotated[
        Path, typer.Argument(help="Grid file, see docs/sweeps.md.", show_default=False)
    ],
    runs: RunsFolder = DEFAULT_RUNS,
    jobs: Annotated[
        int | None,
        whole_number(
            "--jobs",
            "-j",
            least=1,
            help="How many members run at a time; on one machine they share its cores. Default: "
            "1, or as many as a cluster has room for.",
            show_default=False,
        ),
    ] = None,
    launcher: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[=VALUE]",
            help="Where the members run, e.g. ray; replaces the launcher of the grid file. "
            "'seqzoo list launcher' shows all.",
            show_default=False,
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="Address of the launcher's cluster; 'auto' for the one of this machine.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the members and their state; run nothing.")
    ] = False,
    into: Into = None,
    trust: TrustOption = False,
    as_json: AsJson = False,
) -> int:
    """Run a recipe with every combination of some settings; makes runs/NAME/MEMBER/.

    After a stop or a kill, run the same command again: finished members are
    skipped, and members that had started are resumed.
    """
    from seqzoo.cli.chosen import named_choice
    from seqzoo.cli.leaderboard import leaderboard
    from seqzoo.cli.plugins import installed
    from seqzoo.leaderboards.page import read_page
    from seqzoo.sweep.folder import SweepFolder
    from seqzoo.sweep.grid import read_grid
    from seqzoo.sweep.launching import chosen_launcher, opened_launcher
    from seqzoo.sweep.members import checked_recipes, members_of
    from seqzoo.sweep.planned import asks, first_settings, require_plan
    from seqzoo.sweep.run import run_sweep
    from seqzoo.terminal.console import fail, note, results
    from seqzoo.terminal.streams import write_data

    if into is not None:
        read_page(into)  # report a problem with it before any member runs
    read = read_grid(grid)
    folder = SweepFolder(runs / read.sections.name)
    members = members_of(read, first_settings(read.sections, folder.decisions))
    registry = with_trust(installed(), trust)
    given = None if launcher is None else named_choice(launcher, "launcher", registry)
    choice = chosen_launcher(read, registry, given=given, address=address)
    recipes = checked_recipes(members, registry)
    require_plan(read.sections, recipes)
    if asks(read.sections):
        checked_recipes(members_of(read, [{}]), registry)  # without what will be asked
    completions = folder.completions(recipes)
    search = read.sections.search
    if search is not None and not asks(read.sections):
        drawn = len({member.group for member in members})
        if drawn < read.sections.num_members // len(read.sections.seeds or [1]):
            note(f"the ranges of search have fewer than {search.members} different settings")
    if dry_run:
        if search is not None and asks(read.sections):
            note(f"{search.members} settings are asked for, one after the other")
        if as_json:
            listed = [
                {
                    "name": member.name,
                    "recipe": str(member.recipe),
                    "overrides": list(member.overrides),
                    "state": completions[member.name],
                }
                for member in members
            ]
            write_data(json.dumps(listed, indent=2))
            return 0
        for member in members:
            lines = [f"{member.name} ({completions[member.name]})", str(member.recipe)]
            text = "\n    ".join([*lines, *member.overrides])
            results().print(text, soft_wrap=True, markup=False)
        return 0
    failed = run_sweep(
        folder,
        read,
        members,
        recipes,
        registry=registry,
        launcher=opened_launcher(choice, registry, folder.path),
        jobs=jobs,
    )
    leaderboard(runs=folder.path, as_json=as_json, into=into)
    for run in failed:
        fail(f"{run.name}: {run.reason()} ({run.log})")
    return failed[0].exit_code if failed else 0
