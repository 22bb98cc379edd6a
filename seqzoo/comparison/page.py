"""A comparison as a page of HTML, and its sections for other pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from seqzoo.comparison.compare import Comparison
from seqzoo.comparison.differences import Difference
from seqzoo.comparison.finished import static_rungs
from seqzoo.comparison.loss_curve import AXIS_NAMES, Axis, LossCurve
from seqzoo.comparison.parts import PartRow, share_of, shares_are_equal
from seqzoo.comparison.shown import (
    ABSENT,
    change_shown,
    metric_shown,
    number_shown,
    setting_shown,
    signed,
)
from seqzoo.pages.chart import Curve, chart, legend
from seqzoo.pages.render import render
from seqzoo.results.ladder import Rung

__all__ = ["Table", "comparison_to_html", "curve_charts", "part_tables", "sections"]


class Table(NamedTuple):
    """A table of a page. rows: the first cell of each is its heading. has_total: in the last row.

    num_texts: so many columns are aligned left.
    """

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    num_texts: int = 1
    has_total: bool = False


def comparison_to_html(comparison: Comparison) -> str:
    """A page in one file: it loads nothing."""
    labels = ", ".join(run.label for run in comparison.runs)
    return render(
        ("seqzoo.comparison",),
        "comparison.html.j2",
        title=f"seqzoo compare: {labels}",
        scripts=("charts.js",),
        **sections(comparison),
    )


def sections(comparison: Comparison) -> dict[str, Any]:
    """What `sections.html.j2` shows."""
    return {
        "comparison": comparison,
        "split": comparison.split.replace("_", "-"),
        "runs": list(zip(comparison.letters, comparison.runs, strict=True)),
        "differences": list(_differences(comparison)),
        "metrics": _metrics(comparison),
        "settings": _settings(comparison),
        "charts": curve_charts(
            comparison.curves,
            comparison.axis,
            names=comparison.letters,
            rungs=static_rungs(comparison.runs),
        ),
        "parts": list(part_tables(comparison)),
    }


def curve_charts(
    curves: Sequence[LossCurve], axis: Axis, *, names: Sequence[str], rungs: Sequence[Rung] = ()
) -> list[tuple[str, Markup]]:
    """Loss and accuracy of runs, each with its title; without those that have no point."""
    losses_of_rungs = [
        (rung.name, rung.bits_per_byte["validation"])
        for rung in rungs
        if "validation" in rung.bits_per_byte
    ]
    shares_of_rungs = [
        (rung.name, 100 * rung.accuracy["validation"])
        for rung in rungs
        if "validation" in rung.accuracy
    ]
    losses = [*_lines(names, curves, "training"), *_lines(names, curves, "validation")]
    accuracies = [
        Curve(each.label, [(x, 100 * y) for x, y in each.points], each.number)
        for each in _lines(names, curves, "accuracy")
    ]
    x_name = AXIS_NAMES[axis]
    most = max((x for each in losses for x, _ in each.points), default=0.0)
    drawn = [
        (
            "Bits per byte (lower is better)",
            chart(losses, title="bits per byte", x_name=x_name, y_name="bits per byte",
                  rungs=losses_of_rungs),
            legend(losses),
        ),
        (
            "Next token of validation guessed right (higher is better)",
            chart(accuracies, title="accuracy", x_name=x_name, y_name="%", rungs=shares_of_rungs,
                  decimals=1, most=most, least=5.0, limits=(0.0, 100.0)),
            legend(accuracies),
        ),
    ]  # fmt: skip
    return [(title, svg + names_of_lines) for title, svg, names_of_lines in drawn if svg]


def _lines(names: Sequence[str], curves: Sequence[LossCurve], kind: str) -> Iterator[Curve]:
    """One curve of each run. A single run has a colour for each kind."""
    is_thin = kind == "training"
    for number, (name, curve) in enumerate(zip(names, curves, strict=True)):
        label = f"{name}, {kind}" if len(names) > 1 else kind
        colour = number if len(names) > 1 or is_thin else 1
        yield Curve(label, getattr(curve, kind), colour, is_thin)


def _differences(comparison: Comparison) -> Iterator[tuple[str, str, str, str, str]]:
    """Pair, kind of score, difference, verdict, and whether the second run is better."""
    for each in comparison.differences:
        pair = f"{each.second} − {each.first}"
        kind = "adaptive" if each.adaptive else "static"
        if isinstance(each, Difference):
            look = "" if each.is_tie else "better" if each.bits_per_byte < 0 else "fail"
            yield pair, kind, signed(each.bits_per_byte, 4), each.verdict, look
        else:
            yield pair, kind, ABSENT, f"{each.reason}.", ""


def _metrics(comparison: Comparison) -> Table:
    rows = [
        [row.title, *(metric_shown(row, value) for value in row.values)]
        for row in comparison.metrics
    ]
    return Table("What was measured", ["what", *comparison.letters], rows)


def _settings(comparison: Comparison) -> Table:
    is_one = len(comparison.runs) == 1
    caption = "Settings that were chosen, and all options" if is_one else "Settings that differ"
    rows = [
        [
            setting.path,
            *(
                setting_shown(setting.values[letter]) if letter in setting.values else ABSENT
                for letter in comparison.letters
            ),
        ]
        for setting in comparison.settings
    ]
    return Table(
        caption, ["setting", *comparison.letters], rows, num_texts=1 + len(comparison.letters)
    )


def part_tables(comparison: Comparison) -> Iterator[Table]:
    """Where the loss is: by class of byte, and by the bytes that were read before."""
    for caption, rows in (
        ("Loss by class of byte", comparison.by_class),
        ("Loss by bytes read before", comparison.by_distance),
    ):
        if rows:
            yield _parts(comparison, caption, rows)


def _parts(comparison: Comparison, caption: str, rows: Sequence[PartRow]) -> Table:
    letters, first = comparison.letters, comparison.letters[0]
    compared = [
        i for i in range(len(letters)) if any(row.contributions[i] is not None for row in rows)
    ]
    are_equal = shares_are_equal(rows)
    body = [
        [
            row.name,
            number_shown(share_of(row, are_equal=are_equal), "{:.1%}"),
            *(number_shown(value, "{:.3f}") for value in row.bits_per_byte),
            *(change_shown(row.contributions[index]) for index in compared),
        ]
        for row in rows
    ]
    scores = [run.result.scores.get(comparison.split) for run in comparison.runs]
    sums = [sum(row.contributions[index] or 0.0 for row in rows) for index in compared]
    body.append(
        [
            "all",
            "100.0%",
            *(number_shown(score.bits_per_byte if score else None, "{:.3f}") for score in scores),
            *map(change_shown, sums),
        ]
    )
    names = letters if len(letters) > 1 else ["bits per byte"]
    share = "share" if are_equal else f"share, {first}"
    heads = ["bytes", share, *names, *(f"part of {letters[i]} − {first}" for i in compared)]
    return Table(caption, heads, body, has_total=True)
