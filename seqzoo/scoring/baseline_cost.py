"""How long a baseline takes on a text, in seconds on this machine as it is now.

A baseline reads every byte about equally fast, so its time grows with the size. Plugins declare
their rate on the machine of `_REFERENCE_SECONDS`, and the ratio of this machine to that one is
measured with a small computation. What declares no rate is measured on the first bytes of the text.
Rates that were measured for all were tried and refused: a few kilobytes are mostly start-up, and
were wrong by up to ten times at 20 MB.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping
from contextlib import closing
from statistics import fmean

import numpy as np
import numpy.typing as npt

from seqzoo.plugin.span import Span
from seqzoo.scoring.baseline import Baseline

__all__ = ["expected_seconds", "slowness"]

_REFERENCE_SECONDS = 0.0053
"""Seconds of `_compute` on the machine where the rates of our own baselines were measured."""

_FIRST_BYTES = 4096
_GROWTH = 4
_ENOUGH_SECONDS = 0.1
_LONGEST_SECONDS = 2.0
"""After this time a measurement is stopped, also of a program that hangs."""


def expected_seconds(
    baseline: Baseline,
    training: npt.NDArray[np.uint8],
    splits: Mapping[str, Span],
    *,
    slowness: float,
) -> float:
    """Seconds that a baseline will take, about right within a factor of two.

    training, splits: all that it will read. slowness: of this machine, see `slowness`.
    0 where a baseline without a rate fails, so that it is tried and the failure reported.
    """
    num_bytes = len(training) + sum(map(len, splits.values()))
    rate = baseline.spec.seconds_per_megabyte
    if rate is not None:
        return rate * slowness * num_bytes / 1e6
    try:
        return _measured(baseline, training, splits, num_bytes)
    except Exception:  # it will be reported where it is scored
        return 0.0


def slowness() -> float:
    """Seconds of a small computation here, as a ratio to those on the reference machine."""
    # The mean, not the least: on a busy machine some repetitions are not interrupted.
    return fmean(_compute() for _ in range(8)) / _REFERENCE_SECONDS


def _compute() -> float:
    letters = np.random.default_rng(0).integers(0, 16, 1 << 17, dtype=np.uint8)
    begun = time.perf_counter()
    zlib.compress(letters.tobytes(), 6)
    return time.perf_counter() - begun


def _measured(
    baseline: Baseline,
    training: npt.NDArray[np.uint8],
    splits: Mapping[str, Span],
    num_bytes: int,
) -> float:
    """The time for all bytes, by the line through two times for the first ones.

    The line separates the time to start, such as that of a program, which does not grow. In
    proportion to the bytes where there is one time only: for small texts, and at least that for
    what is stopped because it takes long for a few bytes.
    """
    size, earlier = _FIRST_BYTES, None
    while True:
        share = min(1.0, size / num_bytes)
        parts = {name: span.first(_part(len(span), share)) for name, span in splits.items()}
        begun = time.perf_counter()
        with closing(baseline.steps(training[: _part(len(training), share)], parts)) as steps:
            for _ in steps:
                if time.perf_counter() - begun > _LONGEST_SECONDS:
                    break
        seconds = time.perf_counter() - begun
        is_largest = size * _GROWTH > num_bytes / _GROWTH
        if seconds > _LONGEST_SECONDS or (earlier is None and is_largest):
            return seconds / share
        if earlier is not None and (seconds >= _ENOUGH_SECONDS or is_largest):
            share_before, seconds_before = earlier
            rate = max(0.0, seconds - seconds_before) / (share - share_before)
            return seconds + rate * (1 - share)
        size, earlier = size * _GROWTH, (share, seconds)


def _part(size: int, share: float) -> int:
    return max(1, int(size * share))
