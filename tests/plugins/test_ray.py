"""Sweeps on a Ray cluster of two machines, which are both this one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import SMALL, environment, seqzoo
from waiting import wait_until

from seqzoo.runs.directory import RunDirectory
from seqzoo.training.checkpoint_files import checkpoint_steps

pytestmark = pytest.mark.slow
pytest.importorskip("ray", reason="needs Ray: pip install 'seqzoo[ray]'")

GRID = """\
name: clustered
recipes: [small.yaml]
set: {train.budget.steps: 1500, train.checkpoint.every_steps: 20, evaluate.adaptive: null}
seeds: [1, 2, 3, 4, 5, 6]
"""


def ray_processes() -> list[str]:
    """The command lines of Ray's processes on this machine."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if "raylet" in text or "gcs_server" in text or text.startswith("ray::"):
            found.append(text)
    return found


class Machines:
    """A cluster of two nodes with one core each; the first is its head."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        quiet = {"num_cpus": 1, "include_dashboard": False}
        self.cluster: Any = Cluster(initialize_head=True, head_node_args=quiet)
        self.second: Any = self.cluster.add_node(num_cpus=1)
        self.cluster.wait_for_nodes()

    def lose_the_second(self) -> None:
        """Without grace: its processes are killed."""
        self.cluster.remove_node(self.second, allow_graceful=False)


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machines]:
    """A cluster, which is gone after the test, and so are all of Ray's processes."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    before = ray_processes()
    both = Machines()
    yield both
    both.cluster.shutdown()
    wait_until(f"left behind: {ray_processes()}", lambda: len(ray_processes()) <= len(before), 60)


def write_grid(folder: Path) -> None:
    (folder / "small.yaml").write_text(SMALL)
    (folder / "grid.yaml").write_text(GRID)


def started(folder: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "seqzoo", "sweep", "grid.yaml", "--launcher", "ray", *options],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def weights(folder: Path) -> dict[str, str]:
    """The hash of the weights of every finished member."""
    return {
        path.parent.name: json.loads(path.read_text())["weights_sha256"]
        for path in sorted((folder / "runs" / "clustered").glob("*/result.json"))
    }


def steps(run: Path) -> list[int]:
    return checkpoint_steps(RunDirectory(run).checkpoints)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the same sweep gives as processes of this machine."""
    folder = tmp_path_factory.mktemp("unbroken")
    write_grid(folder)
    done = seqzoo("sweep", "grid.yaml", "--jobs", "2", folder=folder, timeout_s=900)
    assert done.returncode == 0, done.stderr
    return weights(folder)


def test_the_members_of_a_lost_machine_end_on_the_other_one_with_the_same_bits(
    tmp_path: Path, machines: Machines, unbroken: dict[str, str]
) -> None:
    write_grid(tmp_path)
    runs = tmp_path / "runs" / "clustered"
    with started(tmp_path, "--address", machines.cluster.address) as process:
        try:
            both = [runs / "small-seed_1", runs / "small-seed_2"]
            wait_until("two members train", lambda: all(max([0, *steps(r)]) >= 40 for r in both))
            machines.lose_the_second()
            output, messages = process.communicate(timeout=900)
        finally:
            process.kill()
    assert process.returncode == 0, messages
    assert "was lost with its machine" in messages
    assert "continues from its checkpoint" in messages
    assert weights(tmp_path) == unbroken
    assert "Traceback" not in output + messages


def test_a_sweep_that_was_killed_finishes_only_what_is_missing(
    tmp_path: Path, machines: Machines, unbroken: dict[str, str]
) -> None:
    write_grid(tmp_path)
    runs = tmp_path / "runs" / "clustered"
    address = ("--address", machines.cluster.address)
    with started(tmp_path, *address) as process:
        wait_until("a third member trains", lambda: max([0, *steps(runs / "small-seed_3")]) >= 20)
        process.send_signal(signal.SIGKILL)
    finished = {
        name: os.stat(runs / name / "result.json").st_mtime_ns for name in weights(tmp_path)
    }
    assert finished
    with started(tmp_path, *address) as process:
        _, messages = process.communicate(timeout=900)
    assert process.returncode == 0, messages
    assert f"{len(finished)} of 6 members are finished already" in messages
    for name, time_ns in finished.items():
        assert os.stat(runs / name / "result.json").st_mtime_ns == time_ns
    assert weights(tmp_path) == unbroken


def test_a_cluster_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    write_grid(tmp_path)
    for address in ("auto", "127.0.0.1:1", "nowhere.invalid:6379", "nonsense"):
        done = seqzoo(
            "sweep", "grid.yaml", "--launcher", "ray", "--address", address, folder=tmp_path
        )
        assert done.returncode == 2, done.stderr
        assert "cannot be used" in done.stderr
        assert "ray start --head" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_folder_that_the_machines_do_not_share_is_one_sentence(
    tmp_path: Path, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    import seqzoo as public
    from seqzoo.plugin.launcher import Job

    # In this process the tests have no network; Ray's own is not Python's.
    monkeypatch.setattr("seqzoo_plugins.launchers.ray_cluster._reach", lambda address: None)
    spec = public.load_registry().get("launcher", "ray")
    options = spec.options.model_validate({"address": machines.cluster.address})
    launcher = spec.open(options, public.LauncherContext(sweep_directory=tmp_path))
    try:
        for mark in tmp_path.glob(".seen-*"):  # what a machine without this disk would see
            mark.unlink()
        job = Job(name="one", arguments=("-c", ""), directory=tmp_path, log=tmp_path / "one.log")
        launched = launcher.start(job)
        wait_until("it ends", lambda: launched.poll() is not None)
        end = launched.poll()
    finally:
        launcher.close()
    assert end is not None
    assert end.exit_code == 1
    assert f"does not see {tmp_path}" in end.reason
