"""Finished runs are read, and compared in settings, metrics and curves."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from small_comparison import METRICS, compared, compared_pair, drawn, leave_run, make_score

from seqzoo.comparison.compare import compare
from seqzoo.comparison.finished import read_finished_runs
from seqzoo.comparison.loss_curve import Axis
from seqzoo.comparison.to_json import comparison_to_json
from seqzoo.errors import UsageError


def test_a_name_is_not_a_setting_and_a_recipe_may_lack_a_setting(tmp_path: Path) -> None:
    other = "name: two\ntrain: {seed: 2, clip: 1.0, steps: 10}\nchain: [{greedy: {}}]\n"
    settings = compared_pair(tmp_path, recipe=other).settings
    assert [(setting.path, dict(setting.values)) for setting in settings] == [
        ("train.seed", {"A": 1, "B": 2}),
        ("train.clip", {"B": 1.0}),
    ]


def test_curves_are_read_over_steps_and_over_bytes(tmp_path: Path) -> None:
    comparison = compared_pair(tmp_path)
    assert comparison.curves[0].training == ((10, 6.0), (20, 5.0))
    assert comparison.curves[0].validation == ((15, 5.5),)
    over_bytes = compare(comparison.runs, axis="bytes").curves[0]
    assert over_bytes.training == ((1000, 6.0), (3000, 5.0))
    assert over_bytes.validation == ((2000, 5.5),)


@pytest.mark.parametrize("axis", ["steps", "bytes"])
def test_curves_are_the_same_for_one_and_for_two_lines_of_a_step(
    tmp_path: Path, axis: Axis
) -> None:
    trained = {"step": 20, "bits_per_byte": 5.0, "bytes": 3000}
    validated = {"step": 20, "validation_bits_per_byte": 5.5, "validation_accuracy": 0.1}
    first = {"step": 10, "bits_per_byte": 6.0, "bytes": 1000}
    old = leave_run(tmp_path / "old", metrics=[first, trained, validated])
    new = leave_run(tmp_path / "new", metrics=[first, trained | validated])
    one, other = compared(old, new, axis=axis).curves
    assert one == other
    assert len(one.training) == 2
    assert [y for _, y in one.validation] == [5.5]


@pytest.mark.parametrize("metrics", [None, [], [{"step": 5, "gradient_norm": 1.0}]])
def test_a_run_without_metrics_is_named(
    tmp_path: Path, metrics: list[dict[str, Any]] | None
) -> None:
    assert "without metrics: B" in drawn(compared_pair(tmp_path, metrics=metrics), 80)
    compare(compared_pair(tmp_path / "more", metrics=metrics).runs, axis="bytes")


def test_half_a_line_at_the_end_of_the_metrics_is_not_damage(tmp_path: Path) -> None:
    runs = compared_pair(tmp_path).runs
    with (runs[1].path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3')
    assert compared(*(run.path for run in runs)).curves[1].training == ((10, 6.0), (20, 5.0))


def test_folders_of_one_name_get_different_labels(tmp_path: Path) -> None:
    folders = [leave_run(tmp_path / place / "quick") for place in ("here", "there")]
    folders += [leave_run(tmp_path / "other"), folders[0]]
    labels = [run.label for run in read_finished_runs(folders)]
    assert labels == ["here/quick", "there/quick", "other", "here/quick (2)"]


def test_versions_and_corpus_are_shown_only_where_they_differ(
    tmp_path: Path,
) -> None:
    keys = {row.key for row in compared_pair(tmp_path).metrics}
    assert {"parameters", "seed", "threads"} <= keys
    assert not keys & {"versions.seqzoo", "cpu", "corpus.sha256"}
    other = compared_pair(tmp_path / "more", versions={"seqzoo": "1", "torch": "2"}, cpu="another")
    values = {row.key: row.values for row in other.metrics}
    assert values["versions.seqzoo"] == ("0", "1")
    assert values["versions.torch"] == (None, "2")
    assert values["cpu"] == ("a processor", "another")


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("result.json", "{", "is damaged"),
        ("result.json", None, "seqzoo resume"),
        ("recipe.yaml", "a: [", "recipe.yaml"),
        ("recipe.yaml", "- a\n", "is damaged"),
        ("metrics.jsonl", '{"step": 1}\nnonsense\n', "metrics.jsonl:2: the line is damaged"),
        ("metrics.jsonl", '{"step": 1, "bits_per_byte": 1e999}\n', "metrics.jsonl:1"),
        ("recipe.yaml", None, "is not a run of seqzoo"),
    ],
)
def test_damage_is_one_sentence(tmp_path: Path, file: str, text: str | None, expected: str) -> None:
    run = leave_run(tmp_path / "run")
    if text is None:
        (run / file).unlink()
    else:
        (run / file).write_text(text)
    with pytest.raises(UsageError, match=expected) as caught:
        read_finished_runs([run, run])
    assert len(str(caught.value).splitlines()) == 1


def test_mistakes_name_the_nearest_choice(tmp_path: Path) -> None:
    run = leave_run(tmp_path / "quick")
    with pytest.raises(UsageError, match="Did you mean 'quick'"):
        read_finished_runs([run, tmp_path / "quik"])
    with pytest.raises(UsageError, match="Did you mean 'test'"):
        compared(run, run, split="tset")
    with pytest.raises(UsageError, match="and 0 were given"):
        compared()


@pytest.mark.parametrize("width", [80, 120])
def test_one_run_is_shown_with_its_curves_scores_and_settings(tmp_path: Path, width: int) -> None:
    recipe = "name: one\ntrain: {seed: 1, batch_size: 7, optimizer: {betas: [0.9, 0.99]}}\n"
    metrics = [*METRICS, {"step": 18, "validation_bits_per_byte": 5.9}]
    folder = leave_run(tmp_path / "one", score=make_score(1), recipe=recipe, metrics=metrics)
    comparison = compared(folder)
    assert comparison.differences == ()
    assert [(each.path, each.values["A"]) for each in comparison.settings] == [
        ("train.batch_size", 7),
        ("train.optimizer.betas", [0.9, 0.99]),  # an option of a plugin, which knows its default
    ]
    text = drawn(comparison, width)
    assert max(map(len, text.splitlines())) <= width
    titles = ["run", "loss curves", "metrics", "settings that were chosen, and all options"]
    lines = [line.rstrip() for line in text.splitlines()]
    assert [line for line in lines if line in titles] == titles
    assert f"{make_score(1).bits_per_byte:.4f}" in text
    assert "difference" not in text
    assert "v: validation" in text
    # A validation above the training loss, in a chart with an axis on its left.
    assert any(re.search("[│┤].*v", line) for line in lines)
    stored = json.loads(comparison_to_json(comparison))
    assert stored["settings"] == {
        "train.batch_size": {"A": 7},
        "train.optimizer.betas": {"A": [0.9, 0.99]},
    }
    assert stored["differences"] == []


def test_neither_torch_nor_a_plugin_is_imported(tmp_path: Path) -> None:
    run = leave_run(tmp_path / "run")
    program = (
        "import sys, pathlib\n"
        "from seqzoo.cli.compare import compare\n"
        f"compare(paths=[pathlib.Path({str(run)!r})] * 2)\n"
        f"compare(paths=[pathlib.Path({str(run)!r})])\n"
        "for name in ('torch', 'seqzoo_plugins'):\n"
        "    assert name not in sys.modules, f'{name} was imported'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
