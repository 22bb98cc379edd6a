"""Sweeps in a queue: the local jobs of submitit, and Slurm where this machine has it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import SMALL, environment, seqzoo
from waiting import wait_until

from seqzoo import load_registry
from seqzoo.runs.directory import RunDirectory
from seqzoo.testing import laws
from seqzoo.training.checkpoint_files import checkpoint_steps

pytestmark = pytest.mark.slow
pytest.importorskip("submitit", reason="needs submitit: pip install 'seqzoo[submitit]'")

GRID = """\
name: queued
recipes: [small.yaml]
set: {train.budget.steps: 1500, train.checkpoint.every_steps: 20, evaluate.adaptive: null}
seeds: [1, 2, 3]
"""
CLUSTERS = [
    "local",
    pytest.param(
        "slurm",
        marks=pytest.mark.skipif(shutil.which("srun") is None, reason="needs a Slurm cluster"),
    ),
]
JOB, JOB_CONTROLLER, MEMBER = "submitit.core._submit", "submitit.local._local", "seqzoo.cli.member"


def write_grid(folder: Path) -> None:
    (folder / "small.yaml").write_text(SMALL)
    (folder / "grid.yaml").write_text(GRID)


def started(folder: Path, cluster: str) -> subprocess.Popen[str]:
    """A sweep that leads a group of processes, as in a terminal."""
    launcher = ("--launcher", f"submitit={cluster}")
    return subprocess.Popen(
        [sys.executable, "-m", "seqzoo", "sweep", "grid.yaml", "--jobs", "2", *launcher],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Signals may be ignored where tests run in the background, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        start_new_session=True,
    )


def processes(folder: Path, module: str) -> list[int]:
    """The processes of Python that run a module for the sweep in this folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            is_python = "python" in words[0]  # and not Slurm's srun
            if is_python and module in words and Path(os.readlink(entry / "cwd")) == folder:
                found.append(int(entry.name))
        except OSError:
            continue
    return sorted(found)


def weights(folder: Path) -> dict[str, str]:
    """The hash of the weights of every finished member."""
    return {
        path.parent.name: json.loads(path.read_text())["weights_sha256"]
        for path in sorted((folder / "runs" / "queued").glob("*/result.json"))
    }


def both_train(folder: Path) -> bool:
    """Whether the first two members have saved twice."""
    runs = [RunDirectory(folder / "runs" / "queued" / f"small-seed_{seed}") for seed in (1, 2)]
    return all(max([0, *checkpoint_steps(run.checkpoints)]) >= 40 for run in runs)


def stopped_at_a_step(folder: Path, seed: int) -> bool:
    """Whether a member has saved because it was asked to stop."""
    log = folder / "runs" / "queued" / "logs" / f"small-seed_{seed}.log"
    return "Stopped and saved at step" in log.read_text()


