"""The options of RWKV-7; no torch, which a declaration must not import."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from seqzoo_plugins.residual.options import ResidualOptions

__all__ = ["RWKV7Options"]


def _rank(description: str) -> int | None:
    rank: int | None = Field(
        default=None, ge=1, le=4096, description=f"{description}; null: by hidden_size"
    )
    return rank


class RWKV7Options(ResidualOptions):
    """The options of a stack, its heads, and the ranks of the small networks of the gates."""

    num_heads: int = Field(
        default=4, ge=1, le=256, description="matrix states of each layer; must divide hidden_size"
    )
    mlp_ratio: float = Field(
        default=4.0, ge=0.25, le=16.0, description="feed-forward units per hidden unit"
    )
    tied_embeddings: bool = Field(
        default=False, description="use one matrix for the embedding and the head"
    )
    decay_rank: int | None = _rank("hidden units that compute the decay")
    rate_rank: int | None = _rank("hidden units that compute the rate of the delta rule")
    value_rank: int | None = _rank("hidden units that compute the share of the first layer's value")
    gate_rank: int | None = _rank("hidden units that compute the output gate")

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        if self.hidden_size % self.num_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of num_heads {self.num_heads}; "
                f"use {-(-self.hidden_size // self.num_heads) * self.num_heads}"
            )
        # Normed, a head of one unit is a constant, and one of two is nearly a sign.
        if self.hidden_size < 4 * self.num_heads:
            raise ValueError(
                f"each of {self.num_heads} heads needs 4 units or more, found hidden_size "
                f"{self.hidden_size}; use num_heads {max(1, self.hidden_size // 4)}"
            )
        return self

    def rank(self, chosen: int | None, factor: float) -> int:
        """The chosen rank, or factor * sqrt(hidden_size) as a multiple of 8.

        The public code has multiples of 32, for a hidden_size of 768 and more.
        """
        return chosen or 8 * max(1, round(factor * self.hidden_size**0.5 / 8))
