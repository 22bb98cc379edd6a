"""seqzoo run RECIPE [--text TEXT] [key=value ...]"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqzoo.cli.options import DEFAULT_RUNS, AsJson, Device, RunsFolder
from seqzoo.cli.recipes import RecipeArgument, Texts, require_settings


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
    device: Device = None,
    paths_from: Annotated[
        Path | None,
        typer.Option(hidden=True, help="Folder that relative paths in settings start from."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train, evaluate and sample a recipe; writes the folder runs/NAME/.

    seqzoo run quick

    seqzoo run quick --text notes.txt

    seqzoo run quick --text 'notes/*.md' train.budget.steps=1000
    """
    from seqzoo.cli.plugins import installed
    from seqzoo.cli.report import report_run
    from seqzoo.recipes.load import load_recipe
    from seqzoo.runs.run import run as run_recipe

    require_settings(overrides or [], text or [])
    checked = load_recipe(
        Path(recipe), installed(), overrides=overrides or [], texts=text, here=paths_from
    )
    done = run_recipe(checked, root=runs, name=name, device=device, show_progress=True)
    report_run(done, as_json=as_json)
