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
    from seqzoo.errors import UsageError
    from seqzoo.recipes.load import load_recipe
    from seqzoo.recipes.sections import run_name

    if name is not None:
        try:
            run_name(name)
        except ValueError as error:
            raise UsageError(f"--name: {error}.") from None
    checked = load_recipe(recipe, installed(), overrides=overrides or [])

    from seqzoo.cli.report import report
    from seqzoo.runs.runner import run_recipe
    from seqzoo.terminal.display import TerminalDisplay

    directory, result = run_recipe(
        checked, root=runs, name=name, device=device, display=TerminalDisplay()
    )
    report(directory.path, result, as_json=as_json)
