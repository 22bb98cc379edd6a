"""Elman network with tanh or relu units, as a stateful byte-level model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from seqzoo import ArchitectureSpec, Benchmark, hookimpl
from seqzoo_plugins.recurrent.options import STANDALONE, RNNOptions

if TYPE_CHECKING:
    from seqzoo import ArchitectureContext
    from seqzoo_plugins.recurrent.rnn import RNN
    from seqzoo_plugins.recurrent.stack import PlainStack


def build(options: RNNOptions, context: ArchitectureContext) -> RNN:
    """An initialised model on the CPU."""
    from seqzoo_plugins.recurrent.rnn import RNN

    return RNN(options, vocab_size=context.vocab_size)


def plain_torch(options: RNNOptions, context: ArchitectureContext) -> PlainStack:
    """The same network in ordinary torch."""
    from torch import nn

    from seqzoo_plugins.recurrent.stack import PlainStack, fused_layers

    layers = fused_layers(nn.RNN, options, nonlinearity=options.nonlinearity)
    return PlainStack(layers, vocab_size=context.vocab_size, options=options)


def step_by_step(options: RNNOptions, context: ArchitectureContext) -> RNN:
    """The same network, computed step by step from its equations."""
    model = build(options, context)
    model.by_the_cell = True
    return model


@hookimpl
def register_architectures() -> Iterable[ArchitectureSpec]:
    return [
        ArchitectureSpec(
            name="rnn",
            summary="simple recurrent network, tanh or relu",
            options=RNNOptions,
            build=build,
            plain_torch=plain_torch,
            step_by_step=step_by_step,
            benchmarks=(
                Benchmark(options={"hidden_size": 128, "num_layers": 2}, training=1.2),
                Benchmark(options={"hidden_size": 512}, training=1.2),
            ),
            standalone=STANDALONE,
            source="Elman 1990, Cognitive Science 14(2); relu: Le et al. 2015, arXiv:1504.00941",
        )
    ]
