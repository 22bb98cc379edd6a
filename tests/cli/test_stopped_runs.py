"""Runs that are stopped, resumed, or used by two processes, in real processes."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import SMALL, environment, result_of, seqzoo


def start_run(folder: Path, *overrides: str, name: str) -> subprocess.Popen[str]:
    """A run in a process of its own, which the test stops."""
    return subprocess.Popen(
        [sys.executable, "-m", "seqzoo", "run", "small.yaml", "--name", name, *overrides],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # If the tests run in the background, SIGINT may be ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for(path: Path, process: subprocess.Popen[str], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.01)


_LONG = ("train.budget.steps=400", "train.checkpoint.every_steps=20")


@pytest.fixture(scope="module")
def uninterrupted(finished: Path) -> Path:
    done = seqzoo("run", "small.yaml", "--name", "uninterrupted", *_LONG, folder=finished)
    assert done.returncode == 0, done.stderr
    return finished / "runs" / "uninterrupted"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    finished: Path, uninterrupted: Path, number: signal.Signals
) -> None:
    run = finished / "runs" / f"stopped-{number.name}"
    process = start_run(finished, *_LONG, name=run.name)
    wait_for(run / "checkpoints" / "step-100", process)
    process.send_signal(number)
    _, messages = process.communicate(timeout=60)
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 128 + number, messages
        assert "seqzoo resume" in messages
    assert not (run / "result.json").exists()
    resumed = seqzoo("resume", f"runs/{run.name}", folder=finished)
    assert resumed.returncode == 0, resumed.stderr
    ours, theirs = result_of(run), result_of(uninterrupted)
    assert ours["weights_sha256"] == theirs["weights_sha256"]
    assert ours["scores"] == theirs["scores"]
    assert (run / "metrics.jsonl").read_bytes() == (uninterrupted / "metrics.jsonl").read_bytes()
    last, other = (
        json.loads((path / "checkpoints" / "step-400" / "MANIFEST.json").read_text())["files"]
        for path in (run, uninterrupted)
    )
    for part in ("model.safetensors", "optimizer.safetensors", "carried.safetensors"):
        assert last[part] == other[part]


def test_a_second_process_cannot_use_a_run(finished: Path) -> None:
    process = start_run(finished, "train.budget.steps=1000000", name="owned")
    try:
        wait_for(finished / "runs" / "owned" / "checkpoints" / "step-10", process)
        other = seqzoo("resume", "runs/owned", folder=finished)
        assert other.returncode == 3
        assert str(process.pid) in other.stderr
    finally:
        process.kill()
        process.communicate()


def test_a_run_on_the_fallback_keeps_it(finished: Path, tinyshakespeare: Path) -> None:
    offline = SMALL.replace(
        "{name: pastiche, options: {size_bytes: 30000}}",
        "{name: tinyshakespeare, options: {download: false}, "
        "fallback: {name: pastiche, options: {size_bytes: 30000}}}",
    )
    (finished / "offline.yaml").write_text(offline)
    cache = str(finished / "cache")
    done = seqzoo("run", "offline.yaml", "--name", "offline", folder=finished, SEQZOO_CACHE=cache)
    assert done.returncode == 0, done.stderr
    assert "is not available" in " ".join(done.stderr.split())
    assert result_of(finished / "runs" / "offline")["corpus"]["name"] == "pastiche"
    data = str(tinyshakespeare.parent)
    for command in ("eval", "resume"):
        again = seqzoo(
            command, "runs/offline", folder=finished, SEQZOO_DATA=data, SEQZOO_CACHE=cache
        )
        assert again.returncode == 0, again.stderr
        assert result_of(finished / "runs" / "offline")["corpus"]["name"] == "pastiche"


def test_a_finished_run_is_reported_with_how_to_train_it_longer(finished: Path) -> None:
    before = (finished / "runs" / "small" / "result.json").read_bytes()
    done = seqzoo("resume", "runs/small", folder=finished)
    assert done.returncode == 0, done.stderr
    assert "runs/small is finished: 60 updates" in done.stderr
    assert "seqzoo resume runs/small train.budget.steps=120" in done.stderr
    score = json.loads(before)["scores"]["test"]["bits_per_byte"]
    assert f"{score:.4f}" in done.stdout
    assert (finished / "runs" / "small" / "result.json").read_bytes() == before


def test_an_extension_that_is_killed_and_resumed_equals_an_uninterrupted_one_bit_for_bit(
    finished: Path,
) -> None:
    longer = ("train.budget.steps=160", "train.checkpoint.every_steps=10")
    whole, cut = (
        shutil.copytree(finished / "runs" / "small", finished / "runs" / name)
        for name in ("extended", "extended-cut")
    )
    assert seqzoo("resume", str(whole), *longer, folder=finished).returncode == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "seqzoo", "resume", str(cut), *longer],
        cwd=finished,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(cut / "checkpoints" / "step-90", process)
    process.kill()
    process.communicate()
    assert "stopped" in seqzoo("runs", str(cut), folder=finished).stdout
    assert seqzoo("resume", str(cut), folder=finished).returncode == 0
    ours, theirs = result_of(cut), result_of(whole)
    for field in ("weights_sha256", "scores", "fingerprint", "changes", "steps"):
        assert ours[field] == theirs[field]
    assert ours["steps"] == 160
    assert (cut / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
