"""The options of the counts and of the gate."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from seqzoo_plugins.recurrent.options import StackOptions

__all__ = ["NgramLSTMOptions", "Order"]

Order = Annotated[int, Field(ge=1, le=16)]


class NgramLSTMOptions(StackOptions):
    """The stack's options, and those of the counts and the gate."""

    orders: tuple[Order, ...] = Field(
        (2, 3, 4, 5, 6),
        min_length=1,
        description="lengths of the contexts that are counted in the training part, ascending",
    )
    window: int = Field(
        4096, ge=16, le=1 << 20, description="latest tokens whose contexts are counted as well"
    )
    window_orders: tuple[Order, ...] = Field(
        (2, 3, 4, 5, 6, 8), min_length=1, description="lengths of those contexts, ascending"
    )
    gate_size: int = Field(64, ge=1, le=16384, description="hidden units of the gate")
    max_entries: int = Field(
        1 << 23,
        ge=1,
        description="symbols after contexts that are kept; of more, the rarest of each order go",
    )

    @model_validator(mode="after")
    def _orders_ascend(self) -> Self:
        for name in ("orders", "window_orders"):
            orders = getattr(self, name)
            if list(orders) != sorted(set(orders)):
                raise ValueError(f"{name} has to ascend, found {list(orders)}; sort it")
        return self
