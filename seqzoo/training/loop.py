"""The loop of a training: updates, and between them log, validate, save and stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from seqzoo.errors import DivergedError
from seqzoo.training.updates import Training

__all__ = ["Hooks", "train"]


@dataclass(frozen=True)
class Hooks:
    """Functions of the caller that `train` calls.

    log: receives a line of metrics (equal in a repeated run) and a line of timing.
    validate: bits per byte on the validation split, and further metrics (`Training.validated`).
    save: write a checkpoint now. It receives whether training depends on it; if it does not, a
    checkpoint that cannot be written may be left out.
    stop: whether to end after this update.
    aside: called after every update, with whether it was validated; the time that it takes does not
    count as training.
    """

    log: Callable[[Mapping[str, float], Mapping[str, float]], None]
    validate: Callable[[], Mapping[str, float]]
    save: Callable[[bool], None]
    stop: Callable[[], bool]
    aside: Callable[[bool], None] = lambda is_validated: None


def train(training: Training, hooks: Hooks) -> bool:
    """Train until the budget is spent (True) or `hooks.stop` is true (False), and save."""
    section = training.section
    every = section.validation.every_steps
    started = time.perf_counter() - training.seconds
    marked_at, marked_bytes = training.seconds, training.bytes_seen

    def interval() -> tuple[dict[str, float], dict[str, float]]:
        nonlocal marked_at, marked_bytes
        elapsed = max(training.seconds - marked_at, 1e-9)
        speed = (training.bytes_seen - marked_bytes) / elapsed
        timing = {"step": training.step, "seconds": training.seconds, "bytes_per_second": speed}
        marked_at, marked_bytes = training.seconds, training.bytes_seen
        return training.take_interval(), timing

    def spent() -> float:
        return training.agreed(time.perf_counter() - started)

    stopping = False
    while training.progress < 1 and not stopping:
        training.update()
        training.seconds = spent()
        finished = training.progress >= 1
        line: dict[str, float] = {}
        timing: dict[str, float] = {}
        if finished or _due(training.step, section.log_every_steps):
            line, timing = interval()
        is_due, is_needed = _due(training.step, section.checkpoint.every_steps), finished
        if every and (finished or _due(training.step, every)):
            scores = hooks.validate()
            paused_at, training.seconds = training.seconds, spent()
            marked_at += training.seconds - paused_at  # the pause does not count in the speed
            if not all(map(math.isfinite, scores.values())):
                raise DivergedError(
                    f"the validation score is not finite at step {training.step}; nothing of this "
                    f"step is saved. In a new run, lower train.optimizer.learning_rate, or set "
                    f"train.clip_norm."
                )
            if training.validated(scores):
                is_needed = True
            if training.progress >= 1 and not finished:
                # A budget of seconds ran out while validating.
                is_needed = True
                if training.interval_updates:
                    line, timing = interval()
            # One line for each step: with two, a join of tables by step would repeat rows.
            line = {"step": training.step, **line, **scores}
        if line:
            hooks.log(line, timing)
        begun = time.perf_counter()
        hooks.aside("validation_bits_per_byte" in line)
        started += time.perf_counter() - begun
        stopping = hooks.stop()
        if is_due or is_needed or stopping:
            hooks.save(is_needed or stopping)
    return training.progress >= 1


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0
