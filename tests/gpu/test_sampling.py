"""Texts that a GPU writes: with a graph of the step they are the same as without."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from installed_architectures import VOCAB_SIZE, build, every_architecture
from torch import Tensor

from seqzoo.model import captured
from seqzoo.model.generate import generate_batch
from seqzoo.plugin.contracts import SequenceModel, State
from seqzoo.plugin.registry import Registry
from seqzoo.testing.materials import SpelledIds

CUDA = torch.device("cuda")


def texts(model: SequenceModel, *, num_tokens: int = 120, count: int = 2) -> list[bytes]:
    pieces = generate_batch(
        model,
        SpelledIds(b"etaoin shrdlu"),
        chain=(),
        prompt=b"hi",
        num_tokens=num_tokens,
        seed=3,
        count=count,
        device=CUDA,
    )
    return [b"".join(row) for row in zip(*pieces, strict=True)]


@pytest.fixture
def recordings(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What `captured` has recorded, or None for a step that cannot be recorded."""
    found: list[Any] = []
    record = captured._record

    def noted(*arguments: Any) -> Any:
        found.append(record(*arguments))
        return found[-1]

    monkeypatch.setattr(captured, "_record", noted)
    return found


@every_architecture
def test_a_graph_writes_the_same_text(
    name: str, registry: Registry, recordings: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build(registry.get("architecture", name)).to(CUDA)
    found = texts(model)
    print(f"\n{name}: {'a graph' if recordings[0] is not None else 'no graph'}")
    monkeypatch.setattr(captured, "_PLAIN_CALLS", 10**9)
    assert found == texts(model)
    assert texts(model, num_tokens=20) == [text[:20] for text in found]
    # A recording that failed leaves torch's random generator as it was.
    assert torch.nn.functional.dropout(torch.ones(8, device=CUDA)).sum() >= 0


@pytest.mark.parametrize("name", ["lstm", "gru", "transformer"])
def test_the_usual_models_have_a_graph(
    name: str, registry: Registry, recordings: list[Any]
) -> None:
    texts(build(registry.get("architecture", name)).to(CUDA))
    assert recordings[0] is not None


class Counting(SequenceModel):
    """Its logits depend on how often it was called, which a graph does not see."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.bias = torch.nn.Parameter(torch.zeros(VOCAB_SIZE))

    def initial_state(self, batch_size: int) -> State:
        return torch.zeros(batch_size, 1, device=self.bias.device)

    def forward(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        self.calls += 1
        state = self.initial_state(len(tokens)) if state is None else state
        logits = self.bias.expand(*tokens.shape, -1).roll(self.calls, -1)
        return logits + float(self.calls) * torch.arange(VOCAB_SIZE, device=CUDA), state + 1


class Reading(Counting):
    """It reads a number back to the CPU in each step."""

    def forward(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        state = self.initial_state(len(tokens)) if state is None else state
        logits = self.bias.expand(*tokens.shape, -1)
        return logits * int(state.sum().item() > 3), state + 1


class Growing(Counting):
    """Its state has one more number after each token."""

    def forward(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        state = self.initial_state(len(tokens)) if state is None else state
        logits = self.bias.expand(*tokens.shape, -1) + state.sum(1)[:, None, None]
        return logits, torch.cat([state, tokens.float()], dim=1)


@pytest.mark.parametrize("kind", [Counting, Reading, Growing])
def test_a_step_that_a_graph_cannot_repeat_is_the_models_own(
    kind: type[SequenceModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    step = captured.single_token_step(kind().to(CUDA).eval(), CUDA)
    plain = kind().to(CUDA).eval()
    plain_state = state = plain.initial_state(2)
    generator = np.random.default_rng(0)
    with torch.inference_mode():
        for _ in range(40):
            tokens = torch.from_numpy(generator.integers(0, VOCAB_SIZE, (2, 1))).to(CUDA)
            logits, state = step(tokens, state)
            expected, plain_state = plain(tokens, plain_state)
            if kind is not Counting:  # the attempt itself has counted
                assert torch.equal(logits, expected)
    recorded = step._recorded  # type: ignore[attr-defined]
    assert recorded is None
