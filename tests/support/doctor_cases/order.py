"""Models that do not know in which order the tokens came, or where in the batch a row is."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from doctor_cases.case import Case
from doctor_cases.makers import parts, windowed
from doctor_cases.models import Attention, Unplaced, sinusoids, turned
from doctor_cases.proofs import (
    depends_on_the_row,
    ignores_order,
    ignores_the_current_token,
    is_not_finite,
)

__all__ = ["CASES"]

ORDER = (r"\border\b|\bpositions?\b|\bswap|\bpermut",)


class _RotaryOverHeads(Unplaced):
    """Turned while still (B, T, heads, D), by a function that takes the axis before the last."""

    def attend(self, x: Tensor) -> Tensor:
        q, k, v = (part.unflatten(-1, (self.heads, -1)) for part in self.joint(x).chunk(3, -1))
        q, k = turned(q, -2).transpose(1, 2), turned(k, -2).transpose(1, 2)
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        return self.mix(self.join(self.weigh(scores) @ v.transpose(1, 2)))


class _SinusoidsOverTheBatch(Unplaced):
    """The table is (length, 1, H) for time-first tensors, and these are batch-first."""

    table: Tensor

    def __init__(self, V: int, H: int, T: int) -> None:
        super().__init__(V, H, T)
        self.register_buffer("table", sinusoids(512, H)[:, None])

    def placed(self, x: Tensor) -> Tensor:
        return x + self.table[: x.shape[0]]


class _EncoderWithoutPositions(nn.Module):
    """torch's own encoder, which adds no positions."""

    def __init__(self, V: int, H: int, T: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(H, 4, 2 * H, dropout=0.0, batch_first=True)
        self.embed, self.head = nn.Embedding(V, H), nn.Linear(H, V)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

    def forward(self, tokens: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        logits: Tensor = self.head(self.encoder(self.embed(tokens), mask=mask, is_causal=True))
        return logits


class _OnePositionForAll(Attention):
    """Positions are counted along the axis of the features' parts, which has one place."""

    def placed(self, x: Tensor) -> Tensor:
        return x + self.positions(torch.arange(x[:, :, None].shape[2]))


class _ShiftedTwice(Unplaced):
    """The model shifts its inputs to the right, and the batches are shifted already."""

    def placed(self, x: Tensor) -> Tensor:
        return F.pad(x, (0, 0, 1, 0))[:, :-1] + sinusoids(x.shape[1], self.H)


def _strictly_before(model: Any, scores: Tensor) -> Tensor:
    """The mask hides the token itself, and the first row has nothing left."""
    hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu()
    return scores.masked_fill(hidden, -math.inf).softmax(-1)


CASES = (
    Case(
        name="rotary positions over the heads",
        source="github mlfoundations/open_lm#4, facebookresearch/xformers#841",
        cause="Queries and keys are turned by the number of their head, not by their time.",
        named_by=("model.order",),
        words=ORDER,
        make=windowed(_RotaryOverHeads),
        proof=ignores_order,
    ),
    Case(
        name="attention without positions",
        source="github DaoyuanLi2816/Molecule-Generator#23, pytorch/pytorch#24826",
        cause="Nothing tells attention where a token is: a text is a bag of tokens.",
        named_by=("model.order",),
        words=ORDER,
        make=windowed(Unplaced),
        proof=ignores_order,
    ),
    Case(
        name="nn.TransformerEncoder without positions",
        source="github wenliangdai/Multimodal-End2end-Sparse#16",
        cause="torch's encoder adds no positions, and the model around it does not either.",
        named_by=("model.order",),
        words=ORDER,
        make=windowed(_EncoderWithoutPositions),
        proof=ignores_order,
    ),
    Case(
        name="positions along the batch",
        source="github songyangco/GETNext#2, KasperGroesLudvigsen/influenza_transformer#9",
        cause="A table of positions for (T, B, H) is added to (B, T, H).",
        named_by=("model.order", "model.rows"),
        words=(*ORDER, r"place (in|of) the batch|number of the row"),
        make=windowed(_SinusoidsOverTheBatch),
        proof=depends_on_the_row,
    ),
    Case(
        name="one position for every token",
        source="github songyangco/GETNext#2",
        cause="All tokens of a row get the same position.",
        named_by=("model.order",),
        words=ORDER,
        make=windowed(_OnePositionForAll),
        proof=ignores_order,
    ),
    Case(
        name="inputs shifted twice",
        source="github huggingface/transformers#46784",
        cause="The model shifts its inputs, and so do the batches: the current token is not read.",
        named_by=("model.current_token", "stream.targets"),
        words=(r"current token|\bshift|\bdelay|its own logits",),
        make=windowed(_ShiftedTwice),
        proof=ignores_the_current_token,
    ),
    Case(
        name="a mask that hides the token itself",
        source="github jadore801120/attention-is-all-you-need-pytorch#19",
        cause="The first token sees nothing: the softmax of minus infinity alone is NaN.",
        named_by=("model.finite",),
        make=windowed(parts(weigh=_strictly_before)),
        proof=is_not_finite,
    ),
)
