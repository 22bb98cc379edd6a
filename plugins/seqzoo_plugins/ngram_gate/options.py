"""The options of the counts, and of the two architectures that use them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from seqzoo import Choice, Kind, Options
from seqzoo_plugins.recurrent.options import StackOptions

__all__ = ["CountOptions", "NgramGateOptions", "NgramLSTMOptions", "Order"]

Order = Annotated[int, Field(ge=1, le=16)]


class CountOptions(Options):
    """The options of the counts and the gate."""

    orders: tuple[Order, ...] = Field(
        default=(2, 3, 4, 5, 6),
        min_length=1,
        description="context lengths counted in the training part, ascending",
    )
    window: int = Field(
        default=4096,
        ge=16,
        le=1 << 20,
        description="number of latest tokens whose contexts are counted too",
    )
    window_orders: tuple[Order, ...] = Field(
        default=(2, 3, 4, 5, 6, 8),
        min_length=1,
        description="context lengths counted in the window, ascending",
    )
    gate_size: int = Field(default=64, ge=1, le=16384, description="hidden units of the gate")
    max_entries: int = Field(
        default=1 << 23,
        ge=1,
        description="most (context, symbol) counts; the rarest of each order are dropped",
    )

    @model_validator(mode="after")
    def _orders_ascend(self) -> Self:
        for name in ("orders", "window_orders"):
            orders = getattr(self, name)
            if list(orders) != sorted(set(orders)):
                raise ValueError(f"{name} must be ascending, found {list(orders)}; sort it")
        return self


class NgramLSTMOptions(CountOptions, StackOptions):
    """The options of the stack, the counts and the gate."""


class NgramGateOptions(CountOptions):
    """The architecture whose logits are corrected, and the options of the counts and the gate."""

    inner: Annotated[Choice, Kind("architecture")] = Field(
        default=Choice(name="lstm"), description="the architecture whose logits are corrected"
    )
