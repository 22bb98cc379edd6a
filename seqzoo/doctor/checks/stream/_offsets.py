"""How far ahead of its input each target is, as far as a recording shows it."""

from __future__ import annotations

import torch
from torch import Tensor

from seqzoo.doctor.evidence.recording import Recording

__all__ = ["OFFSETS", "is_clear", "joined_rows", "likely_offset", "shares_by_offset"]

OFFSETS = range(-3, 4)


def shares_by_offset(recording: Recording) -> dict[int, float]:
    """For each offset d the share of targets that equal the input d tokens later.

    With numbered tokens it is a difference. Other tokens are looked up in their row and, if rows
    are not longer than d, in the rows joined over the batches, which is meaningful only if batches
    continue each other.
    """
    if recording.numbered:
        ahead = torch.cat([(batch.targets - batch.inputs).flatten() for batch in recording.batches])
        return {offset: float((ahead == offset).double().mean()) for offset in OFFSETS}
    inputs, targets = joined_rows(recording)
    shares = {}
    for offset in OFFSETS:
        if recording.length > abs(offset):
            pairs = [_shifted(b.inputs, b.targets, offset) for b in recording.batches]
        else:
            pairs = [_shifted(inputs, targets, offset)]
        # Negative targets are padding.
        equal = torch.cat([(further == target)[target >= 0] for further, target in pairs])
        shares[offset] = float(equal.double().mean()) if len(equal) else 0.0
    return shares


def likely_offset(recording: Recording) -> int | None:
    """The offset of most targets, +1 if the text does not distinguish it; None if there is none."""
    shares = shares_by_offset(recording)
    best = max(OFFSETS, key=lambda offset: (shares[offset], offset == 1))
    return best if is_clear(shares[best], recording.chance, at_least=0.5) else None


def is_clear(share: float, chance: float, *, at_least: float) -> bool:
    """Whether `share` has covered that part of the way from chance to 1."""
    return share >= chance + at_least * (1 - chance)


def joined_rows(recording: Recording) -> tuple[Tensor, Tensor]:
    """Inputs and targets (B, N), each row of a batch after the same row of the batch before.

    Batches with another number of rows than the first are left out.
    """
    rows = len(recording.batches[0].inputs)
    whole = [batch for batch in recording.batches if len(batch.inputs) == rows]
    return (
        torch.cat([batch.inputs for batch in whole], dim=1),
        torch.cat([batch.targets for batch in whole], dim=1),
    )


def _shifted(inputs: Tensor, targets: Tensor, offset: int) -> tuple[Tensor, Tensor]:
    """The inputs `offset` tokens later, and the targets that belong to them."""
    kept = max(0, inputs.shape[1] - abs(offset))
    if offset >= 0:
        return inputs[:, offset : offset + kept], targets[:, :kept]
    return inputs[:, :kept], targets[:, -offset : -offset + kept]
