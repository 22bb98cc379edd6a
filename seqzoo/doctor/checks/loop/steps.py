"""Whether each batch gets one step, and each step new batches.

Method: the content that the model reads, as hashes, and the number of backward passes for each
step. Cost: none. Pass rule: fewer than half of the steps read what the step before has read, or
each batch gets two steps, as some optimizers want; every step has a backward pass, and the number
of them is the same for nine steps in ten; and a loop does not make one or two steps for 30 passes
each. Fail: no backward pass was seen at all.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from seqzoo.doctor.checks.loop._steps import passes_of_steps, steps_of
from seqzoo.doctor.subject import Subject
from seqzoo.doctor.watching.rereads import are_read_twice
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_LEAST = 6
_FEW = 2
_MANY_FOR_A_STEP = 30


def examine(subject: Subject) -> Outcome:
    visit = subject.visit
    steps_of(visit)
    if not visit.backwards_seen and not visit.with_gradient:
        return Outcome.failed(
            f"{visit.steps_seen} steps and no backward pass: loss.backward() is never called",
            why="Without a backward pass there is no gradient, and a step changes nothing.",
            remedy="Call loss.backward() before optimizer.step().",
        )
    content = {each.when: each.content for each in visit.forwards if each.content is not None}
    rounds = passes_of_steps(visit)
    if len({step.optimizer for step, _ in rounds}) > 1:
        return Outcome.passed(f"{len(rounds)} steps of several optimizers")
    read = [
        tuple(content[n] for each in inside for n in each.forwards if n in content)
        for _, inside in rounds
    ]
    known = [each for each in read if each]
    repeated = sum(one == other for one, other in pairwise(known))
    idle = sum(not inside for _, inside in rounds[1:])
    counts = Counter(step.backwards for step, inside in rounds if inside)
    usual, often = counts.most_common(1)[0] if counts else (0, 0)
    numbers = {"repeated": float(repeated), "idle": float(idle), "passes_for_a_step": float(usual)}
    if visit.backwards_seen >= _MANY_FOR_A_STEP * visit.steps_seen and visit.steps_seen <= _FEW:
        return Outcome.warned(
            f"{visit.backwards_seen} backward passes and {visit.steps_seen} step"
            f"{'s' * (visit.steps_seen > 1)}: the weights change once in "
            f"{visit.backwards_seen // visit.steps_seen} passes",
            why="The gradients of all passes are added up, and one step does not go further "
            "because they are many.",
            remedy="Move optimizer.step() and optimizer.zero_grad() into the loop over batches.",
            numbers=numbers,
        )
    if len(rounds) < _LEAST:
        return Outcome.passed(f"only {len(rounds)} steps were seen", **numbers)
    if are_read_twice(known):
        return Outcome.passed(f"two steps for each of {len(set(known))} batches", **numbers)
    if repeated >= 0.5 * (len(known) - 1) and len(known) >= _LEAST:
        distinct = len(set(known))
        return Outcome.failed(
            f"{repeated} of {len(known) - 1} steps read the same batch as the step before "
            f"({distinct} different batches in {len(known)} steps)",
            why="The model learns a few batches by heart; the rest of the text is never seen.",
            remedy="Take the next batch for each step: call next() on one iterator, do not build "
            "the iterator (or read the first batch) inside the loop. To overfit one batch on "
            "purpose is a good test; then this finding is expected.",
            numbers=numbers,
        )
    if idle > 0.2 * len(rounds):
        return Outcome.warned(
            f"{idle} of {len(rounds)} steps had no backward pass before them",
            why="A step without new gradients repeats the last update, or does nothing.",
            remedy="Call optimizer.step() once after each backward pass (or each group of them).",
            numbers=numbers,
        )
    return Outcome.passed(
        f"{usual} backward pass{'es' if usual != 1 else ''} for each of {often} steps", **numbers
    )
