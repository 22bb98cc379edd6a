"""Figures of a recording that several checks of streams tell."""

from __future__ import annotations

import torch

from seqzoo.doctor.recording import Recording

__all__ = ["share_of_continued_rows", "share_of_repeats"]

_TOKENS_TO_BE_DISTINCT = 64


def share_of_repeats(recording: Recording) -> float:
    """Of the batches that have an earlier one, those that equal an earlier one.

    Small batches are taken together until 64 tokens stand for each, so that chance repeats none.
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
    """Of the rows between whose batches the state is carried, those that continue the row before.

    None where the state is never carried.
    """
    joints = [(ends, begins) for ends, begins, restarts in recording.joints() if not restarts]
    if not joints:
        return None
    ends, begins = (torch.cat(side) for side in zip(*joints, strict=True))
    return float((ends == begins).double().mean())
