"""Samples while training: the same seed and prompt, and a training that is not changed by them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import SMALL

import seqzoo
from seqzoo.plugin.registry import load_registry
from seqzoo.runs.resume import resume_run
from seqzoo.terminal.display import Display
from seqzoo.terminal.progress import Meter, SilentMeter

RECIPE: dict[str, Any] = yaml.safe_load(SMALL)


def steps_sampled(run: seqzoo.Run) -> list[int]:
    stems = [file.stem.split("-") for file in (run.path / "samples").iterdir()]
    return sorted(int(parts[1]) for parts in stems if len(parts) == 2)


def sample_path(folder: Path, step: int) -> Path:
    return folder / f"step-{step}.txt"


def small_run(root: Path, name: str, **overrides: object) -> seqzoo.Run:
    dotted = {key.replace("__", "."): value for key, value in overrides.items()}
    return seqzoo.run(RECIPE, dotted, root=root, name=name)


def test_training_samples_at_every_validation_and_is_not_changed_by_it(tmp_path: Path) -> None:
    with_samples = small_run(tmp_path, "with")
    without = small_run(tmp_path, "without", sample__every_steps=0)
    often = small_run(tmp_path, "often", sample__every_steps=7)
    assert steps_sampled(with_samples) == [25, 50, 60]
    assert steps_sampled(without) == []
    assert steps_sampled(often) == [7, 14, 21, 28, 35, 42, 49, 56]
    results = [run.result for run in (with_samples, without, often)]
    assert len({result.weights_sha256 for result in results if result}) == 1
    assert len({(run.path / "metrics.jsonl").read_bytes() for run in (with_samples, often)}) == 1


def test_a_sample_in_training_is_what_the_checkpoint_of_its_step_writes(tmp_path: Path) -> None:
    run = small_run(tmp_path, "kept", train__checkpoint__every_steps=25, train__checkpoint__keep=9)
    for step in (25, 50):
        written = "".join(run.at(step=step).generate())
        expected = (RECIPE["sample"]["prompt"] + written).encode()
        kept = sample_path(run.path / "samples", step).read_bytes()
        assert kept.decode("utf-8", "replace").encode() == expected


def test_a_stopped_run_has_the_samples_of_an_uninterrupted_one(tmp_path: Path) -> None:
    import shutil

    whole = small_run(tmp_path, "whole", sample__every_steps=10, train__checkpoint__keep=9)
    cut = shutil.copytree(whole.path, tmp_path / "cut")
    for step in (40, 50, 60):
        shutil.rmtree(cut / "checkpoints" / f"step-{step}", ignore_errors=True)
        sample_path(cut / "samples", step).unlink()
    (cut / "result.json").unlink()
    again = seqzoo.resume(cut)
    assert {f.name: f.read_bytes() for f in (again.path / "samples").iterdir()} == {
        f.name: f.read_bytes() for f in (whole.path / "samples").iterdir()
    }


def test_a_sample_that_fails_is_reported_once_and_training_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seqzoo.runs.experiment import Experiment

    generate, calls = Experiment.generate, []

    def broken(self: Experiment, *args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        if len(calls) < 2:
            raise RuntimeError("the sampler broke")
        return generate(self, *args, **kwargs)

    monkeypatch.setattr(Experiment, "generate", broken)
    with pytest.warns(UserWarning, match="no more samples during training.*the sampler broke"):
        run = small_run(tmp_path, "broken")
    assert run.result is not None
    assert len(calls) == 2  # one in training, then the one after it


def test_several_samples_after_training_have_files_of_their_own(tmp_path: Path) -> None:
    run = small_run(tmp_path, "several", sample__count=3, sample__every_steps=0)
    assert run.result is not None
    names = [f"step-{run.result.step}-{number}.txt" for number in (1, 2, 3)]
    files = [run.path / "samples" / name for name in names]
    assert sorted(files) == sorted((run.path / "samples").iterdir())
    seeds = ["".join(run.generate(seed=RECIPE["sample"].get("seed", 1) + n)) for n in range(3)]
    for file, text in zip(files, seeds, strict=True):
        assert file.read_bytes().decode("utf-8", "replace") == RECIPE["sample"]["prompt"] + text


class Watched(Display):
    """Keeps the shares that its meters show, by label."""

    def __init__(self) -> None:
        self.shares: dict[str, list[float]] = {}

    def meter(self, label: str) -> AbstractContextManager[Meter]:
        shares = self.shares.setdefault(label, [])

        class Recorder(SilentMeter):
            def show(self, share: float, words: str) -> None:
                shares.append(share)

        return nullcontext(Recorder())


def test_every_token_of_the_last_samples_moves_the_progress(tmp_path: Path) -> None:
    run = small_run(tmp_path, "run", sample__every_steps=0, sample__length=30, sample__count=2)
    written = {path: path.read_bytes() for path in (run.path / "samples").iterdir()}
    for path in written:
        path.unlink()
    display = Watched()
    resume_run(run.path, load_registry(), display=display)
    assert {path: path.read_bytes() for path in written} == written
    assert display.shares == {"sampling": [(token + 1) / 60 for token in range(60)]}
