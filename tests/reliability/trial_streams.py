"""A text in chunks with the state carried gives the logits of one pass; so does a larger batch.

One pass over each row alone is the form that all others are compared with.
"""

from __future__ import annotations

from pathlib import Path

import torch
from installed_architectures import build, random_tokens
from outcome import Outcome
from tiny_runs import architectures, installed
from torch import Tensor

from seqzoo.plugin.contracts import SequenceModel

__all__ = ["trial"]

TOLERANCE = 1e-4
"""Between sums of float32 in another order; logits of these models are below 10."""

CHUNKS = (1, 7, 64, 0)
ROWS, LENGTH = 6, 100


def trial(count: int, seed: int, folder: Path) -> Outcome:
    """`count` comparisons: architecture x length of the chunks x rows, with one seed after another.

    folder: unused.
    """
    found, largest = Outcome(), 0.0
    pairs = [(chunk, rows) for chunk in CHUNKS for rows in (1, ROWS)]
    cases = [(name, *pair) for name in architectures() for pair in pairs]
    for number in range(count):
        name, chunk, rows = cases[number % len(cases)]
        model_seed = seed + number // len(cases)
        with found.case(f"{name}, chunks of {chunk or 'all'}, batch {rows}, seed {model_seed}"):
            model = build(installed().get("architecture", name), seed=model_seed).eval()
            tokens = random_tokens(ROWS, LENGTH, seed=model_seed)
            with torch.no_grad():
                expected = torch.cat([_in_chunks(model, row, LENGTH) for row in tokens.split(1)])
                ours = [_in_chunks(model, part, chunk or LENGTH) for part in tokens.split(rows)]
            difference = float((torch.cat(ours) - expected).abs().max())
            largest = max(largest, difference)
            found.require(difference <= TOLERANCE, f"the logits differ by {difference:.2g}")
    found.notes.append(f"the largest difference is {largest:.1e}")
    return found


def _in_chunks(model: SequenceModel, tokens: Tensor, length: int) -> Tensor:
    state, logits = model.initial_state(len(tokens)), []
    for chunk in tokens.split(length, dim=1):
        some, state = model(chunk, state)
        logits.append(some)
    return torch.cat(logits, dim=1)
