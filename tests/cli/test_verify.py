"""`seqzoo verify` prints a line for each promise and gives exit code 6 if one is broken."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from commands import SMALL, seqzoo


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verify")
    (folder / "small.yaml").write_text(SMALL)
    settings = ("train.budget.steps=10", "evaluate.max_bytes=300", "baselines.include=[gzip]")
    assert seqzoo("run", "small.yaml", *settings, folder=folder).returncode == 0
    return folder


def test_a_whole_run_is_said_to_hold_and_a_flipped_bit_is_named(folder: Path) -> None:
    whole = seqzoo("verify", "small", "--resume", "--steps", "2", folder=folder)
    assert whole.returncode == 0
    words = [line.split()[:2] for line in whole.stdout.splitlines() if line[:1].strip()]
    checks = ["recipe", "checkpoints", "weights", "metrics", "result", "baselines", "resume"]
    assert words == [["holds", check] for check in checks]
    assert max(map(len, whole.stdout.splitlines())) <= 80
    shutil.copytree(folder / "runs" / "small", folder / "runs" / "flipped")
    path = folder / "runs" / "flipped" / "checkpoints" / "step-10" / "optimizer.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"~")
    damaged = seqzoo("verify", "runs/flipped", "--json", folder=folder)
    assert damaged.returncode == 6
    found = {each["check"]: each for each in json.loads(damaged.stdout)["checks"]}
    assert found["checkpoints"]["outcome"] == "broken"
    assert "optimizer.safetensors is damaged" in found["checkpoints"]["detail"]
    assert damaged.stderr.splitlines()[-1].startswith("error: runs/flipped breaks a promise: ")


def test_what_is_no_run_is_one_sentence(folder: Path) -> None:
    for name, code in (("runs", 2), ("smal", 2), ("small.yaml", 2)):
        done = seqzoo("verify", name, folder=folder)
        assert done.returncode == code
        assert len(done.stderr.splitlines()) <= 3
        assert "Traceback" not in done.stderr


def test_a_recipe_that_is_no_file_is_a_damaged_one(folder: Path) -> None:
    run = Path(shutil.copytree(folder / "runs" / "small", folder / "runs" / "piped"))
    (run / "recipe.yaml").unlink()
    os.mkfifo(run / "recipe.yaml")
    for command, code in (("verify", 6), ("resume", 4), ("eval", 4)):
        done = seqzoo(command, "piped", folder=folder)
        assert done.returncode == code
        assert "recipe.yaml cannot be read" in " ".join((done.stderr + done.stdout).split())
        assert "Traceback" not in done.stderr
