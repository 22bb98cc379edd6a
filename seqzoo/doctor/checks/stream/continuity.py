"""Whether rows continue where they stopped, if the state is carried.

Method: row i of a batch must begin with what follows row i of the batch before, unless the state
is reset between them. Cost: only the recording. Pass rule: nine tenths of the way from chance (two
tokens of the text are equal) to all rows; the rest allows for jumps. Warn: the only jumps are to
the batches of the beginning, which are all read again, with the state of the end; a stream whose
text is numbered is asked that by stream.resets, and a watched loop, which may reset the state
there, is not. If every batch resets the state, or the model has none, nothing must continue.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from seqzoo.doctor.checks._shared import advice, contiguous_lanes
from seqzoo.doctor.checks._shares import share_of_continued_rows
from seqzoo.doctor.checks.stream._joints import (
    change_places,
    tokens_left_out,
    tokens_read_again,
)
from seqzoo.doctor.checks.stream._offsets import is_clear
from seqzoo.doctor.checks.stream._places import places_of_rows
from seqzoo.doctor.checks.stream._statelessness import is_stateless
from seqzoo.doctor.evidence.recording import Recording
from seqzoo.doctor.subject import Subject, or_none
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.contracts import Batch

__all__ = ["examine"]

_CLEAR = 0.9
_RESET = (
    "Reset the state when an epoch begins, state = None; in your own code end the batches there, "
    "so that each epoch is a loop of its own."
)


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
        is_judged = not recording.numbered and not subject.has("visit")
        if is_judged and (epoch := _length_of_epoch(recording)) and not is_stateless(subject):
            return _not_reset(epoch, numbers)
        return Outcome.passed(f"{share:.0%} of the rows continue the row before them", **numbers)
    if is_stateless(subject):
        return Outcome.passed(
            f"{share:.0%} of the rows continue; the model has no state to carry", **numbers
        )
    seen, remedy = _kind(subject, recording)
    by_chance = "" if recording.numbered else f" (by chance {chance:.0%} would)"
    return Outcome.failed(
        f"{share:.0%} of the rows continue the row before them{by_chance}{seen}",
        why="The state is carried from batch to batch: each row then begins with the memory of "
        "another text, and the model learns to ignore it.",
        remedy=remedy,
        changes=contiguous_lanes(subject),
        numbers=numbers,
    )


def _not_reset(epoch: int, numbers: dict[str, float]) -> Outcome:
    return Outcome.warned(
        f"after {epoch} batches, the end of the text (an epoch), all rows begin again where they "
        f"began, with the state of their ends",
        why="In each epoch the first tokens of every row are predicted from the memory of another "
        "text. In a long text that does little harm, in a short one with many epochs much.",
        remedy=_RESET,
        numbers=numbers | {"epoch": float(epoch)},
    )


def _kind(subject: Subject, recording: Recording) -> tuple[str, str]:
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
            _RESET,
        )
    below = torch.cat([(ends[:-1] == begins[1:])[ends[:-1] >= 0] for ends, _, begins in pairs])
    if len(below) and is_clear(float(below.double().mean()), recording.chance, at_least=_CLEAR):
        return (
            "; each row continues the one above it in the same batch",
            "The text was cut into rows one after the other; cut it into B lanes instead, "
            "text[: B * N].reshape(B, N), and take T columns of it for each batch.",
        )
    places = or_none(lambda: places_of_rows(subject))
    if early := tokens_read_again(recording):
        return _early(early)
    if late := tokens_left_out(recording, places):
        return (
            f"; each row begins {late} token{'s' * (late > 1)} late: what is between it and the "
            f"end of the row before is never an input",
            f"Advance by T, the number of inputs of a row, and not by T + {late}: the last target "
            "of a row is the first input of the row that continues it.",
        )
    if change_places(recording, places):
        return (
            "; most continue another row: rows change their places from batch to batch",
            "Keep the order of rows from batch to batch: no shuffle=True, no permutation and no "
            "roll along the batch.",
        )
    return (
        "; they begin at other places",
        f"Read contiguous lanes, or reset the state for every batch ({_how_to_reset(subject)}); "
        f"then nothing longer than a row is learnt.",
    )


def _how_to_reset(subject: Subject) -> str:
    if subject.has("visit"):
        return "state = None before each batch"
    return advice(
        subject,
        recipe="Batch.restarts",
        code="state = None before each batch, and carry_state=False for this examination",
    )


def _begins_again(recording: Recording) -> bool:
    """Whether the rows that do not continue are those of batches that begin again."""
    return _length_of_epoch(recording) is not None


def _early(early: int) -> tuple[str, str]:
    return (
        f"; each row begins {early} token{'s' * (early > 1)} early: it reads the last "
        f"{early} of the row before again",
        f"Advance by T, the number of inputs of a row, and not by T - {early}: the last target of "
        "a row is the first input of the row that continues it.",
    )


def _length_of_epoch(recording: Recording) -> int | None:
    """How many batches it takes until all rows begin again where those of the first batch began;
    None if rows never jump, or jump to other batches as well.
    """
    first = recording.batches[0].inputs
    jumps: list[int] = []
    for number, (before, after) in enumerate(pairwise(recording.batches), start=1):
        if before.inputs.shape != after.inputs.shape:
            continue
        continues = _next(before, numbered=recording.numbered) == after.inputs[:, 0]
        if continues.double().mean() < 0.5:
            if not torch.equal(after.inputs, first):
                return None
            jumps.append(number)
    return jumps[0] if jumps else None


def _next(batch: Batch, *, numbered: bool) -> Tensor:
    """(B,) the token that follows each row."""
    return batch.inputs[:, -1] + 1 if numbered else batch.targets[:, -1]
