"""Whether the same recipe and seed give the same bits here, as resuming a run promises.

Method: torch's settings, and for a run, what it was trained with compared with what is installed
now. Cost: none. Pass rule: cuDNN neither autotunes nor uses algorithms that are not deterministic;
a run has the same torch version, device and thread count as in its training.
"""

from __future__ import annotations

import torch

from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]


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
            why="cuDNN then chooses kernels by timing, and two runs of one recipe differ.",
            remedy="Set torch.backends.cudnn.benchmark = False and .deterministic = True.",
        )
    differing = _differing(subject)
    if differing:
        return Outcome.warned(
            f"the run was trained with {'; '.join(differing)}",
            why="The run can be resumed here, but the result is not bit-for-bit the same as it "
            "would be there.",
            remedy="Resume it on the same installation if the bits matter; scores are comparable.",
        )
    return Outcome.passed("the same recipe, seed and thread count give the same bits")


def _differing(subject: Subject) -> list[str]:
    if not subject.has("run"):
        return []
    run = subject.run
    then, now = run.record, run.experiment.runtime.record()
    pairs = [
        ("torch", then["versions"]["torch"], now["versions"]["torch"]),
        ("device", then["device"], now["device"]),
        ("threads", then["threads"], now["threads"]),
    ]
    return [f"{name} {old}, here {new}" for name, old, new in pairs if old != new]
