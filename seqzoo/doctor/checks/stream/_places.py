"""Where in the corpus the rows of batches begin."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seqzoo.doctor.checks.stream._corpus_ids import readings
from seqzoo.doctor.checks.stream._hashes import hashes_of_rows, places_in
from seqzoo.doctor.subject import Missing, Subject

__all__ = ["places_of_rows"]

_WIDTH = 16
_FEWEST_KNOWN = 0.5


def places_of_rows(subject: Subject) -> list[npt.NDArray[np.int64]]:
    """For each batch of the recording the places (B,) where its rows begin; -1 for a row whose
    first 16 tokens are not in the corpus, or are there twice.

    Raises Missing if most rows have no place, or if there is no corpus.
    """
    recording = subject.recording
    if recording.numbered:
        return [batch.inputs[:, 0].numpy() for batch in recording.batches]
    corpus = subject.data.corpus.data
    if recording.length < _WIDTH:
        raise Missing(f"rows have fewer than {_WIDTH} tokens, too few to look up")
    rows = [batch.inputs[:, :_WIDTH].numpy() for batch in recording.batches]
    together = np.concatenate([each for each in rows if each.shape[1] == _WIDTH])
    for reading in readings(corpus, int(together.max())):
        found = places_in(hashes_of_rows(reading(together)), corpus, _WIDTH)
        if (found >= 0).mean() >= _FEWEST_KNOWN:
            places, used = [], 0
            for each in rows:
                count = len(each) if each.shape[1] == _WIDTH else 0
                known = found[used : used + count]
                places.append(known if count else np.full(len(each), -1))
                used += count
            return places
    raise Missing("most rows are not found in the corpus, or at several places of it")
