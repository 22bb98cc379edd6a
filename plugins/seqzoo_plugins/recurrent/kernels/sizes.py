"""Sizes at which the kernels are faster than torch's own layers.

This is a fixed rule, not a measurement at run time, because a resumed run must give the same bits.
It comes from `seqzoo bench --targets` and similar sizes on two x86 cores (docs/performance.md). For
smaller sizes, starting the operations of each step takes more time than the kernels save. With one
lane, as in scoring, torch's layers were up to five times as fast as the kernels.
"""

from __future__ import annotations

__all__ = ["kernel_is_faster"]

_FROM_HIDDEN_SIZE = {"LSTM": 256, "GRU": 128, "RNN_TANH": 128, "RNN_RELU": 128}
_FROM_BATCH_SIZE = 16


def kernel_is_faster(mode: str, hidden_size: int, batch_size: int) -> bool:
    """mode: kind of layer, as torch names it (nn.RNNBase.mode)."""
    return hidden_size >= _FROM_HIDDEN_SIZE[mode] and batch_size >= _FROM_BATCH_SIZE
