"""An LSTM beside n-gram counts, weighed by a learnt gate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from seqzoo import ArchitectureSpec, hookimpl
from seqzoo_plugins.recurrent.options import StackOptions

if TYPE_CHECKING:
    from seqzoo_plugins.ngram_lstm.model import NgramLSTM

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


def build(options: NgramLSTMOptions, *, vocab_size: int) -> NgramLSTM:
    """An initialised model on the CPU, which has counted nothing yet."""
    from seqzoo_plugins.ngram_lstm.model import NgramLSTM

    return NgramLSTM(options, vocab_size=vocab_size)


@hookimpl
def register_architectures() -> Iterable[ArchitectureSpec]:
    return [
        ArchitectureSpec(
            name="ngram_lstm",
            summary="LSTM whose logits are corrected by gated n-gram counts, old and recent",
            options=NgramLSTMOptions,
            build=build,
            source="experts and gate after Mahoney 2005 (PAQ) and Hinton 1999; Witten-Bell 1991",
        )
    ]
