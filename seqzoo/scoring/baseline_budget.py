"""Which baselines fit into a time, and the clock that runs while they are scored."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from seqzoo.results.ladder import LeftOut

__all__ = ["Clock", "within"]

_MARGIN = 1.5
"""How much longer than expected a baseline may take and still fit."""

_LEAST_SECONDS = 2.0
"""Even where nothing may take time: what costs nothing has to be scored, and takes a moment."""


def within(expected: Mapping[str, float], max_seconds: float) -> tuple[list[str], list[LeftOut]]:
    """The baselines that fit into the time, quickest first, and the others.

    A baseline that is stopped at the limit has cost its time for nothing, and times are estimates:
    what fits only if the estimate is exact is left out.
    """
    chosen: list[str] = []
    left_out: list[LeftOut] = []
    spent = 0.0
    for name, seconds in sorted(expected.items(), key=lambda item: item[1]):
        if seconds == 0 or spent + _MARGIN * seconds <= max_seconds:
            spent += seconds
            chosen.append(name)
        else:
            left_out.append(LeftOut(name, "time", seconds))
    return chosen, left_out


class Clock:
    """The time that is left, and the share of the expected time that has passed."""

    def __init__(
        self,
        expected: Mapping[str, float],
        names: Sequence[str],
        seconds: float,
        show: Callable[[float, str], None] | None,
    ) -> None:
        """expected: seconds by name. seconds: the limit of them all together."""
        self._show = show
        self._deadline = time.perf_counter() + max(seconds, _LEAST_SECONDS)
        # No baseline counts as nothing, so that the shares rise where all times are tiny.
        self._seconds = {name: max(expected[name], 1e-3) for name in names}
        self._begun: dict[str, float] = {}

    def tick(self, name: str, share: float) -> bool:
        """Show that a share of a baseline is finished; whether there is time left.

        share: 0 where the baseline does not report it; then it is that of the expected time.
        """
        now = time.perf_counter()
        seconds = self._seconds[name]
        passed = now - self._begun.setdefault(name, now)
        if self._show is not None:
            earlier = sum(self._seconds[each] for each in self._begun if each != name)
            done = earlier + (share or min(passed / seconds, 0.95)) * seconds
            self._show(done / sum(self._seconds.values()), name)
        return now < self._deadline
