"""Adaptive scores: the model learns from each segment after the segment was scored.

Dynamic evaluation (Krause et al. 2018, arXiv:1709.07432, section 4) takes a gradient step after
every segment. It divides each parameter's step by the usual size of its gradients in training, and
moves the weights back towards the trained ones:

    w <- w - learning_rate * g / (r + damping * mean(r)) + min(1, decay * r / mean(r)) * (w0 - w)

g: gradient of the segment's mean loss. r: root mean square of such gradients on the training
part. w0: the trained weights. The paper's damping is a constant; here it is a share of the mean of
r over all weights, so that one setting works for models of any gradient scale. The norm of g is
clipped to twice the usual norm in training (Pascanu et al. 2013, arXiv:1211.5063): otherwise one
unusual segment could move the weights so far that every later gradient is even larger.

In addition, an architecture may adapt by itself to what it reads
(`SequenceModel.start_adapting`). A copy of the model learns; the given model does not change.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from seqzoo.data.tokens import EncodedTraining
from seqzoo.model import state as states
from seqzoo.model.runtime import Runtime, in_eval_mode, in_float64
from seqzoo.plugin.contracts import SequenceModel, State
from seqzoo.recipes.sections import AdaptiveSection
from seqzoo.results.result import AdaptiveSettings
from seqzoo.scoring.chunks import Chunk, SplitReader
from seqzoo.scoring.divergence import Divergence
from seqzoo.scoring.static import one_thread, score_together
from seqzoo.scoring.tally import Tally

__all__ = [
    "LearningReader",
    "adaptive_settings",
    "gradient_scales",
    "learning",
    "method",
    "prepare_copy",
    "score_adaptively",
    "usual_gradients",
]

_CLIP_RATIO = 2.0
_STRETCHES = 16
_SEGMENTS = 16


def method(section: AdaptiveSection, model: SequenceModel) -> str:
    """How a model learns with these settings, in words, e.g. for the leaderboard."""
    if not section.learning_rate or not _trainable(model):
        return "the architecture's own adaptation"
    return (
        f"dynamic evaluation, learning rate {section.learning_rate:g}, decay {section.decay:g}, "
        f"damping {section.damping:g}, every {section.segment_length} tokens"
    )


def adaptive_settings(section: AdaptiveSection, model: SequenceModel) -> AdaptiveSettings:
    """The same as `method`, as data."""
    if not section.learning_rate or not _trainable(model):
        return AdaptiveSettings(method="own_adaptation")
    return AdaptiveSettings(method="dynamic_evaluation", **section.model_dump())


def gradient_scales(
    model: SequenceModel,
    training: EncodedTraining,
    *,
    runtime: Runtime,
    section: AdaptiveSection,
) -> list[Tensor]:
    """Root mean square of each trainable parameter's gradients over segments of the training part.

    The segments are in evenly spaced stretches, which are read as in scoring: one lane, state
    carried, eval mode. A model that has counts of the training part leaves out the counts of the
    place that it reads; a loaded model needs `prepare_copy` for that.
    """
    parameters = _trainable(model)
    squares = [torch.zeros_like(parameter) for parameter in parameters]
    segments = 0
    # A size in bytes. If tokens have several bytes, it is fewer tokens, which is enough.
    size = min(len(training.data), _SEGMENTS * section.segment_length)
    count = min(_STRETCHES, max(1, len(training.data) // size))
    with learning(model, runtime):
        for start, text in training.stretches(count, size):
            state = model.initial_state(1)
            read = 0
            for chunk in SplitReader(text).chunks(section.segment_length):
                # The first input of the file has no position: there is no byte before the file.
                position = torch.tensor([max(start + read - 1, 0)])
                logits, targets, state = _read(model, chunk, state, runtime, position)
                for square, gradient in zip(
                    squares, _gradients(logits, targets, parameters), strict=True
                ):
                    square += gradient**2
                segments += 1
                read += chunk.targets.shape[1]
    return [(square / segments).sqrt() for square in squares]


def usual_gradients(
    model: SequenceModel,
    training: Callable[[], EncodedTraining],
    *,
    runtime: Runtime,
    section: AdaptiveSection,
) -> list[Tensor] | None:
    """`gradient_scales` of a loaded model; None if the learning rate is 0.

    training: returns the encoded training part; called only if it is needed.
    """
    if not section.learning_rate:
        return None
    encoded = training()
    prepared = prepare_copy(model, encoded.tokens)
    return gradient_scales(prepared, encoded, runtime=runtime, section=section)


class LearningReader:
    """A copy of a model that learns from every chunk after it returned the logits of that chunk."""

    def __init__(
        self,
        model: SequenceModel,
        runtime: Runtime,
        section: AdaptiveSection,
        scales: list[Tensor] | None,
    ) -> None:
        """scales: `gradient_scales` of the model; None if the learning rate is 0."""
        self.model = copy.deepcopy(model)
        self.model.start_adapting()
        self._divergence = Divergence(model, runtime, _remedy(section))
        self._runtime = runtime
        self._state = self.model.initial_state(1)
        self._weights = _trainable(self.model) if section.learning_rate else []
        self._rates, self._decays = _steps(scales or [], section)
        self._largest_norm = _CLIP_RATIO * _norm(scales or [])
        self._trained = [weight.detach().clone() for weight in self._weights]

    def read(self, chunk: Chunk) -> Tensor:
        """(1, T, V) logits, computed before the model learns from the chunk."""
        logits, targets, self._state = _read(self.model, chunk, self._state, self._runtime)
        self._divergence.look(chunk, logits)
        if self._weights:
            self._learn(_gradients(logits, targets, self._weights))
        return logits.detach()

    @property
    def state(self) -> State:
        """After the last chunk; without a graph."""
        return self._state

    def fork(self) -> LearningReader:
        """A second reader with its own weights and state."""
        other = copy.copy(self)
        other.model = copy.deepcopy(self.model)
        other._divergence = copy.copy(self._divergence)
        other._state = states.map_tensors(torch.clone, self._state)
        other._weights = _trainable(other.model) if self._weights else []
        return other

    def _learn(self, gradients: list[Tensor]) -> None:
        norm = _norm(gradients)
        share = self._largest_norm / norm if norm > self._largest_norm else 1.0
        with torch.no_grad():
            for weight, gradient, rate, decay, start in zip(
                self._weights, gradients, self._rates, self._decays, self._trained, strict=True
            ):
                step = decay * (start - weight)
                weight.add_(step.addcmul_(gradient, rate, value=-share))


def score_adaptively(
    model: SequenceModel,
    splits: Mapping[str, SplitReader],
    *,
    runtime: Runtime,
    section: AdaptiveSection,
    scales: list[Tensor] | None,
    advance: Callable[[str, int], None] | None = None,
) -> dict[str, Tally]:
    """Score every byte of each split once, each segment before the model learns from it.

    splits: read in one lane. scales: `gradient_scales` of the same model and section; None if
    the learning rate is 0. advance: called with the split and the number of its tokens after each
    segment, for progress. Raises DivergedError if the model diverges while it learns.
    """
    reader = LearningReader(model, runtime, section, scales)
    with learning(reader.model, runtime):
        return score_together(
            reader,
            splits,
            chunk_length=section.segment_length,
            advance=advance or (lambda split, tokens: None),
            remedy=_remedy(section),
        )


def _remedy(section: AdaptiveSection) -> str:
    """What to do about a model that diverged while it learnt."""
    return (
        f"use a learning rate below {section.learning_rate:g} (evaluate.adaptive.learning_rate, or "
        f"--adapt learning_rate={section.learning_rate / 10:g})"
    )


def _steps(scales: list[Tensor], section: AdaptiveSection) -> tuple[list[Tensor], list[Tensor]]:
    """Each weight's learning rate, and its factor towards its trained value."""
    if not scales:
        return [], []
    count = sum(scale.numel() for scale in scales)
    total = torch.stack([in_float64(scale).sum() for scale in scales]).sum()
    mean = (total / count).float().clamp_min(torch.finfo(torch.float32).tiny)
    mean = mean.to(scales[0].device)
    rates = [section.learning_rate / (scale + section.damping * mean) for scale in scales]
    decays = [(section.decay * scale / mean).clamp_max(1.0) for scale in scales]
    return rates, decays


