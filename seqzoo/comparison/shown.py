"""The numbers and settings of a comparison as people read them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from seqzoo.comparison.compare import MetricRow

__all__ = ["ABSENT", "change_shown", "metric_shown", "number_shown", "setting_shown", "signed"]

ABSENT = "–"
"""Where a run has no value."""

_FORMATS: dict[str, Callable[[Any], str]] = {
    "bits": lambda value: f"{value:.4f}",
    "share": lambda value: f"{value:.1%}",
    "count": lambda value: f"{value:,}",
    "seconds": lambda value: f"{value:,.0f} s",
    "memory": lambda value: f"{value / 1e6:,.0f} MB",
    "text": str,
    "hash": lambda value: value[:12],
}


def metric_shown(row: MetricRow, value: Any) -> str:
    """One value of a metric, with its unit."""
    return ABSENT if value is None else _FORMATS[row.kind](value)


def signed(value: float, decimals: int) -> str:
    """A difference with its sign, which 0 has not."""
    sign = "+" if round(value, decimals) else ""
    return f"{value:{sign}z.{decimals}f}".replace("-", "−")


def setting_shown(value: Any) -> str:
    """A value as a recipe shows it; text in quotes only where it is not visible without them."""
    if isinstance(value, str) and value and value.isprintable() and value == value.strip():
        return value
    return json.dumps(value, ensure_ascii=False)


def number_shown(value: float | None, form: str) -> str:
    """A number in a format such as "{:.3f}"."""
    return ABSENT if value is None else form.format(value)


def change_shown(value: float | None) -> str:
    """What a part of the bytes adds to a difference."""
    return ABSENT if value is None else signed(value, 4)
