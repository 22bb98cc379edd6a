"""The options of the schedules."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

import seqzoo

__all__ = [
    "ConstantOptions",
    "DecayOptions",
    "InverseSquareRootOptions",
    "WarmupStableDecayOptions",
]


class DecayOptions(seqzoo.Options):
    final_fraction: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="the learning rate at the end of the budget, as a share of the highest",
    )


class ConstantOptions(seqzoo.Options):
    final_fraction: float = Field(
        default=0.0, ge=0, le=1, description="of the other schedules; has no effect with constant"
    )


class InverseSquareRootOptions(seqzoo.Options):
    timescale: int = Field(
        default=1000,
        ge=1,
        description="updates after the warm-up until the learning rate is divided by the root of 2;"
        " with the number of warm-up steps it is the schedule of the first transformer",
    )


class WarmupStableDecayOptions(DecayOptions):
    decay_share: float = Field(
        default=0.2, gt=0, le=1, description="share of the budget, at its end, of the decay"
    )
    shape: Literal["linear", "square_root"] = Field(
        default="linear",
        description="how the learning rate falls: linear, or square_root for 1 minus the root of "
        "the share of the decay that is done",
    )
