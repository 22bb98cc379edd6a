"""The options of xLSTM; no torch, which a declaration must not import."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from seqzoo_plugins.residual.options import ResidualOptions

__all__ = ["XLSTMOptions"]


class XLSTMOptions(ResidualOptions):
    """The options of a stack, its heads, and which of its blocks are sLSTM blocks."""

    num_heads: int = Field(
        default=4,
        ge=1,
        le=256,
        description="memories of each layer; hidden_size must be a multiple of 4 times this",
    )
    slstm_every: int = Field(
        default=2,
        ge=0,
        le=256,
        description="every n-th block is an sLSTM block, the others are mLSTM blocks; 0 for none",
    )
    mlp_ratio: float = Field(
        default=4 / 3,
        ge=0.0,
        le=16.0,
        description="feed-forward units of each sLSTM block per hidden unit; 0 for none",
    )
    expansion: int = Field(
        default=2, ge=1, le=8, description="units inside an mLSTM layer per hidden unit"
    )
    convolution: int = Field(
        default=4, ge=1, le=64, description="width of the convolution in each layer"
    )

    @model_validator(mode="after")
    def _heads_are_equal(self) -> Self:
        unit = 4 * self.num_heads
        if self.hidden_size % unit:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of {unit}, 4 units for each of "
                f"num_heads; use {-(-self.hidden_size // unit) * unit}"
            )
        return self

    def is_slstm(self, layer: int) -> bool:
        """Whether that block, from 0, is an sLSTM block."""
        return self.slstm_every > 0 and (layer + 1) % self.slstm_every == 0
