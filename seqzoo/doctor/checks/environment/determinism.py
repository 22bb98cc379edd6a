"""Whether the same recipe and seed give the same bits here, as resuming promises.

Method: torch's settings, and for a run what it was trained with against what is installed now.
Cost: none. Pass rule: cuDNN neither autotunes nor takes algorithms that are not deterministic; a
run has the torch version, device and thread count that it was trained with.
"""

from __future__ import annotations

import torch

from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Check, Outcome

__all__ = ["CHECK"]


def examine(subject: Subject) -> Outcome:
    loose = []
    if torch.cuda.is_available():
        if torch.backends.cudnn.benchmark:
            loose.append("torch.backends.cudnn.benchmark is on")
        if not torch.backends.cudnn.deterministic:
            loose.append("torch.backends.cudnn.deterministic is off")
    if loose:
        return Outcome.warned(
            "; ".join(loose),
            why="Kernels are then chosen by timing, and two runs of one recipe differ.",
            remedy="Set torch.backends.cudnn.benchmark = False and .deterministic = True.",
        )
    differing = _differing(subject)
    if differing:
        return Outcome.warned(
            f"the run was trained with {'; '.join(differing)}",
            why="Resumed here it would go on well, and end in other bits than it would have there.",
            remedy="Resume it where it was begun if the bits matter; scores are not concerned.",
        )
    return Outcome.passed("the same recipe, seed and thread count give the same bits")


def _differing(subject: Subject) -> list[str]:
    try:
        run = subject.run
    except Missing:
        return []
    then, now = run.record, run.experiment.runtime.record()
    pairs = [
        ("torch", then["versions"]["torch"], now["versions"]["torch"]),
        ("device", then["device"], now["device"]),
        ("threads", then["threads"], now["threads"]),
    ]
    return [f"{name} {old}, here {new}" for name, old, new in pairs if old != new]


CHECK = Check(
    name="environment.determinism",
    summary="runs can be repeated to the bit",
    examine=examine,
    rank=30,
)
