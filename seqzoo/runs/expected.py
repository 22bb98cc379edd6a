"""How long training will take, measured by a few updates of a copy of the model."""

from __future__ import annotations

import copy
import math
import time

import torch

from seqzoo.data.lanes import Lanes
from seqzoo.model.runtime import in_inference_mode, random_state, restore_random_state
from seqzoo.recipes.sections import TrainSection
from seqzoo.runs.build import build_optimizer
from seqzoo.runs.experiment import Experiment
from seqzoo.scoring.chunks import SplitReader
from seqzoo.training.updates import Training

__all__ = ["expected_training_seconds", "tokens_of_budget"]

_TRIAL_SECONDS = 0.5
_MAX_UPDATES = 20


def expected_training_seconds(
    experiment: Experiment, training: Training, validation: SplitReader, *, chunk_length: int
) -> float | None:
    """Seconds of training that are left, validations included; None if they cannot be measured.

    Model, optimizer, stream and generators of the training are not changed. validation: the split
    as training scores it, in chunks of `chunk_length`.
    """
    section = training.section
    limit = section.budget.seconds
    left = math.inf if limit is None else max(limit - training.seconds, 0.0)
    if experiment.recipe.runtime.compile:  # a trial would compile the copy too
        return None if math.isinf(left) else left
    tokens = (
        tokens_of_budget(
            section,
            bytes_per_token=training.bytes_per_token,
            epoch_tokens=training.epoch_tokens,
        )
        - training.tokens_seen
    )
    if math.isinf(tokens):
        return left
    generators = random_state()
    try:
        model = copy.deepcopy(training.model)
        trial = Training(
            model,
            Lanes(experiment.training.tokens, batch_size=section.batch_size),
            section,
            optimizer=build_optimizer(experiment.recipe, model),
            schedule=training.schedule,
            runtime=training.runtime,
            bytes_per_token=training.bytes_per_token,
            epoch_tokens=training.epoch_tokens,
        )
        per_token, per_update = _measured_update(trial)
        seconds = max(tokens, 0.0) * per_token
        if every := section.validation.every_steps:
            validations = math.ceil(max(tokens, 0.0) / per_update / every)
            times = 1 if section.average is None else 2  # trained and averaged weights
            seconds += validations * times * _measured_validation(trial, validation, chunk_length)
    except Exception:  # a plugin's model that cannot be copied; training reports what is wrong
        return None
    finally:
        restore_random_state(generators)
    return min(seconds, left)


def tokens_of_budget(section: TrainSection, *, bytes_per_token: float, epoch_tokens: int) -> float:
    """Tokens that training reads until its budget is spent; infinite for a budget of seconds."""
    budget = section.budget
    stages = section.bptt_length
    if isinstance(stages, int):
        length = float(stages)
    else:
        ends = [*(stage.start for stage in stages[1:]), 1.0]
        length = sum(
            stage.length * (end - stage.start) for stage, end in zip(stages, ends, strict=True)
        )
    per_update = section.batch_size * length * section.accumulation_steps
    return min(
        math.inf if budget.steps is None else budget.steps * per_update,
        math.inf if budget.bytes is None else budget.bytes / bytes_per_token,
        math.inf if budget.epochs is None else budget.epochs * epoch_tokens,
    )


def _measured_update(trial: Training) -> tuple[float, float]:
    """Seconds of training per token, and tokens per update."""
    trial.update()  # the first one also reserves memory
    tokens, updates, begun = trial.tokens_seen, 0, time.perf_counter()
    while updates < _MAX_UPDATES and time.perf_counter() - begun < _TRIAL_SECONDS:
        trial.update()
        updates += 1
    seconds, read = time.perf_counter() - begun, trial.tokens_seen - tokens
    return seconds / read, read / updates


def _measured_validation(trial: Training, split: SplitReader, chunk_length: int) -> float:
    """Seconds of one validation, from its first chunk."""
    total = len(split.text.tokens)
    chunk = next(split.chunks(chunk_length))
    inputs = torch.from_numpy(chunk.inputs).to(trial.runtime.device)
    with in_inference_mode(trial.model), trial.runtime.autocast():
        trial.model(inputs)
        begun = time.perf_counter()
        logits, _ = trial.model(inputs)
        float(logits[0, 0, 0])  # a GPU is waited for
    return (time.perf_counter() - begun) * total / chunk.inputs.size
