"""How the processes of torchrun find each other: a store of short values that all can read."""

from __future__ import annotations

import functools
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import torch.distributed as dist

from seqzoo.errors import EnvironmentFault
from seqzoo.torchrun import Place

__all__ = [
    "PATIENCE",
    "READY",
    "NotConnected",
    "not_connected",
    "part_of",
    "release",
    "store_of",
    "wait_for_first",
]

PATIENCE = timedelta(days=1)
"""One rank validates and writes while the others wait. A rank that ends is noticed at once."""

READY, _OVER = "ready", "over"
"""Keys of the store: rank 0 has prepared a training; it has ended without one."""

_TO_CONNECT = timedelta(seconds=60)
_LOOK_AGAIN_S = 0.05


class NotConnected(EnvironmentFault):
    """The processes cannot reach each other."""


def wait_for_first(place: Place, should_end: Callable[[], bool]) -> bool:
    """Wait until rank 0 has prepared the training; False if it ends without one.

    torch's own wait does not notice a signal. Raises KeyboardInterrupt if `should_end` is true.
    """
    store = store_of(place)
    try:
        while not store.check([READY]):
            if store.check([_OVER]):
                return False
            if should_end():
                raise KeyboardInterrupt
            time.sleep(_LOOK_AGAIN_S)
    except RuntimeError as error:  # torchrun itself has ended
        raise not_connected(error) from error
    return True


def release(place: Place) -> None:
    """Let the others end where rank 0 ends without a training."""
    with suppress(NotConnected, RuntimeError):
        store_of(place).set(_OVER, "")


@functools.cache
def store_of(place: Place) -> dist.Store:
    """The store of all processes. Raises NotConnected."""
    serves = place.rank == 0 and not place.is_served
    try:
        if place.is_served:  # torch would try for minutes, and not notice a signal
            socket.create_connection((place.address, place.port), timeout=10).close()
        store: dist.Store = dist.TCPStore(  # type: ignore[attr-defined]
            place.address, place.port, is_master=serves, timeout=_TO_CONNECT, wait_for_workers=False
        )
    except (RuntimeError, OSError) as error:
        raise not_connected(error) from error
    store.set_timeout(PATIENCE)
    return part_of(store, f"seqzoo-{place.attempt}")


def part_of(store: dist.Store, name: str) -> dist.Store:
    """A part of a store with keys of its own."""
    part: dist.Store = dist.PrefixStore(name, store)  # type: ignore[attr-defined]
    return part


def not_connected(error: Exception) -> NotConnected:
    """What torch says, in one sentence."""
    cause = " ".join(str(error).split())[:200].rstrip(".")
    return NotConnected(
        f"the processes of torchrun cannot reach each other: {cause}; if the machine has several "
        f"networks, GLOO_SOCKET_IFNAME names the one to use."
    )
