"""Gated recurrent unit, as a stateful byte-level model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from seqzoo import ArchitectureSpec, hookimpl
from seqzoo_plugins._stack_options import StackOptions

if TYPE_CHECKING:
    from seqzoo_plugins._stack import PlainStack
    from seqzoo_plugins.gru.model import GRU


class GRUOptions(StackOptions):
    """The stack's options and nothing more."""


def build(options: GRUOptions, *, vocab_size: int) -> GRU:
    """An initialised model on the CPU."""
    from seqzoo_plugins.gru.model import GRU

    return GRU(options, vocab_size=vocab_size)


def reference(options: GRUOptions, *, vocab_size: int) -> PlainStack:
    """The same network in torch's own words."""
    from torch import nn

    from seqzoo_plugins._stack import PlainStack, fused_layers

    layers = fused_layers(nn.GRU, options)
    return PlainStack(layers, vocab_size=vocab_size, options=options)


@hookimpl
def register_architectures() -> Iterable[ArchitectureSpec]:
    return [
        ArchitectureSpec(
            name="gru",
            summary="gated recurrent unit",
            options=GRUOptions,
            build=build,
            reference=reference,
            source="Cho et al. 2014, arXiv:1406.1078, eq. 5-8",
        )
    ]
