"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

__all__ = ["DEFAULT_RUNS", "AsJson", "Device", "Into", "Run", "RunsFolder", "Step", "split_named"]

DEFAULT_RUNS = Path("runs")

Run: TypeAlias = Annotated[
    Path, typer.Argument(help="Folder of the run, e.g. runs/quick.", show_default=False)
]
RunsFolder: TypeAlias = Annotated[Path, typer.Option("--runs", help="Folder that holds the runs.")]
Device: TypeAlias = Annotated[
    str | None,
    typer.Option(help="auto, cpu, cuda, cuda:N or mps; default: as in the recipe.", metavar="NAME"),
]
Step: TypeAlias = Annotated[
    int | None,
    typer.Option(
        help="Step of the checkpoint to use; default: the best on validation.", show_default=False
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
