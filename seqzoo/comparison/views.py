"""A comparison as sections for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from seqzoo.comparison.compare import Comparison
from seqzoo.comparison.curves import SEVERAL, Series, draw_curves
from seqzoo.comparison.differences import Difference
from seqzoo.comparison.loss_curve import LossCurve
from seqzoo.comparison.parts import PartRow, share_of, shares_are_equal
from seqzoo.comparison.shown import (
    ABSENT,
    change_shown,
    metric_shown,
    number_shown,
    setting_shown,
    signed,
)

__all__ = ["print_comparison"]

_STYLES = ("cyan", "magenta", "yellow", "green", "blue", "red")
_CURVE_ROWS = 10
_AXES = {"steps": "steps", "bytes": "bytes", "seconds": "seconds"}
_TWO_CHARTS = 110  # from this width on, training and validation are side by side


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Every section that is not empty; readable from 80 columns on."""
    split = comparison.split.replace("_", "-")
    sections: list[tuple[str, list[RenderableType]]] = [
        ("runs" if len(comparison.runs) > 1 else "run", [_runs(comparison)]),
        ("metrics", list(_metrics(comparison, console.width))),
        (f"difference on {split}, in bits per byte", list(_differences(comparison))),
        (
            "recipe" if len(comparison.runs) > 1 else "settings that were chosen, and all options",
            list(_settings(comparison, console.width)),
        ),
        ("loss curves", list(_curves(comparison, console))),
        (
            f"loss by class of byte on {split}",
            list(_parts(comparison, comparison.by_class, console.width)),
        ),
        (
            f"loss by bytes read before, on {split}",
            list(_parts(comparison, comparison.by_distance, console.width)),
        ),
    ]
    if len(comparison.runs) == 1:  # of one run the curve comes first
        sections.sort(key=lambda section: section[0] not in ("run", "loss curves"))
    shown = [(title, blocks) for title, blocks in sections if blocks]
    for index, (title, blocks) in enumerate(shown):
        if index:
            console.print()
        console.print(Text(title, style="bold"))
        for number, block in enumerate(blocks):
            if number:
                console.print()
            console.print(block)


