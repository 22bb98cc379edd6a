"""The options of the recurrent architectures; no torch, which a declaration must not import."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from seqzoo import Options

__all__ = ["RNNOptions", "StackOptions"]


class StackOptions(Options):
    """Size and regularisation of embedding, recurrent layers and head."""

    hidden_size: int = Field(128, ge=1, le=16384, description="units of each layer")
    num_layers: int = Field(1, ge=1, le=64, description="recurrent layers, one above the other")
    embedding_size: int | None = Field(
        None, ge=1, le=16384, description="width of the embedding; null for hidden_size"
    )
    dropout: float = Field(
        0.0, ge=0.0, lt=1.0, description="on what each layer gives upwards, the last included"
    )
    input_dropout: float = Field(0.0, ge=0.0, lt=1.0, description="on the embedded tokens")
    tied_embeddings: bool = Field(False, description="share the head's matrix with the embedding")

    @model_validator(mode="after")
    def _tied_sizes_agree(self) -> Self:
        if self.tied_embeddings and self.embedding_size not in (None, self.hidden_size):
            raise ValueError(
                f"tied_embeddings needs embedding_size equal to hidden_size ({self.hidden_size}), "
                f"found {self.embedding_size}; leave embedding_size out"
            )
        return self


class RNNOptions(StackOptions):
    """The stack's options and the nonlinearity of the units."""

    nonlinearity: Literal["tanh", "relu"] = Field("tanh", description="what the units apply")
