"""Models that read batches of one size only are examined like others."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from own_batches import B, T, V, causes, outcome, windows
from torch import Tensor, nn

from seqzoo import examine
from seqzoo.doctor.diagnosis import Diagnosis
from seqzoo.doctor.evidence.missing import Missing
from seqzoo.doctor.evidence.network import call_plainly
from seqzoo.doctor.evidence.one_size import OfOneSize

pytestmark = pytest.mark.usefixtures("fast_reader")

H = 16
MAIN = ["contract", "finite", "causality", "rows", "order", "gradients", "evaluation"]


def lanes() -> Any:
    rows = torch.randint(V, (B, 1_000), generator=torch.Generator().manual_seed(0))
    for begin in range(0, 1_000 - T - 1, T):
        yield rows[:, begin : begin + T], rows[:, begin + 1 : begin + T + 1]


class Attention(nn.Module):
    """Positions and a mask for T tokens, added as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(V, H), nn.Linear(H, V)
        self.places = nn.Parameter(torch.randn(T, H))
        self.joint, self.mix = nn.Linear(H, 3 * H), nn.Linear(H, H)
        self.register_buffer("mask", torch.full((T, T), -math.inf).triu(1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.embed(x) + self.places
        q, k, v = self.joint(h).chunk(3, -1)
        weights = (q @ k.transpose(1, 2) / H**0.5 + self.mask).softmax(-1)
        logits: Tensor = self.head(h + self.mix(self.between(weights @ v)))
        return logits

    def between(self, h: Tensor) -> Tensor:
        return h


class Unmasked(Attention):
    def __init__(self) -> None:
        super().__init__()
        self.mask = torch.zeros(T, T)


class OverRows(Attention):
    def between(self, h: Tensor) -> Tensor:
        return h - h.mean(0)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(V, H), nn.Linear(H, V)
        self.rnn = nn.GRU(H, H, batch_first=True)


class WithABuffer(Recurrent):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("first", torch.zeros(1, B, H))

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Tensor]:
        hidden, state = self.rnn(self.embed(x), self.first if state is None else state)
        return self.head(hidden), state


class ViewedByRows(Recurrent):
    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Tensor]:
        hidden, state = self.rnn(self.embed(x).view(B, -1, H), state)
        return self.head(hidden), state


class ViewedByBoth(Recurrent):
    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Tensor]:
        hidden, state = self.rnn(self.embed(x).view(B, T, H), state)
        return self.head(hidden).view(B, T, V), state


class Mixed(ViewedByBoth):
    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Tensor]:
        hidden, state = self.rnn(self.embed(x).view(T, B, H).transpose(0, 1), state)
        return self.head(hidden).reshape(B, T, V), state


def diagnosed(model: Any, *, carry: bool) -> Diagnosis:
    return examine(
        model=model, batches=lanes if carry else windows, carry_state=carry, quick=True, show=False
    )


@pytest.mark.parametrize(
    ("model", "carry", "size"),
    [
        (Attention, False, f"{T} tokens"),
        (WithABuffer, True, f"{B} rows"),
        (ViewedByRows, True, f"{B} rows"),
        (ViewedByBoth, True, f"{B} rows of {T} tokens"),
    ],
)
def test_a_healthy_model_of_one_size_has_no_finding(model: Any, carry: bool, size: str) -> None:
    found = diagnosed(model, carry=carry)
    assert causes(found) == []
    for name in MAIN:
        assert outcome(found, f"model.{name}").status == "pass", name
    assert f"it reads exactly {size}" in outcome(found, "model.contract").seen
    if model is ViewedByBoth:
        said = outcome(found, "model.state")
        assert (said.status, "so it cannot continue after fewer" in said.seen) == ("skip", True)


@pytest.mark.parametrize(
    ("model", "carry", "expected"),
    [
        (Unmasked, False, "model.causality"),
        (OverRows, False, "model.rows"),
        (Mixed, True, "model.rows"),
    ],
)
def test_the_fault_of_a_model_of_one_size_is_named(model: Any, carry: bool, expected: str) -> None:
    assert expected in causes(diagnosed(model, carry=carry))


@pytest.mark.parametrize(("rows", "length"), [(3, 16), (8, 32), (11, 32), (20, 9)])
def test_other_sizes_give_what_a_model_of_any_size_gives(rows: int, length: int) -> None:
    torch.manual_seed(0)
    any_size = Recurrent()
    tokens = torch.randint(V, (rows, length))
    call = OfOneSize(_through_the_parts(check=True), B, T, keeps=False)
    logits, _ = call(any_size, tokens, None)
    wanted, _ = _through_the_parts(check=False)(any_size, tokens, None)
    torch.testing.assert_close(logits, wanted)


def test_a_state_goes_through_full_rows_and_not_through_filled_ones() -> None:
    torch.manual_seed(0)
    model, tokens = Recurrent(), torch.randint(V, (2 * B, 2 * T))
    call, plain = OfOneSize(_through_the_parts(check=True), B, T, False), _through_the_parts()
    first, state = call(model, tokens[:, :T], None)
    second, _ = call(model, tokens[:, T:], state)
    wanted, _ = plain(model, tokens, None)
    torch.testing.assert_close(torch.cat([first, second], 1), wanted)
    _, state = call(model, tokens[:, :5], None)
    with pytest.raises(Missing, match="cannot continue after fewer"):
        call(model, tokens[:, 5:], state)


def _through_the_parts(*, check: bool = False) -> Any:
    def call(model: Any, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        assert not check or tokens.shape == (B, T)
        hidden, state = model.rnn(model.embed(tokens), state)
        return model.head(hidden), state

    return call


def test_a_model_that_keeps_its_state_is_not_given_more_rows() -> None:
    call = OfOneSize(call_plainly, B, None, keeps=True)
    with pytest.raises(Missing, match="reads no more of them"):
        call(nn.Identity(), torch.zeros(B + 1, T, dtype=torch.int64), None)
