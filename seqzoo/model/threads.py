"""How many threads a process computes with where neither the recipe nor the user says it.

A thread whose core is used by another process makes all other threads wait, so the threads of one
process should have cores of their own. The number is chosen once for each process: results depend
on it in their last bits.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Mapping
from typing import NamedTuple

from seqzoo import cores as machine

__all__ = [
    "Threads",
    "available_threads",
    "choose_threads",
    "counted",
    "requested_threads",
    "user_chose_threads",
]

_SHORTEST_SECONDS, _LONGEST_SECONDS = 0.5, 60.0
"""Bounds of a measurement: /proc/stat counts in hundredths of a second, and in a notebook the
import may have been hours ago."""


class Threads(NamedTuple):
    """A number of threads, and a sentence if it is not one for each core, else ""."""

    number: int
    reason: str = ""


def choose_threads(cores: int, *, limit: float | None, others_busy: float, most: int) -> Threads:
    """One thread for each core that is available, but at least for half of them.

    cores: that the process may run on. limit: cores that it may use at a time. others_busy: cores
    that other processes use. most: torch's own number, which is smaller than `cores` if a core runs
    two threads. Half of the cores is a fair share beside one other process that would use them all.
    """
    allowed = min(most, cores if limit is None else min(cores, machine.whole_cores(limit)))
    free = max(machine.whole_cores(cores - others_busy), cores // 2)
    if free < allowed:
        used = f"other processes use {others_busy:.1f} of the {cores} cores"
        return Threads(free, f"{counted(free)} of {allowed}: {used}")
    if allowed < min(most, cores):
        reason = f"{counted(allowed)} of {min(most, cores)}: the CPU limit is {limit:g} cores"
        return Threads(allowed, reason)
    return Threads(allowed)


def requested_threads(number: int) -> Threads:
    """A number that was asked for, with a sentence if it is larger than that of the cores."""
    cores = len(machine.usable_cores())
    if number <= cores:
        return Threads(number)
    shared = f"{cores} core{'' if cores == 1 else 's'}"
    return Threads(number, f"{counted(number)} on {shared}; {counted(cores)} would be faster")


def counted(threads: int) -> str:
    """As words, e.g. "1 thread"."""
    return f"{threads} thread" if threads == 1 else f"{threads} threads"


@functools.cache
def available_threads(most: int | None = None) -> Threads:
    """`choose_threads` on this machine; measured once, then the same for the whole process.

    most: see `choose_threads`; None: the number of cores.
    """
    cores = len(machine.usable_cores())
    others = machine.OtherProcesses(since=machine.AT_IMPORT)
    if not _SHORTEST_SECONDS <= others.seconds() <= _LONGEST_SECONDS:
        others = machine.OtherProcesses()
        time.sleep(_SHORTEST_SECONDS)
    return choose_threads(
        cores, limit=machine.core_limit(), others_busy=others.busy_cores(), most=most or cores
    )


def user_chose_threads(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment has a number of threads, which torch has read."""
    return any(environment.get(name) for name in machine.THREAD_VARIABLES)
