"""A model that reads one token at a time and gives the probabilities of the next one.

Who compresses and who decompresses make the same calls in the same order, so that both get the same
bits: a pass over many tokens at once would round differently.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seqzoo.errors import DivergedError
from seqzoo.model import state as states
from seqzoo.model.captured import single_token_step
from seqzoo.model.runtime import Runtime, in_inference_mode
from seqzoo.plugin.contracts import SequenceModel
from seqzoo.recipes.sections import AdaptiveSection
from seqzoo.scoring.adaptive import LearningReader, learning
from seqzoo.scoring.chunks import Chunk
from seqzoo.scoring.static import one_thread

__all__ = ["Predictor", "frozen_predictor", "learning_predictor"]


class Predictor(Protocol):
    """Reads a text token by token, from an empty state."""

    def next(self, token: int) -> Float[np.ndarray, " V"]:
        """Read a token; the probabilities of the token after it, float64, which add up to 1."""


@contextmanager
def frozen_predictor(model: SequenceModel, runtime: Runtime) -> Iterator[Predictor]:
    """A model whose weights do not change while it reads."""
    with in_inference_mode(model), one_thread(runtime):
        yield _Frozen(model, runtime)


@contextmanager
def learning_predictor(
    model: SequenceModel,
    runtime: Runtime,
    section: AdaptiveSection,
    scales: list[Tensor] | None,
) -> Iterator[Predictor]:
    """A model that learns from each segment when it was read, as in adaptive scoring.

    It works on copies. scales: `usual_gradients` of the model.
    """
    reader = LearningReader(model, runtime, section, scales)
    with learning(reader.model, runtime):
        yield _Learning(model, reader, runtime, section.segment_length)


class _Frozen:
    def __init__(self, model: SequenceModel, runtime: Runtime) -> None:
        self._step = single_token_step(model, runtime.device)
        self._runtime = runtime
        self._state = model.initial_state(1)

    def next(self, token: int) -> Float[np.ndarray, " V"]:
        inputs = torch.tensor([[token]], device=self._runtime.device)
        with self._runtime.autocast():
            logits, self._state = self._step(inputs, self._state)
        return _probabilities(logits)


class _Learning:
    """Two copies of a model: one predicts token by token, and one learns from whole segments, which
    costs a twentieth of learning through single tokens. After each segment the first takes over
    weights and state of the second.

    Each reads every token once, so that what an architecture adapts by itself is the same in both.
    """

    def __init__(
        self, model: SequenceModel, reader: LearningReader, runtime: Runtime, segment_length: int
    ) -> None:
        self._reader = reader
        self._model = copy.deepcopy(model).eval()
        self._model.start_adapting()
        self._runtime = runtime
        self._state = self._model.initial_state(1)
        self._segment_length = segment_length
        self._read: list[int] = []
        self._position = 0

    def next(self, token: int) -> Float[np.ndarray, " V"]:
        # The token is also the target of what was predicted after the one before it.
        self._read.append(token)
        if len(self._read) > self._segment_length:
            self._learn()
        with torch.inference_mode(), self._runtime.autocast():
            inputs = torch.tensor([[token]], device=self._runtime.device)
            logits, self._state = self._model(inputs, self._state)
            return _probabilities(logits)

    def _learn(self) -> None:
        *inputs, last = self._read
        T = len(inputs)
        positions = np.arange(self._position, self._position + T)[None]
        self._reader.read(
            Chunk(
                inputs=np.array([inputs]),
                targets=np.array([[*inputs[1:], last]]),
                scored=np.ones((1, T), dtype=np.bool_),
                positions=positions,
                lengths=np.ones((1, T), dtype=np.int64),
                distances=positions,
            )
        )
        with torch.inference_mode():
            for own, learnt in zip(
                self._model.parameters(), self._reader.model.parameters(), strict=True
            ):
                own.copy_(learnt)
            self._state = states.map_tensors(torch.clone, self._reader.state)
        self._read = [last]
        self._position += T


# A logit that is not a number is detected below by its sum, so NumPy need not warn.
@np.errstate(all="ignore")
def _probabilities(logits: Float[Tensor, "1 1 V"]) -> Float[np.ndarray, " V"]:
    values = logits.reshape(-1).cpu().double().numpy()
    shares = np.exp(values - values.max())
    total = shares.sum()
    if not np.isfinite(total):
        raise DivergedError(
            "the model gave a logit that is not a finite number, so nothing can be coded with it; "
            "take an earlier checkpoint, or another run."
        )
    probabilities: Float[np.ndarray, " V"] = shares / total
    return probabilities
