"""Numbers that are too coarse, or no numbers."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from doctor_cases.case import Arguments, Case
from doctor_cases.makers import parts, windowed
from doctor_cases.models import Attention, Recurrent, future_mask
from doctor_cases.proofs import is_not_finite, loses_updates
from doctor_cases.setting import Setting

__all__ = ["CASES"]


def _pure(dtype: torch.dtype, learning_rate: float) -> Any:
    def make(setting: Setting) -> Arguments:
        return setting.stateful(
            lambda: Recurrent(256, setting.H).to(dtype),
            optimizer=lambda parameters: torch.optim.Adam(parameters, lr=learning_rate),
        )

    return make


class _HalfWithALargeMask(Attention):
    """In float16 the number -1e9 does not exist."""

    def __init__(self, V: int, H: int, T: int) -> None:
        super().__init__(V, H, T)
        self.half()

    def weigh(self, scores: Tensor) -> Tensor:
        return scores.masked_fill(future_mask(scores.shape[-1]), -1e9).softmax(-1)


def _overflows(arguments: Any) -> bool:
    try:
        arguments["model"]()(torch.zeros(1, 4, dtype=torch.int64))
    except RuntimeError as error:
        return "overflow" in str(error)
    return False


class _MaskOfQueries(Attention):
    """The mask for padding, here the space, is laid over the queries instead of the keys."""

    def forward(self, tokens: Tensor) -> Tensor:
        self.padding = tokens == ord(" ")
        return super().forward(tokens)

    def weigh(self, scores: Tensor) -> Tensor:
        hidden = future_mask(scores.shape[-1]) | self.padding[:, None, :, None]
        return scores.masked_fill(hidden, -math.inf).softmax(-1)


def _exponentials(model: Any, scores: Tensor) -> Tensor:
    """Softmax by hand, of scores that are not scaled: exp(90) is infinite in float32."""
    powers = (64 * scores).exp().masked_fill(future_mask(scores.shape[-1]), 0.0)
    return powers / powers.sum(-1, keepdim=True)


CASES = (
    Case(
        name="weights in bfloat16, a small learning rate",
        source="github meta-pytorch/torchtune#2254, workofart/ml-by-hand#85",
        cause="An update of 1e-5 is smaller than the last place of most weights and is lost.",
        named_by=("optimisation.precision",),
        words=(r"bfloat16|precision|last place|round",),
        make=_pure(torch.bfloat16, 1e-5),
        proof=loses_updates,
    ),
    Case(
        name="weights in bfloat16",
        source="github pytorch/ao#1124",
        cause="With a rate of 1e-4 most updates are rounded away.",
        named_by=("optimisation.precision",),
        words=(r"bfloat16|precision|last place|round",),
        make=_pure(torch.bfloat16, 1e-4),
        proof=loses_updates,
    ),
    Case(
        name="a mask of -1e9 in float16",
        source="github facebookresearch/fairseq#3575, bentrevett/pytorch-seq2seq#191",
        cause="float16 ends at 65504: the mask's number overflows.",
        named_by=("model.contract",),
        words=(r"overflow|half|float16",),
        make=windowed(_HalfWithALargeMask),
        proof=_overflows,
    ),
    Case(
        name="softmax by hand overflows",
        source="github tensorflow/models#181, zackchase/mxnet-the-straight-dope#3",
        cause="exp() of large scores is infinite, and infinity by infinity is NaN.",
        named_by=("model.finite",),
        make=windowed(parts(weigh=_exponentials)),
        proof=is_not_finite,
    ),
    Case(
        name="a padding mask over the queries",
        source="github hyunwoongko/transformer#40",
        cause="unsqueeze(3) instead of unsqueeze(2): a padded query sees nothing, and gets NaN.",
        named_by=("model.finite",),
        make=windowed(_MaskOfQueries),
        proof=is_not_finite,
    ),
)
