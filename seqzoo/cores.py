"""The processor cores that this process may use, and how busy other processes keep them.

The limits come from the affinity mask and the control groups (version 1 and 2) of Linux. The use by
others is measured between two moments: the time that the usable cores were busy, from /proc/stat,
minus the processor time of this process. The load average would report a process that ended a
minute ago. Where there is no /proc/stat (macOS), it is used nevertheless.

It is imported first of all, and so it imports little: Ctrl-C has no handler yet.
"""

from __future__ import annotations

import math
import os
import time

TYPE_CHECKING = False  # as `typing` has it, which takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "THREAD_VARIABLES",
    "CoreTime",
    "OtherProcesses",
    "core_limit",
    "core_time",
    "usable_cores",
    "whole_cores",
]

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""The variables of the environment that set how many threads torch computes with."""


_ROOT = "/"


def usable_cores() -> frozenset[int]:
    """The numbers of the cores that this process may run on, at least one."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def whole_cores(share: float) -> int:
    """As whole cores, at least 1; a part counts if it is more than half of a core."""
    return max(1, math.ceil(share - 0.5))


def core_limit(root: str | os.PathLike[str] = _ROOT) -> float | None:
    """Cores that the control groups let this process use at a time, e.g. 1.5; None: no limit.

    root: of the file system, for tests.
    """
    return min(
        (limit for folder in _control_groups(root) for limit in _limits_of(folder)), default=None
    )


def _control_groups(root: str | os.PathLike[str]) -> Iterator[str]:
    """The folder of this process's group in every hierarchy with processors, and its parents.

    In a container the paths may be those of the host, and only the topmost folder exists.
    """
    mounted = os.path.join(root, "sys", "fs", "cgroup")
    for line in _lines(root, "proc", "self", "cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            tops = [mounted, os.path.join(mounted, "unified")]
        elif "cpu" in controllers.split(","):
            tops = [os.path.join(mounted, controllers), os.path.join(mounted, "cpu")]
        else:
            continue
        parts = [part for part in path.split("/") if part not in ("", ".", "..")]
        for top in tops:
            yield from (os.path.join(top, *parts[:depth]) for depth in range(len(parts), -1, -1))


def _limits_of(folder: str) -> Iterator[float]:
    version_2 = " ".join(_lines(folder, "cpu.max")).split()
    version_1 = [*_lines(folder, "cpu.cfs_quota_us"), *_lines(folder, "cpu.cfs_period_us")]
    for pair in (version_2, version_1):
        try:
            quota, period = map(float, pair)  # "max" and -1 are no limit
        except ValueError:
            continue
        if quota > 0 and period > 0:
            yield quota / period


def _lines(folder: str | os.PathLike[str], *names: str) -> list[str]:
    try:
        with open(os.path.join(folder, *names), encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


class CoreTime:
    """Seconds up to a moment: of the clock, of busy usable cores together, of this process."""

    def __init__(self, clock: float, busy: float, own: float) -> None:
        self.clock, self.busy, self.own = clock, busy, own


def core_time(root: str | os.PathLike[str] = _ROOT) -> CoreTime:
    """The times up to now. busy: not a number where the system does not report it."""
    return CoreTime(time.monotonic(), _busy_seconds(root, usable_cores()), time.process_time())


def _busy_seconds(root: str | os.PathLike[str], cores: frozenset[int]) -> float:
    """Idle and waiting for a disk are not busy; time that a hypervisor took away is."""
    found: dict[int, int] = {}
    for line in _lines(root, "proc", "stat"):
        name, *fields = line.split() or [""]
        number = name.removeprefix("cpu")
        if name != number and number.isdecimal() and int(number) in cores:
            ticks = [int(field) for field in fields[:8] if field.isdecimal()]
            if any(ticks):  # a sandbox may report zeros only
                found[int(number)] = sum(ticks) - sum(ticks[3:5])
    # It may also number the cores in another way.
    return sum(found.values()) / os.sysconf("SC_CLK_TCK") if found.keys() == cores else math.nan


AT_IMPORT = core_time()
"""Taken when seqzoo is imported. Importing torch takes seconds, which are a free measurement."""


class OtherProcesses:
    """How many cores other processes use, measured since the last question."""

    def __init__(self, since: CoreTime | None = None) -> None:
        """since: the moment that the first measurement starts from; by default now."""
        self._since = core_time() if since is None else since

    def seconds(self) -> float:
        """Since the last question."""
        return time.monotonic() - self._since.clock

    def busy_cores(self) -> float:
        """The mean number of cores that other processes kept busy since the last question."""
        before, now = self._since, core_time()
        clock, busy, own = now.clock - before.clock, now.busy - before.busy, now.own - before.own
        self._since = now
        own_cores = own / max(clock, 1e-9)
        if not math.isnan(busy):
            others = busy / max(clock, 1e-9) - own_cores
        elif hasattr(os, "getloadavg"):
            others = os.getloadavg()[0] - own_cores
        else:
            others = 0.0
        return min(max(others, 0.0), float(len(usable_cores())))
