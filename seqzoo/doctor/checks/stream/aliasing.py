"""Whether a batch changes after it was handed out.

Method: consecutive batches are held and copied on arrival, at the pace of training; at the end all
that are held are read again. Once as they come, once with a thread that reads ten ahead. Cost:
about a second. Pass rule: no held batch differs from its copy. Source: docs/answer.md.
"""

from __future__ import annotations

from seqzoo.doctor.checks._mending import contiguous_lanes, otherwise
from seqzoo.doctor.checks._shares import share_of_repeats
from seqzoo.doctor.evidence.recording import Recording
from seqzoo.doctor.subject import Missing, Subject, Unusable
from seqzoo.plugin.check import Check, Outcome

__all__ = ["CHECK"]


def examine(subject: Subject) -> Outcome:
    alone, queued = subject.recording, _queued(subject)
    changed, changed_in_queue = sum(alone.changed), sum(queued.changed)
    if not changed and not changed_in_queue:
        return Outcome.passed(
            f"{len(alone)} batches, held while the next were made, did not change",
            changed=0.0,
        )
    repeats, repeats_in_queue = share_of_repeats(alone), share_of_repeats(queued)
    return Outcome.failed(
        f"{changed} of {len(alone)} batches changed after they were handed out: the same memory is "
        f"filled again and again; {repeats:.0%} of the batches repeat an earlier one, "
        f"{repeats_in_queue:.0%} behind a queue that reads ten ahead",
        why="Whatever queues batches (Keras's generator queue, a DataLoader, any thread) then "
        "holds many references to one buffer: training sees the same content many times and then "
        "jumps, so a carried state continues nothing, and only the pair of the current and the "
        "next byte survives.",
        remedy="Make new arrays for every batch inside the generator's loop (np.zeros in the loop, "
        "or yield copies)" + otherwise(subject, "; ") + ".",
        changes=contiguous_lanes(subject),
        numbers={
            "changed": changed / len(alone),
            "changed_in_queue": changed_in_queue / len(queued),
            "repeats": repeats,
            "repeats_in_queue": repeats_in_queue,
        },
        read_more="docs/answer.md",
    )


def _queued(subject: Subject) -> Recording:
    """The recording without a queue where the batches were through by then."""
    try:
        return subject.queued_recording
    except Unusable:
        raise
    except Missing:
        return subject.recording


CHECK = Check(
    name="stream.aliasing",
    summary="batches keep their content once they are handed out",
    examine=examine,
    rank=10,
    explains=(
        "stream.repeats",
        "stream.continuity",
        "stream.targets",
        "stream.resets",
        "stream.split",
        "memory.carry",
        "verdict.*",
        "decoding.*",
    ),
    source="Keras 1 fit_generator queued references, not copies",
)
