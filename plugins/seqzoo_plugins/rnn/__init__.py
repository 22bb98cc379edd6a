"""Elman network with tanh or relu units, as a stateful byte-level model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from seqzoo import ArchitectureSpec, hookimpl
from seqzoo_plugins._stack_options import StackOptions

if TYPE_CHECKING:
    from seqzoo_plugins._stack import PlainStack
    from seqzoo_plugins.rnn.model import RNN


class RNNOptions(StackOptions):
    """The stack's options and the nonlinearity of the units."""

    nonlinearity: Literal["tanh", "relu"] = Field("tanh", description="what the units apply")


def build(options: RNNOptions, *, vocab_size: int) -> RNN:
    """An initialised model on the CPU."""
    from seqzoo_plugins.rnn.model import RNN

    return RNN(options, vocab_size=vocab_size)


def reference(options: RNNOptions, *, vocab_size: int) -> PlainStack:
    """The same network in torch's own words."""
    from torch import nn

    from seqzoo_plugins._stack import PlainStack, fused_layers

    layers = fused_layers(nn.RNN, options, nonlinearity=options.nonlinearity)
    return PlainStack(layers, vocab_size=vocab_size, options=options)


@hookimpl
def register_architectures() -> Iterable[ArchitectureSpec]:
    return [
        ArchitectureSpec(
            name="rnn",
            summary="simple recurrent network, tanh or relu",
            options=RNNOptions,
            build=build,
            reference=reference,
            source="Elman 1990, Cognitive Science 14(2); relu: Le et al. 2015, arXiv:1504.00941",
        )
    ]
