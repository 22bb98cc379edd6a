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
from doctor_cases.proofs import depends_on_the_length, reads_the_future

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


def _masked_by_a_small_number(model: Any, scores: Tensor) -> Tensor:
    """Hidden scores are set to -e, which is no less than many others."""
    hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    return scores.masked_fill(hidden, -math.e).softmax(-1)


def _transposed_mask(model: Any, scores: Tensor) -> Tensor:
    hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).tril(-1)
    return scores.masked_fill(hidden, -math.inf).softmax(-1)


def _masked_without_dropout(model: Any, scores: Tensor) -> Tensor:
    """The path that training takes, because of its dropout, has no mask."""
    if not model.training:
        hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        return scores.masked_fill(hidden, -math.inf).softmax(-1)
    return F.dropout(scores.softmax(-1), 0.1)


class _FusedWithoutMask(Attention):
    """torch's own attention, called without is_causal."""

    def attend(self, x: Tensor) -> Tensor:
        q, k, v = (self.split(part) for part in self.joint(x).chunk(3, -1))
        return self.mix(self.join(F.scaled_dot_product_attention(q, k, v)))


class _Spectral(Stateless):
    """A filter in the frequencies of the whole row: its impulse response wraps around."""

    def __init__(self, V: int, H: int, T: int) -> None:
        super().__init__(V, H)
        self.filter = nn.Parameter(torch.randn(T // 2 + 1, H, 2))

    def before(self, x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft(x, dim=1)
        response = torch.view_as_complex(self.filter)[: spectrum.shape[1]]
        return x + torch.fft.irfft(spectrum * response, n=x.shape[1], dim=1)


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


def _from_the_end(model: Any, x: Tensor) -> Tensor:
    """The last token has position 0."""
    return x + model.positions(torch.arange(x.shape[1]).flip(0))


def _case(
    name: str, source: str, cause: str, make: Any, *, words: Any = (), proof: Any = reads_the_future
) -> Case:
    return Case(
        name=name,
        source=source,
        cause=cause,
        named_by=("model.causality",),
        words=words,
        make=make,
        proof=proof,
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
        "github pytorch/examples#649",
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
        "heads split and joined by view",
        "discuss.pytorch.org, difference between view and transpose in multi-head attention",
        "Both views mix places: a head sees a part of the text, another for each length.",
        windowed(parts(split=_heads_by_view, join=_joined_by_view)),
        words=(r"transpose",),
        proof=depends_on_the_length,
    ),
    _case(
        "positions counted from the end",
        "the padding side of huggingface/transformers' GPT-2 documentation",
        "The last token has position 0, so that a token's position changes as the text grows.",
        windowed(parts(placed=_from_the_end)),
        words=(r"positions from the beginning",),
        proof=depends_on_the_length,
    ),
    _case(
        "a mask of a small number",
        "github hyunwoongko/transformer#10",
        "Hidden scores are set to -e instead of minus infinity, and keep a weight.",
        windowed(parts(weigh=_masked_by_a_small_number)),
    ),
    _case(
        "no mask in training",
        "github keras-team/keras#23038",
        "The path with dropout, which training takes, leaves the mask out.",
        windowed(parts(weigh=_masked_without_dropout)),
    ),
    _case(
        "fused attention without is_causal",
        "github huggingface/transformers#48748",
        "scaled_dot_product_attention is called without a mask.",
        windowed(_FusedWithoutMask),
    ),
    _case(
        "convolution padded on both sides",
        "github maxim5/time-series-machine-learning#12, MarkusThill/bioma-tcn-ae#4",
        "Padding 'same' centres the kernel, so that half of it reads later tokens.",
        windowed(lambda V, H, T: parts(Causal, pad=_padded_on_both_sides)(V, H)),
    ),
    _case(
        "group normalisation over time",
        "github Wan-Video/Wan2.1#294, espnet/espnet#5900",
        "The moments of (B, H, T) are taken over T too, later tokens included.",
        windowed(_NormOverTime),
    ),
    _case(
        "the mean of the text as a feature",
        "github seorim0/SE-using-SRL-Model#2",
        "A mean over the whole row is added to each of its tokens.",
        windowed(_MeanOfTheText),
    ),
    _case(
        "a filter in frequencies",
        "github karpathy/nanochat#844",
        "A product of spectra is a circular convolution, which wraps around to later tokens.",
        windowed(_Spectral),
    ),
    _case(
        "bidirectional LSTM",
        "github sherjilozair/char-rnn-tensorflow#64",
        "Half of the features are computed from right to left.",
        windowed(_Bidirectional),
    ),
    _case(
        "means of chunks",
        "github karpathy/nanochat#844",
        "The mean of a chunk is given to its first tokens, which contains the tokens after them.",
        windowed(_ChunkMeans),
    ),
)
