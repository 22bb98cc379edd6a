"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

__all__ = [
    "DEFAULT_RUNS",
    "Adapt",
    "AsJson",
    "Device",
    "Into",
    "Run",
    "RunsFolder",
    "Step",
    "recipe_or_run",
    "run_named",
    "split_named",
    "whole_number",
]

DEFAULT_RUNS = Path("runs")


def run_named(ctx: typer.Context, value: Any) -> Any:
    """The folders that are meant by what was typed: `quick` is runs/quick if there is no `quick`.

    A callback of arguments; value: a path, several, or None. Names are those that `seqzoo runs`
    prints, SWEEP/MEMBER too. The folder of the runs is the option --runs where the command has it.
    """
    if isinstance(value, (list, tuple)):
        return [run_named(ctx, each) for each in value]
    inside = _in_runs(ctx, value)
    if inside is None:
        return value
    # A name that is wrong is looked for there too, so that the message suggests a run.
    is_mistyped = not value.suffix and inside.parent.is_dir()
    return inside if inside.is_dir() or is_mistyped else value


def recipe_or_run(ctx: typer.Context, value: Any) -> Any:
    """The same for an argument that can also be a recipe: the name of a recipe is never a run's."""
    from seqzoo.recipes.shipped import find_recipe

    if value is None or find_recipe(value).is_file():
        return value
    inside = _in_runs(ctx, value)
    return inside if inside is not None and inside.is_dir() else value


def _in_runs(ctx: typer.Context, value: Path | None) -> Path | None:
    """The place of a run with this name; None if it is a path, or the name of something here.

    Raises UsageError if there is no folder where --runs says.
    """
    runs = ctx.params.get("runs")
    folder = runs if isinstance(runs, Path) else DEFAULT_RUNS
    if value is None or value.is_absolute() or value.exists():
        return None
    if not folder.is_dir():
        if folder == DEFAULT_RUNS:
            return None
        from seqzoo.errors import UsageError

        raise UsageError(f"--runs: there is no folder {folder}, which should contain {value}.")
    return _unshortened(folder, value) if _CUT in value.parts[0] else folder / value


_CUT = "…"
"""What `seqzoo runs` puts for the beginning of a name that is too long for the terminal."""


def _unshortened(folder: Path, value: Path) -> Path:
    """The only run whose name ends with what is shown of it; else its place if there were one."""
    from seqzoo.runs.listing import runs_in

    end = value.as_posix().rpartition(_CUT)[2]
    found = [run.path for run in runs_in(folder) if run.path.as_posix().endswith(end)]
    return found[0] if len(found) == 1 else folder / value


def whole_number(*names: str, least: int, help: str, show_default: bool = True) -> Any:
    """An option that is a whole number from `least` to 2**63 - 1, as recipes write it (2e3 too).

    names: the long name first. Anything else is a UsageError with this name.
    """

    def parse(value: Any) -> int:
        from seqzoo.errors import UsageError

        found = _whole(str(value))
        if found is None or found < least:
            raise UsageError(
                f"{names[0]} is '{value}', expected a whole number of at least {least}."
            )
        if found > _MOST:
            raise UsageError(
                f"{names[0]} is '{value}', expected a whole number from {least} to {_MOST}."
            )
        return found

    return typer.Option(*names, parser=parse, metavar="N", help=help, show_default=show_default)


_MOST = 2**63 - 1
"""The limit of recipes, and of the seeds of generators."""


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        found = float(text)
    except ValueError:
        return None
    return int(found) if found.is_integer() else None


Run: TypeAlias = Annotated[
    Path,
    typer.Argument(
        help="Folder of the run, e.g. runs/quick, or its name in --runs.",
        show_default=False,
        callback=run_named,
    ),
]
# Eager, because the name of a run is looked up in it.
RunsFolder: TypeAlias = Annotated[
    Path, typer.Option("--runs", help="Folder that holds the runs.", is_eager=True)
]
Device: TypeAlias = Annotated[
    str | None,
    typer.Option(help="auto, cpu, cuda, cuda:N or mps; default: as in the recipe.", metavar="NAME"),
]
Step: TypeAlias = Annotated[
    int | None,
    whole_number(
        "--step",
        least=0,
        help="Step of the checkpoint to use; default: the best on validation.",
        show_default=False,
    ),
]
Adapt: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--adapt",
        metavar="KEY=VALUE",
        help="How to learn, e.g. --adapt learning_rate=1e-3; default: the recipe's settings.",
    ),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Into: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        help="Markdown file to write the leaderboard into, between <!-- leaderboard --> and "
        "<!-- end of leaderboard -->.",
        show_default=False,
    ),
]


def split_named(name: str, *further: str) -> str:
    """The split with this name, written with `-` or `_`. further: other names that are accepted.

    Raises UsageError if there is no such split.
    """
    from seqzoo.errors import UsageError, did_you_mean
    from seqzoo.plugin.specs import SPLITS

    split, known = name.replace("-", "_"), (*SPLITS, *further)
    if split not in known:
        raise UsageError(f"'{name}' is not a split.{did_you_mean(split, known)}")
    return split
