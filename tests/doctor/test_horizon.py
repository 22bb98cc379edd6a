"""How far back the gradient goes, and what cuts it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from commands import REPOSITORY
from small_networks import (
    TEXT,
    Loop,
    Plain,
    is_about_code,
    network_of,
    outcome,
    pairs,
)
from torch import Tensor, nn
from tuned_settings import tuned_settings
from watched_loops import Recurrent, adam, loss_of, windows

import seqzoo
from seqzoo.doctor import examine
from seqzoo.doctor.checks import select_checks
from seqzoo.doctor.checks.memory._reach import gradient_norms, influences
from seqzoo.doctor.checks.memory._tuned import TUNED
from seqzoo.doctor.evidence.network import mean_nats
from seqzoo.doctor.subject import Settings
from seqzoo.doctor.subjects.recipe import subject_of_recipe
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import load_recipe, parse_recipe
from seqzoo.recipes.overrides import apply_overrides
from seqzoo.recipes.yaml_reader import load_yaml
from seqzoo.recipes.yaml_scalars import dump_yaml


@pytest.mark.parametrize(
    ("length", "status"), [(1, "fail"), (4, "warn"), (7, "pass"), (16, "pass")]
)
def test_the_gradient_must_reach_back_over_a_word(length: int, status: str, seeded: None) -> None:
    found = outcome("memory.horizon", Plain(), lambda: pairs(length=length))
    assert found.status == status
    assert found.numbers["allowed"] == length - 1
    assert status == "pass" or is_about_code(found)


def test_the_horizon_equals_the_gradient_of_autograd(seeded: None) -> None:
    module = Loop()
    inputs, targets = torch.randint(128, (3, 9)), torch.randint(128, (3, 9))
    embedded = module.embed(inputs).detach().requires_grad_()
    state = None
    for time in range(9):
        state = module.cell(embedded[:, time], state)
    (gradient,) = torch.autograd.grad(
        mean_nats(module.head(state)[:, None], targets[:, -1:]), embedded
    )
    expected = gradient.double().norm(dim=2).mean(0).flip(0)
    found = gradient_norms(network_of(module), inputs, targets)
    # Both are float32 sums of the same products.
    assert found == pytest.approx(expected.tolist(), rel=1e-5)


def test_a_network_that_cuts_its_own_gradient_is_found(seeded: None) -> None:
    found = outcome("memory.horizon", Loop(detaches=True))
    assert found.status == "fail"
    assert "within the network" in found.seen


def test_a_network_without_memory_is_distinguished_from_one_with_memory(seeded: None) -> None:
    assert outcome("memory.horizon", Loop(carries=False)).status == "warn"
    assert outcome("memory.horizon", Loop()).status == "pass"


class Cells(Loop):
    """The cell is an LSTM's; with `carries=False` it is never given its state."""

    def __init__(self, *, carries: bool) -> None:
        super().__init__(carries=carries)
        self.cell = nn.LSTMCell(16, 24)  # type: ignore[assignment]

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        logits = []
        for x in self.embed(tokens).unbind(1):
            state = self.cell(x, state if self.carries else None)
            logits.append(self.head(state[0]))
        return torch.stack(logits, 1), state


@pytest.mark.parametrize("kind", [Loop, Cells])
def test_a_step_that_begins_with_an_empty_state_is_explained_by_the_horizon(
    kind: Any, seeded: None
) -> None:
    for carries, expected in ((False, ["memory.horizon"]), (True, [])):
        found = examine(
            model=partial(kind, carries=carries),
            batches=pairs,
            corpus=TEXT,
            only=["model", "memory"],
            quick=True,
            show=False,
        )
        assert [each.check.name for each in found.causes] == expected


def test_recurrent_weights_of_a_layer_that_is_not_used_are_a_fault_of_gradients() -> None:
    class Unused(Plain):
        def __init__(self) -> None:
            super().__init__()
            self.other = nn.GRUCell(16, 24)

    found = outcome("model.gradients", Unused())
    assert found.status == "fail"


