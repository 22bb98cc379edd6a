"""The learning rate over a training: a linear warm-up, then a schedule."""

from __future__ import annotations

import math

from seqzoo.errors import PluginError
from seqzoo.plugin.contracts import Schedule

__all__ = ["Constant", "learning_rate_factor"]


class Constant(Schedule):
    """The learning rate stays as it is."""

    def factor(self, step: int, progress: float) -> float:
        return 1.0


def learning_rate_factor(
    schedule: Schedule, *, warmup_steps: int, step: int, progress: float
) -> float:
    """The factor of all learning rates at update `step`, counted from 0.

    progress: the share of the budget that is spent. Raises PluginError if the schedule gives
    anything but a finite number of at least 0.
    """
    warmup = min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
    factor = schedule.factor(step, min(max(progress, 0.0), 1.0))
    if not (isinstance(factor, (int, float)) and 0 <= factor < math.inf):
        raise PluginError(
            f"the schedule {type(schedule).__name__} gave {factor!r:.40} at step {step}, expected "
            f"a number of at least 0."
        )
    return warmup * factor
