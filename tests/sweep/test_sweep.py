"""Sweeps from outside: processes that finish, are killed, are stopped, and fail."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from commands import SMALL, environment, seqzoo
from small_result import make_result
from waiting import wait_until

from seqzoo.errors import UsageError
from seqzoo.model.threads import Threads
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import Recipe
from seqzoo.recipes.yaml_reader import load_yaml
from seqzoo.results.result import write_result
from seqzoo.runs.directory import RunDirectory
from seqzoo.sweep.folder import Completion, SweepFolder
from seqzoo.sweep.grid import read_grid
from seqzoo.sweep.members import checked_recipes, members_of
from seqzoo.sweep.process import MemberRun, MemberState
from seqzoo.sweep.run import threads_each
from seqzoo.sweep.table import sweep_table

LONG = "set: {train.budget.steps: 400, train.checkpoint.every_steps: 20}\n"


def write_grid(folder: Path, name: str, text: str, *, recipe: str = SMALL) -> None:
    (folder / "small.yaml").write_text(recipe)
    (folder / "grid.yaml").write_text(f"name: {name}\nrecipes: [small.yaml]\n{text}")


def sweep(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return seqzoo("sweep", "grid.yaml", *options, folder=folder)


def started(folder: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "seqzoo", "sweep", "grid.yaml", *options],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Signals may be ignored where tests run in the background, and children inherit that.
        preexec_fn=lambda: [
            signal.signal(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGHUP)
        ],
    )


def has_lines(run: RunDirectory, count: int) -> bool:
    """Whether a run has written that many lines of metrics, one each five updates."""
    return run.metrics.exists() and run.metrics.read_bytes().count(b"\n") >= count


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process_id}/stat")
    # In a container there may be no parent to wait for an orphan; it is dead all the same.
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


def identity(path: Path) -> tuple[int, int]:
    return path.stat().st_ino, path.stat().st_mtime_ns


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A folder with a finished sweep of two members at a time, and what it printed."""
    folder = tmp_path_factory.mktemp("swept")
    free = SMALL.replace("threads: 1, ", "")
    write_grid(folder, "sizes", "grid: {architecture.options.hidden_size: [8, 16]}\n", recipe=free)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # members would take theirs from there
            patch.delenv(name, raising=False)
        done = sweep(folder, "--jobs", "2", "--json")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout, done.stderr


def test_a_sweep_leaves_runs_that_the_leaderboard_compares(swept: tuple[Path, str, str]) -> None:
    folder, printed, _ = swept
    runs = folder / "runs" / "sizes"
    for size in (8, 16):
        run = runs / f"small-hidden_size_{size}"
        stored, _ = load_yaml((run / "recipe.yaml").read_bytes(), "")
        assert stored["architecture"]["options"]["hidden_size"] == size
        assert (run / "result.json").is_file()
        assert "bits per byte" in (runs / "logs" / f"{run.name}.log").read_text()
    assert (runs / "sweep.yaml").read_text() == (folder / "grid.yaml").read_text()
    board = seqzoo("leaderboard", "--runs", str(runs), "--json", folder=folder)
    assert json.loads(board.stdout) == json.loads(printed)
    assert "small-hidden_size_16" in printed


def test_two_at_a_time_share_the_threads(swept: tuple[Path, str, str]) -> None:
    folder, _, messages = swept
    changes = [line.split()[-1] for line in messages.splitlines() if line.startswith("[")]
    assert changes[:2] == ["starts", "starts"]
    # Members take the number of the user's environment, if it has one.
    usual = environment().get("OMP_NUM_THREADS")
    given = [
        load_yaml(recipe.read_bytes(), "")[0]["runtime"]["threads"] or int(usual or 0)
        for recipe in (folder / "runs" / "sizes").glob("*/recipe.yaml")
    ]
    assert sum(given) <= max(2, len(os.sched_getaffinity(0)))


def test_jobs_share_the_available_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("seqzoo.sweep.run.available_threads", lambda: Threads(7, "1 is in use"))
    assert [threads_each(jobs) for jobs in (1, 2, 3, 7, 100)] == [7, 3, 2, 1, 1]


def test_members_take_the_number_of_threads_from_the_users_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert threads_each(2) is None


