"""The picture of runs: their validations over time, with the rungs across them."""

from __future__ import annotations

import errno
import os
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest
from small_result import make_result

from seqzoo.cli.compare import compare
from seqzoo.comparison.finished import FinishedRun
from seqzoo.comparison.loss_curve import Axis, loss_curve
from seqzoo.comparison.picture import draw_picture, require_drawable
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
        MetricsLine(
            step=10 * number,
            validation_accuracy=accuracy,
            validation_bits_per_byte=8 * (1 - accuracy),
        )
        for number, accuracy in enumerate(accuracies, start=1)
    ]
    return FinishedRun(
        label,
        Path(label),
        {},
        (MetricsLine(step=4, bits_per_byte=3.0), *metrics),
        {step: step / 2 for step in range(4, 100, 4)},
        make_result(rungs=RUNGS),
    )


def test_a_curve_is_each_validation_at_the_second_of_its_step() -> None:
    curve = loss_curve(run("a", 0.2, 0.3, 0.4), "seconds")
    assert curve.accuracy == ((5.0, 0.2), (10.0, 0.3), (15.0, 0.4))
    assert [x for x, _ in curve.validation] == [5.0, 10.0, 15.0]
    assert curve.training == ((2.0, 3.0),)


def test_the_picture_names_every_run_and_every_baseline_with_an_accuracy(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need the extra seqzoo[report]")
    path = tmp_path / "runs.svg"
    draw_picture([run("aliased", 0.2, 0.25), run("fresh", 0.3, 0.4)], path)
    text = path.read_text(encoding="utf-8")
    ElementTree.fromstring(text)
    labels = re.findall(r"<!-- (.*?) -->", text)
    assert {"aliased", "fresh", "seconds of training", "bits per byte"} <= set(labels)
    corpus = make_result().corpus.name
    assert f"aliased, fresh on {corpus}" in labels
    assert labels.count("order-1") == labels.count("order-2") == 2  # in both panels
    assert "uniform" not in labels


def test_long_and_foreign_names_stay_in_the_picture_without_a_warning(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    pytest.importorskip("matplotlib", reason="pictures need the extra seqzoo[report]")
    path = tmp_path / "runs.svg"
    draw_picture([run(f"{'x' * 200}-{name}", 0.2, 0.3) for name in ("一", "二")], path)
    labels = re.findall(r"<!-- (.*?) -->", path.read_text(encoding="utf-8"))
    assert {f"…{'x' * 37}-{name}" for name in ("一", "二")} <= set(labels)
    assert not [str(each.message) for each in recwarn]


@pytest.mark.parametrize(("axis", "name"), [("steps", "updates"), ("seconds", "seconds of")])
def test_the_axis_is_named(tmp_path: Path, axis: Axis, name: str) -> None:
    pytest.importorskip("matplotlib", reason="pictures need the extra seqzoo[report]")
    draw_picture([run("a", 0.2, 0.3)], tmp_path / "a.svg", axis=axis)
    assert f"<!-- {name}" in (tmp_path / "a.svg").read_text(encoding="utf-8")


def test_a_run_with_one_validation_or_none_is_seen(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need the extra seqzoo[report]")
    markers = []
    for count in (0, 1, 2):
        draw_picture([run("a", *[0.2, 0.3][:count])], tmp_path / "a.svg", axis="steps")
        text = (tmp_path / "a.svg").read_text(encoding="utf-8")
        _, _, axes = text.partition('<g id="axes_1">')
        axes, _, _ = axes.partition('<g id="legend_1">')
        lines = re.findall(r'<g id="line2d_\d+">(.*?)</g>\n   </g>', axes, re.DOTALL)
        blue = [line for line in lines if "#0072b2" in line]
        markers.append(sum(line.count("<use ") for line in blue))
    # The training loss has one point; bits per byte and accuracy have one for each validation.
    assert markers == [1, 1 + 2 * 1, 1 + 2 * 2]


def test_runs_of_different_corpora_have_no_baselines(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need the extra seqzoo[report]")
    one, other = run("a", 0.2, 0.3), run("b", 0.2, 0.3)
    record = other.result.corpus.model_copy(update={"sha256": "f" * 64, "name": "another"})
    other = replace(other, result=other.result.model_copy(update={"corpus": record}))
    draw_picture([one, other], tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "order-1" not in text
    assert f"a, b on {one.result.corpus.name} and another" in text


def test_the_same_runs_give_the_same_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need the extra seqzoo[report]")
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    for path in (first, second):
        draw_picture([run("aliased", 0.2, 0.25)], path)
    assert first.read_bytes() == second.read_bytes()


def test_a_picture_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    pytest.importorskip("matplotlib", reason="pictures need the extra seqzoo[report]")
    path = tmp_path / "p.svg"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space") as caught:
        draw_picture([run("fresh", 0.3, 0.4)], path)
    assert caught.value.filename == str(path)
    assert path.read_text() == "old"


def test_what_cannot_be_drawn_is_one_sentence_before_any_work(tmp_path: Path) -> None:
    for name, expected in (
        ("a.gif", r"must end in \.svg, \.png or \.pdf\.$"),
        ("a", r"must end in"),
        ("no where/a.png", r"there is no folder .*no where; make it with 'mkdir -p \S*"),
    ):
        with pytest.raises(UsageError, match=expected):
            require_drawable(tmp_path / name)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        require_drawable(tmp_path / "folder.png")
    # Nothing is read: the run does not exist either.
    with pytest.raises(UsageError, match="must end in"):
        compare(paths=[tmp_path / "nope"], picture=tmp_path / "a.gif")


def test_without_matplotlib_the_command_to_install_it_can_be_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EnvironmentFault, match=r"'seqzoo\[report\]'"):
        require_drawable(tmp_path / "a.svg")


def test_runs_without_metrics_or_times_are_reported(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need the extra seqzoo[report]")
    bare = replace(run("a"), metrics=())
    with pytest.raises(UsageError, match="no curve to draw"):
        draw_picture([bare], tmp_path / "a.svg")
    timeless = replace(run("a", 0.2, 0.3), seconds_at={})
    with pytest.raises(UsageError, match="use --x steps"):
        draw_picture([timeless], tmp_path / "a.svg", axis="seconds")
    draw_picture([timeless], tmp_path / "a.svg")
    assert "<!-- updates" in (tmp_path / "a.svg").read_text(encoding="utf-8")
