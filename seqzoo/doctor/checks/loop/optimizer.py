"""Whether the optimizer makes steps, has the model's parameters, and moves them.

Method: each step's parameters are compared with the model's by identity; of each, up to 256 values
with a gradient are compared before and after the step. Cost: a look at every parameter in the first
steps. Pass rule: every parameter that requires a gradient gets one in some step, is in an optimizer
that makes steps, once, and at least half of its values with a gradient change; the optimizer keeps
its moments from step to step, and weights are not put back. Source: for bfloat16, Kalamkar et al.
2019, arXiv:1905.12322: 8 bits of precision.
"""

from __future__ import annotations

from seqzoo.doctor.checks.model._passes import listed
from seqzoo.doctor.subject import Subject
from seqzoo.doctor.watching.visit import Visit
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_FEW_BITS = ("torch.bfloat16", "torch.float16")
_MOVED = 0.5
_MANY = 5
_NEARLY_ALL = 0.8


def examine(subject: Subject) -> Outcome:
    visit = subject.visit
    if not visit.backwards_seen and not visit.steps_seen:
        if visit.exception is not None:
            return Outcome.skipped("neither a backward pass nor a step was seen")
        return _nothing(visit)
    if not visit.steps_seen:
        if visit.moved_by_hand:
            return Outcome.passed("the loop changes the weights itself, without an optimizer")
        return _no_step(visit)
    if visit.backwards and not any(each.reaches_parameters for each in visit.backwards):
        return _failed(
            "no loss has a graph that reaches a parameter of this model",
            "Compute the loss from the output of this model, without .detach(), .data, "
            "torch.no_grad() or argmax between; watch the model that is trained.",
        )
    return _parameters(visit)


def _nothing(visit: Visit) -> Outcome:
    return Outcome.warned(
        f"no training was seen: {visit.forwards_seen} calls of the model, no backward pass and no "
        "step",
        why="Nothing can be said of a loop that was not seen.",
        remedy="Put the whole loop into the with block, in this thread; give watch the module that "
        "the loop calls as model(x), not model.forward(x) and not one that torch.compile replaced.",
    )


def _no_step(visit: Visit) -> Outcome:
    if visit.foreign_steps or visit.given_optimizer_is_foreign:
        return _failed(
            f"the optimizer made {visit.foreign_steps} steps with parameters of another model: "
            "none is of this one",
            "Create the optimizer after the model, with model.parameters() of the model that is "
            "trained; again if the model was made again or loaded as a new object.",
        )
    return _failed(
        f"{visit.backwards_seen} backward pass{'es' * (visit.backwards_seen != 1)} and not one "
        "step of an optimizer",
        "Call optimizer.step() after loss.backward().",
    )


def _parameters(visit: Visit) -> Outcome:
    trained = set(visit.names) - visit.frozen
    without = visit.without_gradient - visit.with_gradient - visit.frozen
    unowned = trained - visit.owned
    still, rounded = [], []
    for name, each in visit.moved.items():
        if not each.with_gradient or name not in visit.owned or name in unowned:
            continue
        share = each.moved / each.with_gradient
        few_bits = visit.dtypes.get(name) in _FEW_BITS
        if few_bits and share < _MOVED:
            rounded.append(name)
        elif share == 0 and any(rate.peak > 0 for rate in visit.rates.values()):
            still.append(name)
    numbers = {
        "parameters": float(len(trained)),
        "unowned": float(len(unowned)),
        "without_gradient": float(len(without)),
        "rounded": float(len(rounded)),
    }
    said, remedies = [], []
    groups = (
        (unowned, "are in no optimizer that makes steps", "Create the optimizer after all layers, "
         "with model.parameters(); add later ones with optimizer.add_param_group()."),
        (set(visit.late), "were added or replaced during the loop and are in no optimizer",
         "Change the layers before the optimizer is created, or call optimizer.add_param_group()."),
        (set(visit.unfrozen), "were unfrozen during the loop and are in no optimizer", "Call "
         "optimizer.add_param_group() for them, or give the optimizer all parameters at first."),
        (set(rounded), "lose most updates to rounding: an update is smaller than the last place "
         f"of {', '.join(sorted({visit.dtypes[n] for n in rounded}))}", "Keep the weights in "
         "float32 and use torch.autocast for the passes."),
        (set(still), "have a gradient and do not move", "Set a learning rate that is not 0 and "
         "large enough for the type of the weights."),
        (without & visit.owned - unowned, "got no gradient in any step", "Use every layer in "
         "forward, without .detach(), .data or argmax; set requires_grad=False for what is not "
         "to be trained."),
        (visit.twice, "are in the optimizer twice", "Give each parameter once."),
    )  # fmt: skip
    for names, what, remedy in groups:
        if names:
            said.append(f"{len(names)} of {len(visit.names)} parameters {what}: "
                        f"{listed(sorted(names))}")  # fmt: skip
            remedies.append(remedy)
    if forgotten := _forgotten(visit):
        said.append(
            f"in {forgotten} of {len(visit.steps)} steps the optimizer is new: it has no moments "
            "of earlier steps"
        )
        remedies.append(
            "Create the optimizer once, before the loop. Without its moments Adam makes each step "
            "in the direction of one noisy gradient, and momentum does nothing."
        )
    if visit.put_back > 1:
        said.append(f"{visit.put_back} steps began with weights of an earlier step")
        remedies.append(
            "Do not load weights inside the loop: what the steps since then have learnt is lost. "
            "state_dict() refers to the weights themselves; keep copy.deepcopy(...) of it."
        )
    if not said:
        return Outcome.passed(
            f"all {len(trained)} parameters that are trained get a gradient and move", **numbers
        )
    return _failed("; ".join(said), " ".join(remedies), numbers)


def _forgotten(visit: Visit) -> int:
    """How many steps of one set of parameters began without moments; 0 if not nearly all did."""
    steps = [each for each in visit.steps if each.ended and not each.has_closure]
    for parameters in {each.parameters for each in steps}:
        same = [each for each in steps if each.parameters == parameters]
        first = sum(each.is_first for each in same)
        if first >= _MANY and first >= _NEARLY_ALL * len(same):
            return first
    return 0


def _failed(seen: str, remedy: str, numbers: dict[str, float] | None = None) -> Outcome:
    return Outcome.failed(
        seen,
        why="What the optimizer does not move stays as it was initialised: the model is smaller "
        "than it looks, or does not learn at all.",
        remedy=remedy,
        numbers=numbers or {},
    )
