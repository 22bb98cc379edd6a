"""seqzoo compare RUN RUN [RUN ...]"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from seqzoo.cli.options import AsJson


class Over(StrEnum):
    """What curves are drawn over."""

    steps = "steps"
    bytes = "bytes"


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of two or more finished runs; all are held against the first.",
            show_default=False,
        ),
    ],
    split: Annotated[
        str, typer.Option(help="Split whose scores are subtracted.", metavar="NAME")
    ] = "test",
    over: Annotated[
        Over, typer.Option("--x", help="What the loss curves are drawn over.")
    ] = Over.steps,
    picture: Annotated[
        Path | None,
        typer.Option(
            help="File (.svg, .png or .pdf) that gets accuracy over the time of training.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hold runs side by side: scores, settings, loss curves, and where they differ.

    Scores are subtracted only where they are of the same bytes, read alike.
    All else is shown for any runs. Neither corpus nor plugins are needed.
    """
    from seqzoo.comparison.compare import compare as compared
    from seqzoo.comparison.finished import read_finished_runs
    from seqzoo.comparison.to_json import comparison_to_json
    from seqzoo.comparison.views import print_comparison
    from seqzoo.terminal.console import results

    finished = read_finished_runs(runs)
    if picture is not None:
        from seqzoo.comparison.picture import draw_picture

        draw_picture(finished, picture)
    comparison = compared(finished, split=split.replace("-", "_"), axis=over.value)
    if as_json:
        print(comparison_to_json(comparison))
    else:
        print_comparison(comparison, results())
