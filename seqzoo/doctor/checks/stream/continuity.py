"""Whether rows continue where they stopped, if the state is carried.

Method: row i of a batch must begin with what follows row i of the batch before, unless the state
is reset between them. Cost: only the recording. Pass rule: nine tenths of the way from chance (two
tokens of the text are equal) to all rows; the rest allows for jumps, such as the end of the text.
If every batch resets the state, or the model has none, nothing must continue.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seqzoo.doctor.checks._shared import contiguous_lanes
from seqzoo.doctor.checks._shares import share_of_continued_rows
from seqzoo.doctor.checks.stream._offsets import is_clear
from seqzoo.doctor.checks.stream._statelessness import is_stateless
from seqzoo.doctor.evidence.recording import Recording
from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.contracts import Batch

__all__ = ["examine"]

_CLEAR = 0.9


def examine(subject: Subject) -> Outcome:
    recording = subject.recording
    pairs = recording.pairs()
    if not pairs:
        return Outcome.skipped("no batch follows another with the same number of rows")
    if all(after.restarts.all() for _, after in pairs):
        return Outcome.passed("every batch resets the state, so no batch must continue another")
    share, chance = share_of_continued_rows(recording), recording.chance
    if share is None:
        return Outcome.skipped("no target is a next input (see stream.targets)")
    numbers = {"continued": share, "chance": chance}
    if is_clear(share, chance, at_least=_CLEAR):
        return Outcome.passed(f"{share:.0%} of the rows continue the row before them", **numbers)
    if is_stateless(subject):
        return Outcome.passed(
            f"{share:.0%} of the rows continue; the model has no state to carry", **numbers
        )
    seen, remedy = _kind(recording)
    by_chance = "" if recording.numbered else f" (by chance {chance:.0%} would)"
    return Outcome.failed(
        f"{share:.0%} of the rows continue the row before them{by_chance}{seen}",
        why="The state is carried from batch to batch: each row then begins with the memory of "
        "another text, and the model learns to ignore it.",
        remedy=remedy,
        changes=contiguous_lanes(subject),
        numbers=numbers,
    )


def _kind(recording: Recording) -> tuple[str, str]:
    """Which of the usual faults it is, and what to do."""
    pairs = [
        (_next(before, numbered=recording.numbered), after.inputs[:, 0], before.inputs[:, 0])
        for before, after in recording.pairs()
        if not after.restarts.any()
    ]
    if _begins_again(recording):
        return (
            "; after the end of the text (an epoch) all rows begin again where they began, with "
            "the state of their ends",
            "Reset the state when an epoch begins, state = None; in your own code end the batches "
            "there, so that each epoch is a loop of its own.",
        )
    below = torch.cat([(ends[:-1] == begins[1:])[ends[:-1] >= 0] for ends, _, begins in pairs])
    if len(below) and is_clear(float(below.double().mean()), recording.chance, at_least=_CLEAR):
        return (
            "; each row continues the one above it in the same batch",
            "The text was cut into rows one after the other; cut it into B lanes instead, "
            "text[: B * N].reshape(B, N), and take T columns of it for each batch.",
        )
    elsewhere = torch.cat([torch.isin(begins, ends) for ends, begins, _ in pairs])
    if recording.numbered and float(elsewhere.double().mean()) > 0.5:
        return (
            "; most continue another row",
            "Keep the order of rows from batch to batch: no shuffle=True, no permutation.",
        )
    return (
        "; they begin at other places",
        "Read contiguous lanes, or reset the state for every batch (Batch.restarts; in your "
        "own code carry_state=False); then nothing longer than a row is learnt.",
    )


def _begins_again(recording: Recording) -> bool:
    """Whether rows that do not continue are all of one batch, and have been read before."""
    jumps, firsts = [], {recording.batches[0].inputs.numpy().tobytes()}
    for before, after in recording.pairs():
        continues = _next(before, numbered=recording.numbered) == after.inputs[:, 0]
        if continues.double().mean() < 0.5:
            jumps.append(after.inputs.numpy().tobytes() in firsts)
    return bool(jumps) and all(jumps)


def _next(batch: Batch, *, numbered: bool) -> Tensor:
    """(B,) the token that follows each row."""
    return batch.inputs[:, -1] + 1 if numbered else batch.targets[:, -1]
