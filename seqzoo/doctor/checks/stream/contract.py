"""Whether batches can be had at all, and are pairs of token ids of one shape.

Method: the batches are opened and read as training reads them, then behind a thread that reads
ahead; what they hold is looked at. Cost: the two recordings, which other checks use too. Pass rule:
nothing raises; inputs and targets are (B, T) of one shape, B the same wherever a state is carried;
of real text, every id is one of the model's vocabulary. Negative targets are padding. A generator
that is through before a thread could read it has told all that it can. Source: `Stream` in
seqzoo/plugin/contracts.py.
"""

from __future__ import annotations

import torch

from seqzoo.doctor.checks._mending import contiguous_lanes, otherwise
from seqzoo.doctor.checks.stream._statelessness import keeps_no_state
from seqzoo.doctor.evidence.recording import Recording
from seqzoo.doctor.subject import Missing, Subject, Unusable, cause_of
from seqzoo.doctor.subjects.code_batches import OneTargetARow
from seqzoo.plugin.check import Check, Outcome
from seqzoo.plugin.contracts import Batch

__all__ = ["CHECK"]


def examine(subject: Subject) -> Outcome:
    try:
        first, alone = subject.batch, subject.recording
        batches = [first, *alone.batches, *_queued(subject)]
    except Unusable as reason:
        if reason.told_by != CHECK.name:
            raise
        if isinstance(cause := reason.__cause__ or reason, OneTargetARow):
            return _one_target_a_row(str(cause))
        return _failed(subject, f"{str(reason).partition(',')[0]}: {cause_of(cause)}")
    rows = None if keeps_no_state(subject) else len(first.inputs)
    for batch in batches:
        if fault := _fault(batch, rows):
            return _failed(subject, fault)
    if subject.pipeline.is_flat and (share := _share_continued_below(alone)) > 0.9:
        return _without_rows(share, len(first.inputs))
    rows, length = first.inputs.shape
    shape = f"{len(alone)} batches of ({rows}, {length}) tokens{_padding(alone)}"
    try:
        vocab_size = subject.vocab_size
    except Missing:
        return Outcome.passed(f"{shape}, inputs and targets of one shape", rows=rows, length=length)
    real = [first] if alone.numbered else [first, *alone.batches]
    lowest = min(int(batch.inputs.min()) for batch in real)
    highest = max(int(part.max()) for batch in real for part in batch[:2])
    if lowest < 0 or highest >= vocab_size:
        return _failed(subject, f"ids from {lowest} to {highest} for a vocabulary of {vocab_size}")
    return Outcome.passed(
        f"{shape}, ids {lowest} to {highest} of {vocab_size}",
        rows=rows,
        length=length,
        lowest=lowest,
        highest=highest,
    )


def _queued(subject: Subject) -> tuple[Batch, ...]:
    try:
        return subject.queued_recording.batches
    except Unusable:
        raise
    except Missing:
        return ()


def _padding(recording: Recording) -> str:
    targets = torch.cat([batch.targets.flatten() for batch in recording.batches])
    padded = int((targets < 0).sum())
    return f", {padded / len(targets):.1%} of the targets padding" if padded else ""


def _share_continued_below(recording: Recording) -> float:
    """Of the rows but the last of each batch, those whose target the row below begins with."""
    pairs = [(batch.targets[:-1, -1], batch.inputs[1:, 0]) for batch in recording.batches]
    equal = torch.cat([ends == begins for ends, begins in pairs])
    return float(equal.double().mean()) if len(equal) else 0.0


def _fault(batch: Batch, rows: int | None) -> str:
    """rows: of a state that is carried, None for no state."""
    inputs, targets = tuple(batch.inputs.shape), tuple(batch.targets.shape)
    if inputs != targets:
        return f"inputs {inputs} and targets {targets} have different shapes"
    if len(inputs) != 2 or 0 in inputs:
        return f"a batch has the shape {inputs}; expected (batch, time)"
    if rows is not None and inputs[0] != rows and not batch.restarts:
        return (
            f"a batch has {inputs[0]} rows where the first had {rows}, and a carried state fits no "
            f"other (a last batch that is smaller? DataLoader(drop_last=True))"
        )
    if batch.inputs.is_floating_point() or batch.targets.is_floating_point():
        return "the tokens are floating numbers; expected ids"
    return ""


def _failed(subject: Subject, seen: str) -> Outcome:
    return Outcome.failed(
        seen,
        why="Training reads the same batches, and fails or learns nonsense at the same place.",
        remedy="Mend what the message names; a batch is a pair of inputs and targets, whole "
        "numbers (B, T) below the vocabulary's size, B the same in all where the state is carried"
        + otherwise(subject, "; ")
        + ".",
        changes=contiguous_lanes(subject),
    )


def _one_target_a_row(seen: str) -> Outcome:
    return Outcome.failed(
        seen,
        why="One target for each row is a classifier's; next-byte prediction wants one for each "
        "input. Such batches may well train, but of T places the model learns from one, and the "
        "checks here say nothing of it.",
        remedy="Cut T + 1 tokens for a row, x = row[:-1] and y = row[1:], and let the model give "
        "logits (B, T, V), one for each input (Keras: return_sequences=True).",
    )


def _without_rows(share: float, size: int) -> Outcome:
    return Outcome.failed(
        f"batches of shape ({size},) are {size} rows of one token, and {share:.0%} of the rows are "
        f"continued by the one below: a batch axis is missing",
        why="Rows of one token have no past: nothing is learnt but which token follows which.",
        remedy="Give sequences a batch axis, x[None] and y[None], or better several rows, "
        "text[: B * N].reshape(B, N), and take T columns of it for each batch.",
    )


CHECK = Check(
    name="stream.contract",
    summary="batches can be read, and hold token ids",
    examine=examine,
    rank=1,
    # Of the model's those that read real text; the others read tokens of its own vocabulary.
    explains=(
        "stream.*",
        "model.initial_loss",
        "model.logits",
        "model.loss",
        "model.gradients",
        "model.finite",
        "memory.*",
        "optimisation.*",
        "verdict.*",
        "decoding.*",
    ),
    is_gate=True,
)
