"""Whether the graphs of earlier losses are freed.

Method: a small object is attached to the graph of every loss; it lives as long as the graph. Cost:
none. Pass rule: of the last eight losses or more, not all graphs are alive two passes later.
"""

from __future__ import annotations

from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_LEAST = 8


def examine(subject: Subject) -> Outcome:
    visit = subject.visit
    last = visit.backwards[-1] if visit.backwards else None
    if last is None or last.losses[0] < _LEAST:
        return Outcome.skipped(f"fewer than {_LEAST + 2} backward passes were seen")
    earlier, alive = last.losses
    numbers = {"alive": float(alive), "of": float(earlier)}
    if not _are_kept(last.losses):
        outputs, kept = last.outputs
        if _are_kept(last.outputs):
            return Outcome.warned(
                f"the outputs of {kept} of the {outputs} earlier calls of the model are still in "
                "memory",
                why="Each has the size of all logits of a batch: memory grows with every step.",
                remedy="Keep what you need of them as numbers, or logits.detach().cpu() of a few.",
                numbers={"alive": float(kept), "of": float(outputs)},
            )
        return Outcome.passed(
            f"{earlier - alive} of {earlier} earlier graphs were freed", **numbers
        )
    return Outcome.warned(
        f"the graphs of {alive} of the {earlier} earlier losses are still in memory",
        why="A loss keeps its whole graph: memory grows with every step until it is full.",
        remedy="Keep numbers and not tensors: total += loss.item(), losses.append(loss.item()), "
        "or loss.detach().",
        numbers=numbers,
    )


def _are_kept(counted: tuple[int, int]) -> bool:
    number, alive = counted
    return alive >= max(_LEAST, 0.9 * number)
