"""The options of residual stacks; no torch, which a declaration must not import."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from seqzoo import Options

__all__ = ["MinimalOptions", "ResidualOptions", "require_even_heads"]


class ResidualOptions(Options):
    """Size and regularisation of embedding, blocks and head."""

    hidden_size: int = Field(
        default=128, ge=4, le=16384, description="width of the residual stream"
    )
    num_layers: int = Field(default=2, ge=1, le=256, description="number of blocks")
    mlp_ratio: float = Field(
        default=2.0,
        ge=0.0,
        le=16.0,
        description="feed-forward units of each block per hidden unit; 0 for none",
    )
    dropout: float = Field(
        default=0.0,
        ge=0.0,
        lt=1.0,
        description="on the embedding and on the output of each layer",
    )
    tied_embeddings: bool = Field(
        default=True, description="use one matrix for the embedding and the head"
    )

    @property
    def mlp_size(self) -> int:
        """Units of the feed-forward part; 0 for none."""
        return max(1, round(self.mlp_ratio * self.hidden_size)) if self.mlp_ratio else 0


class MinimalOptions(ResidualOptions):
    """The options of a stack of minGRU or minLSTM layers."""

    expansion: float = Field(
        default=1.0, gt=0.0, le=8.0, description="recurrent units per hidden unit"
    )
    convolution: int = Field(
        default=4, ge=1, le=64, description="width of the convolution before the gates"
    )
    candidate: Literal["linear", "positive"] = Field(
        default="linear",
        description="linear as in section 3 of the paper, or positive as in its form in logarithms",
    )

    @property
    def num_units(self) -> int:
        """Recurrent units of each layer."""
        return max(1, round(self.expansion * self.hidden_size))


def require_even_heads(name: str, size: int, num_heads: int) -> None:
    """Raises ValueError, with the next size that fits, unless every head has an even size."""
    multiple = 2 * num_heads
    if size % multiple:
        raise ValueError(
            f"{name} {size} is not a multiple of {multiple}, twice num_heads (rotary positions "
            f"turn pairs); use {-(-size // multiple) * multiple}"
        )
