"""A model needs something nonlinear between a token and later logits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from broken_models import H, Plain, V
from examined_models import causes, outcome, reported, run_doctor
from torch import Tensor, nn


class Recurrent(nn.Module):
    """h = f(W x + U h), the logits a linear function of g(h)."""

    def __init__(self, inside: Any = None, after: Any = None, *, gated: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(V, H)
        self.mix = nn.Linear(H, H)
        self.head = nn.Linear(H, V)
        self.keep = nn.Linear(H, H)
        nn.init.orthogonal_(self.mix.weight)
        self.inside, self.after, self.gated = inside, after, gated

    def forward(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x = self.embed(tokens)
        h = x.new_zeros(len(x), H) if state is None else state
        outputs = []
        for time in range(x.shape[1]):
            now = x[:, time]
            if self.gated:
                gate = self.keep(now).sigmoid()
                h = gate * h + (1 - gate) * now
            else:
                h = now + self.mix(h) * 0.9
            h = h if self.inside is None else self.inside(h)
            outputs.append(h)
        stacked = torch.stack(outputs, 1)
        return self.head(stacked if self.after is None else self.after(stacked)), h


HEALTHY = {
    "tanh inside": lambda: Recurrent(torch.tanh),
    "relu after": lambda: Recurrent(None, torch.relu),
    "gates": lambda: Recurrent(gated=True),
    "an LSTM": Plain,
}


@pytest.mark.parametrize("model", HEALTHY.values(), ids=HEALTHY)
def test_a_nonlinear_step_or_a_gate_is_not_a_finding(model: Any) -> None:
    found = run_doctor(model, only=["memory.linear"])
    assert causes(found) == [], reported(found)
    assert outcome(found, "memory.linear").status == "pass"


def test_a_recurrence_without_anything_nonlinear_is_named() -> None:
    found = run_doctor(Recurrent, only=["memory.linear"])
    assert causes(found) == ["memory.linear"], reported(found)
