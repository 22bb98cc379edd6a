"""Notices that training became slow because other processes use its cores, and says so once."""

from __future__ import annotations

import statistics
from collections import deque

from seqzoo import cores as machine
from seqzoo.model.runtime import Runtime
from seqzoo.model.threads import counted

__all__ = ["MachineWatch", "Slowdown"]

_SLOW = 0.6
"""A share of the usual speed; less of it is slow. Speeds of a quiet machine vary by a tenth."""

_IN_A_ROW = 3
"""Intervals that must agree, before a report and before the next one can follow."""

_SHORTEST_SECONDS = 2.0
_REMEMBERED = 20


class Slowdown:
    """Compares each interval of training with the earlier ones of the same run.

    An interval is slow if its speed is far below the usual one, and crowded if the threads of this
    process and the other processes need more cores than there are. Only intervals that are both are
    a slowdown of the machine: a longer stretch of text, for example, is slow on a free machine. All
    other intervals are what is usual.
    """

    def __init__(self, *, threads: int, cores: int) -> None:
        self._threads = threads
        self._cores = cores
        self._usual: deque[float] = deque(maxlen=_REMEMBERED)
        self._slow_in_a_row = 0
        self._usual_in_a_row = _IN_A_ROW
        self._is_reported = False

    def observe(self, bytes_per_second: float, others_busy: float) -> str:
        """A sentence to report, or "". others_busy: cores that other processes used meanwhile."""
        is_crowded = self._threads + others_busy > self._cores + 0.5
        is_known = len(self._usual) >= _IN_A_ROW
        usual = statistics.median(self._usual) if is_known else 0.0
        if not (is_crowded and bytes_per_second < _SLOW * usual):
            self._usual.append(bytes_per_second)
            self._slow_in_a_row = 0
            self._usual_in_a_row += 1
            self._is_reported &= self._usual_in_a_row < _IN_A_ROW
            return ""
        self._slow_in_a_row += 1
        self._usual_in_a_row = 0
        if self._is_reported or self._slow_in_a_row < _IN_A_ROW:
            return ""
        self._is_reported = True
        return self._sentence(bytes_per_second, usual, others_busy)

    def _sentence(self, now: float, usual: float, others_busy: float) -> str:
        threads = counted(self._threads)
        kept = f"; this run keeps {threads}, because its result depends on their number"
        restart = f", or start a new run with runtime.threads=1{kept}" if self._threads > 1 else ""
        return (
            f"training slowed down from {usual / 1000:.1f} to {now / 1000:.1f} kB/s, because other "
            f"processes use {others_busy:.1f} of the {self._cores} cores: stop them{restart}"
        )


class MachineWatch:
    """A `Slowdown` with the clock and the processor of this machine."""

    def __init__(self, runtime: Runtime) -> None:
        self._is_on = runtime.device.type == "cpu"
        cores = len(machine.usable_cores())
        self._slowdown = Slowdown(threads=runtime.threads, cores=cores)
        self._others = machine.OtherProcesses()
        self._speeds: list[float] = []

    def observe(self, bytes_per_second: float) -> str:
        """A sentence to report, or "". Called with the speed of every logged interval."""
        self._speeds.append(bytes_per_second)
        # /proc/stat counts in hundredths of a second.
        if not self._is_on or self._others.seconds() < _SHORTEST_SECONDS:
            return ""
        speed = statistics.harmonic_mean(self._speeds)
        self._speeds.clear()
        return self._slowdown.observe(speed, self._others.busy_cores())
