"""`ngram_gate` and `ngram_lstm`: how the gate combines experts, and what a network learns from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_states import RUN_STATE
from made_trainings import parts_of, train_section
from tiny import RUNTIME
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo import ParameterRole, SequenceModel
from seqzoo.data.lanes import Lanes
from seqzoo.scoring.adaptive import prepare_copy
from seqzoo.training import checkpoint
from seqzoo.training.updates import Training
from seqzoo_plugins.ngram_gate.models import NgramGate, NgramLSTM
from seqzoo_plugins.ngram_gate.options import NgramGateOptions, NgramLSTMOptions

V = 5
OPTIONS = NgramGateOptions(
    contexts=("last1", "last2"),
    window=16,
    window_contexts=("last1", "last3"),
    gate_size=4,
    symbol_size=3,
)
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
    model = NgramGate(Inner(), OPTIONS, vocab_size=V)
    with torch.no_grad():
        model.symbol_out.weight.normal_()  # it begins with zeros, which would hide a part
    return model


def smoothed(text: list[int], places: list[int], orders: tuple[int, ...], below: Any) -> Any:
    """Witten-Bell for each order after the end of `text`, by a loop over the places counted: the
    distributions and what is known of their evidence.
    """
    found, evidence = [], []
    for order in orders:
        context = text[-order:]
        counts = np.zeros(V)
        for place in places:
            if place >= order and text[place - order : place] == context:
                counts[text[place]] += 1
        n, t = counts.sum(), (counts > 0).sum()
        below = (counts + t * below) / (n + t) if n else below
        found.append(below)
        evidence.append([np.log1p(n), np.log1p(t), t / (n + t) if n else 1.0])
    return found, evidence


def silu(x: Any) -> Any:
    return x / (1 + np.exp(-x))


def test_the_gate_combines_the_experts_as_its_equations_say() -> None:
    model = gate().double().eval()
    model.before_training(TEXT)
    weights: dict[str, Any] = {
        name: parameter.detach().numpy() for name, parameter in model.named_parameters()
    }
    tokens = np.random.default_rng(1).integers(0, V, 30)
    with torch.no_grad():
        found = model(torch.from_numpy(tokens)[None])[0][0].log_softmax(-1)
    for time in range(3, 30):  # contexts of three tokens are complete
        read = [*TEXT.tolist(), -1, *tokens[: time + 1].tolist()]  # -1: the text begins again
        trained, evidence = smoothed(read, list(range(300)), (1, 2), np.full(V, 1 / V))
        latest = list(range(max(301, len(read) - 16), len(read)))
        recent, further = smoothed(read, latest, (1, 3), trained[-1])
        p = np.maximum(np.stack([*trained, *recent]), 1e-10)
        logs = np.log(p)
        features = [np.ravel([*evidence, *further]), -(p * logs).sum(-1), logs.max(-1)]
        rates = weights["inner.rates"][tokens[time]]
        own = rates - np.log(np.exp(rates).sum())
        entropy = -(np.exp(own) * own).sum()
        features.append(np.array([*np.exp(own / 2) * V**0.5, entropy, own.max()]))
        p, experts = np.vstack([p, np.exp(own)]), np.vstack([logs, own])
        u = silu(weights["gate_in.weight"] @ np.concatenate(features) + weights["gate_in.bias"])
        gates = weights["gate_out.weight"] @ u + weights["gate_out.bias"]
        exponents, shares = gates[: len(p)], np.exp(gates[len(p) : -1])
        hidden = weights["symbol_in.weight"] @ logs + weights["symbol_in.bias"][:, None]
        hidden = silu(hidden + (weights["symbol_gate.weight"] @ u)[:, None])
        expected = exponents @ experts + gates[-1] * np.log(shares @ p / shares.sum())
        expected = expected + (weights["symbol_out.weight"] @ hidden)[0]
        expected = expected - np.log(np.exp(expected).sum())
        np.testing.assert_allclose(found[time], expected, rtol=1e-8)


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
    assert model.parameter_roles()["inner.rates"] == inner.parameter_roles()["rates"]
    assert model.parameter_roles()["gate_out.weight"].use == "head"


def test_the_network_learns_by_its_own_cross_entropy_and_the_gate_takes_it_as_it_is() -> None:
    model = gate().train()
    inner: Any = model.inner
    tokens = torch.from_numpy(TEXT[None, :20])
    logits, _ = model.forward_in_training(tokens[:, :-1], None, torch.zeros(1, dtype=torch.int64))
    targets = tokens[0, 1:]
    loss = F.cross_entropy(logits[0], targets)
    gradients = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    for (name, _), gradient in zip(model.named_parameters(), gradients, strict=True):
        assert (gradient is None) == (name == "inner.rates")
    auxiliary = model.auxiliary_loss()
    assert auxiliary is not None
    own = F.cross_entropy(inner.rates[tokens[0, :-2]], tokens[0, 1:-1])
    expected = own + inner.rates.square().mean()
    torch.testing.assert_close(auxiliary, expected)
    (found,) = torch.autograd.grad(auxiliary, [inner.rates])
    torch.testing.assert_close(found, torch.autograd.grad(expected, [inner.rates])[0])


def test_in_scoring_the_network_is_reached_by_the_gradients_of_the_combination() -> None:
    """Dynamic evaluation reads in eval mode; then there is no auxiliary loss."""
    model = gate().eval()
    tokens = torch.from_numpy(TEXT[None, :20])
    model.forward_in_training(tokens, None, torch.zeros(1, dtype=torch.int64))[0].sum().backward()
    inner: Any = model.inner
    assert inner.rates.grad is not None
    torch.testing.assert_close(model.auxiliary_loss(), inner.auxiliary_loss())


def test_the_state_of_the_inner_model_is_carried() -> None:
    model = gate().eval()
    tokens = torch.zeros(2, 3, dtype=torch.int64)
    state = model(tokens, model(tokens)[1])[1]
    assert state.inner["count"].tolist() == [[6.0], [6.0]]


def small(**options: Any) -> NgramLSTM:
    torch.manual_seed(0)
    return NgramLSTM(NgramLSTMOptions(hidden_size=8, window=32, **options), vocab_size=256)


def test_training_leaves_out_the_counts_of_the_current_fold() -> None:
    text = np.arange(128, 256)  # nothing recurs: outside its fold nothing is known of a context
    model, ignorant = small(contexts=("last1", "last2")).eval(), small(contexts=("last1", "last2"))
    model.before_training(text)
    tokens, positions = torch.from_numpy(text[None, :10]), torch.zeros(1, dtype=torch.int64)
    seen = model.forward_in_training(tokens, None, positions)[0]
    torch.testing.assert_close(seen, ignorant.eval()(tokens)[0])
    assert not torch.allclose(model(tokens)[0], seen)


def test_a_state_dict_with_a_table_of_any_size_can_be_loaded() -> None:
    model, other = small(), small()
    model.before_training(np.random.default_rng(0).integers(0, 256, 500))
    other.load_state_dict(model.state_dict())
    tokens = torch.arange(40)[None]
    assert torch.equal(model.eval()(tokens)[0], other.eval()(tokens)[0])


def test_a_loaded_model_has_folds_only_after_it_counted_the_text_again() -> None:
    text = np.random.default_rng(0).integers(0, 256, 500)
    model, loaded, other = small().eval(), small().eval(), small().eval()
    model.before_training(text)
    other.before_training(text[::-1].copy())
    tokens, positions = torch.from_numpy(text[None, :40]), torch.zeros(1, dtype=torch.int64)
    for restored in (loaded, other):
        restored.load_state_dict(model.state_dict())
        with pytest.raises(RuntimeError, match="count its text again"):
            restored.forward_in_training(tokens, None, positions)
        again = prepare_copy(restored, text)
        expected, _ = model.forward_in_training(tokens, None, positions)
        assert torch.equal(again.forward_in_training(tokens, None, positions)[0], expected)


def test_every_byte_has_a_probability_after_a_long_run_of_one_byte() -> None:
    contexts = tuple(f"last{order}" for order in range(1, 17))
    model = small(contexts=contexts, window_contexts=contexts).eval()
    model.before_training(np.full(20_000, 97))
    with torch.no_grad():
        logits, _ = model(torch.full((1, 20_000), 97))
    assert logits.log_softmax(-1).isfinite().all()


def test_adaptive_scoring_of_several_rows_is_refused() -> None:
    model = small().eval()
    model.start_adapting()
    with pytest.raises(ValueError, match="reads one row, found 2"):
        model(torch.zeros(2, 3, dtype=torch.int64))


def test_a_restored_training_continues_with_the_same_bits(tmp_path: Path) -> None:
    text = np.random.default_rng(0).integers(97, 100, 3000).astype(np.uint8)
    section = train_section({"batch_size": 4, "budget": {"steps": 20}})

    def start() -> Training:
        model = small(dropout=0.2)
        model.before_training(text)
        lanes = Lanes(text, batch_size=4)
        return Training(
            model,
            lanes,
            section,
            **parts_of(model, section),
            runtime=RUNTIME,
            bytes_per_token=1.0,
            epoch_tokens=len(text),
        )

    unbroken, resumed = start(), start()
    for _ in range(3):
        unbroken.update()
    checkpoint.save(tmp_path, unbroken.checkpoint(RUN_STATE), keep=1, best=None)
    expected = [unbroken.update() for _ in range(4)]
    resumed.restore(checkpoint.load(tmp_path, 3))
    assert [resumed.update() for _ in range(4)] == expected
