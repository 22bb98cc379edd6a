"""The options of the multiplicative LSTM; no torch, which a declaration must not import."""

from __future__ import annotations

from pydantic import Field

from seqzoo_plugins.recurrent.options import StackOptions

__all__ = ["MultiplicativeLSTMOptions"]


class MultiplicativeLSTMOptions(StackOptions):
    """The options of the stack, and the initial bias of the forget gates."""

    forget_bias: float = Field(
        default=1.0,
        ge=-16.0,
        le=16.0,
        description="initial bias of the forget gates; 1 keeps the memory at first",
    )
