"""Training on a GPU: a resumed run has the same bits; optimizers and compiling change few."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import SMALL, environment, result_of, seqzoo
from installed_architectures import VOCAB_SIZE, build, every_architecture
from made_trainings import parts_of, train_section

from seqzoo.data.lanes import Lanes
from seqzoo.model.runtime import Runtime
from seqzoo.plugin.contracts import SequenceModel
from seqzoo.plugin.registry import Registry
from seqzoo.training.updates import Training

UPDATES = 8


def training_of(
    model: SequenceModel, runtime: Runtime, *, optimizer: str = "muon", rows: int = 4
) -> Training:
    """A training of a small model on random tokens, whose warnings are errors."""
    text = np.random.default_rng(0).integers(0, VOCAB_SIZE, 4000).astype(np.uint8)
    section = train_section(
        {
            "batch_size": rows,
            "bptt_length": 16,
            "optimizer": {"name": optimizer, "learning_rate": 0.003},
            "budget": {"steps": 10**6},
        }
    )
    model = model.to(runtime.device)
    training = Training(
        model,
        Lanes(text, batch_size=rows),
        section,
        **parts_of(model, section),
        runtime=runtime,
        bytes_per_token=1.0,
        epoch_tokens=len(text),
    )
    training.warn = lambda text: pytest.fail(text)
    return training


def after(training: Training, updates: int = UPDATES) -> list[float]:
    """The losses of some updates."""
    return [training.update().loss_nats for _ in range(updates)]


def bits_of(training: Training) -> dict[str, torch.Tensor]:
    stored = training.checkpoint({})
    every = {**stored.model, **stored.optimizer, **stored.carried}
    return {name: each.detach().cpu().clone() for name, each in every.items()}


@every_architecture
def test_a_resumed_training_has_the_same_bits(
    name: str, registry: Registry, runtime: Runtime
) -> None:
    spec = registry.get("architecture", name)
    whole = training_of(build(spec, dropout=0.2), runtime)
    first = after(whole)
    stored = whole.checkpoint({})
    copied: dict[str, Any] = {
        part: {key: each.detach().cpu().clone() for key, each in getattr(stored, part).items()}
        for part in ("model", "optimizer", "carried", "generators")
    }
    losses = after(whole)
    resumed = training_of(build(spec, seed=5, dropout=0.2), runtime)
    torch.cuda.manual_seed(123)
    resumed.restore(type(stored)(step=stored.step, state=stored.state, **copied))
    assert after(resumed) == losses != first
    expected, found = bits_of(whole), bits_of(resumed)
    assert expected.keys() == found.keys()
    assert [key for key in expected if not torch.equal(expected[key], found[key])] == []


@pytest.mark.parametrize("optimizer", ["adamw", "muon", "sgd", "rmsprop"])
def test_an_optimizer_makes_the_same_steps_as_on_the_cpu(
    optimizer: str, registry: Registry
) -> None:
    spec = registry.get("architecture", "gru")
    on = [Runtime(torch.device(device), "float32", threads=1) for device in ("cpu", "cuda")]
    expected, found = (
        after(training_of(build(spec, dropout=0.0), each, optimizer=optimizer)) for each in on
    )
    assert found == pytest.approx(expected, abs=2e-4)
    assert found[-1] != pytest.approx(found[0], abs=1e-3)


@pytest.mark.parametrize("name", ["lstm", "transformer"])
def test_a_compiled_model_trains_as_the_plain_one(name: str, registry: Registry) -> None:
    runtime = Runtime(torch.device("cuda"), "float32", threads=1)
    losses = []
    for is_compiled in (False, True):
        model = build(registry.get("architecture", name), dropout=0.0)
        training = training_of(model, runtime)
        if is_compiled:
            model.compile()
        losses.append(after(training))
    assert losses[1] == pytest.approx(losses[0], abs=1e-3)


RECIPE = SMALL.replace("device: cpu", "device: cuda").replace("steps: 60", "steps: 400")


@pytest.mark.parametrize("architecture", ["lstm", "ngram_lstm"])
def test_a_killed_run_is_resumed_to_the_same_bits(tmp_path: Path, architecture: str) -> None:
    recipe = RECIPE.replace("name: lstm, options", f"name: {architecture}, options")
    (tmp_path / "r.yaml").write_text(recipe)
    whole = seqzoo("run", "r.yaml", "--name", "whole", folder=tmp_path)
    assert whole.returncode == 0, whole.stderr
    started = subprocess.Popen(
        [sys.executable, "-m", "seqzoo", "run", "r.yaml", "--name", "killed"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    checkpoints = tmp_path / "runs" / "killed" / "checkpoints"
    deadline = time.monotonic() + 60
    while not _has_trained(checkpoints):
        assert started.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    started.send_signal(signal.SIGKILL)
    started.wait()
    assert not (tmp_path / "runs" / "killed" / "result.json").exists()
    resumed = seqzoo("resume", "runs/killed", folder=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    one, other = (result_of(tmp_path / "runs" / name) for name in ("whole", "killed"))
    assert one["weights_sha256"] == other["weights_sha256"] != ""
    assert one["scores"] == other["scores"]
    assert one["accelerator"] == torch.cuda.get_device_name()


def test_too_little_memory_is_one_sentence_with_the_settings(tmp_path: Path) -> None:
    recipe = RECIPE.replace("pastiche, options: {size_bytes: 30000}", "file, options: {path: text}")
    (tmp_path / "r.yaml").write_text(recipe)
    (tmp_path / "text").write_bytes(np.random.default_rng(0).bytes(60_000_000))
    # The logits need 47 GiB, as much again each their softmax and their gradient.
    sizes = ("train.batch_size=6000", "train.bptt_length=8192")
    done = seqzoo("run", "r.yaml", *sizes, "--baselines", "none", folder=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "train.batch_size" in done.stderr
    assert "Traceback" not in done.stderr


def _has_trained(checkpoints: Path) -> bool:
    return any(checkpoints.glob("step-[1-9]*"))
