"""Whether training reads only the training part.

Method: with numbered tokens every number must be in the split that the stream was given; the ids of
the real text must be below the vocabulary's size. In a user's own code the rows are looked up in
the corpus, 32 tokens at a time, or 16 if rows are shorter. Cost: a maximum over the tokens; in a
user's own code a pass over the corpus. Pass rule: nothing outside the training part is read. A row
that occurs only in the held-out part was read from there: 32 bytes of a text almost never occur
twice, and if they do, they are also in the training part and pass.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from seqzoo.doctor.checks._shared import contiguous_lanes
from seqzoo.doctor.checks.stream._corpus_ids import readings
from seqzoo.doctor.checks.stream._hashes import found_in, hashes_of_rows
from seqzoo.doctor.checks.stream._offsets import joined_rows
from seqzoo.doctor.evidence.recording import Recording
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_WIDTHS = (32, 16)
_MOST_WINDOWS = 1024
_WHY = (
    "Held-out text measures how well a model predicts text that it never saw. After training on "
    "that text the score is too good, and nothing shows that the model only learns by heart."
)


def examine(subject: Subject) -> Outcome:
    recording = subject.recording
    if not recording.numbered:
        return _by_search(subject, recording)
    ids = torch.cat(
        [
            part.flatten()
            for batch in recording.batches
            for part in (batch.inputs, batch.targets[batch.targets >= 0])  # less is padding
        ]
    )
    num_tokens = len(subject.tokens)
    outside = int(((ids < 0) | (ids >= num_tokens)).sum())
    if outside:
        return Outcome.failed(
            f"{outside} of {len(ids)} ids are not positions of the training split",
            why=_WHY,
            remedy="Read only the tokens that the stream is given, in [0, len(tokens)).",
            changes=contiguous_lanes(subject),
            numbers={"outside": outside / len(ids)},
        )
    largest = max(int(subject.tokens.max()), int(subject.held_out.max()))
    if largest >= subject.vocab_size:
        return Outcome.failed(
            f"the largest id is {largest}, with a vocabulary of {subject.vocab_size}",
            why="An id outside the vocabulary has no embedding and no logit: an IndexError on a "
            "CPU, and undefined behaviour on a GPU.",
            remedy="Set the tokenizer's vocab_size to one more than its largest id.",
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
        raise Missing("no held-out text was given, so the batches may contain the whole corpus")
    windows = _windows(recording)
    width = windows.shape[1]
    in_training = in_held_out = np.zeros(len(windows), dtype=bool)
    for reading in readings(corpus, int(windows.max())):
        sought = hashes_of_rows(reading(windows))
        training = found_in(sought, splits.training.bytes, width)
        held_out = found_in(sought, splits.held_out.bytes, width)
        if (training | held_out).sum() > (in_training | in_held_out).sum():
            in_training, in_held_out = training, held_out
    known = in_training | in_held_out
    if known.mean() < 0.5:
        raise Missing(f"only {known.mean():.0%} of the rows are found in the corpus, byte for byte")
    beyond = float((in_held_out & ~in_training).mean())
    if beyond:
        return Outcome.warned(
            f"{beyond:.0%} of {len(windows)} stretches of {width} tokens occur only in the "
            f"held-out text",
            why=_WHY,
            remedy="Split the text first, and make batches only of the training part.",
            numbers={"beyond": beyond},
        )
    return Outcome.passed(
        f"{in_training.mean():.0%} of {len(windows)} stretches of {width} tokens occur in the "
        f"training part, none only in the held-out part",
        beyond=0.0,
    )


def _windows(recording: Recording) -> npt.NDArray[Any]:
    """(K, 32) ids, or (K, 16): stretches of rows, which are joined over the batches if they are
    shorter.
    """
    width = next((width for width in _WIDTHS if recording.length >= width), _WIDTHS[0])
    rows = [batch.inputs for batch in recording.batches if batch.inputs.shape[1] >= width]
    if not rows:
        rows = [joined_rows(recording)[0]]
    pieces = [
        row[:, : row.shape[1] // width * width].reshape(-1, width)
        for row in rows
        if row.shape[1] >= width
    ]
    if not pieces:
        raise Missing(f"each row has fewer than {width} tokens, too few to look up")
    windows = torch.cat(pieces).numpy()
    kept = np.linspace(0, len(windows) - 1, min(len(windows), _MOST_WINDOWS)).astype(np.int64)
    return windows[kept]