def _table(titles: Sequence[Text | str], *, texts: int = 1, justify: Any = "right") -> Table:
    """A table without lines; its first `texts` columns are aligned left."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for index, title in enumerate(titles):
        is_text = index < texts
        table.add_column(title, justify="left" if is_text else justify, overflow="fold")
    return table


def _in_turns(comparison: Comparison, room: int, column: int) -> Iterator[list[int]]:
    """Indices of the runs in each table: the first run, and as many others as fit."""
    others = list(range(1, len(comparison.runs)))
    if not others:
        yield [0]
    at_once = max(1, room // column - 1)
    for start in range(0, len(others), at_once):
        yield [0, *others[start : start + at_once]]


def _style(index: int) -> str:
    return _STYLES[index % len(_STYLES)]


def _letter(comparison: Comparison, index: int) -> Text:
    return Text(comparison.letters[index], style=f"bold {_style(index)}")


def _runs(comparison: Comparison) -> Group:
    """Which letter is which run, how it learnt while it was scored, and what it started from."""
    lines = []
    for index, run in enumerate(comparison.runs):
        line = Text.assemble(_letter(comparison, index), f"  {run.label}")
        if run.result.adaptive is not None:
            line.append(f"\n   adaptive: {run.result.adaptive.method}", style="dim")
        lines.append(line)
    return Group(*lines, *(Text(sentence, style="dim") for sentence in comparison.starts))


def _metrics(comparison: Comparison, width: int) -> Iterator[Table]:
    for indices in _in_turns(comparison, width - 28, 13):
        heads = [_letter(comparison, index) for index in indices]
        table = _table([Text(""), *heads])
        table.columns[0].no_wrap = True
        for row in comparison.metrics:
            values = [row.values[index] for index in indices]
            texts = [metric_shown(row, value) for value in values]
            table.add_row(Text(row.title), *map(Text, texts))
        yield table


def _differences(comparison: Comparison) -> Iterator[RenderableType]:
    if not comparison.differences:
        return
    table = _table(["", "scores", "difference", ""], texts=2)
    table.columns[3].justify = "left"
    reasons: dict[tuple[str, str], list[str]] = {}
    for each in comparison.differences:
        kind = "adaptive" if each.adaptive else "static"
        if isinstance(each, Difference):
            table.add_row(
                f"{each.second} − {each.first}",
                kind,
                signed(each.bits_per_byte, 4),
                Text(each.verdict, style="dim" if each.is_tie else ""),
            )
        else:
            reasons.setdefault((f"{each.second} − {each.first}", each.reason), []).append(kind)
    lines: list[RenderableType] = [table] if table.row_count else []
    without = [
        Text(f"{pair}, {' and '.join(kinds)}: none. {reason}.")
        for (pair, reason), kinds in reasons.items()
    ]
    closing = Text(
        "In brackets: the 95 % interval, paired, over blocks of the split. One seed of each run "
        "tells nothing about other seeds.",
        style="dim",
    )
    yield Group(*lines, *without, *([closing] if lines else []))


def _settings(comparison: Comparison, width: int) -> Iterator[RenderableType]:
    if not comparison.settings:
        yield Text("no setting differs", style="dim")
        return
    for indices in _in_turns(comparison, width - 32, 16):
        heads = [_letter(comparison, index) for index in indices]
        first = "setting that differs" if len(comparison.runs) > 1 else "setting"
        table = _table([first, *heads], justify="left")
        for setting in comparison.settings:
            letters = [comparison.letters[index] for index in indices]
            texts = [
                setting_shown(setting.values[letter]) if letter in setting.values else ABSENT
                for letter in letters
            ]
            table.add_row(Text(setting.path), *map(Text, texts))
        yield table


def _curves(comparison: Comparison, console: Console) -> Iterator[RenderableType]:
    if not any(curve.training or curve.validation for curve in comparison.curves):
        yield Text("no run has metrics", style="dim")
        return
    # Colours distinguish fine dots; without colour, letters do.
    letters = console.no_color or console.color_system is None
    title = f"bits per byte over {_AXES[comparison.axis]}"
    if len(comparison.runs) == 1:
        (curve,) = comparison.curves
        kinds = ("t", _style(0), curve.training), ("v", _style(1), curve.validation)
        series = [Series(*kind) for kind in kinds]
        title += ", t: training, v: validation"
        yield draw_curves(
            series, title=title, width=console.width, height=_CURVE_ROWS, letters=letters
        )
        return
    side_by_side = console.width >= _TWO_CHARTS
    width = (console.width - 2) // 2 if side_by_side else console.width

    def chart(name: str, points: Callable[[LossCurve], Any]) -> Text:
        series = [
            Series(letter, _style(index), points(curve))
            for index, (letter, curve) in enumerate(
                zip(comparison.letters, comparison.curves, strict=True)
            )
        ]
        return draw_curves(
            series, title=f"{name} {title}", width=width, height=_CURVE_ROWS, letters=letters
        )

    charts = [
        chart("training", lambda curve: curve.training),
        chart("validation", lambda curve: curve.validation),
    ]
    if side_by_side:
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_row(*charts)
        yield grid
    else:
        yield from charts
    if letters:
        yield Text(f"{SEVERAL} marks where curves meet", style="dim")
    without_metrics = [
        letter
        for letter, curve in zip(comparison.letters, comparison.curves, strict=True)
        if not curve.training and not curve.validation
    ]
    if without_metrics:
        yield Text(f"without metrics: {', '.join(without_metrics)}", style="dim")


def _parts(comparison: Comparison, rows: Sequence[PartRow], width: int) -> Iterator[RenderableType]:
    if not rows:
        return
    first = comparison.letters[0]
    scores = [run.result.scores.get(comparison.split) for run in comparison.runs]
    are_equal = shares_are_equal(rows)
    for indices in _in_turns(comparison, width - 14, 16):
        compared = [i for i in indices[1:] if any(row.contributions[i] is not None for row in rows)]
        heads: list[Text | str] = [_letter(comparison, index) for index in indices]
        changes = [f"part of {comparison.letters[index]} − {first}" for index in compared]
        table = _table(["bytes", "share" if are_equal else f"share, {first}", *heads, *changes])
        for row in rows:
            table.add_row(
                Text(row.name),
                number_shown(share_of(row, are_equal=are_equal), "{:.1%}"),
                *(number_shown(row.bits_per_byte[index], "{:.3f}") for index in indices),
                *(change_shown(row.contributions[index]) for index in compared),
            )
        totals = [scores[index] for index in indices]
        sums = [sum(row.contributions[index] or 0.0 for row in rows) for index in compared]
        table.add_row(
            "all",
            "100.0%",
            *(number_shown(score.bits_per_byte if score else None, "{:.3f}") for score in totals),
            *map(change_shown, sums),
            style="bold",
        )
        yield table
