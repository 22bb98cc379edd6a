"""A large vocabulary costs no more than it must, and hides no fault."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seqzoo
from seqzoo.doctor.checks.model import _passes
from seqzoo.doctor.evidence.network import Network

V = 20_011


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.gru = nn.Embedding(V, 16), nn.GRU(16, 16, batch_first=True)
        self.head = nn.Linear(16, V)

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        hidden, state = self.gru(self.embed(tokens), state)
        return self.head(hidden), state


class ReadsAhead(Plain):
    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        return super().forward(tokens.roll(-1, 1), state)


class MixesRows(Plain):
    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        hidden, state = self.gru(self.embed(tokens), state)
        return self.head(hidden - hidden.mean(0)), state


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (Plain, None),
        pytest.param(ReadsAhead, "model.causality", marks=pytest.mark.slow),
        (MixesRows, "model.rows"),
    ],
)
def test_the_same_faults_are_named_in_a_large_vocabulary(kind: type[nn.Module], cause: Any) -> None:
    torch.manual_seed(0)
    model = kind()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    draw = torch.Generator().manual_seed(1)
    with seqzoo.watch(model, optimizer, show=False) as visit:
        for _ in range(6):
            text = (torch.rand(4, 17, generator=draw) ** 3 * V).long()
            logits, _ = model(text[:, :-1])
            optimizer.zero_grad()
            F.cross_entropy(logits.flatten(0, 1), text[:, 1:].flatten()).backward()
            optimizer.step()
    found = [each.check.name for each in visit.diagnosis.causes]
    assert found == [] if cause is None else cause in found
    assert not any(each.crashed for each in visit.diagnosis.examined)


def test_what_changes_one_logit_changes_what_is_compared() -> None:
    class Table(nn.Module):
        def forward(self, tokens: Tensor) -> Tensor:
            return F.one_hot(tokens, V).float()

    network = Network(Table(), Table)
    tokens = torch.tensor([[3, 4095, 4096, V - 1]])
    whole = _passes.logits_of(network, [tokens], whole=True)
    assert whole.shape == (1, 4, V)
    for place in range(4):
        changed = tokens.clone()
        changed[0, place] = 7000
        before, after = (_passes.logits_of(network, [text]) for text in (tokens, changed))
        assert before.shape[-1] < V // 4
        differs = (before != after).any(-1)[0]
        assert differs.tolist() == [at == place for at in range(4)]


def test_logits_of_a_small_vocabulary_are_compared_as_they_are() -> None:
    network = Network(nn.Embedding(256, 256), lambda: nn.Embedding(256, 256))
    tokens = torch.arange(8)[None]
    whole = _passes.logits_of(network, [tokens], whole=True)
    assert torch.equal(_passes.logits_of(network, [tokens]), whole)
