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
    if last is None or last.earlier < _LEAST:
        return Outcome.skipped(f"fewer than {_LEAST + 2} backward passes were seen")
    numbers = {"alive": float(last.earlier_alive), "of": float(last.earlier)}
    alive = last.earlier_alive
    if alive < max(_LEAST, 0.9 * last.earlier):
        return Outcome.passed(
            f"{last.earlier - alive} of {last.earlier} earlier graphs were freed", **numbers
        )
    return Outcome.warned(
        f"the graphs of {alive} of the {last.earlier} earlier losses are still in memory",
        why="A loss keeps its whole graph: memory grows with every step until it is full.",
        remedy="Keep numbers and not tensors: total += loss.item(), losses.append(loss.item()), "
        "or loss.detach().",
        numbers=numbers,
    )
