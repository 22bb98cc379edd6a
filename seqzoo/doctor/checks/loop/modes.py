"""Whether the model is in training mode in training, and in evaluation mode in evaluation.

Method: the flag `training`, whether gradients are recorded and whether a backward pass uses the
output, for every call of the model. Cost: none. Pass rule: if the model has dropout or batch
normalisation, no step follows passes in evaluation mode only, and passes without gradients are in
evaluation mode; no step uses gradients of a validation; and fewer than four passes in evaluation
mode record gradients that nothing uses.
"""

from __future__ import annotations

from itertools import pairwise

from seqzoo.doctor.subject import Subject
from seqzoo.doctor.watching.visit import Backward, Visit
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_MANY = 4


def examine(subject: Subject) -> Outcome:
    visit = subject.visit
    if not visit.forwards_seen:
        return Outcome.skipped("the model was not called; give watch the module that is called")
    layers = visit.has_modes
    in_eval, scored = visit.training_passes_in_eval, visit.scoring_passes_in_training
    # The passes after the last step may still be used.
    last = max((each.when for each in visit.steps), default=0)
    unused = sum(
        each.with_gradients and not each.is_training and each.used_by is None and each.when < last
        for each in visit.forwards
    )
    said, remedies = [], []
    if layers and in_eval:
        said.append(
            f"{in_eval} of {visit.steps_seen} steps trained the model in evaluation mode, without "
            f"its {layers}"
        )
        remedies.append("Call model.train() at the beginning of each epoch, after evaluation too.")
    if layers and scored >= 2:
        said.append(
            f"{scored} of {visit.scoring_passes} passes without gradients were in training mode, "
            f"with {layers} active"
        )
        remedies.append(
            "Call model.eval() before evaluation and sampling, and model.train() after."
        )
    if mixed := _gradients_of_validation(visit):
        said.append(
            f"{mixed} backward passes of calls in evaluation mode left their gradients to the next "
            "step of training"
        )
        remedies.append("Do not call backward() in a validation.")
    if unused >= _MANY:
        said.append(
            f"{unused} passes in evaluation mode recorded gradients that no backward pass used"
        )
        remedies.append("Evaluate inside `with torch.no_grad():`.")
    numbers = {
        "training_in_eval": float(in_eval),
        "scoring_in_training": float(scored),
        "unused": float(unused),
    }
    if not said:
        return Outcome.passed(
            f"{visit.forwards_seen} passes, {visit.scoring_passes} of them without gradients, "
            "were in the right mode",
            **numbers,
        )
    return Outcome.warned(
        "; ".join(said),
        why="Scores in training mode are of a disturbed model; training in evaluation mode has no "
        "regularisation; recorded gradients cost memory and time.",
        remedy=" ".join(remedies),
        numbers=numbers,
    )


def _gradients_of_validation(visit: Visit) -> int:
    """Backward passes in evaluation mode to whose gradients one in training mode adds its own."""
    passes = {each.when: each for each in visit.forwards}

    def modes(backward: Backward) -> set[bool]:
        return {passes[n].is_training for n in backward.forwards if n in passes}

    return sum(
        modes(one) == {False} and modes(other) == {True} and not other.all_cleared
        for one, other in pairwise(visit.backwards)
    )
