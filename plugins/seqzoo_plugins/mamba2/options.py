"""The options of Mamba-2."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from seqzoo_plugins.residual.options import ResidualOptions

__all__ = ["Mamba2Options"]


class Mamba2Options(ResidualOptions):
    """Sizes of the state space beside those of the residual stack."""

    mlp_ratio: float = Field(
        default=0.0,
        ge=0.0,
        le=16.0,
        description="units of a gated feed-forward part per hidden unit; 0 for none",
    )
    expansion: int = Field(default=2, ge=1, le=8, description="inner channels per hidden unit")
    num_heads: int = Field(
        default=4, ge=1, le=1024, description="heads; must divide expansion times hidden_size"
    )
    state_size: int = Field(
        default=32, ge=1, le=1024, description="numbers kept for each inner channel"
    )
    convolution: int = Field(
        default=4, ge=1, le=64, description="width of the convolution before the state space"
    )

    @property
    def num_channels(self) -> int:
        """Inner channels of a layer, all heads together."""
        return self.expansion * self.hidden_size

    @model_validator(mode="after")
    def _heads_are_equal(self) -> Self:
        if self.num_channels % self.num_heads:
            needed = self.num_heads  # the smallest larger hidden_size that fits
            hidden_size = next(
                size
                for size in range(self.hidden_size + 1, self.hidden_size + needed + 1)
                if self.expansion * size % needed == 0
            )
            raise ValueError(
                f"expansion {self.expansion} times hidden_size {self.hidden_size} is not a "
                f"multiple of num_heads {self.num_heads}; use hidden_size {hidden_size}"
            )
        return self
