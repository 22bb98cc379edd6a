"""seqzoo compare RUN RUN [RUN ...]"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from seqzoo.cli.options import AsJson, run_named


class Over(StrEnum):
    """The x axis of curves."""

    steps = "steps"
    bytes = "bytes"


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of two or more finished runs; each is compared with the first.",
            show_default=False,
            callback=run_named,
        ),
    ],
    split: Annotated[
        str, typer.Option(help="Split whose scores are subtracted.", metavar="NAME")
    ] = "test",
    over: Annotated[Over, typer.Option("--x", help="The x axis of the loss curves.")] = Over.steps,
    picture: Annotated[
        Path | None,
        typer.Option(
            help="File (.svg, .png or .pdf) for a plot of accuracy over the time of training.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare runs: scores, settings, loss curves, and where the scores differ.

    Scores are subtracted only where they are comparable: of the same bytes,
    read in the same way. The rest is shown for any runs. Neither the corpus
    nor plugins are needed.
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
