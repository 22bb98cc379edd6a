"""Runs of several processes: one writes, all end together, and a resumed run has the same bits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import SMALL, environment, result_of, seqzoo

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node")
RECIPE = SMALL.replace("steps: 60", "steps: 200").replace(
    "validation: {every_steps: 25}",
    "validation: {every_steps: 100}\n  average: {ema: {share: 0.1}}",
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def start(folder: Path, *arguments: str, count: int = 2) -> subprocess.Popen[str]:
    (folder / "r.yaml").write_text(RECIPE)
    return subprocess.Popen(
        [*TORCHRUN, str(count), "-m", "seqzoo", *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str], timeout_s: float = 120) -> tuple[int, str]:
    _, errors = process.communicate(timeout=timeout_s)
    return process.returncode, errors


def wait_for_checkpoint(process: subprocess.Popen[str], run: Path) -> None:
    deadline = time.monotonic() + 100
    while not list(run.glob("checkpoints/step-[1-9]*")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ranks_of(process: subprocess.Popen[str], run: Path) -> tuple[int, int]:
    """The process ids of rank 0 and of rank 1."""
    first = int((run / "lock").read_text().split()[0])
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    (second,) = set(map(int, children)) - {first}
    return first, second


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two processes that was never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    code, errors = ended(start(folder, "run", "r.yaml", "--name", "whole"))
    assert code == 0, errors
    return folder / "runs" / "whole"


def test_the_result_says_how_many_processes_trained(whole: Path) -> None:
    result = result_of(whole)
    assert result["ranks"] == 2
    newest = json.loads((whole / "checkpoints" / "step-200" / "state.json").read_text())
    assert newest["runtime"]["ranks"] == {"count": 2, "in_order": True, "backend": "gloo"}


def test_a_killed_run_is_resumed_to_the_same_bits(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "killed"
    process = start(tmp_path, "run", "r.yaml", "--name", "killed")
    wait_for_checkpoint(process, run)
    for rank in ranks_of(process, run):
        os.kill(rank, signal.SIGKILL)
    assert ended(process)[0] != 0
    assert not (run / "result.json").exists()
    alone = seqzoo("resume", "runs/killed", folder=tmp_path)
    assert alone.returncode == 2
    assert "was trained by 2 processes, found 1" in alone.stderr
    assert "torchrun --nproc-per-node 2 -m seqzoo resume runs/killed" in alone.stderr
    code, errors = ended(start(tmp_path, "resume", "runs/killed"))
    assert code == 0, errors
    one, other = result_of(whole), result_of(run)
    assert one["weights_sha256"] == other["weights_sha256"] != ""
    assert one["scores"] == other["scores"]
    assert (whole / "metrics.jsonl").read_text() == (run / "metrics.jsonl").read_text()


@pytest.mark.parametrize("rank", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_all_end_with_one_message_when_one_is_killed(tmp_path: Path, rank: int) -> None:
    run = tmp_path / "runs" / "lost"
    process = start(tmp_path, "run", "r.yaml", "--name", "lost", "train.budget.steps=100000")
    wait_for_checkpoint(process, run)
    both = ranks_of(process, run)
    os.kill(both[rank], signal.SIGKILL)
    killed_at = time.monotonic()
    code, errors = ended(process, 60)
    assert time.monotonic() - killed_at < 30
    assert code != 0
    assert errors.count("error: ") == 1
    assert "another process of this training has ended" in " ".join(errors.split())
    assert "torchrun --nproc-per-node 2 -m seqzoo resume runs/lost" in " ".join(errors.split())
    assert not any(Path(f"/proc/{each}").exists() for each in both)


@pytest.mark.slow
def test_a_signal_stops_all_after_the_same_update_and_saves(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "stopped"
    process = start(tmp_path, "run", "r.yaml", "--name", "stopped", "train.budget.steps=100000")
    wait_for_checkpoint(process, run)
    process.send_signal(signal.SIGTERM)
    code, errors = ended(process, 60)
    assert code != 0
    assert "Stopped and saved at step" in " ".join(errors.split())
    assert "torchrun --nproc-per-node 2 -m seqzoo resume runs/stopped" in " ".join(errors.split())
    assert "error: " not in errors


@pytest.mark.slow
def test_a_run_that_is_trained_is_scored_by_one_and_all_end(whole: Path) -> None:
    folder = whole.parents[1]
    (whole / "result.json").unlink()
    code, errors = ended(start(folder, "resume", "runs/whole"), 60)
    assert code == 0, errors
    assert result_of(whole)["ranks"] == 2
    again = seqzoo("resume", "runs/whole", folder=folder)
    assert "torchrun --nproc-per-node 2 -m seqzoo resume" in " ".join(again.stderr.split())


def test_the_others_end_where_nothing_is_trained(tmp_path: Path) -> None:
    process = start(tmp_path, "run", "--help")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert output.count("Usage: ") == 1


@pytest.mark.slow
def test_a_process_that_would_abort_at_its_end_does_not_cost_the_run(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import atexit, os\natexit.register(os.abort)\n")
    (tmp_path / "r.yaml").write_text(RECIPE)
    done = subprocess.run(
        [*TORCHRUN, "2", "-m", "seqzoo", "run", "r.yaml", "train.budget.steps=20"],
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "FAILED" not in done.stderr, done.stderr  # torchrun itself aborts too
    assert result_of(tmp_path / "runs" / "small")["ranks"] == 2


@pytest.mark.slow
def test_a_sweep_in_several_processes_is_a_sweep(tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_text("name: g\nrecipes: [r.yaml]\nseeds: [1, 2]\n")
    process = start(tmp_path, "sweep", "g.yaml", "--jobs", "1")
    code, errors = ended(process)
    assert code == 0, errors
    results = [result_of(path.parent) for path in tmp_path.glob("runs/g/*/result.json")]
    assert [each["ranks"] for each in results] == [1, 1]


FULL_DISK = """\
import os, sys
sys.argv[0] = "seqzoo"
from seqzoo.runs import metrics
sync, calls = metrics.Log.sync, []
def fails(log):
    calls.append(log)
    if len(calls) in (7, 8):
        raise OSError(28, "No space left on device")
    return sync(log)
