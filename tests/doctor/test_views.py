"""A view that is taken for a transpose is named, and the advice repairs it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from own_batches import B, T, V, causes, outcome
from torch import Tensor, nn

from seqzoo import examine
from seqzoo.doctor.diagnosis import Diagnosis

pytestmark = pytest.mark.usefixtures("fast_reader")

H = 16


def lanes() -> Any:
    rows = torch.randint(V, (B, 1_000), generator=torch.Generator().manual_seed(0))
    for begin in range(0, 1_000 - T - 1, T):
        yield rows[:, begin : begin + T], rows[:, begin + 1 : begin + T + 1]


def model_of(into: Any, back: Any) -> type[nn.Module]:
    """into: (B, T, H) as (T, B, H). back: (T, B, V) as (B, T, V)."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.rnn, self.head = nn.Embedding(V, H), nn.GRU(H, H), nn.Linear(H, V)

        def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Tensor]:
            rows, length = x.shape
            hidden, state = self.rnn(into(self.embed(x), length, rows), state)
            return back(self.head(hidden), rows, length), state

    return Model


def viewed(x: Tensor, first: int, second: int) -> Tensor:
    return x.reshape(first, second, -1)


def viewed_by_constants(x: Tensor, first: int, second: int) -> Tensor:
    return x.reshape((B, T, V) if x.shape[-1] == V else (T, B, H))


def turned(x: Tensor, first: int, second: int) -> Tensor:
    return x.transpose(0, 1)


def diagnosed(model: Any) -> Diagnosis:
    return examine(model=model, batches=lanes, quick=True, show=False, only=["stream", "model"])


@pytest.mark.parametrize(
    ("into", "back", "words"),
    [
        (viewed, turned, "turns (B, T) into (T, B) with view or reshape: write transpose(0, 1)"),
        (turned, viewed, "turns its output (T, B, V) into (B, T, V) with view or reshape: write"),
        (viewed, viewed, "write transpose(0, 1) in both places"),
        (viewed_by_constants, viewed_by_constants, "write transpose(0, 1) in both places"),
    ],
)
def test_a_view_for_a_transpose_is_named_with_its_place(into: Any, back: Any, words: str) -> None:
    found = diagnosed(model_of(into, back))
    assert "model.rows" in causes(found)
    assert words in outcome(found, "model.rows").remedy


def test_transposes_in_those_places_leave_no_finding() -> None:
    assert causes(diagnosed(model_of(turned, turned))) == []


def test_rows_that_are_mixed_in_another_way_get_other_advice() -> None:
    def centred(x: Tensor, first: int, second: int) -> Tensor:
        return (x - x.mean(0, keepdim=True)).transpose(0, 1)

    remedy = outcome(diagnosed(model_of(centred, turned)), "model.rows").remedy
    assert "with view or reshape" not in remedy


def test_a_softmax_over_the_rows_is_in_the_advice() -> None:
    def weighted(x: Tensor, first: int, second: int) -> Tensor:
        return (x * x.softmax(0)).transpose(0, 1)

    found = diagnosed(model_of(weighted, turned))
    assert "model.rows" in causes(found)
    assert "softmax(-1), not softmax(0)" in outcome(found, "model.rows").remedy


def test_a_softmax_over_the_last_axis_leaves_no_finding() -> None:
    def weighted(x: Tensor, first: int, second: int) -> Tensor:
        return (x * x.softmax(-1)).transpose(0, 1)

    assert causes(diagnosed(model_of(weighted, turned))) == []
