"""What the loss was really computed from.

Method: the graph of each loss is walked to the cross-entropy and to the model's output. The rows of
the loss are matched by value with the places of the output, and its targets with the tokens that
the model reads. Cost: a walk over the graph, and the log-probabilities of the first steps. Pass
rule: the loss comes from the model's output through one softmax over the classes, and through no
function that keeps the logits in a narrow interval; it is finite, takes every place or the last,
its targets belong to the places of its rows, no frequent symbol is ignored or has the weight 0, a
lower loss means that the targets are more likely, and they became so or the loss is not a sum over
many of them. A Kullback-Leibler divergence reads log-probabilities and is a sum over the classes.
"""

from __future__ import annotations

import math

from seqzoo.doctor.checks.loop._direction import summed, wrong_sign
from seqzoo.doctor.checks.loop._form import WHY, divergences, softmaxes
from seqzoo.doctor.checks.loop._lessons import lessons
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.doctor.watching.visit import Visit
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]


def examine(subject: Subject) -> Outcome:
    visit = subject.visit
    if not visit.backwards:
        return Outcome.skipped("no backward pass was seen")
    for look in (summed, _not_finite, _detached, softmaxes, divergences, lessons, wrong_sign):
        found = look(visit)
        if found is not None:
            return found
    if not any(each.terms for each in visit.backwards):
        raise Missing(
            f"the loss is not torch's cross-entropy ({_values(visit)}), so only its value is known"
        )
    return Outcome.passed(f"the loss comes from the model's output; {_values(visit)}")


def _not_finite(visit: Visit) -> Outcome | None:
    for number, each in enumerate(visit.backwards, start=1):
        if each.value is not None and not math.isfinite(each.value):
            return Outcome.failed(
                f"the loss of backward pass {number} is {each.value}",
                why="From then on all weights are not finite.",
                remedy="Lower the learning rate, clip the gradients, and look for log(0), a "
                "division by zero, or a mean over no target.",
            )
    return None


def _detached(visit: Visit) -> Outcome | None:
    if not visit.forwards_seen:
        raise Missing(
            "the model was not called inside the block; give watch the module that is called"
        )
    whole = [each for each in visit.backwards if each.is_whole]
    if not whole or any(each.forwards for each in whole):
        return None
    if not any(each.with_gradients for each in visit.forwards):
        raise Missing("the model was only called without gradients")
    if all(each.reaches_parameters for each in whole):
        raise Missing("parts of the model are called one by one, so its output is not known")
    if not any(each.nodes for each in whole):
        return Outcome.failed(
            "the loss is a new tensor made from a number: it has no graph, so nothing connects it "
            "to the model",
            why="backward() gives no gradient to any weight, so the model does not learn.",
            remedy="Call backward() on what the loss function returned. Do not make a tensor of "
            "loss.item() with torch.tensor(...), and leave out requires_grad=True.",
        )
    return Outcome.failed(
        "the loss was not computed from the model's output: its graph does not lead there",
        why=WHY,
        remedy="Compute the loss from the logits themselves: no .detach(), .data, .item(), "
        "numpy(), argmax or new tensor between model and loss.",
    )


def _values(visit: Visit) -> str:
    values = [each.value for each in visit.backwards if each.value is not None]
    return f"its value was {values[0]:.3g} at first and {values[-1]:.3g} at last" if values else ""
