"""Long short-term memory, as a stateful byte-level model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from seqzoo import ArchitectureSpec, Benchmark, hookimpl
from seqzoo_plugins.recurrent.options import STANDALONE, StackOptions

if TYPE_CHECKING:
    from seqzoo import ArchitectureContext
    from seqzoo_plugins.recurrent.lstm import LSTM
    from seqzoo_plugins.recurrent.stack import PlainStack


class LSTMOptions(StackOptions):
    """The options of the stack, and the initial bias of the forget gates."""

    forget_bias: float = Field(
        default=1.0,
        ge=-16.0,
        le=16.0,
        description="initial bias of the forget gates; 1 keeps the memory at first",
    )


def build(options: LSTMOptions, context: ArchitectureContext) -> LSTM:
    """An initialised model on the CPU."""
    from seqzoo_plugins.recurrent.lstm import LSTM

    return LSTM(options, forget_bias=options.forget_bias, vocab_size=context.vocab_size)


def plain_torch(options: LSTMOptions, context: ArchitectureContext) -> PlainStack:
    """The same network in ordinary torch."""
    from torch import nn

    from seqzoo_plugins.recurrent.stack import PlainStack, fused_layers

    layers = fused_layers(nn.LSTM, options)
    return PlainStack(layers, vocab_size=context.vocab_size, options=options)


def step_by_step(options: LSTMOptions, context: ArchitectureContext) -> LSTM:
    """The same network, computed step by step from its equations."""
    model = build(options, context)
    model.by_the_cell = True
    return model


@hookimpl
def register_architectures() -> Iterable[ArchitectureSpec]:
    return [
        ArchitectureSpec(
            name="lstm",
            summary="long short-term memory with forget gates",
            options=LSTMOptions,
            build=build,
            plain_torch=plain_torch,
            step_by_step=step_by_step,
            benchmarks=(
                Benchmark(
                    options={"hidden_size": 128, "num_layers": 2},
                    training=1.0,
                    sampling=4.0,
                    sampling_16=1.5,
                ),
                Benchmark(options={"hidden_size": 256}, training=1.0),
                Benchmark(
                    options={"hidden_size": 512}, training=1.4, sampling=10.0, sampling_16=1.5
                ),
                Benchmark(options={"hidden_size": 1024}, batch_size=64, training=1.4),
            ),
            standalone=STANDALONE,
            source="Gers et al. 2000, Neural Computation 12(10); Hochreiter and Schmidhuber 1997",
        )
    ]
