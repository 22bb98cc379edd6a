"""seqzoo compare RUN [RUN ...]"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from seqzoo.cli.options import DEFAULT_RUNS, AsJson, RunsFolder, run_named

if TYPE_CHECKING:
    from seqzoo.comparison.loss_curve import Axis


def _axis(value: str) -> str:
    """The x axis of curves with this name. Raises UsageError if there is none."""
    from seqzoo.comparison.loss_curve import AXES
    from seqzoo.errors import UsageError

    if value not in AXES:
        raise UsageError(f"--x is '{value}', expected {', '.join(AXES[:-1])} or {AXES[-1]}.")
    return value


def compare(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Folders of finished runs, or their names in --runs; each is compared with the "
            "first. One is shown alone.",
            show_default=False,
            callback=run_named,
        ),
    ],
    split: Annotated[
        str, typer.Option(help="Split whose scores are subtracted.", metavar="NAME")
    ] = "test",
    over: Annotated[
        str | None,
        typer.Option(
            "--x",
            parser=_axis,
            metavar="AXIS",
            help="The x axis of the curves: steps, bytes or seconds; default: steps, and seconds "
            "in a picture or a page.",
            show_default=False,
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            help="File (.svg, .png or .pdf) for a plot of bits per byte and accuracy.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    as_html: Annotated[
        bool, typer.Option("--html", help="Print a page of HTML in one file.")
    ] = False,
    runs: RunsFolder = DEFAULT_RUNS,
    as_json: AsJson = False,
) -> None:
    """Compare runs: scores, settings, loss curves, and where the scores differ.

    A single run is shown with its scores, settings and curves.
    Scores are subtracted only where they are comparable: of the same bytes,
    read in the same way. The rest is shown for any runs. Neither the corpus
    nor plugins are needed.
    """
    from seqzoo.comparison.compare import compare as compared
    from seqzoo.comparison.finished import read_finished_runs
    from seqzoo.comparison.loss_curve import usual_axis
    from seqzoo.comparison.picture import draw_picture, require_drawable
    from seqzoo.comparison.to_json import comparison_to_json
    from seqzoo.comparison.views import print_comparison
    from seqzoo.errors import UsageError
    from seqzoo.terminal.console import note, results
    from seqzoo.terminal.streams import write_data

    if as_html and as_json:
        raise UsageError("--html and --json cannot be used together; give one.")
    if picture is not None:
        require_drawable(picture)
    axis = cast("Axis | None", over)
    finished = read_finished_runs(paths)
    if as_html and axis is None:
        axis = usual_axis(finished)
    comparison = compared(finished, split=split.replace("-", "_"), axis=axis or "steps")
    if picture is not None:
        draw_picture(finished, picture, axis=axis)
        note(f"the picture is in {picture}")
    if as_json:
        write_data(comparison_to_json(comparison))
    elif as_html:
        from seqzoo.comparison.page import comparison_to_html

        write_data(comparison_to_html(comparison))
    else:
        print_comparison(comparison, results())
