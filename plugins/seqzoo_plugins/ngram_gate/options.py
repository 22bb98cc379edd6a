"""The options of the gate, and of the architectures that use it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from seqzoo import Choice, Kind
from seqzoo_plugins.counts.options import CountOptions
from seqzoo_plugins.recurrent.options import StackOptions

__all__ = ["GateOptions", "NgramGateOptions", "NgramLSTMOptions"]


class GateOptions(CountOptions):
    """The options of the counts and the gate."""

    gate_size: int = Field(default=64, ge=1, le=16384, description="hidden units of the gate")
    symbol_size: int = Field(
        default=16,
        ge=1,
        le=1024,
        description="hidden units that correct the probability of each symbol",
    )


class NgramLSTMOptions(GateOptions, StackOptions):
    """The options of the stack, the counts and the gate."""


class NgramGateOptions(GateOptions):
    """The network that is combined with the counts, and the options of the counts and the gate."""

    inner: Annotated[Choice, Kind("architecture")] = Field(
        default=Choice(name="lstm"), description="the architecture that is combined with the counts"
    )