def test_a_finished_sweep_runs_nothing_again(swept: tuple[Path, str, str]) -> None:
    folder, printed, _ = swept
    results = sorted((folder / "runs" / "sizes").glob("*/result.json"))
    before = list(map(identity, results))
    # How many members run at a time is not a setting of the recipe.
    again = sweep(folder, "--jobs", "1", "--json")
    assert again.returncode == 0, again.stderr
    assert again.stderr == "2 of 2 members are finished already\n"
    assert list(map(identity, results)) == before
    assert json.loads(again.stdout) == json.loads(printed)


def test_a_dry_run_lists_members_and_states_and_leaves_nothing(
    swept: tuple[Path, str, str], tmp_path: Path
) -> None:
    folder, _, _ = swept
    listed = json.loads(sweep(folder, "--dry-run", "--json").stdout)
    assert [row["state"] for row in listed] == ["finished", "finished"]
    assert listed[0]["overrides"] == ["architecture.options.hidden_size=8"]
    write_grid(tmp_path, "sizes", "seeds: [1, 2]\n")
    done = sweep(tmp_path, "--dry-run")
    assert done.returncode == 0
    assert "small-seed_2 (new)" in done.stdout
    assert not (tmp_path / "runs").exists()


def test_a_member_of_another_recipe_is_refused_before_anything_runs(
    swept: tuple[Path, str, str],
) -> None:
    folder, _, _ = swept
    grid = (folder / "grid.yaml").read_text()
    (folder / "other.yaml").write_text(grid.replace("grid:", "set: {train.batch_size: 4}\ngrid:"))
    done = seqzoo("sweep", "other.yaml", folder=folder)
    assert done.returncode == 2
    assert "(train.batch_size is 8, not 4) (and 1 more)" in done.stderr
    assert "give the sweep another name" in done.stderr
    assert (folder / "runs" / "sizes" / "sweep.yaml").read_text() == grid


def test_nothing_trains_where_one_member_is_wrong(tmp_path: Path) -> None:
    write_grid(tmp_path, "wrong", "grid: {train.batch_size: [8, lots]}\n")
    done = sweep(tmp_path)
    assert done.returncode == 2
    assert "grid.yaml:3:30: train.batch_size is 'lots'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_killed_sweep_continues_to_the_same_bits(tmp_path: Path) -> None:
    write_grid(tmp_path, "killed", LONG + "seeds: [1, 2, 3]\n")
    runs = tmp_path / "runs" / "killed"
    first, second, third = (RunDirectory(runs / f"small-seed_{seed}") for seed in (1, 2, 3))
    with started(tmp_path) as process:
        try:
            wait_until("the second member trains", lambda: has_lines(second, 20), 90)
        finally:
            process.kill()
    orphan = int((second.path / "lock").read_text().split()[0])
    wait_until("the orphan ends", lambda: not is_alive(orphan), 20)
    assert not second.result.exists()
    finished = identity(first.result)

    again = sweep(tmp_path)
    assert again.returncode == 0, again.stderr
    assert "1 of 3 members are finished already" in again.stderr
    assert "small-seed_2 continues from its checkpoint" in again.stderr
    assert "small-seed_3 starts" in again.stderr
    assert identity(first.result) == finished
    assert "resuming" in (runs / "logs" / "small-seed_2.log").read_text()
    assert third.result.exists()

    overrides = ["train.budget.steps=400", "train.checkpoint.every_steps=20", "train.seed=2"]
    done = seqzoo("run", "small.yaml", "--name", "unbroken", *overrides, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    unbroken = RunDirectory(tmp_path / "runs" / "unbroken")
    assert second.metrics.read_bytes() == unbroken.metrics.read_bytes()
    ours, theirs = (json.loads(run.result.read_text()) for run in (second, unbroken))
    assert ours["weights_sha256"] == theirs["weights_sha256"]
    assert ours["scores"] == theirs["scores"]


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        signal.SIGTERM,
        pytest.param(signal.SIGHUP, marks=pytest.mark.slow),
    ],
)
def test_a_stopped_sweep_saves_says_how_to_continue_and_starts_no_more(
    tmp_path: Path, number: signal.Signals
) -> None:
    write_grid(tmp_path, "stopped", "set: {train.budget.steps: 1000000}\nseeds: [1, 2, 3]\n")
    runs = tmp_path / "runs" / "stopped"
    started_runs = [runs / f"small-seed_{seed}" for seed in (1, 2)]
    with started(tmp_path, "--jobs", "2") as process:
        try:
            wait_until(
                "all train",
                lambda: all(has_lines(RunDirectory(run), 2) for run in started_runs),
                90,
            )
            process.send_signal(number)
            _, messages = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 128 + number, messages
    assert "Stopped with 0 of 3 members finished; to continue, run the same command" in messages
    for run in started_runs:
        assert "Stopped and saved at step" in (runs / "logs" / f"{run.name}.log").read_text()
    assert not (runs / "small-seed_3").exists()
    listed = json.loads(sweep(tmp_path, "--dry-run", "--json").stdout)
    assert [row["state"] for row in listed] == ["unfinished", "unfinished", "new"]


