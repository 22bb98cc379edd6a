"""Averaged weights: what they are, that training does not notice them, and that they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from made_states import RUN_STATE
from made_trainings import parts_of, train_section
from tiny import RUNTIME, Recurrent
from torch import Tensor, nn

from seqzoo.data.lanes import Lanes
from seqzoo.errors import CheckpointError
from seqzoo.training import checkpoint as checkpoints
from seqzoo.training.average import Average, LastWeights, MovingAverage
from seqzoo.training.checkpoint_files import keep_only_weights
from seqzoo.training.loop import Hooks, train
from seqzoo.training.manifest import ALL_PARTS
from seqzoo.training.updates import Best, Training

TEXT = np.random.default_rng(0).integers(97, 105, 3000).astype(np.uint8)
EMA: Mapping[str, Any] = {"ema": {"share": 0.2}}
LAST: Mapping[str, Any] = {"last_k": {"k": 3, "every_steps": 4}}
BOTH = pytest.mark.parametrize("average", [EMA, LAST])


def make(average: Mapping[str, Any] | None, *, seed: int = 0, **changes: Any) -> Training:
    section = train_section(
        {
            "batch_size": 4,
            "bptt_length": 8,
            "budget": {"steps": 30},
            "optimizer": {"name": "adamw", "learning_rate": 0.05},
            "validation": {"every_steps": 10},
            "checkpoint": {"every_steps": 5},
            "average": average,
            **changes,
        }
    )
    torch.manual_seed(seed)
    model = Recurrent(dropout=0.3)
    return Training(
        model,
        Lanes(TEXT, batch_size=4),
        section,
        **parts_of(model, section),
        runtime=RUNTIME,
        bytes_per_token=1.0,
        epoch_tokens=len(TEXT),
    )


def state(training: Training) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in training.model.state_dict().items()}


def require_equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def trajectory(training: Training, updates: int) -> dict[str, list[npt.NDArray[np.float64]]]:
    """The weights after each update, in float64."""
    found: dict[str, list[npt.NDArray[np.float64]]] = {}
    for _ in range(updates):
        training.update()
        for name, value in training.model.state_dict().items():
            found.setdefault(name, []).append(value.double().numpy().copy())
    return found


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_the_moving_average_is_the_mean_with_the_weights_of_a_power(share: float) -> None:
    """The closed form: update i of t has the weight (i ** a - (i - 1) ** a) / t ** a."""
    training = make({"ema": {"share": share}})
    found = trajectory(training, 30)
    a = 1 / share - 1
    powers = (np.arange(31) / 30) ** a
    assert training.average is not None
    for name, value in training.average.weights().items():
        expected = np.tensordot(np.diff(powers), np.stack(found[name]), 1)
        # Thirty steps in float32, each of which rounds.
        np.testing.assert_allclose(value.numpy(), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.4])
def test_the_mean_age_of_a_moving_average_is_its_share_of_the_updates(share: float) -> None:
    model = nn.Linear(1, 1, bias=False).double()
    average = MovingAverage(model, share=share)
    for step in range(1, 4001):
        model.weight.data.fill_(step)
        average.after_update(step)
        if step in (1000, 4000):
            age = step - average.weights()["weight"].item()
            assert age == pytest.approx(share * step, abs=1)


def test_the_last_copies_are_averaged() -> None:
    training = make(LAST)
    found = trajectory(training, 23)
    assert training.average is not None
    for name, value in training.average.weights().items():
        expected = np.mean([found[name][step - 1] for step in (12, 16, 20)], axis=0)
        np.testing.assert_allclose(value.numpy(), expected, rtol=0, atol=1e-6)


def test_there_is_no_average_before_the_first_copy() -> None:
    training = make(LAST)
    assert training.average is not None
    trajectory(training, 3)
    assert not training.average.is_there
    found = trajectory(training, 1)
    assert training.average.is_there
    for name, value in training.average.weights().items():
        assert np.array_equal(value.numpy(), found[name][0])


class Other(nn.Module):
    """A tied weight, a frozen one, one of few digits, and a buffer that training changes."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3, bias=False)
        self.second = nn.Linear(3, 3, bias=False)
        self.second.weight = self.first.weight
        self.frozen = nn.Parameter(torch.ones(2), requires_grad=False)
        self.short = nn.Parameter(torch.zeros(2, dtype=torch.bfloat16))
        self.register_buffer("counts", torch.zeros(1000))


