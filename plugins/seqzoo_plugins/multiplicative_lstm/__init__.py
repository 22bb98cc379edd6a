"""The multiplicative LSTM: each input chooses the recurrent matrix of its step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from seqzoo import ArchitectureSpec, hookimpl
from seqzoo_plugins.multiplicative_lstm.options import MultiplicativeLSTMOptions

if TYPE_CHECKING:
    from seqzoo import ArchitectureContext
    from seqzoo_plugins.multiplicative_lstm.model import MultiplicativeLSTM


def build(options: MultiplicativeLSTMOptions, context: ArchitectureContext) -> MultiplicativeLSTM:
    """An initialised model on the CPU."""
    from seqzoo_plugins.multiplicative_lstm.model import MultiplicativeLSTM

    return MultiplicativeLSTM(options, vocab_size=context.vocab_size)


@hookimpl
def register_architectures() -> Iterable[ArchitectureSpec]:
    return [
        ArchitectureSpec(
            name="multiplicative_lstm",
            summary="multiplicative LSTM: each input chooses the recurrent matrix of its step",
            options=MultiplicativeLSTMOptions,
            build=build,
            source="Krause et al. 2016, arXiv:1609.07959",
        )
    ]
