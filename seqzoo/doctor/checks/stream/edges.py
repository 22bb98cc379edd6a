"""Whether batches are right at the edges: the last place that may be drawn, the end of an epoch.

Method: a function that returns batches is called twice more, once with every random integer as
small as it may be and once as large (Python's, NumPy's and torch's functions are replaced for the
first three batches); batches that end are read to their end, for at most a third of a second. Cost:
one epoch of reading. Pass rule: no exception; rows are as long as before, and inside a row each
target is as far from its input as in other batches. Fewer rows at the end are no fault here.
Source: off-by-one at the end of a range, random.randint (which includes its end) beside
random.randrange.
"""

from __future__ import annotations

import time

import torch

from seqzoo.doctor.checks.stream._offsets import likely_offset
from seqzoo.doctor.evidence.extremes import drawn_at_the_edge
from seqzoo.doctor.evidence.missing import cause_of
from seqzoo.doctor.evidence.recording import Recording
from seqzoo.doctor.subject import Missing, Subject, or_none
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.contracts import Batch

__all__ = ["examine"]

_BATCHES = 3
_SECONDS = 0.3
_MOST_TOKENS = 500_000


def examine(subject: Subject) -> Outcome:
    recording = subject.recording
    if recording.numbered or not subject.pipeline.restarts_anywhere:
        raise Missing("only a function that returns new batches can be tried at its edges")
    length = recording.length
    whole = all(batch.inputs.shape[1] == length for batch in recording.batches)
    if not whole:
        raise Missing("rows have several lengths")
    offset = likely_offset(recording)
    for edge in ("smallest", "largest"):
        if fault := _at(subject, edge, length, offset):
            return _failed(f"if every random number is the {edge} that may be drawn, {fault}")
    count, fault = _at_the_end(subject, length, offset)
    if fault:
        return _failed(f"after the first batches, in batch {count}, {fault}")
    return Outcome.passed(
        f"the first and last places that may be drawn and {count} batches read on are like the "
        f"others",
        batches=float(count),
    )


def _at(subject: Subject, edge: str, length: int, offset: int | None) -> str:
    batches = []
    try:
        with drawn_at_the_edge(edge == "largest"):
            source = subject.pipeline.real_source()
            for _ in range(_BATCHES):
                batches.append(source.read(source.take()))
    except StopIteration:
        pass
    except Exception as error:
        return f"reading raises {cause_of(error)}"
    return next((fault for batch in batches if (fault := _fault(batch, length, offset))), "")


def _at_the_end(subject: Subject, length: int, offset: int | None) -> tuple[int, str]:
    """How many batches were read, and what is wrong with the last of them."""
    source = subject.pipeline.real_source()
    tokens, vocab_size = or_none(lambda: subject.tokens), or_none(lambda: subject.vocab_size)
    most = _MOST_TOKENS if tokens is None else 2 * len(tokens)  # then it has no end
    began, count, read = time.perf_counter(), 0, 0
    try:
        while read < most and time.perf_counter() - began < _SECONDS:
            batch = source.read(source.take())
            count, read = count + 1, read + batch.inputs.numel()
            if fault := _fault(batch, length, offset) or _id_outside(batch, vocab_size):
                return count, fault
    except StopIteration:
        pass
    except Exception as error:
        return count + 1, f"reading raises {cause_of(error)}"
    return count, ""


def _id_outside(batch: Batch, vocab_size: int | None) -> str:
    largest = max(int(batch.inputs.max()), int(batch.targets.max()))
    if vocab_size is None or largest < vocab_size:
        return ""
    return f"the id {largest} occurs, and the model has {vocab_size} logits"


def _fault(batch: Batch, length: int, offset: int | None) -> str:
    inputs, targets = tuple(batch.inputs.shape), tuple(batch.targets.shape)
    if inputs != targets:
        return f"inputs {inputs} and targets {targets} have different shapes"
    if inputs[1] != length:
        return f"rows have {inputs[1]} tokens, and {length} elsewhere"
    if offset is None or not 0 <= offset < length - 1:
        return ""
    one = Recording((batch,), (False,), numbered=False)
    if likely_offset(one) in (offset, None) or len(torch.unique(batch.inputs)) < 3:
        return ""
    return f"the targets are not {offset} ahead of their inputs"


def _failed(seen: str) -> Outcome:
    return Outcome.failed(
        seen,
        why="Such a batch is rare, so training fails or learns something wrong after hours, and "
        "not in a test.",
        remedy="A row of T inputs needs T + 1 tokens: draw its start below len(text) - T, "
        "random.randrange(len(text) - T) and not random.randint(0, len(text) - T), whose end is "
        "included; leave out a last batch that is shorter.",
    )
