"""seqzoo eval and what run leaves to it: files, the training part, prefixes, baselines."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import SMALL, result_of, seqzoo

import seqzoo as api


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of a finished run, in a folder of its own."""
    shutil.copytree(finished / "runs" / "small", tmp_path / "runs" / "small")
    return tmp_path / "runs" / "small"


def test_files_are_scored_as_the_python_api_scores_them(run: Path) -> None:
    folder = run.parents[1]
    texts = {"a.txt": b"Enter the messenger, with a letter.\n" * 40, "b.bin": bytes(range(256))}
    for name, data in texts.items():
        (folder / name).write_bytes(data)
    before = (run / "result.json").read_bytes()
    done = seqzoo(
        "eval", "runs/small", "--file", "a.txt", "--file", "b.bin", "--json", folder=folder
    )
    assert done.returncode == 0, done.stderr
    scores = json.loads(done.stdout)["scores"]
    opened = api.open_run(run)
    for name, data in texts.items():
        expected = opened.score(data)
        assert scores[name]["bits_per_byte"] == pytest.approx(expected.bits_per_byte, rel=1e-9)
        assert scores[name]["accuracy"] == expected.accuracy
        assert scores[name]["bytes"] == len(data)
    assert (run / "result.json").read_bytes() == before


@pytest.mark.parametrize(("size", "shown"), [(1, "too few"), (9, "too few"), (60, " to ")])
def test_an_interval_of_a_few_bytes_is_not_printed(run: Path, size: int, shown: str) -> None:
    folder = run.parents[1]
    (folder / "a.txt").write_bytes(b"a" * size)
    asked = ("eval", "runs/small", "--file", "a.txt")
    done = seqzoo(*asked, folder=folder)
    assert done.returncode == 0, done.stderr
    assert shown in done.stdout
    if size < 10:
        stored = json.loads(seqzoo(*asked, "--json", folder=folder).stdout)["scores"]["a.txt"]
        assert stored["interval"] is None


def test_scores_that_cannot_be_written_are_printed_before_the_error(run: Path) -> None:
    before = result_of(run)["scores"]
    (run / "result.json").unlink()
    (run / "result.json").mkdir()  # no file can replace a folder
    done = seqzoo("eval", "runs/small", "--baselines", "none", "--json", folder=run.parents[1])
    assert done.returncode == 3
    assert "runs/small/result.json cannot be written" in done.stderr
    assert json.loads(done.stdout)["scores"] == before


