"""The options of the recurrent architectures; no torch, which a declaration must not import."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from seqzoo import Options

__all__ = ["STANDALONE", "RNNOptions", "StackOptions"]

STANDALONE = Path(__file__).with_name("standalone.py")
"""The same networks without seqzoo."""


class StackOptions(Options):
    """Size and regularisation of embedding, recurrent layers and head."""

    hidden_size: int = Field(default=128, ge=1, le=16384, description="units of each layer")
    num_layers: int = Field(default=1, ge=1, le=64, description="number of recurrent layers")
    embedding_size: int | None = Field(
        default=None, ge=1, le=16384, description="width of the embedding; null for hidden_size"
    )
    dropout: float = Field(
        default=0.0, ge=0.0, lt=1.0, description="dropout on the output of every layer"
    )
    input_dropout: float = Field(
        default=0.0, ge=0.0, lt=1.0, description="dropout on the embedded tokens"
    )
    tied_embeddings: bool = Field(
        default=False, description="use one matrix for the embedding and the head"
    )

    @model_validator(mode="after")
    def _tied_sizes_agree(self) -> Self:
        if self.tied_embeddings and self.embedding_size not in (None, self.hidden_size):
            raise ValueError(
                f"tied_embeddings needs embedding_size equal to hidden_size ({self.hidden_size}), "
                f"found {self.embedding_size}; leave embedding_size out"
            )
        return self


class RNNOptions(StackOptions):
    """The options of a stack, and the nonlinearity of its units."""

    nonlinearity: Literal["tanh", "relu"] = Field(
        default="tanh", description="activation function of the units"
    )