def nothing_is_left(folder: Path) -> None:
    assert list((folder / "runs" / "queued").glob(".submitit-*")) == []
    ours = (JOB, JOB_CONTROLLER, MEMBER)
    wait_until("all processes end", lambda: not any(processes(folder, each) for each in ours), 20)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the same sweep gives without a queue."""
    folder = tmp_path_factory.mktemp("unbroken")
    write_grid(folder)
    done = seqzoo("sweep", "grid.yaml", "--jobs", "2", folder=folder, timeout_s=900)
    assert done.returncode == 0, done.stderr
    assert len(weights(folder)) == 3
    return weights(folder)


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_the_laws_of_launchers_hold(cluster: str) -> None:
    spec = load_registry().get("launcher", "submitit")
    for law in laws(spec, options={"cluster": cluster}):
        law.check()


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_sweep_of_a_grid_file_gives_the_same_bits(
    tmp_path: Path, cluster: str, unbroken: dict[str, str]
) -> None:
    write_grid(tmp_path)
    with (tmp_path / "grid.yaml").open("a") as grid:
        grid.write(f"launcher: {{name: submitit, options: {{cluster: {cluster}, minutes: 30}}}}\n")
    done = seqzoo("sweep", "grid.yaml", "--json", folder=tmp_path, timeout_s=900)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout), "stdout has the leaderboard alone"
    assert weights(tmp_path) == unbroken
    nothing_is_left(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_stopped_sweep_saves_and_the_same_command_continues(
    tmp_path: Path, cluster: str, number: signal.Signals, unbroken: dict[str, str]
) -> None:
    write_grid(tmp_path)
    with started(tmp_path, cluster) as process:
        try:
            wait_until("two members train", lambda: both_train(tmp_path))
            # Ctrl-C in a terminal is for all processes of the group.
            (os.killpg if number is signal.SIGINT else os.kill)(process.pid, number)
            _, messages = process.communicate(timeout=120)
        finally:
            process.kill()
    assert process.returncode == 128 + number, messages
    assert messages.count(" stopped\n") == 2, messages
    assert [stopped_at_a_step(tmp_path, seed) for seed in (1, 2)] == [True, True]
    nothing_is_left(tmp_path)
    with started(tmp_path, cluster) as process:
        _, messages = process.communicate(timeout=900)
    assert process.returncode == 0, messages
    assert messages.count("continues from its checkpoint") == 2
    assert weights(tmp_path) == unbroken


@pytest.mark.parametrize(
    ("module", "number"),
    [
        (JOB, signal.SIGKILL),
        (JOB, signal.SIGUSR2),  # a queue sends it when the time of a job is up
        (JOB_CONTROLLER, signal.SIGTERM),  # as where an administrator cancels a job
        (JOB_CONTROLLER, signal.SIGKILL),  # the job lives on, and nobody waits for it
    ],
)
@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_member_whose_job_was_ended_continues_in_another_job(
    tmp_path: Path, cluster: str, module: str, number: signal.Signals, unbroken: dict[str, str]
) -> None:
    if module is JOB_CONTROLLER and cluster != "local":
        pytest.skip("only local jobs have one")
    write_grid(tmp_path)
    with started(tmp_path, cluster) as process:
        try:
            wait_until("two members train", lambda: both_train(tmp_path))
            if number is signal.SIGUSR2:  # Slurm may send it to all processes of a job
                for member in processes(tmp_path, MEMBER):
                    os.kill(member, number)
            os.kill(processes(tmp_path, module)[0], number)
            output, messages = process.communicate(timeout=900)
        finally:
            process.kill()
    assert process.returncode == 0, messages
    assert messages.count("was lost with its machine") == 1, messages
    assert messages.count("continues from its checkpoint") == 1, messages
    assert weights(tmp_path) == unbroken
    assert "Traceback" not in output + messages
    nothing_is_left(tmp_path)


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_the_members_of_a_killed_sweep_save_and_the_same_command_continues(
    tmp_path: Path, cluster: str, unbroken: dict[str, str]
) -> None:
    write_grid(tmp_path)
    with started(tmp_path, cluster) as process:
        wait_until("two members train", lambda: both_train(tmp_path))
        members = processes(tmp_path, MEMBER)
        for member in members:  # so that they do not finish before their jobs notice
            os.kill(member, signal.SIGSTOP)
        process.send_signal(signal.SIGKILL)
        time.sleep(30)
        for member in members:
            os.kill(member, signal.SIGCONT)
    wait_until("the members end", lambda: not processes(tmp_path, MEMBER), 60)
    assert [stopped_at_a_step(tmp_path, seed) for seed in (1, 2)] == [True, True]
    with started(tmp_path, cluster) as process:
        _, messages = process.communicate(timeout=900)
    assert process.returncode == 0, messages
    assert messages.count("continues from its checkpoint") == 2
    assert weights(tmp_path) == unbroken
    nothing_is_left(tmp_path)


def test_a_queue_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    write_grid(tmp_path)
    for cluster, sentence in {
        "slurm": "there is no command 'srun'",
        "debug": "debug runs a job inside the sweep, which could not stop it; use local",
    }.items():
        done = seqzoo(
            "sweep", "grid.yaml", "--launcher", f"submitit={cluster}", folder=tmp_path, PATH=""
        )
        assert done.returncode == 2, done.stderr
        assert sentence in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr
