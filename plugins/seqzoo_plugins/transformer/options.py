"""The options of the transformer."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from seqzoo import Options
from seqzoo_plugins.residual.options import require_even_heads

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
        description="attention heads; hidden_size must be a multiple of twice this",
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

    norm: Literal["layer", "rms"] = Field(default="layer", description="LayerNorm or RMSNorm")
    feed_forward: Literal["gelu", "swiglu"] = Field(
        default="gelu", description="feed-forward part; swiglu has a third matrix, a gate"
    )
    num_key_heads: int | None = Field(
        default=None,
        ge=1,
        le=256,
        description="heads of keys and values, shared by groups of query heads; must divide "
        "num_heads; null for as many",
    )
    qk_norm: bool = Field(default=False, description="norm queries and keys, head by head")
    value_residual: bool = Field(
        default=False, description="mix the values of each layer with those of the first"
    )

    @property
    def key_heads(self) -> int:
        """Heads of keys and values."""
        return self.num_key_heads or self.num_heads

    @model_validator(mode="after")
    def _key_heads_divide_heads(self) -> Self:
        if self.num_heads % self.key_heads:
            fitting = [n for n in range(1, self.num_heads + 1) if self.num_heads % n == 0]
            raise ValueError(
                f"num_key_heads {self.key_heads} does not divide num_heads {self.num_heads}; "
                f"use {', '.join(map(str, fitting[:-1] or fitting))} or {self.num_heads}"
            )
        return self

    @model_validator(mode="after")
    def _heads_are_even_sized(self) -> Self:
        require_even_heads("hidden_size", self.hidden_size, self.num_heads)
        return self