def test_influence_ends_at_the_end_of_the_window(seeded: None) -> None:
    class Window(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(128, 8)
            self.mix = nn.Conv1d(8, 128, 4)

        def forward(self, tokens: Tensor) -> Tensor:
            padded = nn.functional.pad(self.embed(tokens).transpose(1, 2), (3, 0))
            mixed: Tensor = self.mix(padded)
            return mixed.transpose(1, 2)

    found = influences(network_of(Window()), torch.randint(128, (4, 16)), [1, 3, 4, 8])
    assert [share > 0 for share in found] == [True, True, False, False]


class Scaled(Plain):
    """A recurrence whose state counts `factor` times; a parameter, or a number."""

    def __init__(self, factor: Any) -> None:
        super().__init__()
        self.factor = factor
        self.into, self.within = nn.Linear(16, 24), nn.Linear(24, 24)

    def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        state = torch.zeros(len(tokens), 24) if state is None else state
        outputs = []
        for x in self.embed(tokens).unbind(1):
            state = (self.into(x) + self.factor * self.within(state)).tanh()
            outputs.append(state)
        return self.head(torch.stack(outputs, 1)), state


def test_a_recurrence_that_is_too_small_to_remember_is_named(seeded: None) -> None:
    found = outcome("memory.horizon", Scaled(1e-4))
    assert found.status == "warn"
    assert "almost nothing is remembered" in found.why.lower()
    assert is_about_code(found)


@pytest.mark.parametrize("begin", [0.0, 1e-4, 1.0])
def test_a_scale_that_opens_in_training_is_not(begin: float, seeded: None) -> None:
    # ReZero (arXiv:2003.04887) and LayerScale (arXiv:2103.17239) begin so.
    found = outcome("memory.horizon", lambda: Scaled(nn.Parameter(torch.tensor(begin))))
    assert found.status == "pass", found.seen


@pytest.mark.parametrize("size", [0.0, 1e-5, 1.0])
def test_recurrent_weights_that_training_makes_larger_are_not(size: float, seeded: None) -> None:
    model = Plain(nn.RNN)
    with torch.no_grad():
        model.rnn.get_parameter("weight_hh_l0").mul_(size)
    assert outcome("memory.horizon", model).status == "pass"
    still = outcome("memory.horizon", model, optimizer=lambda p: torch.optim.SGD(p, 1e-7))
    assert still.status == ("pass" if size == 1.0 else "warn")


def test_the_proposed_settings_are_those_of_a_shipped_recipe() -> None:
    assert tuned_settings() == TUNED, "run: python tests/support/tuned_settings.py"


def test_the_horizons_changes_make_a_recipe(registry: Registry) -> None:
    path = REPOSITORY / "recipes" / "clinic" / "healthy.yaml"
    recipe = load_recipe(path, registry, overrides=["train.bptt_length=1"])
    subject = subject_of_recipe(recipe, title="", settings=Settings(quick=True))
    (check,) = select_checks(registry, ["memory.horizon"])
    changes = check.examine(subject).changes
    data, marks = load_yaml(path.read_text(), str(path))
    apply_overrides(data, marks, overrides=changes)
    fixed = parse_recipe(dump_yaml(data), registry, source="fixed", base=path.parent)
    assert fixed.train.bptt_length == 64
    assert fixed.train.budget.seconds == 150
    assert fixed.train.optimizer.name == "muon"


def test_a_network_that_ignores_all_tokens_is_not_a_fault_of_memory(seeded: None) -> None:
    class IgnoresTokens(Plain):
        def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
            outputs, state = self.rnn(self.embed(tokens) * 0, state)
            return self.head(outputs), state

    found = outcome("memory.horizon", IgnoresTokens())
    assert found.status == "skip"
    assert "model.contract" in found.seen


def test_a_detach_before_the_head_is_one_fault_of_a_watched_loop(seeded: None) -> None:
    class Cut(Recurrent):
        def forward(self, tokens: Tensor, state: Any = None) -> Any:
            hidden, state = self.lstm(self.embed(tokens), state)
            return self.head(hidden.detach()), state

    model = Cut()
    optimizer = adam(model)
    with seqzoo.watch(model, optimizer, show=False) as visit:
        for inputs, targets in windows():
            optimizer.zero_grad()
            loss_of(model(inputs)[0], targets).backward()
            optimizer.step()
    assert [each.check.name for each in visit.diagnosis.causes] == ["loop.optimizer"]
    assert "loop.optimizer" in visit.diagnosis.explained["memory.horizon"]


def test_a_text_of_one_token_is_not_a_fault_of_the_network(seeded: None) -> None:
    same = [(np.full((8, 16), 65), np.full((8, 16), 65))] * 3
    found = examine(model=Plain(), batches=same, only=["memory.horizon"], show=False)
    assert found.examined[0].outcome.status == "pass"
