"""The options of Griffin."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from seqzoo_plugins.residual.options import ResidualOptions, require_even_heads

__all__ = ["GriffinOptions"]


class GriffinOptions(ResidualOptions):
    """The options of the stack, the recurrent layers and the local attention."""

    num_layers: int = Field(default=3, ge=1, le=256, description="number of blocks")
    mlp_ratio: float = Field(
        default=3.0,
        ge=0.0,
        le=16.0,
        description="gated feed-forward units of each block per hidden unit; 0 for none",
    )
    attention_every: int = Field(
        default=3,
        ge=0,
        le=256,
        description="every n-th block has local attention, the others are recurrent; 0 for none, "
        "which is the paper's Hawk",
    )
    window: int = Field(
        default=64,
        ge=2,
        le=65536,
        description="tokens that each one attends to, including itself",
    )
    num_heads: int = Field(
        default=4,
        ge=1,
        le=256,
        description="attention heads of an even size, and blocks of the gates' matrices; "
        "hidden_size must be a multiple of twice this",
    )
    expansion: float = Field(
        default=1.0,
        gt=0.0,
        le=8.0,
        description="recurrent units per hidden unit, rounded to a multiple of num_heads",
    )
    convolution: int = Field(
        default=4, ge=1, le=64, description="width of the convolution before the recurrence"
    )

    @property
    def num_units(self) -> int:
        """Recurrent units of each layer."""
        return max(1, round(self.expansion * self.hidden_size / self.num_heads)) * self.num_heads

    @model_validator(mode="after")
    def _heads_are_even_sized(self) -> Self:
        if self.attention_every:
            require_even_heads("hidden_size", self.hidden_size, self.num_heads)
        return self
