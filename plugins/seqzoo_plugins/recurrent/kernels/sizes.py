"""Where the kernels are faster than torch's own layers, by size alone.

A rule and no measurement at run time: a resumed run must end in the same bits. It comes from
`seqzoo bench --targets` and sizes around those, on two x86 cores (docs/performance.md): below, what
starting each step's operations costs outweighs what they save. With a single lane, as in scoring,
torch's layers were up to five times as fast as the kernels.
"""

from __future__ import annotations

__all__ = ["kernel_is_faster"]

_FROM_HIDDEN_SIZE = {"LSTM": 256, "GRU": 128, "RNN_TANH": 128, "RNN_RELU": 128}
_FROM_BATCH_SIZE = 16


def kernel_is_faster(mode: str, hidden_size: int, batch_size: int) -> bool:
    """mode: torch's word for the kind of layer (nn.RNNBase.mode)."""
    return hidden_size >= _FROM_HIDDEN_SIZE[mode] and batch_size >= _FROM_BATCH_SIZE