def _norm(tensors: list[Tensor]) -> float:
    """Euclidean norm of all their entries together."""
    return math.sqrt(sum(float(in_float64(tensor).square().sum()) for tensor in tensors))


@contextlib.contextmanager
def learning(model: SequenceModel, runtime: Runtime) -> Iterator[None]:
    """Gradients in eval mode; without cuDNN, whose recurrent layers have no gradients there."""
    with (
        in_eval_mode(model),
        one_thread(runtime),
        torch.enable_grad(),
        torch.backends.cudnn.flags(enabled=False),
    ):
        yield


def _trainable(model: SequenceModel) -> list[Tensor]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def _read(
    model: SequenceModel,
    chunk: Chunk,
    state: State,
    runtime: Runtime,
    position: Tensor | None = None,
) -> tuple[Tensor, Tensor, State]:
    """Logits with their graph, the targets on the same device, and the state without one.

    position: (1,) index of the first input in the training part, if that part is read.
    """
    inputs = torch.from_numpy(chunk.inputs).to(runtime.device)
    targets = torch.from_numpy(chunk.targets).to(runtime.device)
    with runtime.autocast():
        if position is None:
            logits, state = model(inputs, state)
        else:
            logits, state = model.forward_in_training(inputs, state, position.to(runtime.device))
    return logits, targets, states.detach(state)


def _gradients(logits: Tensor, targets: Tensor, weights: list[Tensor]) -> list[Tensor]:
    if not weights:
        return []
    loss = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())
    gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    return [
        torch.zeros_like(weight) if gradient is None else gradient
        for weight, gradient in zip(weights, gradients, strict=True)
    ]


def prepare_copy(model: SequenceModel, tokens: npt.NDArray[Any]) -> SequenceModel:
    """A loaded model, prepared with the training part, (N,) tokens, as for training on it.

    It is a copy with the same weights and buffers; the model itself if it needs no preparation.
    """
    if type(model).before_training is SequenceModel.before_training:
        return model
    again = copy.deepcopy(model)
    again.before_training(tokens)
    again.load_state_dict(model.state_dict())
    return again