def test_a_failing_member_fails_alone_and_is_named(tmp_path: Path) -> None:
    rates = "grid: {train.optimizer.name: [adamw], train.optimizer.learning_rate: [1e30, 0.01]}\n"
    write_grid(tmp_path, "failing", f"set: {{train.budget.steps: 10}}\n{rates}")
    done = sweep(tmp_path)
    assert done.returncode == 5, done.stderr
    wrong, right = "small-name_adamw-learning_rate_1e30", "small-name_adamw-learning_rate_0.01"
    runs = tmp_path / "runs" / "failing"
    assert (runs / right / "result.json").exists()
    assert right[-20:] in done.stdout  # the leaderboard, all the same
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: {wrong}: ")
    assert "stopped being finite" in last
    assert last.endswith(f"(runs/failing/logs/{wrong}.log)")
    assert "Traceback" not in done.stderr


def test_two_sweeps_exclude_each_other(tmp_path: Path) -> None:
    write_grid(tmp_path, "owned", "")
    folder = SweepFolder(tmp_path / "runs" / "owned")
    folder.path.mkdir(parents=True)
    with folder.locked():
        done = sweep(tmp_path)
    assert done.returncode == 3
    assert f"in use by process {os.getpid()}" in done.stderr
    assert not (folder.path / "small").exists()


def test_a_page_without_a_place_for_the_tables_stops_a_sweep_before_it_starts(
    tmp_path: Path,
) -> None:
    write_grid(tmp_path, "paged", "")
    (tmp_path / "page.md").write_text("no marks")
    for page in ("page.md", "missing.md"):
        done = seqzoo("sweep", "grid.yaml", "--into", page, folder=tmp_path)
        assert done.returncode == 2
        assert page in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.fixture
def recipes(tmp_path: Path, registry: Registry) -> dict[str, Recipe]:
    """The recipe of a sweep's only member, 'small'."""
    write_grid(tmp_path, "single", "")
    return checked_recipes(members_of(read_grid(tmp_path / "grid.yaml")), registry)


