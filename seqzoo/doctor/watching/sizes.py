"""How far a step moves a weight, and how much weight decay there is in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from seqzoo.doctor.watching.optimizers import groups_of

__all__ = ["decay_beside_gradient", "shrinkage_of"]

_WITHOUT_GRADIENT = ("Lion", "Muon", "Adafactor")
_VALUES = 256


def shrinkage_of(optimizer: Any) -> float:
    """The largest share of a weight that decay takes in a step, beside the gradient.

    Loshchilov and Hutter 2019, arXiv:1711.05101: the rate times the decay.
    """
    return max(
        (
            float(group["lr"]) * float(group.get("weight_decay") or 0.0)
            for group in groups_of(optimizer)
            if _is_decoupled(optimizer, group)
        ),
        default=0.0,
    )


def decay_beside_gradient(optimizer: Any, parameters: Mapping[str, nn.Parameter]) -> float | None:
    """The decay that is added to the gradient, as a multiple of it; None if there is none.

    The median over matrices, of values that have a gradient.
    """
    owned = {id(each) for each in parameters.values()}
    found: list[float] = []
    for group in groups_of(optimizer):
        decay = float(group.get("weight_decay") or 0.0)
        if not decay or _is_decoupled(optimizer, group):
            continue
        for each in group["params"]:
            if id(each) not in owned or each.ndim < 2 or each.grad is None or each.grad.is_sparse:
                continue
            stride = max(1, each.numel() // _VALUES)
            gradient = each.grad.detach().reshape(-1)[::stride].float()
            weights = each.detach().reshape(-1)[::stride].float()
            size = float(torch.linalg.vector_norm(gradient))
            if size > 0 and math.isfinite(size):
                pull = decay * float(torch.linalg.vector_norm(weights[gradient != 0]))
                found.append(pull / size)
    return sorted(found)[len(found) // 2] if found else None


def _is_decoupled(optimizer: Any, group: Mapping[str, Any]) -> bool:
    kind = type(optimizer)
    if not kind.__module__.startswith("torch.optim"):  # most others decay as AdamW does
        return True
    is_own = kind.__name__.endswith("W") or kind.__name__ in _WITHOUT_GRADIENT
    return is_own or bool(group.get("decoupled_weight_decay"))
