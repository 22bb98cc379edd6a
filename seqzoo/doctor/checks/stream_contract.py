"""Whether batches can be had at all, and are pairs of token ids of one shape.

Method: the batches are opened and read as training reads them, then behind a thread that reads
ahead; what they hold is looked at. Cost: the two recordings, which other checks use too. Pass rule:
nothing raises; inputs and targets are (B, T) of one shape, B the same throughout; of real text,
every id is one of the model's vocabulary. Source: `Stream` in seqzoo/contracts.py.
"""

from __future__ import annotations

from seqzoo.contracts import Batch
from seqzoo.doctor.checks._mending import contiguous_lanes
from seqzoo.doctor.subject import Missing, Subject, Unusable, cause_of
from seqzoo.specs import Check, Outcome

__all__ = ["CHECK"]


def examine(subject: Subject) -> Outcome:
    try:
        first, alone, queued = subject.batch, subject.recording, subject.queued_recording
    except Unusable as reason:
        if reason.told_by != CHECK.name:
            raise
        return _failed(
            subject, f"{str(reason).partition(',')[0]}: {cause_of(reason.__cause__ or reason)}"
        )
    batches = [first, *alone.batches, *queued.batches]
    for batch in batches:
        if fault := _fault(batch, len(first.inputs)):
            return _failed(subject, fault)
    rows, length = first.inputs.shape
    shape = f"{len(alone)} batches of ({rows}, {length}) tokens"
    try:
        vocab_size = subject.vocab_size
    except Missing:
        return Outcome.passed(f"{shape}, inputs and targets of one shape", rows=rows, length=length)
    lowest = min(int(part.min()) for part in first[:2])
    highest = max(int(part.max()) for part in first[:2])
    if lowest < 0 or highest >= vocab_size:
        return _failed(subject, f"ids from {lowest} to {highest} for a vocabulary of {vocab_size}")
    return Outcome.passed(
        f"{shape}, ids {lowest} to {highest} of {vocab_size}",
        rows=rows,
        length=length,
        lowest=lowest,
        highest=highest,
    )


def _fault(batch: Batch, rows: int) -> str:
    inputs, targets = tuple(batch.inputs.shape), tuple(batch.targets.shape)
    if inputs != targets:
        return f"inputs {inputs} and targets {targets} have different shapes"
    if len(inputs) != 2 or 0 in inputs:
        return f"a batch has the shape {inputs}; expected (batch, time)"
    if inputs[0] != rows:
        return f"a batch has {inputs[0]} rows where the first had {rows}; a state fits no other"
    if batch.inputs.is_floating_point() or batch.targets.is_floating_point():
        return "the tokens are floating numbers; expected ids"
    return ""


def _failed(subject: Subject, seen: str) -> Outcome:
    return Outcome.failed(
        seen,
        why="Training reads the same batches, and fails or learns nonsense at the same place.",
        remedy="Mend what the message names; a batch is a pair of inputs and targets, whole "
        "numbers (B, T) below the vocabulary's size, B the same in all. In a recipe, leave the "
        "stream out to read contiguous lanes.",
        changes=contiguous_lanes(subject),
    )


CHECK = Check(
    name="stream.contract",
    summary="batches can be read, and hold token ids",
    examine=examine,
    rank=1,
    explains=("stream.*", "model.gradients", "memory.*", "optimisation.*", "verdict.*"),
    is_gate=True,
)
