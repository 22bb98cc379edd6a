"""--tracker, and trackers of runs that are killed: in real processes."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import REPOSITORY, SMALL, environment, seqzoo

from seqzoo.cli.trackers import trackers_override
from seqzoo.errors import UsageError
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import load_recipe

PLUGIN = REPOSITORY / "tests" / "support" / "received_plugin.py"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    recipe = f"{SMALL}plugins: [{json.dumps(str(PLUGIN))}]\nbaselines: {{include: []}}\n"
    (tmp_path / "small.yaml").write_text(recipe)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "name", "options"),
    [
        ("csv", "csv", {}),
        ("csv=out/table.csv", "csv", {"path": "out/table.csv"}),
        ("csv = {path: table.csv}", "csv", {"path": "table.csv"}),
        ("wandb={mode: offline, tags: [a, b]}", "wandb", {"mode": "offline", "tags": ["a", "b"]}),
        ("in_a_plugin_file", "in_a_plugin_file", {}),
    ],
)
def test_a_tracker_is_given_by_its_name_and_its_options(
    given: str, name: str, options: object, registry: Registry
) -> None:
    (override,) = trackers_override([given], registry)
    assert json.loads(override.removeprefix("trackers=")) == [{"name": name, "options": options}]


def test_without_the_option_the_recipe_is_as_it_was(registry: Registry) -> None:
    assert trackers_override(None, registry) == []


def test_a_path_on_the_command_line_starts_from_the_working_directory(
    registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    overrides = trackers_override(["csv=table.csv"], registry)
    recipe = load_recipe(folder / "small.yaml", registry, overrides=overrides)
    assert recipe.trackers[0].options.path == folder / "elsewhere" / "table.csv"


def test_a_value_without_an_option_is_refused(folder: Path) -> None:
    registry = Registry()
    with pytest.raises(UsageError, match="tracker 'csv' is not installed"):
        trackers_override(["csv=3"], registry)


@pytest.mark.parametrize(
    ("given", "said"),
    [("cvs", "Did you mean 'csv'?"), ("cvs=1", "Did you mean 'csv'?"), ("csv={pth: 1}", "'path'?")],
)
def test_a_mistake_in_the_option_is_a_sentence(folder: Path, given: str, said: str) -> None:
    done = seqzoo("run", "--trust", "small.yaml", "--tracker", given, folder=folder)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_stdout_is_json_whatever_a_tracker_prints(folder: Path) -> None:
    talking = "received={where: log, how: talk}"
    done = seqzoo(
        "run",
        "--trust",
        "small.yaml",
        "--json",
        "--tracker",
        talking,
        "--tracker",
        "csv",
        folder=folder,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] == 60
    assert (folder / "runs" / "small" / "metrics.csv").exists()


def test_a_tracker_that_fails_changes_no_exit_code(folder: Path) -> None:
    failing = "received={where: log, how: leave}"
    done = seqzoo("run", "--trust", "small.yaml", "--tracker", failing, folder=folder)
    assert done.returncode == 0, done.stderr
    message = " ".join(done.stderr.split())
    assert message.count("it called sys.exit('enough') (received_plugin.py, line") == 1
    assert "Traceback" not in done.stderr


def kill_at(folder: Path, checkpoint: str, command: list[str]) -> None:
    """Start a command and kill it when a checkpoint of its run appears."""
    process = subprocess.Popen(
        [sys.executable, "-m", "seqzoo", *command],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not (folder / "runs" / "small" / "checkpoints" / checkpoint).exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, f"{checkpoint} did not appear"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_run_that_is_killed_twice_has_every_step_once_in_each_tracker(folder: Path) -> None:
    run = folder / "runs" / "small"
    length = ["train.budget.steps=400", "train.checkpoint.every_steps=20"]
    slow = ["--tracker", "received={where: log, how: slow}"]  # continues when the run is gone
    given = ["--tracker", "csv", "--tracker", "tensorboard", *slow]
    kill_at(folder, "step-120", ["run", "--trust", "small.yaml", *length, *given])
    kill_at(folder, "step-260", ["resume", "runs/small"])
    done = seqzoo("resume", "runs/small", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "left out" not in done.stderr
    logged: dict[str, dict[str, float]] = {}
    for name in ("metrics.jsonl", "timing.jsonl"):
        for line in map(json.loads, (run / name).read_text().splitlines()):
            logged.setdefault(str(line["step"]), {}).update(line)
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == [*logged]
    written = [{k: float(v) for k, v in row.items() if v} for row in rows]
    assert written == [*logged.values()]
    assert steps_after_each_opening(run / "received.jsonl") == [int(step) for step in logged]


def steps_after_each_opening(path: Path) -> list[int]:
    """The steps of a tracker that removes what is sent again, as `Tracker` asks."""
    steps: list[int] = []
    for call in map(json.loads, path.read_text().splitlines()):
        if call[0] == "open":
            last = call[1]["resumed_from"]
            steps = [] if last is None else [step for step in steps if step <= last]
        elif call[0] == "log":
            steps.append(call[1])
    return steps
