"""Later tokens change nothing before them, neither by what they are nor by being there."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from broken_models import V, Windowed
from doctor_cases.models import Attention, Recurrent
from examined_models import causes, outcome, reported, run_doctor
from torch import Tensor, nn

H, LONGEST = 16, 64


class HeadsByView(Attention):
    """Split and joined by view: no later token is read, and each length mixes other places."""

    def split(self, x: Tensor) -> Tensor:
        return x.reshape(len(x), self.heads, x.shape[1], -1)

    def join(self, x: Tensor) -> Tensor:
        return x.reshape(len(x), x.shape[2], -1)


class FromTheEnd(Attention):
    def placed(self, x: Tensor) -> Tensor:
        return x + self.positions(torch.arange(x.shape[1]).flip(0))


class DividedByLength(Recurrent):
    def after(self, out: Tensor) -> Tensor:
        return out / out.shape[1]


class OfOneLength(Windowed):
    """It reads nothing else than what it was built for."""

    def forward(self, tokens: Tensor) -> Tensor:
        if tokens.shape[1] != self.place.num_embeddings:
            raise ValueError("another length")
        return super().forward(tokens)


class DrawsAtRandom(Recurrent):
    def after(self, out: Tensor) -> Tensor:
        return out + torch.randn(out.shape)


@pytest.mark.parametrize("faulty", [HeadsByView, FromTheEnd, DividedByLength])
def test_a_model_that_depends_on_the_length_of_the_text_is_named(faulty: Any) -> None:
    build = (lambda: faulty(V, H)) if faulty is DividedByLength else lambda: faulty(V, H, LONGEST)
    found = run_doctor(build)
    assert "model.causality" in causes(found), reported(found)
    said = outcome(found, "model.causality")
    assert "ends sooner" in said.seen
    assert ".transpose(1, 2)" in said.remedy


@pytest.mark.parametrize(
    "build",
    [
        lambda: Attention(V, H, LONGEST),
        lambda: Recurrent(V, H),
        lambda: Recurrent(V, H, cell=nn.GRU, layers=2, dropout=0.2),
        lambda: DrawsAtRandom(V, H),
        lambda: OfOneLength(32),
    ],
    ids=["attention", "LSTM", "GRU with dropout", "random", "one length"],
)
def test_a_model_that_does_not_is_not(build: Any) -> None:
    found = run_doctor(build, only=["model.causality"])
    assert outcome(found, "model.causality").status == "pass", reported(found)


@pytest.mark.parametrize("error", ["triangle", "queries", "left", "bidirectional", "batch norm"])
def test_the_usual_ways_to_the_future_are_listed(error: str) -> None:
    class Peeking(Recurrent):
        def before(self, x: Tensor) -> Tensor:
            return x + x.roll(-1, 1)

    assert error in outcome(run_doctor(lambda: Peeking(V, H)), "model.causality").remedy
