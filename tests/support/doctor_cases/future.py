"""Models that read the token that they must predict."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from doctor_cases.case import Case
from doctor_cases.makers import parts, windowed
from doctor_cases.models import Attention, Causal, Stateless
from doctor_cases.proofs import reads_the_future

__all__ = ["CASES"]


class _Bidirectional(Stateless):
    def __init__(self, V: int, H: int, T: int) -> None:
        super().__init__(V, H, bidirectional=True)
        self.head = nn.Linear(2 * H, V)


def _no_mask(model: Any, scores: Tensor) -> Tensor:
    return scores.softmax(-1)


def _softmax_over_queries(model: Any, scores: Tensor) -> Tensor:
    hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    return scores.masked_fill(hidden, -math.inf).softmax(-2)


def _mask_of_zeros_and_ones(model: Any, scores: Tensor) -> Tensor:
    """A mask for multiplication, added."""
    return (scores + torch.ones(scores.shape[-2:]).tril()).softmax(-1)


def _transposed_mask(model: Any, scores: Tensor) -> Tensor:
    hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).tril(-1)
    return scores.masked_fill(hidden, -math.inf).softmax(-1)


def _masked_after_softmax(model: Any, scores: Tensor) -> Tensor:
    """Weights set to zero after softmax: what remains still depends on what was hidden."""
    hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    return scores.softmax(-1).masked_fill(hidden, 0.0)


def _heads_by_view(model: Any, x: Tensor) -> Tensor:
    """(B, T, H) read as (B, heads, T, H / heads) without a transpose."""
    return x.reshape(len(x), model.heads, x.shape[1], -1)


def _joined_by_view(model: Any, x: Tensor) -> Tensor:
    """(B, heads, T, D) read as (B, T, H) without a transpose."""
    return x.reshape(len(x), x.shape[2], -1)


def _padded_on_both_sides(model: Any, x: Tensor, size: int) -> Tensor:
    return F.pad(x, (size // 2, size // 2))


class _NormOverTime(Causal):
    """nn.GroupNorm of (B, H, T) takes its mean over T too."""

    def __init__(self, V: int, H: int, T: int) -> None:
        super().__init__(V, H)
        self.over_time = nn.GroupNorm(1, H)

    def norm(self, x: Tensor) -> Tensor:
        return self.over_time(x)


class _ChunkMeans(Attention):
    """Every token also gets the mean of its chunk of eight, of which some come later."""

    def placed(self, x: Tensor) -> Tensor:
        T = x.shape[1]
        chunks = F.pad(x, (0, 0, 0, -T % 8)).unflatten(1, (-1, 8)).mean(2, keepdim=True)
        return super().placed(x + chunks.expand(-1, -1, 8, -1).flatten(1, 2)[:, :T])


class _MeanOfTheText(Stateless):
    """A summary of the whole row is given to each of its tokens."""

    def __init__(self, V: int, H: int, T: int) -> None:
        super().__init__(V, H)

    def before(self, x: Tensor) -> Tensor:
        return x + x.mean(1, keepdim=True)


def _convolution(kind: type[Causal], **further: Any) -> Any:
    return windowed(lambda V, H, T: kind(V, H), **further)


def _case(name: str, source: str, cause: str, make: Any) -> Case:
    return Case(
        name=name,
        source=source,
        cause=cause,
        named_by=("model.causality",),
        make=make,
        proof=reads_the_future,
    )


CASES = (
    _case(
        "attention without a mask",
        "github alex-matton/causal-transformer-decoder#1",
        "Every token attends to all tokens, those after it too.",
        windowed(parts(weigh=_no_mask)),
    ),
    _case(
        "softmax over the queries",
        "github datawhalechina/llms-from-scratch-cn#54, "
        "labmlai/annotated_deep_learning_paper_implementations#146",
        "Weights sum to 1 over the queries instead of the keys, so that later queries count.",
        windowed(parts(weigh=_softmax_over_queries)),
    ),
    _case(
        "the wrong triangle",
        "github jadore801120/attention-is-all-you-need-pytorch#19",
        "The mask hides the past and shows the future.",
        windowed(parts(weigh=_transposed_mask)),
    ),
    _case(
        "heads split by view",
        "github reczoo/FuxiCTR#30, hyunwoongko/transformer#15",
        "(B, T, H) is viewed as (B, heads, T, D): a head reads pieces of other times.",
        windowed(parts(split=_heads_by_view)),
    ),
    _case(
        "heads joined by view",
        "github jsbaan/transformer-from-scratch#6, ajhalthor/Transformer-Neural-Network#4",
        "(B, heads, T, D) is viewed as (B, T, H): a token gets outputs of other times.",
        windowed(parts(join=_joined_by_view)),
    ),
    _case(
        "means of chunks",
        "github karpathy/nanochat#844",
        "The mean of a chunk is given to its first tokens, which contains the tokens after them.",
        windowed(_ChunkMeans),
    ),
)
