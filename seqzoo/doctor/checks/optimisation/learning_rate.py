"""Whether the learning rate is far too high or far too low.

Method: the learning-rate range test (Smith 2017, arXiv:1506.01186): a newly initialised network is
trained as usual, but the rate rises from a thousandth of the own rate to a thousand times it over
45 updates (more if an update sees less than 512 tokens); it stops when the loss has diverged. The
rate with the lowest smoothed loss is about ten times a good rate. A range test shows only orders of
magnitude, so a suspicious rate is compared: 60 updates at the own rate, and 60 at the suggested
rate, from the same weights. Cost: 1-5 s, four times that for a suspicious rate.

Pass rule: the rate is not suspicious, or it wins the comparison. Suspicious: the lowest loss is at
less than 4 times the own rate, or at more than 300 times, which is one and a half orders of
magnitude below a good rate. Fail: the suggested rate ends 0.3 nats per token lower (0.4 bits, more
than an n-gram gains from one more byte of context) and, if the own rate is too low, the own rate
has not reduced the loss by a quarter as much: a rate that has needs a longer training, not another
rate. The shipped recipes' rates divided by a hundred reduce it 3 to 17 % as much.

A higher rate also makes a broken model better for a while: one that ignores its tokens, or whose
head alone is trained, learns faster how often each token occurs. So if the suggested rate does not
come 0.2 nats below the entropy of those shares, not even in five times as many updates, and its
loss has stopped falling, the rate is not the cause.

A rate may be so high that a thousandth of it is too high too. If no rate of the range lowers the
loss clearly, the default rate of the optimizer is tried, and suggested if it does better.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from seqzoo.doctor.checks.optimisation._default_rate import Default, default_rate
from seqzoo.doctor.subject import Missing, Subject, or_none
from seqzoo.errors import DivergedError
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_UPDATES = 60
_RANGE_SHARE = 0.75
_MOST_TIMES = 5
_TOKENS = 512
_RANGE = 1e3
_BELOW_LOWEST = 10.0
_SUSPECT_BELOW, _SUSPECT_ABOVE = 4.0, 300.0
_CLEAR_NATS = 0.3
_ON_ITS_WAY = 0.25
_LONGER = 5
_BELOW_SHARES_NATS = 0.2
_STILL_FALLS_NATS = 0.1


class RangeTest(NamedTuple):
    """Multiples of the own rate: where the loss begins to fall, is lowest, and has diverged."""

    falls: float
    lowest: float
    diverges: float


def examine(subject: Subject) -> Outcome:
    pipeline = subject.pipeline
    tokens = pipeline.batch_size * pipeline.bptt_length
    updates = _UPDATES * max(1, min(_MOST_TIMES, _TOKENS // tokens))
    rising = [
        _RANGE ** (2 * n / (_RANGE_SHARE * updates - 1) - 1)
        for n in range(int(_RANGE_SHARE * updates))
    ]
    losses = _losses(subject, rising, give_up=True)
    if not losses:
        raise Missing(
            "the first update fails at a thousandth of the rate, so the rate is not the cause"
        )
    test = read_range_test(losses, rising)
    numbers = {"falls": test.falls, "lowest": test.lowest}
    own_rate = "the recipe's own" if subject.has("recipe") else "your own"
    seen = (
        f"a rising rate lowers the loss from {test.falls:.3g} to {test.lowest:.3g} times "
        f"{own_rate}, and the loss diverges at {test.diverges:.3g} times"
    )
    if math.isinf(test.diverges):
        seen = f"{seen.partition(', and')[0]}, and it does not diverge below {_RANGE:g} times"
    else:
        numbers["diverges"] = test.diverges
    if _SUSPECT_BELOW <= test.lowest <= _SUSPECT_ABOVE:
        return Outcome.passed(seen, **numbers)
    factor = test.lowest / _BELOW_LOWEST
    own = _losses(subject, [1.0] * updates)
    other = _losses(subject, [factor] * updates)
    start, last, better = losses[0], _last(own, updates), _last(other, updates)
    if factor < 1 and not better < start - _CLEAR_NATS:
        default = default_rate(subject)
        if default is not None and default.factor < factor:
            reached = _last(_losses(subject, [default.factor] * updates), updates)
            if reached < min(start, better - _CLEAR_NATS):
                return _far_beyond(default, last, reached, updates)
    if math.isinf(better):
        raise Missing("training diverges at every rate, so the rate is not the cause")
    numbers |= {"suggested": factor, "suggested_nats": better, "start": start}
    if math.isfinite(last):
        numbers["own_nats"] = last
    compared = (
        f"{updates} updates reach {_said(last)} at that rate and {_said(better)} at "
        f"{factor:.2g} times it"
    )
    too_low = factor > 1
    is_worse = last - better > _CLEAR_NATS
    if not is_worse or (too_low and start - last > _ON_ITS_WAY * (start - better)):
        return Outcome.passed(f"{compared}; {seen}", **numbers)
    if too_low and not _learns_more_than_shares(subject, factor, updates, better):
        raise Missing(
            f"at {factor:.2g} times the rate the model still learns only how often each token "
            f"occurs, so the rate is not the cause"
        )
    return Outcome.failed(
        f"the learning rate is far too {'low' if too_low else 'high'}: {compared}",
        why="At a rate that is far too low the budget ends before anything is learnt."
        if too_low
        else "At a rate that is far too high each update undoes the others, and gates saturate.",
        remedy=f"Set the learning rate to about {factor:.2g} times its present value.",
        changes=_changes(subject, factor),
        numbers=numbers,
    )


def _far_beyond(default: Default, last: float, reached: float, updates: int) -> Outcome:
    return Outcome.failed(
        f"the learning rate is far too high: {updates} updates reach {_said(last)} at that rate, "
        f"no better at a thousandth of it, and {_said(reached)} at the default of {default.name}, "
        f"{default.rate:g}",
        why="At a rate that is far too high each update undoes the others, and gates saturate.",
        remedy=f"Set the learning rate to {default.rate:g}, the default of {default.name}; then "
        "look for a better one by factors of 3.",
        changes=default.changes,
        numbers={"suggested": default.factor, "suggested_nats": reached},
    )


def read_range_test(losses: list[float], factors: list[float]) -> RangeTest:
    """Losses of updates at rising factors; losses that are missing at the end have diverged."""
    smoothed = smooth(losses)
    best = min(range(len(smoothed)), key=smoothed.__getitem__)
    fallen = smoothed[0] - smoothed[best]
    falls = next(n for n, loss in enumerate(smoothed) if loss <= smoothed[0] - 0.05 * fallen)
    diverged = (n for n in range(best, len(smoothed)) if smoothed[n] > smoothed[best] + fallen / 2)
    end = next(diverged, len(losses))
    return RangeTest(
        factors[falls], factors[best], factors[end] if end < len(factors) else math.inf
    )


def smooth(losses: list[float], decay: float = 0.8) -> list[float]:
    """Exponential moving average with bias correction (Kingma and Ba 2015, section 3)."""
    mean, smoothed = 0.0, []
    for count, loss in enumerate(losses, start=1):
        mean = decay * mean + (1 - decay) * loss
        smoothed.append(mean / (1 - decay**count))
    return smoothed


def _losses(subject: Subject, factors: list[float], *, give_up: bool = False) -> list[float]:
    """The loss of an update at each factor; give_up: stop when the loss has diverged."""
    network = subject.network.fresh(subject.seed)
    trainer = subject.pipeline.trainer(network, steps=len(factors), factor=factors.__getitem__)
    losses: list[float] = []
    while len(losses) < len(factors):
        try:
            nats = trainer.update().loss_nats
            losses.append(-nats if subject.maximises else nats)
        except DivergedError:
            break
        except StopIteration:
            raise Missing(
                f"the batches end after {len(losses)} updates, {len(factors)} are needed; give a "
                f"function that starts them again"
            ) from None
        if give_up and losses[-1] > max(losses[0], 2 * min(losses)) + 1:
            break
    return losses


def _learns_more_than_shares(subject: Subject, factor: float, updates: int, reached: float) -> bool:
    """Whether a rate uses the text, so that a higher one is what the model needs."""
    level = _nats_of_shares(subject) - _BELOW_SHARES_NATS
    if reached < level:
        return True
    longer = _losses(subject, [factor] * (_LONGER * updates))
    half = len(longer) // 2
    last, before = _last(longer, len(longer)), _last(longer[:half], half)
    return last < level or before - last > _STILL_FALLS_NATS


def _nats_of_shares(subject: Subject) -> float:
    """The entropy of the tokens, each for itself: what a model needs that ignores its input."""
    tokens = or_none(lambda: subject.tokens)
    if tokens is None:
        tokens = subject.batch.targets.numpy().ravel()
    shares = np.bincount(np.asarray(tokens, dtype=np.int64)) / len(tokens)
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


def _last(losses: list[float], updates: int) -> float:
    """Mean of the last sixth; infinite if training did not reach its end."""
    tail = max(updates // 6, 1)
    return sum(losses[-tail:]) / tail if len(losses) == updates else math.inf


def _said(nats: float) -> str:
    return f"{nats:.2f} nats per token" if math.isfinite(nats) else "no finite loss"


def _changes(subject: Subject, factor: float) -> tuple[str, ...]:
    if not subject.has("recipe"):
        return ()
    options = subject.recipe.train.optimizer.options
    return tuple(
        f"train.optimizer.{rate}={getattr(options, rate) * factor:.2g}"
        for rate in options.learning_rates
    )
