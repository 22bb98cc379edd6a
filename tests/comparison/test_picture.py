"""The picture of runs: their validations over time, with the rungs across them."""

from __future__ import annotations

import builtins
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from small_result import make_result

from seqzoo.comparison.finished import FinishedRun
from seqzoo.comparison.picture import _curve, draw_picture
from seqzoo.errors import EnvironmentFault, UsageError
from seqzoo.results.ladder import Rung
from seqzoo.runs.metrics import MetricsLine

RUNGS = (
    Rung("order-1", {"validation": 3.6}, {"validation": 0.27}),
    Rung("order-2", {"validation": 2.9}, {"validation": 0.38}),
    Rung("order-2", {"validation": 2.8}, adaptive=True),
    Rung("uniform", {"validation": 8.0}),
)


def run(label: str, *accuracies: float) -> FinishedRun:
    """Validated every 10 updates, logged every 4 at half a second each."""
    metrics = [
        MetricsLine(step=10 * number, validation_accuracy=accuracy)
        for number, accuracy in enumerate(accuracies, start=1)
    ]
    return FinishedRun(
        label,
        Path(label),
        make_result(rungs=RUNGS),
        {},
        (MetricsLine(step=4, bits_per_byte=3.0), *metrics),
        {step: step / 2 for step in range(4, 100, 4)},
    )


def test_a_curve_is_each_validation_at_the_second_of_its_step() -> None:
    assert _curve(run("a", 0.2, 0.3, 0.4)) == [(5.0, 0.2), (10.0, 0.3), (15.0, 0.4)]


def test_the_picture_names_every_run_and_every_baseline_with_an_accuracy(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need the extra seqzoo[report]")
    path = tmp_path / "runs.svg"
    draw_picture([run("aliased", 0.2, 0.25), run("fresh", 0.3, 0.4)], path)
    text = path.read_text(encoding="utf-8")
    ElementTree.fromstring(text)
    labels = set(re.findall(r"<!-- (.*?) -->", text))
    assert {"aliased", "fresh", "order-1", "order-2", "seconds of training"} <= labels
    assert "uniform" not in labels


def test_the_same_runs_give_the_same_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need the extra seqzoo[report]")
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    for path in (first, second):
        draw_picture([run("aliased", 0.2, 0.25)], path)
    assert first.read_bytes() == second.read_bytes()


def test_what_cannot_be_drawn_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"must end in \.svg"):
        draw_picture([run("a", 0.2)], tmp_path / "a.gif")
    with pytest.raises(UsageError, match="every_steps"):
        draw_picture([run("a")], tmp_path / "a.svg")
    imported = builtins.__import__

    def without(name: str, *rest: Any, **further: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError("No module named 'matplotlib'")
        return imported(name, *rest, **further)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(EnvironmentFault, match=r"seqzoo\[report\]"):
        draw_picture([run("a", 0.2)], tmp_path / "a.svg")
