"""The options of WaveNet."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from seqzoo import Options

__all__ = ["WaveNetOptions"]

_LONGEST = 65536


class WaveNetOptions(Options):
    """Widths, depth and reach."""

    hidden_size: int = Field(
        default=64, ge=1, le=4096, description="channels of the residual stream"
    )
    gate_size: int | None = Field(
        default=None, ge=1, le=4096, description="gated channels of a layer; null for hidden_size"
    )
    skip_size: int | None = Field(
        default=None,
        ge=1,
        le=16384,
        description="channels of the sum over all layers; null for twice hidden_size",
    )
    end_size: int | None = Field(
        default=None,
        ge=1,
        le=16384,
        description="units between that sum and the logits; null for skip_size",
    )
    num_layers: int = Field(
        default=7, ge=1, le=16, description="layers of a stack, with dilations of 1, 2, 4, ..."
    )
    num_stacks: int = Field(default=2, ge=1, le=64, description="stacks, one after the other")
    kernel_size: int = Field(
        default=2, ge=2, le=16, description="tokens that a convolution looks at"
    )

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Gated channels, channels of the sum, and units after it."""
        skip_size = self.skip_size or 2 * self.hidden_size
        return self.gate_size or self.hidden_size, skip_size, self.end_size or skip_size

    @property
    def dilations(self) -> list[int]:
        """Of every layer, from the first to the last: tokens between those that it looks at."""
        return [2**layer for layer in range(self.num_layers)] * self.num_stacks

    @property
    def window(self) -> int:
        """Tokens that a prediction depends on."""
        return 1 + (self.kernel_size - 1) * sum(self.dilations)

    @model_validator(mode="after")
    def _window_is_bounded(self) -> Self:
        if self.window > _LONGEST:
            raise ValueError(
                f"num_layers {self.num_layers}, num_stacks {self.num_stacks} and kernel_size "
                f"{self.kernel_size} look back {self.window} tokens, and at most {_LONGEST} are "
                f"possible; use num_layers {self._deepest()}"
            )
        return self

    def _deepest(self) -> int:
        """The largest num_layers whose window is short enough."""
        of_unit = (_LONGEST - 1) // ((self.kernel_size - 1) * self.num_stacks)
        return (of_unit + 1).bit_length() - 1