def test_the_training_part_and_prefixes_are_scored_and_not_kept(run: Path) -> None:
    before = (run / "result.json").read_bytes()
    done = seqzoo(
        "eval", "runs/small", "--split", "train", "--max-bytes", "900", "--json",
        folder=run.parents[1],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    data = api.open_run(run).trained.experiment.data.corpus.data[:900]
    expected = api.open_run(run).score(data.tobytes())
    assert answer["scores"]["train"]["bits_per_byte"] == pytest.approx(expected.bits_per_byte)
    assert "first 900 bytes" in answer["protocol"]
    assert (run / "result.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--file", "absent.txt"), "absent.txt cannot be read: No such file or directory."),
        (("--file", "empty"), "empty is empty; a score needs at least one byte."),
        (("--file", "-"), "standard input is empty"),
        (("--file", "x", "--split", "test"), "--split and --file cannot be used together"),
        (("--baselines", "fats"), "Did you mean 'fast'?"),
        (("--baselines", "all", "--split", "test"), "leave out --split"),
        (("--split", "trian"), "Did you mean 'train'?"),
    ],
)
def test_a_mistake_is_one_sentence(
    finished: Path, arguments: tuple[str, ...], message: str
) -> None:
    (finished / "empty").write_bytes(b"")
    done = seqzoo("eval", "runs/small", *arguments, folder=finished)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_run_without_scores_is_scored_by_eval_as_run_would_have(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    short = ("train.budget.steps=12", "corpus.options.size_bytes=20000", "--baselines", "none")
    whole = seqzoo("run", "small.yaml", *short, "--name", "whole", folder=tmp_path)
    assert whole.returncode == 0, whole.stderr
    trained = seqzoo(
        "run", "small.yaml", *short, "--skip-scoring", "--name", "my.run", folder=tmp_path
    )
    assert trained.returncode == 0, trained.stderr
    run = tmp_path / "runs" / "my.run"
    assert "Score it with: seqzoo eval runs/my.run" in trained.stdout
    assert not (run / "result.json").exists()
    assert not list(run.glob("samples/*-1.txt"))  # those after training
    scored = seqzoo("eval", "runs/my.run", folder=tmp_path)
    assert scored.returncode == 0, scored.stderr
    one, other = result_of(tmp_path / "runs" / "whole"), result_of(run)
    for result in (one, other):
        # The effort of two trainings differs, and so do their names.
        for field in ("run", "created", "training_seconds", "peak_memory_bytes"):
            del result[field]
    assert one == other
    assert one["rungs"] == []
    assert {each["reason"] for each in one["left_out"]} == {"excluded"}
    assert "There is no baseline to compare it with." in " ".join(scored.stdout.split())
    samples = [
        sorted((tmp_path / "runs" / name / "samples").iterdir()) for name in ("whole", "my.run")
    ]
    assert [path.read_bytes() for path in samples[0]] == [path.read_bytes() for path in samples[1]]


def test_baselines_that_were_left_out_are_scored_by_eval(run: Path) -> None:
    folder = run.parents[1]
    without = seqzoo("eval", "runs/small", "--baselines", "none", folder=folder)
    assert without.returncode == 0, without.stderr
    assert result_of(run)["rungs"] == []
    everything = seqzoo("eval", "runs/small", "--baselines", "all", folder=folder)
    assert everything.returncode == 0, everything.stderr
    result = result_of(run)
    assert result["left_out"] == []
    assert {"uniform", "order-3", "primed gzip"} <= {rung["name"] for rung in result["rungs"]}
    assert "Better than" in everything.stdout


def test_per_byte_prints_the_costs_of_the_python_api(run: Path) -> None:
    folder = run.parents[1]
    texts = {
        "a.txt": b'=1+1, "quoted"\n\ttabs\r\n' * 20,
        "b.bin": bytes(range(256)),
        "c.txt": ("П€x\N{GRINNING FACE}" * 2500).encode() + b"\xd0",
    }
    for name, data in texts.items():
        (folder / name).write_bytes(data)
    done = seqzoo(
        "eval",
        "runs/small",
        "--file",
        "a.txt",
        "--file",
        "b.bin",
        "--file",
        "c.txt",
        "--per-byte",
        folder=folder,
    )
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    opened = api.open_run(run)
    for name, data in texts.items():
        own = [row for row in rows if row["name"] == name]
        assert bytes(int(row["byte"]) for row in own) == data
        assert [int(row["offset"]) for row in own] == list(range(len(data)))
        np.testing.assert_allclose(
            [float(row["bits"]) for row in own], opened.score(data).bits, rtol=1e-9
        )
    assert not [row for row in rows if row["character"].startswith(("=", "+", "-", "@"))]
    characters = [row["character"] for row in rows if row["name"] == "c.txt"]
    assert "".join(characters) == "П€x\N{GRINNING FACE}" * 2500
    assert characters[:6] == ["П", "", "€", "", "", "x"]


def test_per_byte_of_a_split_adds_up_to_its_score(run: Path) -> None:
    done = seqzoo("eval", "runs/small", "--split", "test", "--per-byte", folder=run.parents[1])
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    score = result_of(run)["scores"]["test"]
    assert len(rows) == score["bytes"]
    bits = math.fsum(float(row["bits"]) for row in rows)
    assert bits == pytest.approx(score["bits_per_byte"] * score["bytes"], rel=1e-9)


@pytest.mark.parametrize("more", [(), ("--file", "a", "--json"), ("--split", "test", "--adaptive")])
def test_per_byte_needs_a_text_and_the_frozen_model(run: Path, more: tuple[str, ...]) -> None:
    done = seqzoo("eval", "runs/small", "--per-byte", *more, folder=run.parents[1])
    assert done.returncode == 2
    assert "--per-byte is for the frozen model" in done.stderr
