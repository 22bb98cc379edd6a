"""The options of Gated DeltaNet."""

from __future__ import annotations

from pydantic import Field

from seqzoo_plugins.residual.options import ResidualOptions

__all__ = ["GatedDeltaNetOptions"]


class GatedDeltaNetOptions(ResidualOptions):
    """Sizes of the heads beside those of the residual stack.

    The paper has num_heads * key_size = 3/4 hidden_size, and values of twice the size of keys.
    """

    num_heads: int = Field(
        default=3, ge=1, le=1024, description="heads; each has a matrix of keys by values"
    )
    key_size: int = Field(
        default=32, ge=1, le=1024, description="elements of a key and a query of one head"
    )
    value_size: int = Field(
        default=64, ge=1, le=1024, description="elements of a value of one head"
    )
    convolution: int = Field(
        default=4, ge=1, le=64, description="width of the convolution of queries, keys and values"
    )
