"""seqzoo run RECIPE [key=value ...]"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqzoo.cli.options import DEFAULT_RUNS, AsJson, Device, RunsFolder


def run(
    recipe: Annotated[Path, typer.Argument(help="A recipe, e.g. recipes/quick.yaml.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="Settings to change, e.g. train.budget.steps=100.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="Name of the run's folder; default: the recipe's, with a number if it exists."
        ),
    ] = None,
    runs: RunsFolder = DEFAULT_RUNS,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Train, evaluate and sample a recipe; writes the folder runs/NAME/."""
    from seqzoo.cli.plugins import installed
    from seqzoo.cli.report import report_run
    from seqzoo.recipes.load import load_recipe
    from seqzoo.runs.run import run as run_recipe

    checked = load_recipe(recipe, installed(), overrides=overrides or [])
    done = run_recipe(checked, root=runs, name=name, device=device, show_progress=True)
    report_run(done, as_json=as_json)
