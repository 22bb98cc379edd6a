"""Whether the learning rate is far too high or far too low.

Method: the learning-rate range test (Smith 2017, arXiv:1506.01186): a newly initialised network
trained as it would be, the rate rising from a thousandth of its own to a thousand times that over
45 updates (more where an update sees under 512 tokens), ended where the loss has blown up. Where
the smoothed loss is lowest is about ten times a good rate. A range test tells orders of magnitude
and no more, so a rate that it doubts gets a fair trial: 60 updates at the own rate, and 60 at the
rate that is suggested, from the same weights. Cost: 1-5 s, four times that in doubt.

Pass rule: no doubt, or the own rate wins its trial. Doubt: the lowest loss stands at less than 4
times the own rate, or at more than 300 times, which is one and a half orders of magnitude below a
good rate. Fail: the suggested rate ends 0.3 nats per token lower (0.4 bits: more than a further
byte of context brings an n-gram), and, too low, the own rate has not come a quarter as far down:
one that has needs a longer training and no other rate. The shipped recipes' rates divided by a
hundred come 3 to 17 % as far.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from seqzoo.doctor.checks._shared import is_recipe
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.errors import DivergedError
from seqzoo.plugin.check import Check, Outcome

__all__ = ["CHECK"]

_UPDATES = 60
_RANGE_SHARE = 0.75
_MOST_TIMES = 5
_TOKENS = 512
_RANGE = 1e3
_BELOW_LOWEST = 10.0
_DOUBT_HIGH, _DOUBT_LOW = 4.0, 300.0
_CLEAR_NATS = 0.3
_ON_ITS_WAY = 0.25


class RangeTest(NamedTuple):
    """Multiples of the own rate: where the loss begins to fall, is lowest, and has blown up."""

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
        raise Missing("the first update fails at a thousandth of the rate: it is not the rate")
    test = read_range_test(losses, rising)
    numbers = {"falls": test.falls, "lowest": test.lowest}
    own_rate = "the recipe's own" if is_recipe(subject) else "your own"
    seen = (
        f"a rising rate lowers the loss from {test.falls:.3g} to {test.lowest:.3g} times "
        f"{own_rate}, and has spoilt it at {test.diverges:.3g} times"
    )
    if math.isinf(test.diverges):
        seen = f"{seen.partition(', and')[0]}, and spoils it nowhere below {_RANGE:g} times"
    else:
        numbers["diverges"] = test.diverges
    if _DOUBT_HIGH <= test.lowest <= _DOUBT_LOW:
        return Outcome.passed(seen, **numbers)
    factor = test.lowest / _BELOW_LOWEST
    own = _losses(subject, [1.0] * updates)
    other = _losses(subject, [factor] * updates)
    start, last, better = losses[0], _last(own, updates), _last(other, updates)
    if math.isinf(better):
        raise Missing("training diverges at every rate tried: it is not the rate")
    numbers |= {"suggested": factor, "suggested_nats": better, "start": start}
    if math.isfinite(last):
        numbers["own_nats"] = last
    compared = (
        f"{updates} updates lead to {_said(last)} at that rate and to {_said(better)} at "
        f"{factor:.2g} times it"
    )
    too_low = factor > 1
    is_worse = last - better > _CLEAR_NATS
    if not is_worse or (too_low and start - last > _ON_ITS_WAY * (start - better)):
        return Outcome.passed(f"{compared}; {seen}", **numbers)
    return Outcome.failed(
        f"the learning rate is far too {'low' if too_low else 'high'}: {compared}",
        why="At a rate far too low a whole budget passes before anything is learnt."
        if too_low
        else "At a rate far too high each update undoes the others, gates saturate and units die.",
        remedy=f"Set the learning rate to about {factor:.2g} times what it is.",
        changes=_changes(subject, factor),
        numbers=numbers,
    )


def read_range_test(losses: list[float], factors: list[float]) -> RangeTest:
    """Losses of updates at rising factors; what is missing at the end has blown up."""
    smoothed = smooth(losses)
    best = min(range(len(smoothed)), key=smoothed.__getitem__)
    fallen = smoothed[0] - smoothed[best]
    falls = next(n for n, loss in enumerate(smoothed) if loss <= smoothed[0] - 0.05 * fallen)
    blown_up = (n for n in range(best, len(smoothed)) if smoothed[n] > smoothed[best] + fallen / 2)
    end = next(blown_up, len(losses))
    return RangeTest(
        factors[falls], factors[best], factors[end] if end < len(factors) else math.inf
    )


def smooth(losses: list[float], decay: float = 0.8) -> list[float]:
    """Running mean that forgets, its beginning unbiased (Kingma and Ba 2015, section 3)."""
    mean, smoothed = 0.0, []
    for count, loss in enumerate(losses, start=1):
        mean = decay * mean + (1 - decay) * loss
        smoothed.append(mean / (1 - decay**count))
    return smoothed


def _losses(subject: Subject, factors: list[float], *, give_up: bool = False) -> list[float]:
    """Of an update at each factor; give_up: end where the loss has blown up."""
    network = subject.network.fresh(subject.seed)
    trainee = subject.pipeline.trainee(network, steps=len(factors), factor=factors.__getitem__)
    losses: list[float] = []
    while len(losses) < len(factors):
        try:
            losses.append(trainee.update().loss_nats)
        except DivergedError:
            break
        except StopIteration:
            raise Missing(
                f"the batches end after {len(losses)} updates, {len(factors)} are needed; give a "
                f"function that begins them anew"
            ) from None
        if give_up and losses[-1] > max(losses[0], 2 * min(losses)) + 1:
            break
    return losses


def _last(losses: list[float], updates: int) -> float:
    """Mean of the last sixth; infinite where training did not get to its end."""
    tail = max(updates // 6, 1)
    return sum(losses[-tail:]) / tail if len(losses) == updates else math.inf


def _said(nats: float) -> str:
    return f"{nats:.2f} nats per token" if math.isfinite(nats) else "no finite loss"


def _changes(subject: Subject, factor: float) -> tuple[str, ...]:
    if not is_recipe(subject):
        return ()
    section = subject.recipe.train.optimizer
    rates = ["learning_rate"] + ["matrix_learning_rate"] * (section.name == "muon")
    return tuple(f"train.optimizer.{rate}={getattr(section, rate) * factor:.2g}" for rate in rates)


CHECK = Check(
    name="optimisation.learning_rate",
    summary="the learning rate is of the right order of magnitude",
    examine=examine,
    rank=20,
    is_quick=False,
    explains=(
        "optimisation.gradient_norm",
        "optimisation.update_ratio",
        "optimisation.dead_units",
        "memory.saturation",
        "memory.carry",
        "verdict.*",
        "decoding.*",
    ),
    source="Smith 2017, arXiv:1506.01186",
)