def other(kind: str) -> tuple[Other, Average]:
    model = Other()
    average: Average = LastWeights(model, k=2, every_steps=1)
    if kind == "ema":
        average = MovingAverage(model, share=0.5)  # the plain mean
    for step in range(1, 3):
        with torch.no_grad():
            model.first.weight.fill_(step)
            model.short.fill_(256 * step)
            model.get_buffer("counts").fill_(step)
        average.after_update(step)
    return model, average


@pytest.mark.parametrize("kind", ["ema", "last"])
def test_only_what_is_trained_is_averaged_and_in_float32(kind: str) -> None:
    _, average = other(kind)
    assert average.weights().keys() == {"first.weight", "short"}
    assert average.weights()["short"].dtype is torch.bfloat16
    kept = [group["short"] for group in average.groups().values()]
    assert {each.dtype for each in kept} == {torch.float32}
    assert torch.stack(kept).mean().item() == 384


@pytest.mark.parametrize("kind", ["ema", "last"])
def test_a_checkpoint_with_the_average_has_it_under_each_name_and_gives_the_trained_back(
    kind: str,
) -> None:
    model, average = other(kind)
    trained = {name: value.clone() for name, value in model.state_dict().items()}
    used, beside = average.stored(model, is_used=True)
    assert used["first.weight"].mean() == used["second.weight"].mean() == 1.5
    assert torch.equal(used["counts"], trained["counts"])
    assert sum(tensor.numel() for tensor in beside.values()) < 100  # no buffer
    again, empty = other(kind)
    again.load_state_dict(used)
    empty.restore(beside, step=2, is_used=True)
    require_equal(again.state_dict(), trained)
    require_equal(empty.weights(), average.weights())


@BOTH
def test_the_model_has_the_average_in_the_context_and_the_same_bits_after_it(
    average: Mapping[str, Any],
) -> None:
    training = make(average)
    trajectory(training, 20)
    assert training.average is not None
    averaged = training.average
    before, found = state(training), dict[str, Tensor]()

    def fails_inside() -> None:
        with averaged.in_place():
            found.update(state(training))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails_inside()
    require_equal(found, averaged.weights())
    require_equal(state(training), before)


class Scores:
    """Hooks of a run whose averaged weights are better at the steps `better`."""

    def __init__(
        self,
        training: Training,
        *,
        better: tuple[int, ...] = (),
        folder: Path | None = None,
        stop: int | None = None,
    ) -> None:
        self.training, self.better, self.folder, self.stop = training, better, folder, stop

    def hooks(self) -> Hooks:
        return Hooks(
            log=lambda line, times: None,
            validate=self.validate,
            save=self.save,
            stop=lambda: self.training.step == self.stop,
        )

    def validate(self) -> dict[str, float]:
        if self.training.average is None:
            return {"validation_bits_per_byte": 4.0}
        with self.training.average.in_place():
            self.training.model.eval()
        averaged = 3.0 if self.training.step in self.better else 5.0
        return {
            "validation_bits_per_byte": min(averaged, 4.0),
            "validation_bits_per_byte_trained": 4.0,
            "validation_bits_per_byte_averaged": averaged,
        }

    def save(self, is_needed: bool) -> None:
        if self.folder is not None:
            saved = self.training.checkpoint(RUN_STATE)
            best = self.training.best and self.training.best.step
            checkpoints.save(self.folder, saved, keep=2, best=best)


@BOTH
def test_an_average_does_not_change_one_bit_of_the_training(average: Mapping[str, Any]) -> None:
    plain = make(None)
    train(plain, Scores(plain).hooks())
    expected = plain.checkpoint({})
    averaged = make(average)  # after that: it sets the seed, and dropout draws
    train(averaged, Scores(averaged, better=(20,)).hooks())
    found = averaged.checkpoint({})
    require_equal(state(plain), state(averaged))
    for part in ("optimizer", "carried", "generators"):
        require_equal(getattr(found, part), getattr(expected, part))
    assert found.state["interval"] == expected.state["interval"]


