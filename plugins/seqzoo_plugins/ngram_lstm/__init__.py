"""An LSTM combined with n-gram counts by a learned gate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from seqzoo import ArchitectureSpec, hookimpl
from seqzoo_plugins.ngram_lstm.options import NgramLSTMOptions

if TYPE_CHECKING:
    from seqzoo import ArchitectureContext
    from seqzoo_plugins.ngram_lstm.model import NgramLSTM


def build(options: NgramLSTMOptions, context: ArchitectureContext) -> NgramLSTM:
    """An initialised model on the CPU, with empty counts."""
    from seqzoo_plugins.ngram_lstm.model import NgramLSTM

    return NgramLSTM(options, vocab_size=context.vocab_size)


@hookimpl
def register_architectures() -> Iterable[ArchitectureSpec]:
    return [
        ArchitectureSpec(
            name="ngram_lstm",
            summary="LSTM whose logits are corrected by gated n-gram counts, old and recent",
            options=NgramLSTMOptions,
            build=build,
            source="experts and gate after Mahoney 2005 (PAQ) and Hinton 1999; Witten-Bell 1991",
        )
    ]
