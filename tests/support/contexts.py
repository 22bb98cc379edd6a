"""Contexts for tests that build one plugin outside a run."""

from __future__ import annotations

from seqzoo import SamplerContext
from seqzoo_plugins.bytes.tokenizer import ByteTokenizer

__all__ = ["sampler_context"]


def sampler_context(vocab_size: int = 256) -> SamplerContext:
    """For samplers over `vocab_size` ids, each of which is the byte of its value."""
    return SamplerContext(vocab_size=vocab_size, tokenizer=ByteTokenizer())