def test_a_run_without_an_average_stores_none(tmp_path: Path) -> None:
    training = make(None)
    train(training, Scores(training, folder=tmp_path).hooks())
    for step in checkpoints.checkpoint_steps(tmp_path):
        assert not (tmp_path / f"step-{step}" / ALL_PARTS["average"]).exists()


@BOTH
@pytest.mark.parametrize("stop", [2, 10, 13, 20, 26])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    tmp_path: Path, average: Mapping[str, Any], stop: int
) -> None:
    better = (10, 30)
    whole = make(average)
    train(whole, Scores(whole, better=better, folder=tmp_path / "whole").hooks())
    first = make(average)
    train(first, Scores(first, better=better, folder=tmp_path / "cut", stop=stop).hooks())
    second = make(average, seed=77)
    second.restore(checkpoints.load_newest(tmp_path / "cut", warn=lambda _: None))
    assert second.uses_average == (10 <= stop < 20)
    train(second, Scores(second, better=better, folder=tmp_path / "cut").hooks())
    require_equal(state(second), state(whole))
    one, two = (checkpoints.load(tmp_path / each, 30) for each in ("whole", "cut"))
    require_equal(one.model, two.model)
    require_equal(one.average, two.average)
    assert one.state["best"] == two.state["best"] == [10, 3.0]
    assert checkpoints.weights_sha256(tmp_path / "whole", 30) == checkpoints.weights_sha256(
        tmp_path / "cut", 30
    )


@BOTH
def test_a_checkpoint_has_the_weights_that_were_better_on_validation(
    tmp_path: Path, average: Mapping[str, Any]
) -> None:
    training = make(average)
    train(training, Scores(training, better=(20,), folder=tmp_path, stop=20).hooks())
    assert training.average is not None
    assert training.best == Best(20, 3.0)
    averaged = training.average.weights()
    newest = checkpoints.load_newest(tmp_path, warn=lambda _: None)
    require_equal(newest.model, averaged)
    assert newest.state["averaged"]
    with training.weights_in_use():
        require_equal(state(training), averaged)
    training.validated({"validation_bits_per_byte": 2.0, "validation_bits_per_byte_trained": 2.0})
    assert not training.uses_average  # of equal ones the trained weights
    require_equal(training.checkpoint({}).model, state(training))


def test_a_checkpoint_that_is_reduced_to_its_weights_keeps_the_ones_in_use(tmp_path: Path) -> None:
    training = make(EMA)
    train(training, Scores(training, better=(30,), folder=tmp_path).hooks())
    assert training.average is not None
    keep_only_weights(tmp_path, {30})
    assert not (tmp_path / "step-30" / ALL_PARTS["average"]).exists()
    left = checkpoints.load(tmp_path, 30)
    assert not left.is_complete
    require_equal(left.model, training.average.weights())


@BOTH
def test_a_checkpoint_with_other_averages_is_refused(
    tmp_path: Path, average: Mapping[str, Any]
) -> None:
    training = make(average)
    train(training, Scores(training, better=(10,), stop=13).hooks())
    good = training.checkpoint(RUN_STATE)
    without = checkpoints.Checkpoint(**{**vars(good), "average": {}})
    lost = checkpoints.Checkpoint(**{**vars(good), "state": {**good.state, "averaged": False}})
    shorter = {name: tensor.flatten()[:1] for name, tensor in good.average.items()}
    cut = checkpoints.Checkpoint(**{**vars(good), "average": shorter})
    for broken in (without, lost, cut):
        with pytest.raises(CheckpointError, match="step 13 does not fit"):
            make(average).restore(broken)
    for kind in (None, EMA if average is LAST else LAST):
        with pytest.raises(CheckpointError, match="step 13 does not fit"):
            make(kind).restore(good)


def test_a_checkpoint_of_an_older_version_is_continued_without_an_average() -> None:
    training = make(None)
    trajectory(training, 5)
    stored = training.checkpoint(RUN_STATE)
    old = {name: value for name, value in stored.state.items() if name != "averaged"}
    other = make(None, seed=3)
    other.restore(checkpoints.Checkpoint(**{**vars(stored), "state": old}))
    require_equal(state(other), state(training))
