"""Which of the processes of torchrun this one is, and how a command is started in several."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Place", "for_processes", "number_of_processes"]


@dataclass(frozen=True)
class Place:
    """One of `count` processes; `local` is its number on its own machine."""

    rank: int
    count: int
    local: int

    @classmethod
    def here(cls, environment: Mapping[str, str] = os.environ) -> Place | None:
        """None for a process that torchrun has not started, or has started alone."""
        if "TORCHELASTIC_RUN_ID" not in environment:
            return None
        rank, count, local = (int(environment[name]) for name in _VARIABLES)
        return cls(rank, count, local) if count > 1 else None


def number_of_processes() -> int:
    """How many train together with this one, itself included."""
    place = Place.here()
    return 1 if place is None else place.count


def for_processes(command: str, count: int) -> str:
    """The command that starts a command of seqzoo in so many processes."""
    return f"torchrun --nproc-per-node {count} -m {command}" if count > 1 else command


_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
