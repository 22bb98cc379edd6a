"""Whether the batches come from all of the corpus.

Method: the place of each row in the corpus, by 16 tokens that stand in it only once; with numbered
tokens the numbers. Cost: a pass over the corpus. Pass rule: the rows cover a fifth of the corpus or
more; or what they cover still grows, as it does if the text is read from its beginning; or no
place was read twice, as with a shuffle that has not come far. Warn: the second half of the
batches begins nowhere beyond the first half, eight rows at least begin where another began, and
all lie within less than a fifth of the corpus. Source: the number of equal draws among n of N is
about n^2 / 2 N, so rows from all of a long text almost never begin at one place.
"""

from __future__ import annotations

import numpy as np

from seqzoo.doctor.checks.stream._places import places_of_rows
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_FEWEST_ROWS = 64
_COVERED = 0.2
_GROWTH = 0.02
_FEWEST_AGAIN = 8


def examine(subject: Subject) -> Outcome:
    recording = subject.recording
    if recording.numbered:
        size, unit = len(subject.tokens), "tokens"
    else:
        size, unit = len(subject.data.splits.training), "bytes"
    places = [each[each >= 0] for each in places_of_rows(subject)]
    starts = np.concatenate(places)
    if len(starts) < _FEWEST_ROWS:
        raise Missing(f"only {len(starts)} rows are found at one place of the corpus each")
    first = np.concatenate(places[: len(places) // 2])
    if not len(first):
        raise Missing("the first half of the batches is not found in the corpus")
    low, high = int(starts.min()), int(starts.max()) + recording.length
    covered = (high - low) / size
    beyond = max(int(first.min()) - low, int(starts.max() - first.max()))
    again = len(starts) - len(np.unique(starts))
    figures = {"covered": min(covered, 1.0), "again": float(again), "rows": float(len(starts))}
    if covered >= _COVERED or again < _FEWEST_AGAIN or beyond > _GROWTH * (high - low):
        return Outcome.passed(
            f"{len(starts)} rows are from {min(covered, 1.0):.0%} of the text, and {again} begin "
            f"where another began",
            **figures,
        )
    return Outcome.warned(
        f"all {len(starts)} rows are from {unit} {low:,} to {high:,} of {size:,}, "
        f"{covered:.1%} of the text, and {again} begin where another began",
        why="The model learns this part by heart and never sees the rest, and the training loss "
        "says nothing about the corpus.",
        remedy="Look for a slice that was left from a trial, such as text[:3000], a fixed upper "
        "bound of random places, or a file that was read in part. If the small part is meant, "
        "give it as corpus.",
        numbers=figures,
    )
