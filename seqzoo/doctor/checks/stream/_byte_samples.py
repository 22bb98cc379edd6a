"""Bytes that a tokenizer must give back: of the text, and some that no text has."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seqzoo.doctor.subject import Subject
from seqzoo.plugin.span import Span

__all__ = ["byte_samples"]

_SAMPLE_BYTES = 1 << 15


def byte_samples(subject: Subject) -> dict[str, npt.NDArray[np.uint8]]:
    """By their origin: beginning, middle and end of both splits, all values, random ones."""
    splits = subject.data.splits
    drawn = np.random.default_rng(subject.seed).integers(0, 256, 4096, dtype=np.uint8)
    return {
        "the training part": _pieces(splits.training),
        "the validation part": _pieces(splits.validation),
        "all 256 byte values": np.arange(256, dtype=np.uint8),
        "random bytes": drawn,
    }


def _pieces(span: Span) -> npt.NDArray[np.uint8]:
    """Three stretches, or all of it if it is short."""
    if len(span) <= 3 * _SAMPLE_BYTES:
        return np.array(span.bytes)
    starts = np.linspace(0, len(span) - _SAMPLE_BYTES, 3).astype(np.int64)
    return np.concatenate([span.bytes[start : start + _SAMPLE_BYTES] for start in starts])
