"""Targets in another row than their inputs: the two axes are confused."""

from __future__ import annotations

import torch
from torch import Tensor

from seqzoo.doctor.checks.stream._offsets import is_clear
from seqzoo.doctor.evidence.recording import Recording

__all__ = ["across_rows"]

_CLEAR = 0.9


def across_rows(recording: Recording) -> tuple[str, str] | None:
    """What was confused and what to do; None if other rows do not explain the targets either."""
    batches = [
        (batch.inputs, batch.targets) for batch in recording.batches if min(batch.inputs.shape) > 1
    ]

    def fits(pairs: list[tuple[Tensor, Tensor]]) -> bool:
        equal = [(wanted == found)[wanted >= 0] for wanted, found in pairs]
        share = float(torch.cat(equal).double().mean()) if equal else 0.0
        return is_clear(share, recording.chance, at_least=_CLEAR)

    if not batches:
        return None
    for shift, row in ((-1, "row below"), (1, "row above")):
        # The edge too: a shift in time gives it new text, a roll that of the other side.
        is_edge_rolled = fits(
            [(y[-1:] if shift < 0 else y[:1], x[:1] if shift < 0 else x[-1:]) for x, y in batches]
        )
        if is_edge_rolled and fits([(y, x.roll(shift, 0)) for x, y in batches]):
            return (
                f"the targets are the inputs of the {row}: rolled along the batch axis, not along "
                f"time",
                "Do not roll: cut T + 1 tokens for a row, x = row[:-1] and y = row[1:].",
            )
        if fits([(y.roll(-shift, 0)[:, :-1], x[:, 1:]) for x, y in batches]):
            return (
                f"the targets are those of the {row}",
                "Use inputs and targets of the same rows; shuffle, sort or roll both or neither.",
            )
    if fits([(y[:-1], x[1:]) for x, y in batches]):
        rows, length = batches[0][0].shape
        return (
            f"each row's targets are the inputs of the row below: ({rows}, {length}) is time "
            f"before batch",
            "Give batches as (batch, time), x.T and y.T; if the model reads time first "
            "(batch_first=False), give a forward that transposes tokens and logits.",
        )
    return None