metrics.Log.sync = fails
from seqzoo.cli import main
main()
"""


@pytest.mark.slow
def test_a_checkpoint_that_cannot_be_written_leaves_all_in_step(
    whole: Path, tmp_path: Path
) -> None:
    (tmp_path / "full.py").write_text(FULL_DISK)
    (tmp_path / "r.yaml").write_text(RECIPE)
    done = subprocess.run(
        [*TORCHRUN, "2", "full.py", "run", "r.yaml"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "no checkpoint of step" in " ".join(done.stderr.split())
    one, other = result_of(whole), result_of(tmp_path / "runs" / "small")
    assert one["weights_sha256"] == other["weights_sha256"]


FAILS_ON_RANK_1 = """\
import seqzoo
from seqzoo import torchrun
from seqzoo_plugins.lstm import LSTMOptions, build

def make(options, context):
    model = build(options, context)
    forward = model.forward_in_training
    def forward_in_training(tokens, state=None, positions=None):
        if torchrun.here().rank == 1:
            raise KeyError("only here")
        return forward(tokens, state, positions)
    model.forward_in_training = forward_in_training
    return model

@seqzoo.hookimpl
def register_architectures():
    yield seqzoo.ArchitectureSpec(name="breaks", summary="on 1", options=LSTMOptions, build=make)
"""


@pytest.mark.slow
def test_the_rank_that_fails_by_itself_says_why(tmp_path: Path) -> None:
    (tmp_path / "breaks.py").write_text(FAILS_ON_RANK_1)
    settings = ("plugins=[breaks.py]", "architecture.name=breaks", "architecture.options={}")
    code, errors = ended(start(tmp_path, "run", "r.yaml", "--trust", *settings))
    assert code != 0
    assert "KeyError: 'only here'" in errors
    assert "another process" not in errors


def test_a_mistake_in_the_command_ends_all_at_once(tmp_path: Path) -> None:
    code, errors = ended(start(tmp_path, "run", "r.yaml", "train.batch_size=7"), 60)
    assert code != 0
    assert errors.count("error: ") == 1
    assert "expected a multiple of 2" in " ".join(errors.split())
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_another_command_runs_once(tmp_path: Path) -> None:
    process = start(tmp_path, "list", "architecture")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert output.count("gated_deltanet") == 1
