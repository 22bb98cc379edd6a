"""Whether gradients are clipped between backward pass and step, and at their true size.

Method: calls of torch's clip_grad_norm_, in the order of passes and steps, with the norm that they
found; with a gradient scaler, that norm compared with the norm after the backward pass. Cost: the
norm of all gradients in the first steps. Pass rule: clipping comes before the step, after unscale_,
finds gradients, and leaves more than a thousandth. Source: torch's notes on automatic mixed
precision.
"""

from __future__ import annotations

from itertools import pairwise

from seqzoo.doctor.subject import Subject
from seqzoo.doctor.watching.visit import Visit
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_LARGE_SCALE = 256.0
_NOTHING_LEFT = 1e-3


def examine(subject: Subject) -> Outcome:
    visit = subject.visit
    if not visit.steps or not visit.backwards:
        return Outcome.skipped("no step of an optimizer of this model was seen")
    scaled_steps = _scaled_steps(visit)
    if scaled_steps:
        return Outcome.failed(
            f"{scaled_steps} steps used gradients that are still multiplied by the loss scale",
            why="The updates are thousands of times too large, or clipping cuts them to nothing.",
            remedy="Make the step with scaler.step(optimizer) and scaler.update(), and clip after "
            "scaler.unscale_(optimizer).",
        )
    if not visit.clips:
        return Outcome.passed("gradients are not clipped with torch's clip_grad_norm_")
    return _clips(visit)


def _clips(visit: Visit) -> Outcome:
    events = sorted(
        [(each.when, "backward") for each in visit.backwards]
        + [(each.ended, "step") for each in visit.steps if each.ended]
        + [(each.when, "clip") for each in visit.clips]
    )
    kinds = [kind for _, kind in events]
    late = sum(before == "step" and kind == "clip" for before, kind in pairwise(kinds))
    total = len(visit.clips)
    if late > 0.5 * total and not _is_useful(kinds):
        return Outcome.failed(
            f"{late} of {total} times gradients were clipped after a step and before the next "
            "backward pass",
            why="The gradients of that step are used already, and those of the next one are not "
            "there yet: clipping has no effect.",
            remedy="Use this order: backward(), clip_grad_norm_(), step().",
        )
    if empty := _of_nothing(visit):
        return Outcome.failed(
            f"{empty} of {total} times there was nothing to clip: the parameters that it got have "
            "no gradient",
            why="model.parameters() is a generator, which is empty after its first use; or they "
            "are the parameters of another model. Clipping has no effect.",
            remedy="Write clip_grad_norm_(model.parameters(), limit) at the place itself, or keep "
            "list(model.parameters()).",
        )
    unscaled = [each for each in visit.clips if _is_scaled(visit, each.when, each.norm)]
    if len(unscaled) > 0.5 * total:
        return Outcome.failed(
            f"{len(unscaled)} of {total} times gradients were clipped while they were still "
            "multiplied by the loss scale",
            why="Clipping compares the scaled norm with the limit and cuts nearly everything.",
            remedy="Call scaler.unscale_(optimizer) before clip_grad_norm_().",
        )
    kept = [min(1.0, each.limit / each.norm) for each in visit.clips if each.norm > 0]
    if kept and max(kept) < _NOTHING_LEFT:
        return Outcome.warned(
            f"clipping leaves at most {max(kept):.1e} of every gradient",
            why="The limit is far below the norm of every gradient; with SGD nothing is learnt.",
            remedy="Set the limit near the usual norm of the gradients: "
            f"{sorted(each.norm for each in visit.clips)[total // 2]:.2g} here.",
        )
    return Outcome.passed(f"gradients were clipped {total} times, before the step")


def _of_nothing(visit: Visit) -> int:
    """How many clips found no gradient although the backward pass before had made some."""
    found = 0
    for clip in visit.clips:
        before = [each.norm for each in visit.backwards if each.when < clip.when]
        found += clip.norm == 0 and bool(before and before[-1])
    return found if found > 0.5 * len(visit.clips) else 0


def _is_useful(kinds: list[str]) -> bool:
    """Whether a step follows a clip without a backward pass between them."""
    return any(one == "clip" and two == "step" for one, two in pairwise(kinds))


def _is_scaled(visit: Visit, when: int, norm: float) -> bool:
    before = [each for each in visit.backwards if each.when < when]
    if not before or before[-1].norm is None or not before[-1].norm:
        return False
    scale = before[-1].scale or 1.0
    return scale >= _LARGE_SCALE and abs(norm / before[-1].norm - 1) < 0.05


def _scaled_steps(visit: Visit) -> int:
    found = 0
    for step in visit.steps:
        if step.norm is None or step.is_fused_scaler or step.has_closure:
            continue
        is_clipped = any(each.when < step.when for each in visit.clips)
        found += not is_clipped and _is_scaled(visit, step.when, step.norm)
    return found if found > 0.5 * len(visit.steps) else 0
