"""Every architecture runs on a device without float64: training, scores, samples, and resumed."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from commands import SMALL
from installed_architectures import SMALL as SIZES
from installed_architectures import build, every_architecture, options_of, random_tokens
from pretended_mps import pretended_mps
from torch.nn import functional as F

import seqzoo
from seqzoo.doctor.checks import select_checks
from seqzoo.doctor.diagnosis import diagnose
from seqzoo.doctor.subjects.recipe import subject_of_recipe
from seqzoo.model.state import leaves
from seqzoo.plugin.registry import Registry

RECIPE: Mapping[str, Any] = yaml.safe_load(SMALL)
CHANGES: Mapping[str, Any] = {
    "train.budget.steps": 4,
    "train.validation.every_steps": 2,
    "train.checkpoint.every_steps": 2,
    "corpus.options.size_bytes": 3000,
    "evaluate.adaptive": {"segment_length": 150},
}


@pytest.mark.parametrize("name", ["lstm", "ngram_lstm"])
def test_a_run_makes_no_float64_on_a_device_that_lacks_it(
    name: str, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = options_of(registry.get("architecture", name), **SIZES).model_dump()
    changes = {
        **CHANGES,
        "architecture": {"name": name, "options": options},
        "sample.chain": registry.names("sampler"),
    }
    expected = seqzoo.run(RECIPE, changes, root=tmp_path, name="host", device="cpu")
    with pretended_mps(monkeypatch):
        run = seqzoo.run(RECIPE, changes, root=tmp_path, name="device", device="mps")
        parameters = list(run.model.parameters())
        assert {parameter.device.type for parameter in parameters} == {"mps"}
        run.predict(b"The text ends he")
        run.score(b"Some text to score")
        run.states(b"abc")
        assert len(list(run.generate_bytes(b"A", length=5))) == 5
        shutil.copytree(run.path, tmp_path / "again")
        shutil.rmtree(tmp_path / "again" / "checkpoints" / "step-4")
        again = seqzoo.resume(tmp_path / "again", device="mps")
    assert run.result is not None
    assert again.result is not None
    assert expected.result is not None
    assert run.result.device == "mps"
    assert again.result.weights_sha256 == run.result.weights_sha256
    # The same arithmetic: only the layers' form may differ between devices.
    assert bits(run.result) == pytest.approx(bits(expected.result), rel=1e-3)


@every_architecture
def test_no_architecture_makes_float64_on_a_device_that_lacks_it(
    name: str, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build(registry.get("architecture", name)).eval()
    tokens = random_tokens(2, 40)
    expected, _ = model(tokens)
    with pretended_mps(monkeypatch):
        there = copy.deepcopy(model).to("mps").train()
        logits, state = there.forward_in_training(tokens[:, :-1].to("mps"))
        targets = tokens[:, 1:].to("mps")
        F.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
        assert {each.device.type for _, each in leaves(state)} == {"mps"}
        there.eval()
        state, steps = None, []
        with torch.no_grad():
            for token in tokens.split([35, 1, 4], dim=1):
                logits, state = there(token.to("mps"), state)
                steps.append(logits.cpu())
    torch.testing.assert_close(torch.cat(steps, dim=1), expected, atol=1e-4, rtol=1e-4)


def bits(result: seqzoo.Result) -> list[float]:
    """Of the test split, static and adaptive."""
    assert result.adaptive is not None
    return [scores["test"].bits_per_byte for scores in (result.scores, result.adaptive.scores)]


def test_the_pretended_device_refuses_what_mps_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    host = torch.zeros(3, dtype=torch.float64)
    with pretended_mps(monkeypatch):
        there = torch.zeros(3).to("mps")
        assert there.device.type == (there + 1).device.type == "mps"
        assert there.cpu().double().device.type == "cpu"
        with pytest.raises(TypeError, match="float64"):
            there.double()
        with pytest.raises(TypeError, match="float64"):
            host.to("mps")
        with pytest.raises(TypeError, match="float64"):
            torch.zeros(3, dtype=torch.float64, device="mps")
        with pytest.raises(TypeError, match="numpy"):
            there.numpy()
        with pytest.raises(RuntimeError, match="same device"):
            torch.cat([there, torch.zeros(3)])
        assert host.to("mps", torch.float32).device.type == "mps"


@pytest.mark.slow
def test_the_doctor_measures_the_same_on_that_device(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, fast_reader: None
) -> None:
    # Of those that convert what the model gives on its device.
    names = ["model.logits", "memory.lag", "memory.horizon", "optimisation.dead_units"]
    checks = select_checks(registry, names)

    def statuses(device: str) -> dict[str, str]:
        checked = seqzoo.recipe(RECIPE, {"corpus.options.size_bytes": 20_000})
        subject = subject_of_recipe(checked, title="small", device=device)
        return {each.check.name: each.outcome.status for each in diagnose(subject, checks).examined}

    expected = statuses("cpu")
    with pretended_mps(monkeypatch):
        assert statuses("mps") == expected
