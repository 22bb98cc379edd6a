"""Whether a backward pass stays within its own step.

Method: the graph of each loss is walked before the backward pass: does it reach an output of the
model that an earlier step has used, and does it grow from step to step? Cost: a walk over the graph
in the first steps. Pass rule: no graph reaches into an earlier step, and it does not grow with
every step; warn if it reaches an earlier pass of its own step through the state. Source: Williams
and Peng 1990, truncated backpropagation through time.
"""

from __future__ import annotations

from itertools import pairwise

from seqzoo.doctor.checks.loop._steps import passes_of_steps
from seqzoo.doctor.subject import Subject
from seqzoo.doctor.watching.visit import Backward, Visit
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_STEPS = 4
_GROWTH = 1.8


def examine(subject: Subject) -> Outcome:
    visit = subject.visit
    if not visit.backwards:
        return Outcome.skipped("no backward pass was seen")
    sizes, reaching = [], 0
    previous: set[int] = set()
    rounds = [inside for _, inside in passes_of_steps(visit)]
    last = max((each.ended for each in visit.steps), default=0)
    # A backward pass that torch refuses has no step after it.
    rounds.append([each for each in visit.backwards if each.when > last])
    for inside in rounds:
        reached = {number for each in inside for number in each.forwards}
        reaching += bool(reached & previous)
        previous |= reached
        if inside:
            sizes.append(max(each.nodes for each in inside))
    error = str(visit.exception or "")
    is_refused = "second time" in error or "inplace operation" in error
    ups = sum(after > before for before, after in pairwise(sizes))
    grows = len(sizes) >= _STEPS and ups >= 0.9 * (len(sizes) - 1)
    grows = grows and sizes[-1] > _GROWTH * sizes[0]
    numbers = {"reaching": float(reaching), "nodes": float(sizes[-1]) if sizes else 0.0}
    if not reaching and not grows:
        if again := _reaching_within(visit, rounds):
            return Outcome.warned(
                f"{again} backward passes reach the graph of an earlier one of the same step, "
                "through the state, which retain_graph=True allows",
                why="Each backward pass goes through all earlier ones of the step once more, so "
                "time and memory grow with each.",
                remedy="Detach the state after each backward pass, or add the losses and call "
                "backward() once for them.",
                numbers=numbers,
            )
        return Outcome.passed("no backward pass reaches into an earlier step", **numbers)
    seen = (
        f"{reaching} steps reach the graph of an earlier step"
        if reaching
        else f"the graph of the loss grows with every step, from {sizes[0]} to {sizes[-1]} nodes"
    )
    if any(each.retained for each in visit.backwards):
        seen += ", which retain_graph=True allows"
    elif is_refused:
        seen += ", which torch refused"
    return Outcome.failed(
        seen,
        why="The state still has the graph of all steps before: each step takes longer than the "
        "one before, memory grows, and gradients are of weights that no longer exist.",
        remedy="Detach the state between steps: state = state.detach(), for an LSTM "
        "state = tuple(s.detach() for s in state); then retain_graph=True is not needed.",
        numbers=numbers,
    )


def _reaching_within(visit: Visit, rounds: list[list[Backward]]) -> int:
    """Backward passes with a new pass of the model, and one that was used before in this step."""
    carried = {each.when for each in visit.forwards if each.has_state}
    found = 0
    for inside in rounds:
        used: set[int] = set()
        for each in inside:
            reached = set(each.forwards)
            found += bool(reached & used) and bool((reached - used) & carried)
            used |= reached
    return found
