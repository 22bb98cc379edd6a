"""Whether torch computes with more threads than it has cores.

Method: torch's thread count compared with the cores that this process may use: its affinity, and
the limit of its control groups. Cost: none. Pass rule: no more threads than cores. Threads without
a core of their own use processor time to wait for each other; two trainings with two threads each
on two cores were measured ten times slower than one.
"""

from __future__ import annotations

import torch

from seqzoo import cores as machine
from seqzoo.doctor.checks._shared import advice
from seqzoo.doctor.subject import Subject
from seqzoo.model.threads import counted
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]


def examine(subject: Subject) -> Outcome:
    threads, cores = torch.get_num_threads(), usable_cores()
    stated = f"{counted(threads)} on {cores} usable cores"
    numbers = {"threads": threads, "cores": cores}
    if threads > cores:
        return Outcome.warned(
            stated,
            why="Threads without a core of their own wait for each other, which is slower than "
            "fewer threads.",
            remedy=advice(
                subject,
                recipe=f"Set runtime.threads to {cores}, or OMP_NUM_THREADS={cores}.",
                code=f"Set OMP_NUM_THREADS={cores}, or call torch.set_num_threads({cores}).",
            ),
            changes=(f"runtime.threads={cores}",) if subject.has("recipe") else (),
            numbers=numbers,
        )
    return Outcome(status="pass", seen=stated, numbers=numbers)


def usable_cores() -> int:
    """Cores that this process may use at the same time, at least 1."""
    cores, limit = len(machine.usable_cores()), machine.core_limit()
    return cores if limit is None else min(cores, machine.whole_cores(limit))
