"""The options of SpaceByte."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from seqzoo_plugins.residual.options import ResidualOptions, require_even_heads

__all__ = ["SpaceByteOptions"]


class SpaceByteOptions(ResidualOptions):
    """The options of the blocks that read every byte, and of those that read the ends of words."""

    num_layers: int = Field(
        default=1, ge=1, le=128, description="blocks of every byte before, and after, the others"
    )
    num_heads: int = Field(
        default=4,
        ge=1,
        le=256,
        description="attention heads of each block; both sizes must be multiples of twice this",
    )
    window: int = Field(
        default=64,
        ge=2,
        le=65536,
        description="bytes that each one attends to, including itself",
    )
    global_size: int = Field(
        default=256, ge=4, le=16384, description="width at the ends of words; at least hidden_size"
    )
    global_layers: int = Field(default=2, ge=1, le=256, description="blocks at the ends of words")
    global_window: int = Field(
        default=64,
        ge=2,
        le=65536,
        description="ends of words that each one attends to, including itself",
    )

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        for name in ("hidden_size", "global_size"):
            require_even_heads(name, getattr(self, name), self.num_heads)
        if self.global_size < self.hidden_size:
            raise ValueError(
                f"global_size {self.global_size} is less than hidden_size {self.hidden_size}; "
                f"use {self.hidden_size} or more"
            )
        return self
