"""Whether a tokenizer counts the bytes that its tokens represent.

Method: byte_lengths(encode(bytes)) must sum to the number of bytes, on the samples of
stream.round_trip. Cost: the same. Pass rule: the sums are equal; bits per byte divide by them.
"""

from __future__ import annotations

import numpy as np

from seqzoo.doctor.checks.stream._byte_samples import byte_samples
from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]


def examine(subject: Subject) -> Outcome:
    tokenizer = subject.tokenizer
    counts = {
        name: (int(np.sum(tokenizer.byte_lengths(tokenizer.encode(data)))), len(data))
        for name, data in byte_samples(subject).items()
    }
    wrong = {name: pair for name, pair in counts.items() if pair[0] != pair[1]}
    if not wrong:
        total = sum(size for _, size in counts.values())
        return Outcome.passed(f"the tokens of {total} bytes count as {total}", factor=1.0)
    name, (counted, size) = next(iter(wrong.items()))
    factor = size / counted if counted else float("inf")
    return Outcome.failed(
        f"the tokens of {size} bytes of {name} count as {counted}: bits per counted byte are "
        f"{factor:.3g} times those per byte",
        why="Scores are per byte, so that tokenizers can be compared: with a wrong count they "
        "cannot, and reports assign costs to wrong places of the text (byte classes, distances, "
        "intervals).",
        remedy="Let byte_lengths give, for every id, the number of raw bytes that it represents: "
        "len(decode([id])), 0 for a part of a symbol.",
        numbers={"factor": factor},
    )
