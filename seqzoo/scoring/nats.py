"""The code length of each token in nats; the only place where costs are computed from logits."""

from __future__ import annotations

from torch import Tensor

from seqzoo.model.runtime import in_float64

__all__ = ["nats_of"]


def nats_of(logits: Tensor, targets: Tensor) -> Tensor:
    """(B, T) float64 code lengths of targets (B, T), given logits (B, T, V).

    In float64: a float32 log-softmax is off by 1e-7 nats, and 8.000 would be 8.00000002.
    """
    # The largest logit is subtracted first, so that equal logits cost exactly log(V).
    logarithms = in_float64(logits).log_softmax(-1)
    return -logarithms.gather(-1, targets[..., None].to(logarithms.device)).squeeze(-1)
