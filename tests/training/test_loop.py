"""Training: the update, the budget, and a resumed run that equals an uninterrupted one."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from made_states import RUN_STATE
from made_trainings import parts_of, train_section
from tiny import RUNTIME, Recurrent

from seqzoo.data.lanes import Lanes
from seqzoo.errors import CheckpointError, DivergedError
from seqzoo.recipes.sections import TrainSection
from seqzoo.training import checkpoint as checkpoints
from seqzoo.training.loop import Hooks, train
from seqzoo.training.updates import Training


def text(count: int = 3000) -> np.ndarray:
    return np.random.default_rng(0).integers(97, 105, count).astype(np.uint8)


def section(**changes: Any) -> TrainSection:
    return train_section(
        {
            "batch_size": 4,
            "bptt_length": 8,
            "budget": {"steps": 30},
            "log_every_steps": 7,
            "validation": {"every_steps": 10},
            "checkpoint": {"every_steps": 5},
            "optimizer": {"name": "muon", "weight_decay": 0.1},
            "schedule": {"warmup_steps": 5},
            **changes,
        }
    )


def make_training(choice: TrainSection, *, dropout: float = 0.3, seed: int = 0) -> Training:
    torch.manual_seed(seed)
    model = Recurrent(dropout=dropout)
    return Training(
        model,
        Lanes(text(), batch_size=choice.batch_size),
        choice,
        **parts_of(model, choice),
        runtime=RUNTIME,
        bytes_per_token=1.0,
        epoch_tokens=len(text()),
    )


class RecordingHooks:
    """Hooks that record their arguments, and stop after step `stop_at`."""

    def __init__(
        self, training: Training, *, stop_at: int | None = None, folder: Path | None = None
    ) -> None:
        self.training = training
        self.stop_at = stop_at
        self.folder = folder
        self.lines: list[Mapping[str, float]] = []
        self.saved: list[int] = []

    def hooks(self) -> Hooks:
        return Hooks(
            log=lambda line, _: self.lines.append(dict(line)),
            validate=lambda: {"validation_bits_per_byte": 10.0 - self.training.step / 100},
            save=self.save,
            stop=lambda: self.training.step == self.stop_at,
        )

    def save(self, is_needed: bool) -> None:
        self.saved.append(self.training.step)
        if self.folder is not None:
            checkpoints.save(self.folder, self.training.checkpoint(RUN_STATE), keep=2, best=None)


def weights(training: Training) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in training.model.state_dict().items()}


def test_an_update_equals_a_loop_in_plain_torch() -> None:
    choice = section(optimizer={"name": "adamw"}, schedule={"decay": "constant"})
    ours = make_training(choice, dropout=0.0)
    torch.manual_seed(0)
    plain = Recurrent()
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in plain.parameters() if p.ndim > 1], "weight_decay": 0.01},
            {"params": [p for p in plain.parameters() if p.ndim == 1], "weight_decay": 0.0},
        ],
        lr=3e-3,
        betas=(0.9, 0.99),
    )
    data = torch.from_numpy(text().astype(np.int64))
    lane = (len(data) - 1) // 4
    state = None
    for step in range(10):
        rows = [data[row * lane + step * 8 : row * lane + step * 8 + 9] for row in range(4)]
        window = torch.stack(rows)
        logits, state = plain(window[:, :-1], state)
        state = state.detach()
        loss = F.cross_entropy(logits.reshape(-1, 256), window[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
        optimizer.step()
        update = ours.update()
        assert update.loss_nats == pytest.approx(loss.item(), rel=1e-5)
        assert update.gradient_norm == pytest.approx(float(norm), rel=1e-4)
    for name, value in plain.state_dict().items():
        # fused and for-each AdamW differ only in rounding
        torch.testing.assert_close(ours.model.state_dict()[name], value, atol=1e-5, rtol=1e-4)


def test_accumulated_batches_average_their_gradients() -> None:
    choice = section(accumulation_steps=3, clip_norm=None, optimizer={"name": "adamw"})
    ours = make_training(choice, dropout=0.0)
    reference = make_training(section(), dropout=0.0)
    losses = [reference._losses(reference.stream.next(8))[0] for _ in range(3)]
    torch.stack(losses).mean().backward()
    expected = torch.nn.utils.get_total_norm([p.grad for p in reference.parameters])  # type: ignore[misc]
    assert ours.update().gradient_norm == pytest.approx(float(expected), rel=1e-5)
    assert ours.tokens_seen == 3 * 4 * 8


def test_the_state_is_carried_between_updates_and_reset_at_each_epoch() -> None:
    training = make_training(section(budget={"steps": 1000}))
    seen: list[Any] = []
    forward = training.model.forward

    def recorded_forward(tokens: torch.Tensor, state: Any = None) -> Any:
        seen.append(None if state is None else state.clone())
        return forward(tokens, state)

    training.model.forward = recorded_forward  # type: ignore[method-assign]
    carried: list[torch.Tensor] = []
    while training.stream.epoch < 2:
        training.update()
        assert training.carried is not None
        carried.append(training.carried.clone())
        assert not training.carried.requires_grad
    assert isinstance(training.stream, Lanes)
    per_epoch = math.ceil(training.stream.lane_length / 8)
    assert [index for index, state in enumerate(seen) if state is None] == [0, per_epoch]
    for index in range(1, per_epoch):
        assert torch.equal(seen[index], carried[index - 1])


@pytest.mark.parametrize("stop_at", [3, 10, 14, 29])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    tmp_path: Path, stop_at: int
) -> None:
    whole = make_training(section())
    uninterrupted = RecordingHooks(whole)
    assert train(whole, uninterrupted.hooks())

    first = make_training(section())
    before = RecordingHooks(first, stop_at=stop_at, folder=tmp_path)
    assert not train(first, before.hooks())
    torch.manual_seed(99)  # another process has another state of the generators
    second = make_training(section(), seed=77)
    second.restore(checkpoints.load_newest(tmp_path, warn=lambda _: None))
    after = RecordingHooks(second)
    assert train(second, after.hooks())

    for name, value in weights(whole).items():
        assert torch.equal(weights(second)[name], value), name
    for name, value in whole.optimizer.tensors().items():
        assert torch.equal(second.optimizer.tensors()[name], value), name
    assert second.carried is not None
    assert whole.carried is not None
    assert torch.equal(second.carried, whole.carried)
    assert [*before.lines, *after.lines] == uninterrupted.lines
    assert second.best == whole.best


@pytest.mark.parametrize("lost", ["generators", "carried", "optimizer", "position"])
def test_each_part_of_a_checkpoint_is_needed(tmp_path: Path, lost: str) -> None:
    """The resume test would notice if any part were not restored."""
    whole = make_training(section())
    train(whole, RecordingHooks(whole).hooks())
    first = make_training(section())
    train(first, RecordingHooks(first, stop_at=14, folder=tmp_path).hooks())
    torch.manual_seed(99)
    second = make_training(section(), seed=77)
    fresh = second.checkpoint({})
    loaded = checkpoints.load_newest(tmp_path, warn=lambda _: None)
    broken = {**vars(loaded)}
    if lost == "position":
        broken["state"] = {**loaded.state, "stream": {"position": 0, "epoch": 0}}
    else:
        broken[lost] = getattr(fresh, lost)
    second.restore(checkpoints.Checkpoint(**broken))
    train(second, RecordingHooks(second).hooks())
    assert any(
        not torch.equal(value, weights(second)[name]) for name, value in weights(whole).items()
    )


def test_checkpoints_are_saved_at_their_steps_at_a_new_best_and_at_the_end() -> None:
    training = make_training(section(budget={"steps": 18}, checkpoint={"every_steps": 7}))
    recording = RecordingHooks(training)
    train(training, recording.hooks())
    assert recording.saved == [7, 10, 14, 18]


@pytest.mark.parametrize(
    ("budget", "steps"),
    [
        ({"steps": 9}, 9),
        ({"bytes": 4 * 8 * 9}, 9),
        ({"bytes": 100}, 4),
        ({"epochs": 4 * 8 * 9 / len(text())}, 9),
        ({"steps": 9, "epochs": 1000}, 9),
        ({"steps": 1000, "bytes": 1000, "epochs": 100 / len(text())}, 4),
    ],
)
def test_the_first_budget_that_is_spent_ends_training(budget: dict[str, float], steps: int) -> None:
    training = make_training(section(budget=budget))
    assert train(training, RecordingHooks(training).hooks())
    assert training.step == steps


@pytest.mark.parametrize(
    "decay", ["cosine", "linear", "constant", "inverse_square_root", "warmup_stable_decay"]
)
@pytest.mark.parametrize("unit", ["steps", "bytes", "epochs"])
@pytest.mark.parametrize("updates", [1, 2, 3])
def test_the_shortest_budgets_have_an_update_that_moves_the_weights(
    decay: str, unit: str, updates: int
) -> None:
    budget = {"steps": updates, "bytes": 32 * updates, "epochs": 32 * updates / len(text())}
    choice = section(
        budget={unit: budget[unit]},
        schedule={"decay": decay, "warmup_steps": 0},
        optimizer={"name": "adamw", "weight_decay": 0.0},
    )
    training = make_training(choice)
    before = weights(training)
    train(training, RecordingHooks(training).hooks())
    assert training.step == updates
    moved = max(float((now - before[name]).abs().max()) for name, now in weights(training).items())
    # The first step of Adam moves every weight by the learning rate.
    assert moved > 0.4 * choice.optimizer.options.learning_rate


def test_a_budget_of_seconds_ends_training() -> None:
    training = make_training(section(budget={"seconds": 0.3}))
    assert train(training, RecordingHooks(training).hooks())
    assert 0.3 <= training.seconds < 10


def test_a_budget_of_seconds_spent_in_validation_is_logged_and_saved() -> None:
    training = make_training(section(budget={"seconds": 0.5}, validation={"every_steps": 3}))
    recording = RecordingHooks(training)
    hooks = recording.hooks()

    def slow() -> dict[str, float]:
        time.sleep(0.6)
        return {"validation_bits_per_byte": 5.0}

    assert train(training, replace(hooks, validate=slow))
    assert training.step == 3
    assert recording.saved[-1] == 3
    assert [line["step"] for line in recording.lines if "bits_per_byte" in line] == [3]


def test_bptt_length_changes_with_the_spent_budget() -> None:
    stages = [{"from": 0.0, "length": 4}, {"from": 0.5, "length": 16}]
    training = make_training(section(bptt_length=stages, budget={"steps": 10}))
    lengths = []
    forward = training.model.forward

    def recorded_forward(tokens: torch.Tensor, state: Any = None) -> Any:
        lengths.append(tokens.shape[1])
        return forward(tokens, state)

    training.model.forward = recorded_forward  # type: ignore[method-assign]
    train(training, RecordingHooks(training).hooks())
    # Here validation does not call the model, so these are the updates.
    assert lengths == [4] * 5 + [16] * 5


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_training_stops_before_an_update_that_is_not_finite(where: str) -> None:
    training = make_training(section())
    training.update()
    head = training.model.head
    assert isinstance(head, torch.nn.Linear)
    if where == "loss":
        with torch.no_grad():
            head.bias[0] = math.nan
    else:
        head.weight.register_hook(lambda gradient: gradient * math.inf)
    before = weights(training)
    with pytest.raises(DivergedError, match=r"(loss|gradient norm).*step 2.*not applied"):
        training.update()
    for name, value in before.items():
        assert torch.equal(torch.nan_to_num(weights(training)[name]), torch.nan_to_num(value))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_validation_score_that_is_not_finite_is_never_the_best(value: float) -> None:
    training = make_training(section(validation={"every_steps": 1}))
    recording = RecordingHooks(training)
    hooks = replace(recording.hooks(), validate=lambda: {"validation_bits_per_byte": value})
    with pytest.raises(DivergedError, match="validation score is not finite at step 1"):
        train(training, hooks)
    assert training.best is None
    assert recording.saved == []


@pytest.mark.parametrize("place", ["weight", "moment"])
def test_what_is_not_finite_is_never_in_a_checkpoint(place: str) -> None:
    training = make_training(section())
    training.update()
    spoiled = training.parameters[0].data
    if place == "moment":
        spoiled = next(each for each in training.optimizer.tensors().values() if each.ndim > 0)
    spoiled.view(-1)[0] = math.inf
    with pytest.raises(DivergedError, match="before step 1 was saved"):
        training.checkpoint(RUN_STATE)


def test_an_operation_without_a_deterministic_kernel_is_reported_once_and_changes_nothing() -> None:
    """As on a GPU, with an operation that torch refuses there."""
    plain, asked = make_training(section()), make_training(section())
    asked.is_deterministic = True
    said: list[str] = []
    asked.warn = said.append
    forward = asked.model.forward

    def refused(*arguments: Any) -> Any:
        found = forward(*arguments)
        if torch.are_deterministic_algorithms_enabled():
            raise RuntimeError("cumsum_kernel does not have a deterministic implementation, but")
        return found

    asked.model.forward = refused  # type: ignore[assignment, method-assign]
    torch.manual_seed(3)
    expected = [plain.update() for _ in range(4)]
    torch.manual_seed(3)
    assert [asked.update() for _ in range(4)] == expected
    assert len(said) == 1
    assert "cumsum_kernel has no kernel on cpu" in said[0]
    assert asked.stream.state() == plain.stream.state()
    assert not torch.are_deterministic_algorithms_enabled()


def test_other_errors_of_an_update_are_not_hidden() -> None:
    training = make_training(section())
    training.is_deterministic = True

    def fails(*_: Any) -> Any:
        raise RuntimeError("shapes do not fit")

    training.model.forward = fails  # type: ignore[assignment, method-assign]
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        training.update()


def test_a_carried_state_of_another_batch_is_an_error() -> None:
    training = make_training(section())
    training.update()
    stored = training.checkpoint(RUN_STATE)
    fewer = {name: leaf[:1] for name, leaf in stored.carried.items()}
    with pytest.raises(CheckpointError, match="does not fit"):
        training.restore(replace(stored, carried=fewer))


@pytest.mark.parametrize("position", [-1, 10**30, 1e400])
def test_a_position_outside_of_the_text_is_an_error(position: float) -> None:
    training = make_training(section())
    stored = training.checkpoint(RUN_STATE)
    state = {**stored.state, "stream": {"position": position, "epoch": 0}}
    with pytest.raises(CheckpointError, match="does not fit"):
        training.restore(replace(stored, state=state))


def test_a_checkpoint_of_another_model_is_an_error(tmp_path: Path) -> None:
    training = make_training(section())
    training.update()
    checkpoints.save(tmp_path, training.checkpoint(RUN_STATE), keep=1, best=None)
    model = Recurrent(hidden_size=16)
    other = Training(
        model,
        Lanes(text(), batch_size=4),
        section(),
        **parts_of(model, section()),
        runtime=RUNTIME,
        bytes_per_token=1.0,
        epoch_tokens=len(text()),
    )
    with pytest.raises(CheckpointError, match="does not fit"):
        other.restore(checkpoints.load(tmp_path, 1))
