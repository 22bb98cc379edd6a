"""The processes that torchrun has started for one command: which of them this one is."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from dataclasses import dataclass

__all__ = ["Place", "enter", "for_processes", "here", "leave", "number_of_processes"]


@dataclass(frozen=True)
class Place:
    """One of `count` processes, and of `local_count` on this machine, where it is number `local`.

    address, port: of the store that all share. is_served: whether torchrun serves it, and not rank
    0. attempt: how often torchrun has started the processes before.
    """

    rank: int
    count: int
    local: int
    local_count: int
    address: str
    port: int
    is_served: bool
    attempt: int


class _Process:
    place: Place | None = None


def enter(environment: MutableMapping[str, str] = os.environ) -> Place | None:
    """Take this process's place from torchrun's variables, and remove them.

    The processes that this one starts, such as trackers, are not part of the training.
    None for a process that torchrun has not started, or has started alone.
    """
    if "TORCHELASTIC_RUN_ID" not in environment:
        return None
    found = {
        name: value
        for name, value in environment.items()
        if name in _NAMES or name.startswith("TORCHELASTIC_")
    }
    for name in found:
        del environment[name]
    if found["WORLD_SIZE"] == "1":
        return None
    _Process.place = Place(
        rank=int(found["RANK"]),
        count=int(found["WORLD_SIZE"]),
        local=int(found["LOCAL_RANK"]),
        local_count=int(found["LOCAL_WORLD_SIZE"]),
        address=found["MASTER_ADDR"],
        port=int(found["MASTER_PORT"]),
        is_served=found.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
        attempt=int(found.get("TORCHELASTIC_RESTART_COUNT", 0)),
    )
    return _Process.place


def here() -> Place | None:
    """The place of this process while several train together."""
    return _Process.place


def leave() -> None:
    """From here on this process works alone."""
    _Process.place = None


def number_of_processes() -> int:
    """How many train together with this one, itself included."""
    place = here()
    return 1 if place is None else place.count


def for_processes(command: str, count: int) -> str:
    """The command that starts a command of seqzoo in so many processes of one machine."""
    return f"torchrun --nproc-per-node {count} -m {command}" if count > 1 else command


_NAMES = (
    "GROUP_RANK",
    "GROUP_WORLD_SIZE",
    "LOCAL_RANK",
    "LOCAL_WORLD_SIZE",
    "MASTER_ADDR",
    "MASTER_PORT",
    "RANK",
    "ROLE_NAME",
    "ROLE_RANK",
    "ROLE_WORLD_SIZE",
    "WORLD_SIZE",
)
