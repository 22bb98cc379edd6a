"""What is wrong where a row should continue the one before it."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqzoo.doctor.checks.stream._offsets import is_clear
from seqzoo.doctor.evidence.recording import Recording
from seqzoo.plugin.contracts import Batch

__all__ = ["Places", "change_places", "tokens_left_out", "tokens_read_again"]

Places = list[npt.NDArray[np.int64]]
"""Of each batch the places (B,) in the text where its rows begin; -1 if it is not known."""

_MOST = 0.9


def tokens_read_again(recording: Recording) -> int:
    """How many tokens of the end of each row are the beginning of the next; 0 if none are."""
    pairs = _carried(recording)
    if not pairs:
        return 0
    lengths = {batch.inputs.shape[1] for pair in pairs for batch in pair}
    for count in range(min(lengths) - 1, 0, -1):
        equal = torch.cat([_ends(one, count) == other.inputs[:, :count] for one, other in pairs])
        # In a text that repeats itself two tokens are often equal.
        if is_clear(float(equal.double().mean()), recording.chance, at_least=_MOST):
            return count
    return 0


def tokens_left_out(recording: Recording, places: Places | None) -> int:
    """How many tokens after its end each row's next one begins; 0 if that is not one number."""
    gaps: Counter[int] = Counter()
    for before, after, length in _known(recording, places):
        known = (before >= 0) & (after >= 0)
        gaps.update((after - before - length)[known].tolist())
    gap, count = gaps.most_common(1)[0] if gaps else (0, 0)
    # More than a row is no slip of a token.
    return gap if 0 < gap <= recording.length and count >= _MOST * gaps.total() else 0


def change_places(recording: Recording, places: Places | None) -> bool:
    """Whether rows continue other rows of the batch before: as their places in the text show, or
    always those that are as far away.
    """
    elsewhere = found = 0
    for before, after, length in _known(recording, places):
        here = after == before + length
        elsewhere += int((np.isin(after, (before + length)[before >= 0]) & ~here).sum())
        found += int((after >= 0).sum())
    if found:
        return elsewhere > found / 2
    pairs = [(one.targets[:, -1], other.inputs[:, 0]) for one, other in _carried(recording)]
    return any(
        is_clear(_share(pairs, shift), recording.chance, at_least=_MOST)
        for shift in range(1, len(recording.batches[0].inputs))
    )


def _share(pairs: list[tuple[Tensor, Tensor]], shift: int) -> float:
    equal = [(ends.roll(shift) == begins)[ends.roll(shift) >= 0] for ends, begins in pairs]
    together = torch.cat(equal) if equal else torch.zeros(0)
    return float(together.double().mean()) if len(together) else 0.0


def _carried(recording: Recording) -> list[tuple[Batch, Batch]]:
    return [(one, other) for one, other in recording.pairs() if not other.restarts.any()]


def _ends(batch: Batch, count: int) -> Tensor:
    return batch.inputs[:, -count:]


def _known(
    recording: Recording, places: Places | None
) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int]]:
    """Places of a batch and of the next, if that continues it, and the length of the first."""
    if places is None:
        return []
    pairs = zip(pairwise(recording.batches), pairwise(places), strict=True)
    return [
        (before, after, one.inputs.shape[1])
        for (one, other), (before, after) in pairs
        if len(before) == len(after) and not other.restarts.any()
    ]
