"""Models in which the rows of a batch reach each other."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn

from doctor_cases.case import Case
from doctor_cases.makers import carried, parts, windowed
from doctor_cases.models import Attention, Recurrent, Stateless, future_mask
from doctor_cases.proofs import mixes_rows

__all__ = ["CASES"]


class _TimeFirst(Recurrent):
    """nn.LSTM as it is by default: the first axis, here the batch, is time."""

    def __init__(self, V: int, H: int) -> None:
        super().__init__(V, H)
        self.rnn = nn.LSTM(H, H)


class _AttentionOverTheBatch(Attention):
    """nn.MultiheadAttention as it is by default: attention over the batch."""

    def __init__(self, V: int, H: int, T: int) -> None:
        super().__init__(V, H, T)
        del self.joint, self.mix
        self.attention = nn.MultiheadAttention(H, 4)

    def attend(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


class _BatchNormed(Recurrent):
    """Normalised over the batch and time, in training."""

    def __init__(self, V: int, H: int) -> None:
        super().__init__(V, H)
        self.norm = nn.BatchNorm1d(H)

    def after(self, out: Tensor) -> Tensor:
        return self.norm(out.transpose(1, 2)).transpose(1, 2)


class _MomentsOfTheBatch(Recurrent):
    """Batch normalisation written by hand: the moments of the batch, also in eval mode."""

    def after(self, out: Tensor) -> Tensor:
        mean = out.mean(0, keepdim=True)
        return (out - mean) / (out.var(0, unbiased=False, keepdim=True) + 1e-5).sqrt()


def _softmax_over_rows(model: Any, scores: Tensor) -> Tensor:
    hidden = future_mask(scores.shape[-1])
    return scores.masked_fill(hidden, -math.inf).softmax(0).nan_to_num()


class _ViewedAsTimeFirst(Stateless):
    """A time-first recurrence that gets its text by view instead of transpose."""

    def __init__(self, V: int, H: int, T: int) -> None:
        super().__init__(V, H)
        self.rnn = nn.LSTM(H, H)

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        B, T = tokens.shape
        out, _ = self.rnn(self.embed(tokens).view(T, B, -1))
        return self.head(out.reshape(B, T, -1))


def _case(name: str, source: str, cause: str, make: Any, *others: str) -> Case:
    return Case(
        name=name,
        source=source,
        cause=cause,
        named_by=("model.rows", *others),
        make=make,
        proof=mixes_rows,
    )


CASES = (
    _case(
        "nn.LSTM without batch_first",
        "github AndersonJo/dqn-pytorch#1, facebookresearch/fairseq#2449",
        "The batches are (B, T), and the LSTM takes the first axis for time.",
        carried(_TimeFirst),
    ),
    _case(
        "nn.MultiheadAttention without batch_first",
        "github songyangco/GETNext#2, zhihou7/BatchFormer#29",
        "Attention runs over the rows of the batch instead of over time.",
        windowed(_AttentionOverTheBatch),
    ),
    _case(
        "batch normalisation in a language model",
        "github pytorch/pytorch#5406",
        "In training, the moments of the batch and of all times enter each token's logits.",
        carried(_BatchNormed),
        "model.causality",
    ),
    _case(
        "moments of the batch in eval mode too",
        "github OlavHN/bnlstm#2",
        "Normalisation uses the moments of the batch that is scored.",
        carried(_MomentsOfTheBatch),
    ),
    _case(
        "softmax over the batch",
        "github PetrochukM/PyTorch-NLP#2, jadore801120/attention-is-all-you-need-pytorch#52",
        "Attention's weights sum to 1 over the rows of the batch instead of the keys.",
        windowed(parts(weigh=_softmax_over_rows)),
    ),
    _case(
        "view instead of transpose",
        "github galsang/BiDAF-pytorch#17, rish-16/tokenlearner-pytorch#1",
        "(B, T, H) is viewed as (T, B, H), which cuts rows in pieces, instead of transposed.",
        windowed(_ViewedAsTimeFirst),
        "model.causality",
    ),
)
