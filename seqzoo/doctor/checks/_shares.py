"""Figures of a recording that several checks of streams use."""

from __future__ import annotations

import torch
from torch import Tensor

from seqzoo.doctor.checks.stream._offsets import joined_rows, likely_offset
from seqzoo.doctor.evidence.recording import Recording

__all__ = ["share_of_continued_rows", "share_of_repeats"]

_TOKENS_TO_BE_DISTINCT = 64


def share_of_repeats(recording: Recording) -> float:
    """The share of batches, after the first, that equal an earlier one.

    Small batches are joined until each has 64 tokens, so that none repeats by chance.
    """
    each = max(1, -(-_TOKENS_TO_BE_DISTINCT // recording.batches[0].inputs.numel()))
    if recording.numbered:
        each = 1
    seen: set[bytes] = set()
    repeats = count = 0
    for start in range(len(recording) - each + 1):
        together = recording.batches[start : start + each]
        content = b"".join(
            part.numpy().tobytes() for batch in together for part in (batch.inputs, batch.targets)
        )
        repeats += content in seen
        seen.add(content)
        count += 1
    return repeats / max(count - 1, 1)


def share_of_continued_rows(recording: Recording) -> float | None:
    """The share of rows that continue the row before, where the state is carried between them.

    With numbered tokens the inputs show it. Otherwise the target for the next input shows it,
    which is the last of the row only if targets are one ahead. None if no state is carried, or if
    no target is a next input.
    """
    joints = recording.joints()
    if recording.numbered:
        joints = [
            (before.inputs[:, -1] + 1, after.inputs[:, 0], after.restarts)
            for before, after in recording.pairs()
        ]
    elif (offset := likely_offset(recording)) not in (1, None):
        joints = _predicted(recording, offset)
    # A target that is padding says nothing about the next input.
    carried = [
        (ends == begins)[(ends >= 0) & ~restarts]
        for ends, begins, restarts in joints
        if not restarts.all()
    ]
    continued = torch.cat(carried) if carried else torch.empty(0)
    return float(continued.double().mean()) if len(continued) else None


def _predicted(recording: Recording, offset: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Joints if targets are `offset` ahead: the target that many tokens before each beginning,
    the input there, and the rows whose state is reset.
    """
    if offset < 1:
        return []
    inputs, targets = joined_rows(recording)
    joints, place = [], 0
    for batch in recording.batches:
        if len(batch.inputs) != len(inputs):
            continue
        if place >= offset:
            joints.append((targets[:, place - offset], inputs[:, place], batch.restarts))
        place += batch.inputs.shape[1]
    return joints
