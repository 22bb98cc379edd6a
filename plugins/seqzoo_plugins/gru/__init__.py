"""Gated recurrent unit, as a stateful byte-level model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from seqzoo import ArchitectureSpec, Benchmark, hookimpl
from seqzoo_plugins.recurrent.options import STANDALONE, StackOptions

if TYPE_CHECKING:
    from seqzoo import ArchitectureContext
    from seqzoo_plugins.recurrent.gru import GRU
    from seqzoo_plugins.recurrent.stack import PlainStack


class GRUOptions(StackOptions):
    """The options of the stack."""


def build(options: GRUOptions, context: ArchitectureContext) -> GRU:
    """An initialised model on the CPU."""
    from seqzoo_plugins.recurrent.gru import GRU

    return GRU(options, vocab_size=context.vocab_size)


def plain_torch(options: GRUOptions, context: ArchitectureContext) -> PlainStack:
    """The same network in ordinary torch."""
    from torch import nn

    from seqzoo_plugins.recurrent.stack import PlainStack, fused_layers

    layers = fused_layers(nn.GRU, options)
    return PlainStack(layers, vocab_size=context.vocab_size, options=options)


def step_by_step(options: GRUOptions, context: ArchitectureContext) -> GRU:
    """The same network, computed step by step from its equations."""
    model = build(options, context)
    model.by_the_cell = True
    return model


@hookimpl
def register_architectures() -> Iterable[ArchitectureSpec]:
    return [
        ArchitectureSpec(
            name="gru",
            summary="gated recurrent unit",
            options=GRUOptions,
            build=build,
            plain_torch=plain_torch,
            step_by_step=step_by_step,
            benchmarks=(
                Benchmark(options={"hidden_size": 128, "num_layers": 2}, training=1.2),
                Benchmark(options={"hidden_size": 512}, training=1.4),
            ),
            standalone=STANDALONE,
            source="Cho et al. 2014, arXiv:1406.1078, eq. 5-8",
        )
    ]
