"""Members of a sweep on a launcher: what is lost starts again, what fails fails alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest
from commands import SMALL, seqzoo

from seqzoo import Job, JobEnd, JobProcess, Launched, Launcher, LauncherContext, LauncherSpec
from seqzoo.errors import RecipeError, UsageError
from seqzoo.plugin.choice import Choice
from seqzoo.plugin.discovery import Owner
from seqzoo.plugin.hooks import hookimpl
from seqzoo.plugin.registry import Registry
from seqzoo.plugin.specs import Options
from seqzoo.runs.directory import RunDirectory
from seqzoo.sweep.folder import SweepFolder
from seqzoo.sweep.grid import read_grid
from seqzoo.sweep.launching import chosen_launcher, opened_launcher
from seqzoo.sweep.members import checked_recipes, members_of
from seqzoo.sweep.process import MemberRun
from seqzoo.sweep.run import run_sweep
from seqzoo.training.checkpoint_files import checkpoint_steps

LONG = "set: {train.budget.steps: 600, train.checkpoint.every_steps: 20}\n"


def write_grid(folder: Path, text: str) -> Path:
    (folder / "small.yaml").write_text(SMALL)
    grid = folder / "grid.yaml"
    grid.write_text(f"name: launched\nrecipes: [small.yaml]\n{text}")
    return grid


def swept(
    folder: Path,
    registry: Registry,
    launcher: Launcher,
    monkeypatch: pytest.MonkeyPatch,
    *,
    text: str,
    jobs: int | None = 1,
) -> tuple[list[MemberRun], SweepFolder]:
    """The members that failed, and the folder of the sweep."""
    monkeypatch.chdir(folder)
    read = read_grid(write_grid(folder, text))
    members = members_of(read)
    sweep = SweepFolder(Path("runs/launched"))
    failed = run_sweep(
        sweep,
        read,
        members,
        checked_recipes(members, registry),
        registry=registry,
        launcher=nullcontext(launcher),
        jobs=jobs,
    )
    return failed, sweep


class LosingJob(Launched):
    """A process whose machine is lost as soon as its run has saved at that step."""

    def __init__(self, job: Job, run: RunDirectory, step: int | None) -> None:
        self.process, self.run, self.step = JobProcess(job), run, step
        self.is_lost = False

    def poll(self) -> JobEnd | None:
        saved = max(checkpoint_steps(self.run.checkpoints), default=0)
        if self.step is not None and saved >= self.step:
            self.is_lost = True
            self.process.kill()
        if self.is_lost:
            return JobEnd(exit_code=None, reason="the machine is gone")
        return self.process.poll()

    def stop(self) -> None:
        self.process.stop()

    def kill(self) -> None:
        self.process.kill()


class Losing(Launcher):
    """Loses the machines of the first starts of each member, where it has saved at these steps."""

    def __init__(self, steps: Sequence[int]) -> None:
        self.steps = steps
        self.starts: list[Job] = []

    def start(self, job: Job) -> Launched:
        before = sum(each.name == job.name for each in self.starts)
        self.starts.append(job)
        step = self.steps[before] if before < len(self.steps) else None
        run = RunDirectory(job.directory / "runs" / "launched" / job.name)
        return LosingJob(job, run, step)


def test_a_lost_member_continues_to_the_same_bits(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = Losing([20, 300])
    failed, sweep = swept(tmp_path, registry, launcher, monkeypatch, text=LONG + "seeds: [1, 2]\n")
    assert failed == []
    assert [job.name for job in launcher.starts] == ["small-seed_1"] * 3 + ["small-seed_2"] * 3
    assert ["resume" in job.arguments for job in launcher.starts] == [False, True, True] * 2
    overrides = ["train.budget.steps=600", "train.checkpoint.every_steps=20", "train.seed=2"]
    done = seqzoo("run", "small.yaml", "--name", "unbroken", *overrides, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    unbroken = RunDirectory(tmp_path / "runs" / "unbroken")
    run = sweep.member("small-seed_2")
    assert run.metrics.read_bytes() == unbroken.metrics.read_bytes()
    ours, theirs = (json.loads(each.result.read_text()) for each in (run, unbroken))
    assert ours["weights_sha256"] == theirs["weights_sha256"]


def test_a_member_that_is_lost_after_its_validation_and_before_it_saved_begins_again(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """\
set: {train.budget.steps: 450, train.validation.every_steps: 50, train.checkpoint.every_steps: 500}
grid: {train.optimizer.learning_rate: [0.01, 0.001]}
asha: {factor: 3, rungs: 2, noise: 0}
"""

    class LosingUnsaved(Losing):
        """Loses the first start of a member where its metrics have the validation, unsaved."""

        def start(self, job: Job) -> Launched:
            is_first = not self.starts
            self.starts.append(job)
            run = RunDirectory(job.directory / "runs" / "launched" / job.name)

            class Lost(LosingJob):
                def poll(self) -> JobEnd | None:
                    if is_first and not self.is_lost and b"validation" in metrics(run):
                        self.is_lost = True
                        self.process.kill()
                        for path in run.checkpoints.glob("step-*"):  # as on a slow disk
                            shutil.rmtree(path)
                    return super().poll()

            return Lost(job, run, None)

    def metrics(run: RunDirectory) -> bytes:
        return run.metrics.read_bytes() if run.metrics.exists() else b""

    launcher = LosingUnsaved([])
    failed, sweep = swept(tmp_path, registry, launcher, monkeypatch, text=text)
    assert failed == []
    assert sweep.member("small-learning_rate_0.01").result.exists()
    names = [job.name for job in launcher.starts]
    assert names[:2] == [names[0]] * 2
    assert "resume" not in launcher.starts[1].arguments


class Vanishing(Launcher):
    """Every machine is lost before anything is saved."""

    def __init__(self) -> None:
        self.starts = 0

    def start(self, job: Job) -> Launched:
        self.starts += 1

        class Gone(Launched):
            def poll(self) -> JobEnd | None:
                return JobEnd(exit_code=None, reason="the machine is gone")

            def stop(self) -> None: ...

            def kill(self) -> None: ...

        return Gone()


def test_a_member_that_is_lost_again_and_again_has_failed(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = Vanishing()
    failed, _ = swept(tmp_path, registry, launcher, monkeypatch, text=LONG)
    assert [run.reason() for run in failed] == [
        "its machine was lost 3 times in a row (the machine is gone)"
    ]
    assert launcher.starts == 3


def test_an_error_of_the_run_is_no_loss(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = Losing([])
    rates = "set: {train.optimizer.name: adamw, train.optimizer.learning_rate: 1e30}\n"
    failed, _ = swept(tmp_path, registry, launcher, monkeypatch, text=rates)
    assert [run.exit_code for run in failed] == [5]
    assert len(launcher.starts) == 1


class Half(Launcher):
    """Cannot start the first job."""

    def __init__(self) -> None:
        self.starts = 0

    def start(self, job: Job) -> Launched:
        self.starts += 1
        if self.starts == 1:
            raise OSError(28, "No space left on device", str(job.log))
        return JobProcess(job)


def test_a_member_that_cannot_be_started_fails_alone(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = "set: {train.budget.steps: 10}\nseeds: [1, 2]\n"
    failed, sweep = swept(tmp_path, registry, Half(), monkeypatch, text=few)
    assert [run.name for run in failed] == ["small-seed_1"]
    assert "No space left on device" in failed[0].reason()
    assert sweep.member("small-seed_2").result.exists()


class Growing(Launcher):
    """Has room for one job, then for three; counts those that run at a time."""

    def __init__(self) -> None:
        self.running: list[JobProcess] = []
        self.most: list[int] = []

    def room(self) -> int:
        return 1 if not self.most else 3

    def threads(self) -> int:
        return 1

    def start(self, job: Job) -> Launched:
        assert job.threads == 1
        self.running = [each for each in self.running if each.poll() is None]
        self.running.append(JobProcess(job))
        self.most.append(len(self.running))
        return self.running[-1]


def test_as_many_run_as_the_launcher_has_room_for(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = Growing()
    text = "set: {train.budget.steps: 10}\nseeds: [1, 2, 3, 4]\n"
    failed, _ = swept(tmp_path, registry, launcher, monkeypatch, text=text, jobs=None)
    assert failed == []
    assert max(launcher.most) == 3


class PlaceOptions(Options):
    address: str = "here"
    size: int = 1


class Place:
    """A plugin with a launcher that has options."""

    def __init__(self) -> None:
        self.closed = 0

    @hookimpl
    def register_launchers(self) -> list[LauncherSpec]:
        def opens(options: PlaceOptions, context: LauncherContext) -> Launcher:
            assert context.sweep_directory.is_absolute()
            outer = self

            class Closing(Losing):
                def close(self) -> None:
                    outer.closed += 1

            return Closing([])

        return [LauncherSpec(name="place", summary="a place", options=PlaceOptions, open=opens)]


@pytest.fixture
def place(registry: Registry) -> tuple[Registry, Place]:
    """A registry with the launcher 'place'."""
    copied, plugin = registry.copy(), Place()
    copied.add(plugin, Owner("place", "seqzoo-place"))
    return copied, plugin


def test_the_command_line_replaces_the_launcher_of_the_grid_file_and_its_address(
    tmp_path: Path, place: tuple[Registry, Place]
) -> None:
    registry, plugin = place
    grid = read_grid(write_grid(tmp_path, "launcher: {name: place, options: {size: 3}}\n"))
    assert chosen_launcher(grid, registry).options == PlaceOptions(size=3)
    given = chosen_launcher(grid, registry, given=Choice(name="place"), address="there")
    assert given.options == PlaceOptions(address="there", size=3)
    local = chosen_launcher(grid, registry, given=Choice(name="local"))
    assert (local.name, local.options) == ("local", Options())
    with opened_launcher(given, registry, tmp_path):
        assert plugin.closed == 0
    assert plugin.closed == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("launcher: plaec\n", "launcher 'plaec' is not installed. Did you mean 'place'?"),
        ("launcher: {name: place, options: {size: x}}\n", "launcher.options.size is 'x'"),
        ("launcher: {name: place, options: {sice: 1}}\n", "size"),
        ("launcher: 3\n", "launcher is 3, expected a mapping"),
    ],
)
def test_a_mistake_in_the_launcher_is_reported_at_its_place(
    tmp_path: Path, place: tuple[Registry, Place], text: str, message: str
) -> None:
    with pytest.raises(RecipeError) as error:
        chosen_launcher(read_grid(write_grid(tmp_path, text)), place[0])
    assert message in str(error.value)
    assert "grid.yaml:3:" in str(error.value)


def test_an_address_needs_a_launcher_that_has_one(
    tmp_path: Path, place: tuple[Registry, Place]
) -> None:
    grid = read_grid(write_grid(tmp_path, ""))
    with pytest.raises(UsageError, match="launcher 'local' has no address"):
        chosen_launcher(grid, place[0], address="auto")


@pytest.mark.parametrize("name", ["ray", "submitit"])
def test_a_launcher_that_lacks_its_package_says_how_to_install_it(
    tmp_path: Path, name: str
) -> None:
    write_grid(tmp_path, "")
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    missing = f"""raise ModuleNotFoundError("No module named '{name}'", name="{name}")\n"""
    (hidden / f"{name}.py").write_text(missing)
    done = seqzoo("sweep", "grid.yaml", "--launcher", name, folder=tmp_path, PYTHONPATH=str(hidden))
    assert done.returncode == 2
    assert f"pip install 'seqzoo[{name}]'" in done.stderr
    assert "Traceback" not in done.stderr
