"""Whether a model that learns while it is scored has diverged, and from which byte on.

A cost that is high is no sign: text of another kind can be that hard. A model has diverged if it
costs much more than an even guess, and much more than the trained weights cost on the same bytes.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from seqzoo.errors import DivergedError
from seqzoo.model.runtime import Runtime, in_inference_mode
from seqzoo.plugin.contracts import SequenceModel
from seqzoo.scoring.chunks import Chunk
from seqzoo.scoring.nats import nats_of

__all__ = ["Divergence"]

_MOST_LOST = 256.0
"""How much worse than the trained weights it may become in segments that follow each other, in even
guesses of a token. One unusual segment costs less, and a model that diverges soon costs more."""


_CLEARLY_WORSE = 1.1
"""Times an even guess: an untrained model is near 1, and must not be read twice for that."""


class Divergence:
    """Compares segments with the trained weights, as soon as they are clearly worse than an even
    guess.
    """

    def __init__(self, trained: SequenceModel, runtime: Runtime, remedy: str) -> None:
        """trained: the model before it learnt. remedy: what to do, for the message."""
        self._trained = trained
        self._runtime = runtime
        self._remedy = remedy
        self._lost = 0.0
        self._since = 0

    def look(self, chunk: Chunk, logits: Tensor) -> None:
        """Look at the costs of the next segment, (1, T, V) logits. Raises DivergedError."""
        even = math.log(logits.shape[-1])
        cost = _mean_nats(logits, chunk)
        if cost <= _CLEARLY_WORSE * even:
            self._lost = 0.0
            return
        if not self._lost:
            self._since = int(chunk.positions[0, 0])
        # The trained weights begin here from an empty state, which costs them a little more.
        with in_inference_mode(self._trained), self._runtime.autocast():
            inputs = torch.from_numpy(chunk.inputs).to(self._runtime.device)
            before = _mean_nats(self._trained(inputs, None)[0], chunk)
        self._lost += max(0.0, cost - before) / even * chunk.targets.size
        if not (self._lost <= _MOST_LOST and math.isfinite(cost)):
            raise DivergedError(
                f"the model diverged while it learnt: from byte {self._since:,} of the text on it "
                f"costs {_said(cost)} bits per token, {_said(before)} with its trained weights; "
                f"{self._remedy}."
            )


def _mean_nats(logits: Tensor, chunk: Chunk) -> float:
    nats = nats_of(logits.detach(), torch.from_numpy(chunk.targets))
    return float(np.mean(nats.cpu().numpy()))


def _said(nats: float) -> str:
    bits = nats / math.log(2)
    return f"{bits:,.1f}" if bits < 1e6 else f"{bits:.0e}"
