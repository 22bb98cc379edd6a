"""N-gram counts, combined by a learned gate with an LSTM or with any other architecture."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from seqzoo import ArchitectureSpec, hookimpl
from seqzoo_plugins.ngram_gate.options import NgramGateOptions, NgramLSTMOptions

if TYPE_CHECKING:
    from seqzoo import ArchitectureContext
    from seqzoo_plugins.ngram_gate.models import NgramGate, NgramLSTM


def build_gate(options: NgramGateOptions, context: ArchitectureContext) -> NgramGate:
    """An initialised model on the CPU around the chosen one, with empty counts."""
    from seqzoo_plugins.ngram_gate.models import NgramGate

    inner = context.build(options.inner)
    return NgramGate(inner, options, vocab_size=context.vocab_size, tokenizer=context.tokenizer)


def build_lstm(options: NgramLSTMOptions, context: ArchitectureContext) -> NgramLSTM:
    """An initialised model on the CPU, with empty counts."""
    from seqzoo_plugins.ngram_gate.models import NgramLSTM

    return NgramLSTM(options, vocab_size=context.vocab_size, tokenizer=context.tokenizer)


@hookimpl
def register_architectures() -> Iterable[ArchitectureSpec]:
    source = "experts and gate after Mahoney 2005 (PAQ) and Hinton 1999; Witten-Bell 1991"
    yield ArchitectureSpec(
        name="ngram_gate",
        summary="any architecture, combined by a gate with n-gram counts, old and recent",
        options=NgramGateOptions,
        build=build_gate,
        source=source,
    )
    yield ArchitectureSpec(
        name="ngram_lstm",
        summary="LSTM combined by a gate with n-gram counts, old and recent",
        options=NgramLSTMOptions,
        build=build_lstm,
        source=source,
    )
