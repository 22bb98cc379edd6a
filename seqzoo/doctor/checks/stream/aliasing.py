"""Whether a batch changes after it was handed out.

Method: consecutive batches are kept, and copied on arrival, at the pace of training; at the end all
kept batches are read again. Once directly, once with a thread that reads ten ahead. Cost: about a
second. Pass rule: no kept batch differs from its copy. Source: docs/answer.md.
"""

from __future__ import annotations

from seqzoo.doctor.checks._shared import contiguous_lanes, or_contiguous_lanes
from seqzoo.doctor.checks._shares import share_of_repeats
from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]


def examine(subject: Subject) -> Outcome:
    alone = subject.recording
    queued = subject.queued_recording or alone
    changed, changed_in_queue = sum(alone.changed), sum(queued.changed)
    if not changed and not changed_in_queue:
        return Outcome.passed(
            f"{len(alone)} batches, kept while the next were made, did not change",
            changed=0.0,
        )
    repeats, repeats_in_queue = share_of_repeats(alone), share_of_repeats(queued)
    return Outcome.failed(
        f"{changed} of {len(alone)} batches changed after they were handed out: the same memory is "
        f"filled again and again; {repeats:.0%} of the batches repeat an earlier one, "
        f"{repeats_in_queue:.0%} behind a queue that reads ten ahead",
        why="A queue of batches (Keras's generator queue, a DataLoader, any thread) then holds "
        "many references to one buffer: training sees the same content many times and then jumps, "
        "so a carried state continues nothing, and the model can learn only which byte follows "
        "which.",
        remedy="Make new arrays for every batch inside the generator's loop (np.zeros in the loop, "
        "or yield copies)" + or_contiguous_lanes(subject) + ".",
        changes=contiguous_lanes(subject),
        numbers={
            "changed": changed / len(alone),
            "changed_in_queue": changed_in_queue / len(queued),
            "repeats": repeats,
            "repeats_in_queue": repeats_in_queue,
        },
        read_more="docs/answer.md",
    )
