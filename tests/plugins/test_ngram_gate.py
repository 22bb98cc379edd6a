"""`ngram_gate`: what it adds to the logits of any architecture, and what it passes on to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seqzoo import ParameterRole, SequenceModel
from seqzoo_plugins.ngram_gate.models import NgramGate, NgramLSTM
from seqzoo_plugins.ngram_gate.options import NgramGateOptions, NgramLSTMOptions

V = 5
OPTIONS = NgramGateOptions(orders=(1, 2), window=16, window_orders=(1, 3), gate_size=4)
TEXT = np.random.default_rng(0).integers(0, V, 300)


class Inner(SequenceModel):
    """A table of logits by the latest token, which records what it receives."""

    def __init__(self) -> None:
        super().__init__()
        self.rates = nn.Parameter(torch.randn(V, V, generator=torch.Generator().manual_seed(0)))
        self.received: list[Any] = []

    def parameter_roles(self) -> dict[str, ParameterRole]:
        return {"rates": ParameterRole(use="other", decay=False, rate=0.1)}

    def before_training(self, tokens: Any) -> None:
        self.received.append(("before_training", tokens.tolist()))

    def start_adapting(self) -> None:
        self.received.append("start_adapting")

    def auxiliary_loss(self) -> Tensor:
        return self.rates.square().mean()

    def initial_state(self, batch_size: int) -> dict[str, Tensor]:
        return {"count": torch.zeros(batch_size, 1)}

    def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        count = (self.initial_state(len(tokens)) if state is None else state)["count"]
        return self.rates[tokens], {"count": count + tokens.shape[1]}

    def forward_in_training(
        self, tokens: Tensor, state: Any = None, positions: Tensor | None = None
    ) -> tuple[Tensor, Any]:
        self.received.append(("positions", None if positions is None else positions.tolist()))
        return self(tokens, state)


def gate() -> NgramGate:
    torch.manual_seed(0)
    return NgramGate(Inner(), OPTIONS, vocab_size=V)


def smoothed(text: list[int], counted: list[int], orders: tuple[int, ...], below: Any) -> list[Any]:
    """Witten-Bell for each order after the end of `text`, by a loop over the places counted."""
    found = []
    for order in orders:
        context = text[-order:]
        counts = np.zeros(V)
        for place in counted:
            if place >= order and text[place - order : place] == context:
                counts[text[place]] += 1
        n, t = counts.sum(), (counts > 0).sum()
        below = (counts + t * below) / (n + t) if n else below
        found.append(below)
    return found


def test_the_gated_counts_are_added_to_the_logits_of_the_inner_model() -> None:
    """With weights of 0 the gate is its bias: two exponents and shares for each kind of counts."""
    model = gate().double().eval()
    inner: Any = model.inner
    bias = torch.tensor([0.3, -0.2, 0.5, 0.1, 1.0, 0.0, -1.0, 0.4, 0.7], dtype=torch.float64)
    with torch.no_grad():
        model.gate_out.weight.zero_()
        model.gate_out.bias.copy_(bias)
    model.before_training(TEXT)
    tokens = np.random.default_rng(1).integers(0, V, 30)
    with torch.no_grad():
        found = model(torch.from_numpy(tokens)[None])[0][0]
    shares = np.exp(bias[4:8].numpy()) / np.exp(bias[4:8].numpy()).sum()
    for time in range(30):
        read = [*TEXT.tolist(), -1, *tokens[: time + 1].tolist()]  # -1: the text begins again
        trained = smoothed(read, list(range(300)), (1, 2), np.full(V, 1 / V)) if time else None
        if trained is None:
            continue  # a context of two tokens is not complete
        latest = list(range(max(301, len(read) - 16), len(read)))
        recent = smoothed(read, latest, (1, 3) if time > 1 else (1,), trained[-1])
        recent = recent if len(recent) == 2 else [*recent, recent[0]]
        experts = np.stack([*trained, *recent])
        expected = inner.rates[tokens[time]].detach().numpy()
        expected = expected + bias[:4].numpy() @ np.log(np.maximum(experts, 1e-10))
        expected = expected + 0.7 * np.log(shares @ np.maximum(experts, 1e-10))
        np.testing.assert_allclose(found[time], expected, rtol=1e-9)


def test_the_inner_model_receives_what_a_model_receives() -> None:
    model = gate()
    inner: Any = model.inner
    model.before_training(TEXT)
    model.forward_in_training(torch.zeros(2, 3, dtype=torch.int64), None, torch.tensor([5, 9]))
    model.forward_in_training(torch.zeros(2, 3, dtype=torch.int64))
    model.start_adapting()
    assert inner.received == [
        ("before_training", TEXT.tolist()),
        ("positions", [5, 9]),
        ("positions", None),
        "start_adapting",
    ]
    assert model.auxiliary_loss() == inner.auxiliary_loss()
    assert model.parameter_roles()["inner.rates"] == inner.parameter_roles()["rates"]
    assert model.parameter_roles()["gate_out.weight"].use == "head"


def test_the_state_of_the_inner_model_is_carried() -> None:
    model = gate().eval()
    tokens = torch.zeros(2, 3, dtype=torch.int64)
    state = model(tokens, model(tokens)[1])[1]
    assert state.inner["count"].tolist() == [[6.0], [6.0]]


def test_training_leaves_out_the_counts_of_the_current_fold() -> None:
    text = np.arange(5)  # nothing recurs: outside its fold nothing is known of a context
    model, ignorant = gate().eval(), gate().eval()
    model.before_training(text)
    tokens = torch.from_numpy(text[None, :4])
    seen = model.forward_in_training(tokens, None, torch.zeros(1, dtype=torch.int64))[0]
    assert torch.equal(seen, ignorant(tokens)[0])
    assert not torch.allclose(model(tokens)[0], seen)


def test_the_lstm_of_ngram_lstm_comes_first_as_in_earlier_checkpoints() -> None:
    model = NgramLSTM(NgramLSTMOptions(hidden_size=4), vocab_size=V)
    names = [name for name, _ in model.named_parameters()]
    gates = ["gate_in.weight", "gate_in.bias", "gate_out.weight", "gate_out.bias"]
    assert names == [f"lstm.{name}" for name, _ in model.lstm.named_parameters()] + gates
