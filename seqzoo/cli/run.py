"""seqzoo run RECIPE [--text TEXT] [key=value ...]"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqzoo.cli.baselines import Baselines, baselines_override
from seqzoo.cli.options import DEFAULT_RUNS, AsJson, Device, RunsFolder
from seqzoo.cli.recipes import RecipeArgument, Texts, require_settings
from seqzoo.cli.trackers import TrackerOption, trackers_override
from seqzoo.cli.trust import GivenFiles, TrustOption, with_trust


def run(
    recipe: RecipeArgument,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="Settings to change, e.g. train.budget.steps=100.",
            show_default=False,
        ),
    ] = None,
    text: Texts = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="Name of the run's folder; default: the recipe's, with a number if it exists."
        ),
    ] = None,
    runs: RunsFolder = DEFAULT_RUNS,
    baselines: Baselines = None,
    tracker: TrackerOption = None,
    skip_scoring: Annotated[
        bool,
        typer.Option("--skip-scoring", help="End after training; seqzoo eval RUN scores later."),
    ] = False,
    device: Device = None,
    trust: TrustOption = False,
    paths_from: Annotated[
        Path | None,
        typer.Option(hidden=True, help="Folder that relative paths in settings start from."),
    ] = None,
    trusted_files: GivenFiles = None,
    as_json: AsJson = False,
) -> None:
    """Train, evaluate and sample a recipe; writes the folder runs/NAME/.

    seqzoo run quick

    seqzoo run quick --text notes.txt

    seqzoo run quick --text 'notes/*.md' train.budget.steps=1000
    """
    from seqzoo.terminal.console import note
    from seqzoo.version import __version__

    note(f"seqzoo {__version__}: reading the recipe {recipe}")  # at once: imports take seconds
    from seqzoo.cli.plugins import installed
    from seqzoo.cli.result import print_run, printed_if_unsaved
    from seqzoo.recipes.load import load_recipe
    from seqzoo.runs.api import run as run_recipe

    registry = with_trust(installed(), trust, trusted_files)
    require_settings(recipe, overrides or [], text or [], registry)
    options = [*baselines_override(baselines), *trackers_override(tracker, registry)]
    given = [*options, *(overrides or [])]
    checked = load_recipe(Path(recipe), registry, overrides=given, texts=text, here=paths_from)
    with printed_if_unsaved(as_json=as_json):
        done = run_recipe(
            checked,
            root=runs,
            name=name,
            device=device,
            show_progress=True,
            skip_scoring=skip_scoring,
        )
    print_run(done, as_json=as_json)
