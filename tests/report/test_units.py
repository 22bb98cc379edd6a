"""Units that follow a feature: planted ones are found, and an untrained network has none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from commands import SMALL
from torch import Tensor, nn

import seqzoo
from seqzoo.errors import UsageError
from seqzoo.report import units
from seqzoo.report.correlations import correlations, lanes_of, states_while_reading
from seqzoo.report.features import FEATURES
from seqzoo.report.units import activations, following_units
from seqzoo.runs.experiment import Experiment

RECIPE = yaml.safe_load(SMALL)


@pytest.fixture
def experiment(small: seqzoo.Run) -> Iterator[Experiment]:
    """That of the small run; its model can be replaced."""
    loaded = small.trained.experiment
    model = loaded.model
    yield loaded
    loaded.model = model


class Counting(nn.Module):
    """A network whose unit 5 is the place in the line, among units of noise."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.generator = torch.Generator().manual_seed(3)

    def initial_state(self, batch_size: int) -> dict[str, Tensor]:
        return {"memory": torch.zeros(batch_size, 3, 4), "still": torch.ones(batch_size, 2)}

    def forward(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        place = state["memory"][:, 1, 1].round()
        for token in tokens.unbind(1):
            place = torch.where(token == 10, 0.0, place + 1)
        memory = torch.randn(len(tokens), 3, 4, generator=self.generator)
        memory[:, 1, 1] = place
        return torch.zeros(*tokens.shape, 256), {"memory": memory, "still": state["still"]}


def test_a_planted_unit_is_found_with_its_correlation(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "_untrained", lambda *_: {})  # of another architecture
    experiment.model = Counting()  # type: ignore[assignment]
    found = following_units(experiment)
    assert found[0].name == "memory[1, 1]"
    assert found[0].feature == "position in the line"
    assert found[0].correlation == pytest.approx(1.0, abs=0.02)
    assert all(unit.name == "memory[1, 1]" for unit in found)  # nothing in the noise


def test_correlations_are_those_of_numpy(experiment: Experiment) -> None:
    splits = experiment.data.splits
    lanes = lanes_of(experiment.tokenizer, (splits.validation, splits.test))
    found = correlations(experiment.model, lanes, experiment.runtime)
    for text, rows in enumerate(lanes.rows):
        kept: dict[str, list[Any]] = {}
        features = []
        for step, leaves in enumerate(
            states_while_reading(
                experiment.model, lanes.inputs, experiment.runtime, stride=lanes.stride
            )
        ):
            if not (used := lanes.uses[rows, step]).any():
                continue
            features.append(lanes.features[rows, step][used])
            for name, leaf in leaves.items():
                kept.setdefault(name, []).append(leaf[rows][used].reshape(used.sum(), -1).copy())
        named = np.concatenate(features)
        varying = np.flatnonzero(named.std(axis=0) > 0)
        assert len(varying) > 8
        for name, leaf_values in found.items():
            values = leaf_values.values[text]
            activity = np.concatenate(kept[name]).astype(np.float64)
            units = activity.shape[1]
            expected = np.corrcoef(activity.T, named[:, varying].T)[:units, units:]
            np.testing.assert_allclose(values[:, varying], expected, atol=1e-6)
            assert np.abs(np.delete(values, varying, axis=1)).max(initial=0) < 1e-9


ARCHITECTURES = ("lstm", "gru", "rnn", "mingru", "transformer", "rwkv7", "xlstm")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_untrained_network_has_none(architecture: str, tmp_path: Path) -> None:
    recipe = RECIPE | {"architecture": {"name": architecture}, "baselines": {"include": []}}
    changes = {"train.optimizer": {"name": "adamw", "learning_rate": 1e-9}, "train.budget.steps": 1}
    run = seqzoo.run(recipe, changes, root=tmp_path, skip_scoring=True)
    experiment = run.trained.experiment
    # Compared with other new weights: its own would be equal, and nothing could be above them.
    train = experiment.recipe.train.model_copy(update={"seed": 77})
    experiment.recipe = experiment.recipe.model_copy(update={"train": train})
    assert following_units(experiment) == []


def test_activations_are_the_states_of_the_api_with_the_sign_of_the_feature(
    small: seqzoo.Run, experiment: Experiment
) -> None:
    data = experiment.data.splits.test
    passage = type(data)(data.data, 0, 300)
    unit = units.FollowingUnit("1", (0, 3), FEATURES[0].name, -0.7)
    (values,) = activations(experiment, passage, [unit]).values()
    expected = -small.states(passage.bytes.tobytes())["1"][:, 0, 3].astype(np.float64)
    expected = (expected - expected.mean()) / expected.std()
    # `states` reads the input before the text too, which fades.
    np.testing.assert_allclose(values[50:], expected[50:], atol=0.05)
    assert values.shape == (300,)


@pytest.mark.parametrize(("size", "is_enough"), [(0, False), (300, False), (700, True)])
def test_a_text_that_is_too_short_is_one_sentence(
    experiment: Experiment, size: int, is_enough: bool
) -> None:
    splits = experiment.data.splits
    spans = (splits.validation.first(size), splits.test)
    if is_enough:
        assert lanes_of(experiment.tokenizer, spans).uses.any()
    else:
        with pytest.raises(UsageError, match="places to look at, and 300 are needed"):
            lanes_of(experiment.tokenizer, spans)
