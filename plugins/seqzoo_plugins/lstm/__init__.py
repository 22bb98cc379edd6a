"""Long short-term memory, as a stateful byte-level model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from seqzoo import ArchitectureSpec, hookimpl
from seqzoo_plugins._stack_options import StackOptions

if TYPE_CHECKING:
    from seqzoo_plugins._lstm import LSTM
    from seqzoo_plugins._stack import PlainStack


class LSTMOptions(StackOptions):
    """The stack's options and the bias that the forget gates start with."""

    forget_bias: float = Field(
        1.0, ge=-16.0, le=16.0, description="initial bias of the forget gates; 1 keeps memory open"
    )


def build(options: LSTMOptions, *, vocab_size: int) -> LSTM:
    """An initialised model on the CPU."""
    from seqzoo_plugins._lstm import LSTM

    return LSTM(options, forget_bias=options.forget_bias, vocab_size=vocab_size)


def reference(options: LSTMOptions, *, vocab_size: int) -> PlainStack:
    """The same network in torch's own words."""
    from torch import nn

    from seqzoo_plugins._stack import PlainStack, fused_layers

    layers = fused_layers(nn.LSTM, options)
    return PlainStack(layers, vocab_size=vocab_size, options=options)


@hookimpl
def register_architectures() -> Iterable[ArchitectureSpec]:
    return [
        ArchitectureSpec(
            name="lstm",
            summary="long short-term memory with forget gates",
            options=LSTMOptions,
            build=build,
            reference=reference,
            source="Gers et al. 2000, Neural Computation 12(10); Hochreiter and Schmidhuber 1997",
        )
    ]
