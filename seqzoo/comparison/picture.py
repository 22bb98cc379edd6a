"""A picture of runs: accuracy on validation over the time of training, beside the baselines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqzoo.comparison.finished import FinishedRun
from seqzoo.errors import EnvironmentFault, UsageError
from seqzoo.terminal.format import pip_install

__all__ = ["draw_picture"]

# Colours for every kind of colour vision: Okabe and Ito 2008, https://jfly.uni-koeln.de/color
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MIN_GAP = 0.022


def draw_picture(runs: Sequence[FinishedRun], path: Path) -> None:
    """Write `path` (.svg, .png or .pdf): accuracy on the validation split over seconds of training.

    A baseline with an accuracy is a horizontal line. The same runs give the same SVG. Raises
    UsageError for another suffix or runs without validation, EnvironmentFault where matplotlib is
    not installed.
    """
    if path.suffix not in (".svg", ".png", ".pdf"):
        raise UsageError(f"picture {path} must end in .svg, .png or .pdf.")
    curves = [_curve(run) for run in runs]
    if not any(curves):
        raise UsageError(
            "none of these runs was validated during training, so there is no curve to draw; set "
            "train.validation.every_steps."
        )
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise EnvironmentFault(
            f"pictures need matplotlib, which is not installed ({error}); install it with: "
            f"{pip_install('seqzoo[report]')}"
        ) from error
    # Ids in an SVG are drawn from the salt; with a fixed one and no date the file is the same.
    with matplotlib.rc_context({"svg.hashsalt": "seqzoo", "font.size": 10}):
        figure = Figure(figsize=(7.2, 4.2), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        _draw_rungs(axes, runs)
        for number, (run, curve) in enumerate(zip(runs, curves, strict=True)):
            if curve:
                seconds, accuracy = zip(*curve, strict=True)
                axes.plot(
                    seconds,
                    [100 * share for share in accuracy],
                    color=_COLOURS[number % len(_COLOURS)],
                    linewidth=1.8,
                    label=run.label,
                )
        axes.set_xlabel("seconds of training")
        axes.set_ylabel("next byte guessed right on validation, %")
        axes.set_xlim(0, max(seconds for curve in curves for seconds, _ in curve))
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(frameon=False, loc="outside lower center", ncols=min(2, len(runs)))
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)


def _curve(run: FinishedRun) -> list[tuple[float, float]]:
    """(seconds, accuracy) of each validation; seconds are interpolated between logged steps."""
    if not run.seconds_at:
        return []
    steps, seconds = zip(*sorted(run.seconds_at.items()), strict=True)
    return [
        (float(np.interp(line.step, (0, *steps), (0.0, *seconds))), line.validation_accuracy)
        for line in run.metrics
        if line.validation_accuracy is not None
    ]


def _draw_rungs(axes: Any, runs: Sequence[FinishedRun]) -> None:
    """Lines for the baselines of the first run, named at the right end where there is room."""
    rungs = {
        rung.name: rung.accuracy["validation"]
        for rung in runs[0].result.rungs
        if not rung.adaptive and "validation" in rung.accuracy
    }
    last = -1.0
    for name, accuracy in sorted(rungs.items(), key=lambda item: item[1]):
        axes.axhline(100 * accuracy, color="#999999", linewidth=0.8, linestyle=(0, (4, 3)))
        if accuracy - last >= _MIN_GAP:
            axes.annotate(
                name,
                (1.0, 100 * accuracy),
                xycoords=("axes fraction", "data"),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                color="#666666",
                fontsize=8,
            )
            last = accuracy
