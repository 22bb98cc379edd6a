"""A comparison as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from seqzoo.comparison.compare import Comparison
from seqzoo.comparison.differences import Difference
from seqzoo.comparison.parts import PartRow

__all__ = ["comparison_to_json"]


def comparison_to_json(comparison: Comparison) -> str:
    """Everything, for programs: numbers unrounded, values by the letter of their run."""
    letters = comparison.letters

    def by_letter(values: Sequence[Any]) -> dict[str, Any]:
        return dict(zip(letters, values, strict=True))

    def part(row: PartRow) -> dict[str, Any]:
        return {
            "name": row.name,
            "share": by_letter(row.shares),
            "bits_per_byte": by_letter(row.bits_per_byte),
            "contribution": by_letter(row.contributions),
        }

    def difference(each: Any) -> dict[str, Any]:
        shared = {"first": each.first, "second": each.second, "adaptive": each.adaptive}
        if not isinstance(each, Difference):
            return {**shared, "bits_per_byte": None, "reason": each.reason}
        return {
            **shared,
            "bits_per_byte": each.bits_per_byte,
            "interval": list(each.interval),
            "tie": each.is_tie,
            "verdict": each.verdict,
        }

    return json.dumps(
        {
            "runs": {
                letter: {"label": run.label, "folder": str(run.path)}
                for letter, run in zip(letters, comparison.runs, strict=True)
            },
            "split": comparison.split,
            "starts": list(comparison.starts),
            "metrics": {row.key: by_letter(row.values) for row in comparison.metrics},
            "differences": [difference(each) for each in comparison.differences],
            "settings": {setting.path: dict(setting.values) for setting in comparison.settings},
            "by_class": [part(row) for row in comparison.by_class],
            "by_distance": [part(row) for row in comparison.by_distance],
            "curves": {
                "x": comparison.axis,
                **{
                    letter: {
                        "training": [list(point) for point in curve.training],
                        "validation": [list(point) for point in curve.validation],
                        "accuracy": [list(point) for point in curve.accuracy],
                    }
                    for letter, curve in zip(letters, comparison.curves, strict=True)
                },
            },
        },
        indent=1,
    )
