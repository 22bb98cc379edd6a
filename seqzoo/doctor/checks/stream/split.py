"""Whether training reads nothing but the training part.

Method: on numbered tokens every number must be of the split that the stream was given; the ids of
the real text must lie below the vocabulary's size. In code of one's own the rows are looked up in
the corpus, 32 tokens at a time. Cost: a maximum over the tokens; a pass over the corpus in code of
one's own. Pass rule: nothing is read that is in no training part. A row that stands in the held-out
part alone is read from there: 32 bytes of a text hardly ever occur twice, and where they do, they
are in the training part and pass.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from seqzoo.doctor.checks._mending import contiguous_lanes
from seqzoo.doctor.checks.stream._corpus_ids import readings
from seqzoo.doctor.checks.stream._hashes import found_in, hashes_of_rows
from seqzoo.doctor.checks.stream._offsets import joined_rows
from seqzoo.doctor.evidence.recording import Recording
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Check, Outcome

__all__ = ["CHECK"]

_WIDTH = 32
_MOST_WINDOWS = 1024
_WHY = (
    "Held-out text measures what a model makes of text it never saw. Trained on it, the model "
    "scores better than it is, and nothing shows that it only learns by heart."
)


def examine(subject: Subject) -> Outcome:
    recording = subject.recording
    if not recording.numbered:
        return _by_search(subject, recording)
    ids = torch.cat([part.flatten() for batch in recording.batches for part in batch[:2]])
    num_tokens = len(subject.tokens)
    outside = int(((ids < 0) | (ids >= num_tokens)).sum())
    if outside:
        return Outcome.failed(
            f"{outside} of {len(ids)} ids are of no token of the training split",
            why=_WHY,
            remedy="Read the tokens that the stream is given, in [0, len(tokens)), and hand out "
            "nothing else.",
            changes=contiguous_lanes(subject),
            numbers={"outside": outside / len(ids)},
        )
    largest = max(int(subject.tokens.max()), int(subject.held_out.max()))
    if largest >= subject.vocab_size:
        return Outcome.failed(
            f"the largest id is {largest}, with a vocabulary of {subject.vocab_size}",
            why="An id beyond the vocabulary has no embedding and no logit: an IndexError on a "
            "CPU, and anything on a GPU.",
            remedy="Let the tokenizer's vocab_size be one more than its largest id.",
            numbers={"largest_id": float(largest), "vocab_size": float(subject.vocab_size)},
        )
    return Outcome.passed(
        f"{len(ids)} ids read, all of the {num_tokens} training tokens and below the vocabulary's "
        f"{subject.vocab_size}",
        outside=0.0,
    )


def _by_search(subject: Subject, recording: Recording) -> Outcome:
    splits, corpus = subject.data.splits, subject.data.corpus.data
    if not subject.is_held_out_apart:
        raise Missing("no held-out text was given, so the batches may hold all of the corpus")
    windows = _windows(recording)
    in_training = in_held_out = np.zeros(len(windows), dtype=bool)
    for reading in readings(corpus, int(windows.max())):
        sought = hashes_of_rows(reading(windows))
        training = found_in(sought, splits.training.bytes, _WIDTH)
        held_out = found_in(sought, splits.held_out.bytes, _WIDTH)
        if (training | held_out).sum() > (in_training | in_held_out).sum():
            in_training, in_held_out = training, held_out
    known = in_training | in_held_out
    if known.mean() < 0.5:
        raise Missing(f"only {known.mean():.0%} of the rows are found in the corpus, byte for byte")
    beyond = float((in_held_out & ~in_training).mean())
    if beyond:
        return Outcome.warned(
            f"{beyond:.0%} of {len(windows)} stretches of {_WIDTH} tokens stand in the "
            f"held-out text alone",
            why=_WHY,
            remedy="Cut the text first, and make batches of the training part alone.",
            numbers={"beyond": beyond},
        )
    return Outcome.passed(
        f"{in_training.mean():.0%} of {len(windows)} stretches of {_WIDTH} tokens stand in the "
        f"training part, none in the held-out part alone",
        beyond=0.0,
    )


def _windows(recording: Recording) -> npt.NDArray[Any]:
    """(K, 32) ids: stretches of rows, put together over the batches where rows are shorter."""
    rows = [batch.inputs for batch in recording.batches if batch.inputs.shape[1] >= _WIDTH]
    if not rows:
        rows = [joined_rows(recording)[0]]
    pieces = [
        row[:, : row.shape[1] // _WIDTH * _WIDTH].reshape(-1, _WIDTH)
        for row in rows
        if row.shape[1] >= _WIDTH
    ]
    if not pieces:
        raise Missing(f"fewer than {_WIDTH} tokens of each row are there to be looked up")
    windows = torch.cat(pieces).numpy()
    kept = np.linspace(0, len(windows) - 1, min(len(windows), _MOST_WINDOWS)).astype(np.int64)
    return windows[kept]


CHECK = Check(
    name="stream.split",
    summary="training reads the training part alone",
    examine=examine,
    rank=50,
    explains=("model.*", "verdict.*"),
)
