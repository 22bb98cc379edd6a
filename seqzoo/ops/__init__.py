"""Fast recurrences and attention for architectures, public: `from seqzoo.ops import linear_scan`.

A scan has a naive form, `..._by_step`, which computes the same from the equation. This package
imports torch.
"""

from seqzoo.ops.attention import window_attention, window_masks
from seqzoo.ops.convolution import causal_convolution
from seqzoo.ops.matrix_state import Removal, matrix_scan, matrix_scan_by_step
from seqzoo.ops.vector_state import linear_scan, linear_scan_by_step

__all__ = [
    "Removal",
    "causal_convolution",
    "linear_scan",
    "linear_scan_by_step",
    "matrix_scan",
    "matrix_scan_by_step",
    "window_attention",
    "window_masks",
]