def test_only_the_first_files_of_a_run_are_removed(
    tmp_path: Path, recipes: dict[str, Recipe]
) -> None:
    folder = SweepFolder(tmp_path / "runs")
    member = folder.member("small")
    member.path.mkdir(parents=True)
    for name in ("lock", "origin.json", "recipe.yaml", "metrics.jsonl"):
        (member.path / name).touch()
        if name != "recipe.yaml":
            assert folder.completions(recipes) == {"small": Completion.NEW}
    folder.clear("small")
    assert not member.path.exists()
    member.path.mkdir()
    (member.path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not a run of this sweep"):
        folder.completions(recipes)


@pytest.mark.parametrize("text", ["{", "[]", '{"format_version": 1}'])
def test_a_result_that_cannot_be_read_is_not_finished(
    tmp_path: Path, recipes: dict[str, Recipe], text: str
) -> None:
    folder = SweepFolder(tmp_path / "runs")
    member = folder.member("small")
    (member.checkpoints / "step-10").mkdir(parents=True)
    member.recipe.write_text(recipes["small"].to_yaml())
    write_result(member.result, make_result())
    assert folder.completions(recipes) == {"small": Completion.FINISHED}
    member.result.write_text(text)
    assert folder.completions(recipes) == {"small": Completion.UNFINISHED}


def test_a_member_with_the_result_of_a_newer_seqzoo_is_not_trained_again(
    tmp_path: Path, recipes: dict[str, Recipe]
) -> None:
    folder = SweepFolder(tmp_path / "runs")
    member = folder.member("small")
    member.path.mkdir(parents=True)
    member.result.write_text('{"format_version": 99}')
    with pytest.raises(UsageError, match="upgrade seqzoo"):
        folder.completions(recipes)


def test_a_sweep_waits_for_a_member_that_still_saves(
    tmp_path: Path, recipes: dict[str, Recipe]
) -> None:
    folder = SweepFolder(tmp_path / "runs")
    member = folder.member("small")
    member.path.mkdir(parents=True)
    with ThreadPoolExecutor() as pool:
        with member.locked():
            waiting = pool.submit(folder.settle, recipes)
            time.sleep(0.3)
            assert not waiting.done()
        waiting.result(timeout=10)


def test_a_single_run_is_not_a_folder_of_a_sweep(
    tmp_path: Path, recipes: dict[str, Recipe]
) -> None:
    (tmp_path / "recipe.yaml").touch()
    with pytest.raises(UsageError, match="is a single run"):
        SweepFolder(tmp_path).completions(recipes)


VALIDATED = {"step": 30, "validation_bits_per_byte": 2.75, "validation_accuracy": 0.5}
TRAINED = {"step": 30, "bits_per_byte": 2.5, "bytes": 100}


@pytest.fixture
def unfinished(tmp_path: Path, recipes: dict[str, Recipe]) -> tuple[MemberRun, RunDirectory]:
    """The only member, which a sweep may resume."""
    folder = SweepFolder(tmp_path / "runs")
    directory = folder.member("small")
    directory.path.mkdir(parents=True)
    (member,) = members_of(read_grid(tmp_path / "grid.yaml"))
    return MemberRun(member, recipes["small"], folder, Completion.UNFINISHED), directory


@pytest.mark.parametrize("lines", [[TRAINED, VALIDATED], [TRAINED | VALIDATED]])
def test_progress_is_the_same_for_one_and_for_two_lines_of_a_step(
    unfinished: tuple[MemberRun, RunDirectory], lines: list[dict[str, float]]
) -> None:
    run, directory = unfinished
    directory.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    run.follow()
    assert run.latest == TRAINED | VALIDATED


def test_damaged_metrics_are_reported_once_and_the_member_runs_on(
    unfinished: tuple[MemberRun, RunDirectory], capsys: pytest.CaptureFixture[str]
) -> None:
    run, directory = unfinished
    directory.metrics.write_text("nonsense\n")
    directory.timing.write_text('{"step": 30, "seconds": 2.0}\n')
    for _ in range(2):
        run.follow()
    warning = capsys.readouterr().err
    assert warning.count("metrics.jsonl:1: the line is damaged") == 1
    assert "The progress of small is not shown." in warning
    assert run.latest == {"step": 30, "seconds": 2.0}


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("count", [3, 200])
def test_the_table_fits_and_shows_what_runs(
    tmp_path: Path, registry: Registry, width: int, count: int
) -> None:
    from rich.console import Console

    grid = "grid: {train.optimizer.learning_rate: [0.003]}\n"
    write_grid(tmp_path, "wide", f"{grid}seeds: {list(range(count))}\n")
    members = members_of(read_grid(tmp_path / "grid.yaml"))
    recipe = checked_recipes(members[:1], registry)[members[0].name]
    folder = SweepFolder(tmp_path / "runs")
    runs = [MemberRun(member, recipe, folder, Completion.NEW) for member in members]
    runs[-1].state = MemberState.RUNNING
    runs[-1].latest = {"step": 30, "bits_per_byte": 2.5, "validation_bits_per_byte": 2.75}
    console = Console(width=width, height=24, color_system=None)
    with console.capture() as captured:
        console.print(sweep_table(runs, width=width, height=24))
    lines = captured.get().splitlines()
    assert len(lines) <= 23
    assert max(map(len, lines)) <= width
    (running,) = (line.split() for line in lines if " running " in line)
    assert running[1:5] == ["running", "50%", "2.5000", "2.7500"]
    assert running[0].endswith(f"{count - 1}")
    assert lines[-1].startswith(f"1 running, {count - 1} waiting")
