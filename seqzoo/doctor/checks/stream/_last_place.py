"""The last target of each row, compared with the corpus: no input of the row shows what it is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from seqzoo.doctor.checks.stream._corpus_ids import readings
from seqzoo.doctor.checks.stream._hashes import found_in, hashes_of_rows
from seqzoo.doctor.evidence.recording import Recording

__all__ = ["share_of_last_targets"]

_WIDTH = 16
_FEWEST_KNOWN = 0.9


def share_of_last_targets(
    recording: Recording, corpus: npt.NDArray[np.uint8], text: npt.NDArray[np.uint8]
) -> float | None:
    """The share of rows whose last 15 inputs and last target stand so in the text.

    corpus: of which the alphabet is known. None if rows are shorter, or if rows of ids are not
    found in the text anyway.
    """
    T = recording.length
    batches = [batch for batch in recording.batches if batch.inputs.shape[1] == T]
    if recording.numbered or T < _WIDTH:
        return None
    inputs = torch.cat([batch.inputs for batch in batches]).numpy()
    last = torch.cat([batch.targets[:, -1:] for batch in batches]).numpy()
    inputs, last = inputs[last[:, 0] >= 0], last[last[:, 0] >= 0]
    if not len(inputs):
        return None
    ends = np.concatenate([inputs[:, 1 - _WIDTH :], last], axis=1)
    largest = int(max(ends.max(), inputs.max()))
    for reading in readings(corpus, largest):
        known = found_in(hashes_of_rows(reading(inputs[:, -_WIDTH:])), text, _WIDTH).mean()
        if known >= _FEWEST_KNOWN:
            return float(found_in(hashes_of_rows(reading(ends)), text, _WIDTH).mean())
    return None
