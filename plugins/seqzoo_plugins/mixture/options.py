"""The options of a mixture; no torch, which a declaration must not import."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from seqzoo import Choice, Kind, Options

__all__ = ["MixtureOptions"]


class MixtureOptions(Options):
    """The architectures whose probabilities are mixed."""

    members: Annotated[tuple[Choice, ...], Kind("architecture")] = Field(
        default=(Choice(name="lstm"), Choice(name="gru")),
        min_length=2,
        description="the architectures whose probabilities are mixed, two or more",
    )
