"""A short training with many measurements, which several checks look at."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy.typing as npt
import torch

from seqzoo.doctor.evidence.gradients import dense
from seqzoo.doctor.evidence.measure import measure
from seqzoo.doctor.evidence.network import Network
from seqzoo.errors import DivergedError

__all__ = ["Point", "Trainer", "Trial", "Updated", "run_trial"]


class Updated(NamedTuple):
    """Figures of one update: mean loss in nats per token, gradient norm before clipping."""

    loss_nats: float
    gradient_norm: float


class Trainer(ABC):
    """A network in training.

    clip_norm: the norm at which gradients are clipped, None for never. optimizer: torch's, of a
    user's own code.
    """

    network: Network
    clip_norm: float | None = None
    optimizer: torch.optim.Optimizer | None = None

    @abstractmethod
    def update(self) -> Updated:
        """One optimizer step. Raises DivergedError, and StopIteration if the batches end."""


class Point(NamedTuple):
    """Held-out figures after so many updates and tokens."""

    step: int
    tokens: int
    bits_per_token: float
    accuracy: float


@dataclass
class Trial:
    """Measurements of a short training.

    points: from before the first update to the last, evenly spaced in updates.
    update_ratios: for each matrix the ratios |change| / |weights| of some updates in which it had a
    gradient.
    diverged: why it ended early, or an empty string.
    """

    network: Network
    clip_norm: float | None
    losses: list[float] = field(default_factory=list)
    gradient_norms: list[float] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    update_ratios: dict[str, list[float]] = field(default_factory=dict)
    tokens: int = 0
    seconds: float = 0.0
    diverged: str = ""

    @property
    def steps(self) -> int:
        """Updates made."""
        return len(self.losses)


def run_trial(
    trainer: Trainer,
    held_out: npt.NDArray[Any] | None,
    *,
    seconds: float,
    tokens_per_update: int,
    max_steps: int,
    num_points: int = 6,
    watch: Callable[[float], None] = lambda share: None,
) -> Trial:
    """Train for about `seconds`, at most `max_steps` updates, scoring held-out tokens on the way.

    The number of updates is fixed after the first few were timed, so that points are evenly
    spaced. A slow machine gets up to twice the time, so that there is something to measure.
    watch: called with the share that is done.
    """
    trial = Trial(trainer.network, trainer.clip_norm)
    started = time.perf_counter()
    _score(trial, held_out)
    steps, next_point = max_steps, 0
    timed_from = time.perf_counter()
    warmup = 10
    while trial.steps < steps:
        if trial.steps == warmup:
            each = (time.perf_counter() - timed_from) / warmup
            left = seconds - (time.perf_counter() - started)
            # With one token in each row, many updates are little training.
            least = 1500 if tokens_per_update <= 256 else 5 * warmup
            steps = min(max_steps, max(least, int(left * 0.9 / max(each, 1e-6))))
            next_point = steps // num_points
        looked_at = trial.steps % 25 == 5
        before = _matrices(trainer.network) if looked_at else {}
        try:
            updated = trainer.update()
        except DivergedError as error:
            trial.diverged = str(error)
            break
        except StopIteration:
            break
        trial.losses.append(updated.loss_nats)
        trial.gradient_norms.append(updated.gradient_norm)
        trial.tokens += tokens_per_update
        parameters = dict(trainer.network.module.named_parameters()) if before else {}
        for name, matrix in before.items():
            parameter = parameters[name]
            if parameter.grad is None or not bool(dense(parameter.grad).any()):
                continue  # it had no part in this update, as a first state in most
            now = parameter.detach()
            ratio = float((now - matrix).norm() / matrix.norm().clamp_min(1e-12))
            trial.update_ratios.setdefault(name, []).append(ratio)
        if next_point and trial.steps % next_point == 0:
            _score(trial, held_out)
            watch(trial.steps / steps)
        if time.perf_counter() - started > 2 * seconds:  # the machine has become slower
            break
    if not trial.points or trial.points[-1].step != trial.steps:
        _score(trial, held_out)
    trial.seconds = time.perf_counter() - started
    return trial


def _score(trial: Trial, held_out: npt.NDArray[Any] | None) -> None:
    if held_out is None:
        return
    found = measure(trial.network, held_out)
    if math.isfinite(found.bits_per_token):
        trial.points.append(Point(trial.steps, trial.tokens, *_pair(found)))


def _pair(found: Any) -> tuple[float, float]:
    return found.bits_per_token, found.accuracy


def _matrices(network: Network) -> dict[str, torch.Tensor]:
    return {
        name: parameter.detach().clone()
        for name, parameter in network.module.named_parameters()
        if parameter.ndim >= 2 and parameter.requires_grad
    }
