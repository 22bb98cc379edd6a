"""A picture of runs: bits per byte and accuracy during training, beside the baselines."""

from __future__ import annotations

import importlib.util
import io
import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seqzoo.comparison.finished import FinishedRun, count_bytes, static_rungs
from seqzoo.comparison.loss_curve import AXIS_NAMES, Axis, LossCurve, loss_curve, usual_axis
from seqzoo.errors import EnvironmentFault, UsageError
from seqzoo.pages.axes import placed_apart, range_shown
from seqzoo.storage import write_whole
from seqzoo.terminal.format import pip_install, quoted

__all__ = ["COLOURS", "draw_picture", "require_drawable"]

# Colours for every kind of colour vision: Okabe and Ito 2008, https://jfly.uni-koeln.de/color
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLES = ("-", "--", "-.", ":")
_SUFFIXES = (".svg", ".png", ".pdf")
_MARKER = {"marker": "o", "markersize": 4}
_LABEL_SIZE = 7.5
_LONGEST_TITLE = 70
_LONGEST_LABEL = 40


def require_drawable(path: Path) -> None:
    """Checked before any work.

    Raises UsageError for another suffix or a missing folder, EnvironmentFault where matplotlib is
    not installed.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"picture {path} must end in .svg, .png or .pdf.")
    if not path.absolute().parent.is_dir():
        folder = quoted(path.parent)
        raise UsageError(
            f"picture {path}: there is no folder {path.parent}; make it with 'mkdir -p {folder}'."
        )
    if path.is_dir():
        raise UsageError(f"picture {path} is a folder; choose another name.")
    if importlib.util.find_spec("matplotlib") is None:
        raise EnvironmentFault(_MISSING)


_MISSING = (
    f"pictures need matplotlib, which is not installed; install it with: "
    f"{pip_install('seqzoo[report]')}"
)


def draw_picture(runs: Sequence[FinishedRun], path: Path, *, axis: Axis | None = None) -> None:
    """Write `path` (.svg, .png or .pdf): validation during training, and training losses.

    axis: what is at the bottom; None for seconds of training where all runs have logged them, else
    updates. Baselines are horizontal lines if all runs have one corpus. The same runs give the same
    SVG. Raises as `require_drawable`, and UsageError for runs without curves.
    """
    require_drawable(path)
    if axis is None:
        axis = usual_axis(runs)
    curves = [loss_curve(run, axis) for run in runs]
    if not any(curve.validation or curve.training for curve in curves):
        raise UsageError("none of these runs has logged metrics, so there is no curve to draw.")
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise EnvironmentFault(f"matplotlib cannot be loaded ({error}).") from error
    panels = [_losses(runs, curves)]
    if any(curve.accuracy for curve in curves):
        panels.append(_accuracies(runs, curves))
    # Ids in an SVG are drawn from the salt; with a fixed one and no date the file is the same.
    with matplotlib.rc_context({"svg.hashsalt": "seqzoo", "font.size": 9}):
        handles = dict(_legend(panels[0]))
        width = 5.2 * len(panels)
        columns = max(1, min(3, round(width * 14) // (max(map(len, handles)) + 8)))
        rows = math.ceil(len(handles) / columns)
        figure = Figure(figsize=(width, 4.0 + 0.2 * rows), layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(_title(runs), fontsize=11)
        right = max(x for panel in panels for line in panel.lines for x, _ in line.points)
        places = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, panel in zip(places, panels, strict=True):
            _draw(axes, panel, right or 1.0)
            axes.set_xlabel(AXIS_NAMES[axis])
        figure.legend(
            handles.values(),
            handles.keys(),
            frameon=False,
            loc="outside lower center",
            ncols=columns,
        )
        dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
        kind, drawn = path.suffix.lower(), io.BytesIO()
        with warnings.catch_warnings():
            # A name may have characters that the font lacks; they are drawn as boxes.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            figure.savefig(drawn, format=kind[1:], dpi=150, metadata=dates.get(kind))
    write_whole(path, drawn.getvalue())


class _Line(NamedTuple):
    """One curve. is_training: a thin line without markers."""

    label: str
    points: Sequence[tuple[float, float]]
    colour: str
    style: str
    is_training: bool = False


class _Panel(NamedTuple):
    """rungs: names and values of the baselines. low, high: what the y axis shows."""

    title: str
    unit: str
    lines: list[_Line]
    rungs: list[tuple[str, float]]
    low: float
    high: float


def _lines(runs: Sequence[FinishedRun], points: Sequence[Any], **more: Any) -> list[_Line]:
    return [
        _Line(
            _shortened(run.label),
            each,
            COLOURS[number % len(COLOURS)],
            _STYLES[number // len(COLOURS) % len(_STYLES)],
            **more,
        )
        for number, (run, each) in enumerate(zip(runs, points, strict=True))
    ]


def _shortened(label: str) -> str:
    """The end of a label that would need the whole width: runs differ at the end of their names."""
    return label if len(label) <= _LONGEST_LABEL else f"…{label[1 - _LONGEST_LABEL :]}"


def _losses(runs: Sequence[FinishedRun], curves: Sequence[LossCurve]) -> _Panel:
    lines = _lines(runs, [curve.training for curve in curves], is_training=True)
    lines += _lines(runs, [curve.validation for curve in curves])
    rungs = [
        (rung.name, rung.bits_per_byte["validation"])
        for rung in static_rungs(runs)
        if "validation" in rung.bits_per_byte
    ]
    values = [[y for _, y in line.points] for line in lines]
    noisy = [each for each, line in zip(values, lines, strict=True) if line.is_training]
    exact = [each for each, line in zip(values, lines, strict=True) if not line.is_training]
    low, high = range_shown(exact, noisy, [value for _, value in rungs])
    return _Panel("loss (lower is better)", "bits per byte", lines, rungs, low, high)


def _accuracies(runs: Sequence[FinishedRun], curves: Sequence[LossCurve]) -> _Panel:
    points = [[(x, 100 * share) for x, share in curve.accuracy] for curve in curves]
    lines = _lines(runs, points)
    rungs = [
        (rung.name, 100 * rung.accuracy["validation"])
        for rung in static_rungs(runs)
        if "validation" in rung.accuracy
    ]
    values = [y for line in lines for _, y in line.points]
    high = max([*values, *(value for _, value in rungs)])
    guessed = "byte" if count_bytes(runs) else "token"
    title, unit = "accuracy on validation (higher is better)", f"next {guessed} guessed right, %"
    return _Panel(title, unit, lines, rungs, 0.0, 1.06 * high)


def _title(runs: Sequence[FinishedRun]) -> str:
    corpora = " and ".join(dict.fromkeys(run.result.corpus.name for run in runs))
    names = ", ".join(run.label for run in runs)
    if len(names) > _LONGEST_TITLE:
        names = f"{len(runs)} runs" if len(runs) > 1 else f"…{names[-_LONGEST_TITLE:]}"
    return f"{names} on {corpora}"


def _draw(axes: Any, panel: _Panel, right: float) -> None:
    for line in panel.lines:
        if not line.points:
            continue
        x, y = zip(*line.points, strict=True)
        axes.plot(
            x,
            y,
            color=line.colour,
            linestyle=line.style,
            linewidth=0.8 if line.is_training else 1.8,
            alpha=0.6 if line.is_training else 1.0,
            # A curve of one point has no line, and is seen by its marker only.
            **({} if line.is_training and len(x) > 1 else _MARKER),
        )
    axes.set_title(panel.title, fontsize=9)
    axes.set_ylabel(panel.unit)
    axes.set_xlim(0, right * 1.02)
    axes.set_ylim(panel.low, panel.high)
    axes.spines[["top", "right"]].set_visible(False)
    shown = [rung for rung in panel.rungs if panel.low <= rung[1] <= panel.high]
    height = panel.high - panel.low
    for name, value, place in placed_apart(shown, panel.low, height):
        axes.axhline(value, color="#999999", linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
        axes.annotate(
            name,
            (1.0, value),
            xycoords=("axes fraction", "data"),
            xytext=(1.04, place),
            textcoords=("axes fraction", "data"),
            va="center",
            color="#555555",
            fontsize=_LABEL_SIZE,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": "#999999", "linewidth": 0.5, "shrinkB": 0},
        )


def _legend(panel: _Panel) -> Iterator[tuple[str, Any]]:
    """A sample of each run's line, and of what thin lines are."""
    from matplotlib.lines import Line2D

    for line in panel.lines:
        if not line.is_training:
            look: dict[str, Any] = {"color": line.colour, "linestyle": line.style, **_MARKER}
            yield line.label, Line2D([], [], **look)
    if any(line.is_training and line.points for line in panel.lines):
        yield "thin: on training text", Line2D([], [], color="#777777", linewidth=0.8)
