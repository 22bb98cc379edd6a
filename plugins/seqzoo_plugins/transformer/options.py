"""The options of the transformer."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from seqzoo import Options

__all__ = ["TransformerOptions"]


class TransformerOptions(Options):
    """Size, reach and regularisation."""

    hidden_size: int = Field(
        default=128, ge=2, le=16384, description="width of the residual stream"
    )
    num_layers: int = Field(
        default=4, ge=1, le=256, description="number of blocks of attention and feed-forward"
    )
    num_heads: int = Field(
        default=4,
        ge=1,
        le=256,
        description="attention heads; must divide hidden_size",
    )
    window: int = Field(
        default=128,
        ge=2,
        le=65536,
        description="tokens that each one attends to, including itself",
    )
    mlp_ratio: int = Field(default=4, ge=1, le=16, description="feed-forward units per hidden unit")
    dropout: float = Field(
        default=0.1,
        ge=0.0,
        lt=1.0,
        description="on the embedding and on the output of each layer",
    )
    tied_embeddings: bool = Field(
        default=True, description="use one matrix for the embedding and the head"
    )

    @model_validator(mode="after")
    def _heads_are_even_sized(self) -> Self:
        if self.hidden_size % (2 * self.num_heads):
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of {2 * self.num_heads}, twice "
                f"num_heads (rotary positions turn pairs); "
                f"use {-(-self.hidden_size // (2 * self.num_heads)) * 2 * self.num_heads}"
            )
        return self
