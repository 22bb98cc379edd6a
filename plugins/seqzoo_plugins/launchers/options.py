"""The options of the launchers."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from seqzoo import Options

__all__ = ["RayOptions"]


class RayOptions(Options):
    """Options of `ray`."""

    shorthand: ClassVar[str | None] = "address"
    address: str | None = Field(
        default=None,
        min_length=1,
        description="address of the cluster; auto: the one that this machine belongs to; local: "
        "this machine alone; null: that of the environment variable RAY_ADDRESS, else local",
    )
    threads: int = Field(
        default=1, ge=1, description="processor cores of each member, and its threads"
    )
    gpus: float = Field(default=0, ge=0, description="GPUs of each member; they can be shared")
    other_versions: bool = Field(
        default=False,
        description="whether machines with other versions of Python or torch may help",
    )
