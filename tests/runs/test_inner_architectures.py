"""An architecture inside another one: trained, resumed, scored, and blamed for its own faults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import averaging
import numpy as np
import pytest
import torch
import yaml
from commands import SMALL

import seqzoo
from seqzoo.plugin.build import build
from seqzoo.plugin.registry import Owner, Registry, load_registry
from seqzoo.plugin.roles import fault_in_roles
from seqzoo.recipes.load import recipe_from
from seqzoo.runs.build import build_model
from seqzoo.testing.materials import ByteIds
from seqzoo.training import checkpoint as checkpoints

CHANGES: Mapping[str, Any] = {
    "plugins": [averaging.__file__],
    "architecture": {
        "name": "average",
        "options": {
            "first": {"name": "lstm", "options": {"hidden_size": 8, "dropout": 0.2}},
            "second": {
                "name": "average",
                "options": {"first": {"name": "gru", "options": {"hidden_size": 6}}},
            },
        },
    },
    "train.budget.steps": 20,
    "corpus.options.size_bytes": 20_000,
}


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


def test_a_killed_run_is_resumed_to_the_same_bits_and_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = yaml.safe_load(SMALL)
    whole = seqzoo.run(recipe, CHANGES, root=tmp_path / "whole")
    save = checkpoints.save

    def saved(folder: Path, checkpoint: checkpoints.Checkpoint, **options: Any) -> Path:
        path = save(folder, checkpoint, **options)
        if checkpoint.step == 10:
            raise Killed
        return path

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save", saved)
        with pytest.raises(Killed):
            seqzoo.run(recipe, CHANGES, root=tmp_path / "killed")
    resumed = seqzoo.resume(tmp_path / "killed" / "small")
    last = [run.path / "checkpoints" / "step-20" / "model.safetensors" for run in (whole, resumed)]
    assert last[0].read_bytes() == last[1].read_bytes()
    assert whole.result is not None
    assert resumed.result is not None
    assert whole.result.scores == resumed.result.scores
    assert whole.score(b"To be, or not").bits_per_byte > 0


@pytest.fixture(scope="module")
def plugins() -> Registry:
    registry = load_registry().copy()
    registry.add(averaging, Owner("averaging"))
    return registry


def model_of(plugins: Registry, *overrides: str) -> seqzoo.SequenceModel:
    changes = {k: v for k, v in CHANGES.items() if k != "plugins"}
    recipe = recipe_from(yaml.safe_load(SMALL), plugins, base=Path(), overrides=changes)
    if overrides:
        recipe = recipe_from(
            yaml.safe_load(recipe.to_yaml()), plugins, base=Path(), overrides=overrides
        )
    return build_model(recipe, ByteIds())


def test_the_logits_are_the_mean_of_those_of_the_members(plugins: Registry) -> None:
    model = model_of(plugins, "architecture.options.share=0.25").eval()
    tokens = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 7)))
    members: Any = model.members
    logits, state = model(tokens)
    expected = 0.25 * members[0](tokens)[0] + 0.75 * members[1].members[0](tokens)[0]
    torch.testing.assert_close(logits, expected)
    assert len(state) == 2


def test_every_parameter_of_a_member_keeps_its_role(plugins: Registry) -> None:
    model = model_of(plugins)
    roles = model.parameter_roles()
    assert fault_in_roles(model, roles) == ""
    matrices = {name for name, role in roles.items() if role.use == "matrix"}
    assert matrices == {
        "members.0.layers.weight_ih_l0",
        "members.0.layers.weight_hh_l0",
        "members.1.members.0.layers.weight_ih_l0",
        "members.1.members.0.layers.weight_hh_l0",
    }


def test_the_plugin_that_failed_is_named(plugins: Registry) -> None:
    with pytest.raises(seqzoo.PluginError, match=r"architecture 'failing' of plugin .* failed: "):
        model_of(plugins, "architecture.options.second.options.first=failing")


def test_defaults_that_no_recipe_checked_can_be_built(plugins: Registry) -> None:
    context = seqzoo.ArchitectureContext(vocab_size=7)
    choice = seqzoo.Choice(name="average", options=averaging.AverageOptions())
    model = build(plugins, "architecture", choice, context)
    assert model(torch.zeros(1, 2, dtype=torch.int64))[0].shape == (1, 2, 7)


def test_a_context_that_was_made_by_hand_builds_nothing() -> None:
    context = seqzoo.ArchitectureContext(vocab_size=7)
    with pytest.raises(seqzoo.UsageError, match=r"'gru' cannot be built: .* made by hand"):
        averaging.build(averaging.AverageOptions(), context)


def test_a_wrong_role_names_the_plugin_before_training(plugins: Registry) -> None:
    from seqzoo.runs.build import build_optimizer

    changes = {k: v for k, v in CHANGES.items() if k != "plugins"}
    recipe = recipe_from(yaml.safe_load(SMALL), plugins, base=Path(), overrides=changes)
    model = build_model(recipe, ByteIds())
    model.parameter_roles = dict  # type: ignore[method-assign]
    with pytest.raises(seqzoo.PluginError, match=r"architecture 'average' .* found no role for"):
        build_optimizer(recipe, model)
