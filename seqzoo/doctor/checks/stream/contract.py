"""Whether batches can be read at all, and are pairs of token ids of one shape.

Method: the batches are opened and read as training reads them, then with a thread that reads ahead,
and their content is checked. Cost: the two recordings, which other checks use too. Pass rule: no
exception; inputs and targets have one shape (B, T), with the same B if a state is carried; with
real text, every id is in the model's vocabulary. A warning if the ids use all values of uint8 or
uint16 and no other, in a clearly larger vocabulary, and the corpus (if there is one) has no byte
255: larger ids were cut off. Negative targets are padding. A generator that has ended before the
thread could read it is checked without the thread. Source: `Stream` in seqzoo/plugin/contracts.py.
"""

from __future__ import annotations

import torch

from seqzoo.doctor.checks._shared import contiguous_lanes, or_contiguous_lanes
from seqzoo.doctor.checks.stream._statelessness import is_stateless
from seqzoo.doctor.checks.stream._wrapped import type_that_wraps
from seqzoo.doctor.evidence.recording import Recording
from seqzoo.doctor.subject import Subject, Unusable, cause_of, or_none
from seqzoo.doctor.subjects.code_batches import OneTargetPerRow
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.contracts import Batch

__all__ = ["examine"]


def examine(subject: Subject) -> Outcome:
    try:
        first, alone = subject.batch, subject.recording
        queued = subject.queued_recording
        batches = [first, *alone.batches, *(queued.batches if queued else ())]
    except Unusable as reason:
        if reason.reported_by != "stream.contract":
            raise
        if isinstance(cause := reason.__cause__ or reason, OneTargetPerRow):
            return _one_target_a_row(str(cause))
        return _failed(subject, f"{str(reason).partition(',')[0]}: {cause_of(cause)}")
    if subject.skips("stream.targets"):
        size = tuple(first.inputs.shape)
        return Outcome.passed(f"{len(alone)} batches of {size} tokens, one target for each row")
    rows = None if is_stateless(subject) else len(first.inputs)
    for batch in batches:
        if fault := _fault(batch, rows):
            return _failed(subject, fault)
    if subject.pipeline.is_flat and (share := _share_continued_below(alone)) > 0.9:
        return _without_rows(share, len(first.inputs))
    rows, length = first.inputs.shape
    shape = f"{len(alone)} batches of ({rows}, {length}) tokens{_padding(alone)}"
    vocab_size = or_none(lambda: subject.vocab_size)
    if vocab_size is None:
        return Outcome.passed(f"{shape}, inputs and targets of one shape", rows=rows, length=length)
    real = [first] if alone.numbered else [first, *alone.batches]
    lowest = min(int(batch.inputs.min()) for batch in real)
    highest = max(int(part.max()) for batch in real for part in (batch.inputs, batch.targets))
    if lowest < 0 or highest >= vocab_size:
        return _failed(subject, f"ids from {lowest} to {highest} for a vocabulary of {vocab_size}")
    ids = torch.cat([part.flatten() for batch in real for part in (batch.inputs, batch.targets)])
    wraps = type_that_wraps(ids[ids >= 0], vocab_size)
    if wraps and not alone.numbered and not _has_byte_255(subject):
        return _wrapped(wraps, highest, vocab_size)
    return Outcome.passed(
        f"{shape}, ids {lowest} to {highest} of {vocab_size}",
        rows=rows,
        length=length,
        lowest=lowest,
        highest=highest,
    )


def _has_byte_255(subject: Subject) -> bool:
    data = or_none(lambda: subject.data)
    return data is not None and bool((data.corpus.data == 255).any())


def _padding(recording: Recording) -> str:
    targets = torch.cat([batch.targets.flatten() for batch in recording.batches])
    padded = int((targets < 0).sum())
    return f", {padded / len(targets):.1%} of the targets padding" if padded else ""


def _share_continued_below(recording: Recording) -> float:
    """The share of rows, without the last of each batch, whose target begins the row below."""
    pairs = [(batch.targets[:-1, -1], batch.inputs[1:, 0]) for batch in recording.batches]
    equal = torch.cat([ends == begins for ends, begins in pairs])
    return float(equal.double().mean()) if len(equal) else 0.0


def _fault(batch: Batch, rows: int | None) -> str:
    """rows: those of a carried state, None for no state."""
    inputs, targets = tuple(batch.inputs.shape), tuple(batch.targets.shape)
    if inputs != targets:
        return f"inputs {inputs} and targets {targets} have different shapes"
    if len(inputs) != 2 or 0 in inputs:
        return f"a batch has the shape {inputs}; expected (batch, time)"
    if rows is not None and inputs[0] != rows and not batch.restarts.all():
        return (
            f"a batch has {inputs[0]} rows but the first had {rows}, and a carried state fits no "
            f"other number (is the last batch smaller? DataLoader(drop_last=True))"
        )
    if batch.inputs.is_floating_point() or batch.targets.is_floating_point():
        return "the tokens are floating-point numbers; expected ids"
    return ""


def _failed(subject: Subject, seen: str) -> Outcome:
    return Outcome.failed(
        seen,
        why="Training reads the same batches, and fails or learns nonsense at the same place.",
        remedy="Fix what the message names. A batch is a pair of inputs and targets, integers (B, "
        "T) below the vocabulary's size, with the same B in all batches if the state is carried"
        + or_contiguous_lanes(subject)
        + ".",
        changes=contiguous_lanes(subject),
    )


def _wrapped(name: str, highest: int, vocab_size: int) -> Outcome:
    return Outcome.warned(
        f"ids from 0 to {highest}, the values of {name}, for a vocabulary of {vocab_size}: were "
        f"larger ids stored as {name}?",
        why=f"An array of {name} keeps only the remainder of an id divided by {highest + 1}, "
        "without an error: several tokens get one id, and the model learns a text that nobody "
        "wrote.",
        remedy="Store ids in a larger type, ids.astype(np.int64) or torch.tensor(ids, "
        f"dtype=torch.int64). If every value of {name} is a token of its own, as in bytes that are "
        f"no text, a vocabulary of {highest + 1} is enough.",
        numbers={"highest": highest, "vocab_size": vocab_size},
    )


def _one_target_a_row(seen: str) -> Outcome:
    return Outcome.failed(
        seen,
        why="One target for each row is a classifier's; next-byte prediction needs one for each "
        "input. Training may work with such batches, but the model learns from one of T places, "
        "and the checks here cannot judge it.",
        remedy="Cut T + 1 tokens for a row, x = row[:-1] and y = row[1:], and let the model return "
        "logits (B, T, V), one for each input (Keras: return_sequences=True).",
    )


def _without_rows(share: float, size: int) -> Outcome:
    return Outcome.failed(
        f"batches of shape ({size},) are {size} rows of one token, and {share:.0%} of the rows are "
        f"continued by the row below: a batch axis is missing",
        why="Rows of one token have no past: nothing is learnt but which token follows which.",
        remedy="Give sequences a batch axis, x[None] and y[None], or better several rows, "
        "text[: B * N].reshape(B, N), and take T columns of it for each batch.",
    )
