"""Trains an experiment in its folder: metrics, validation, trackers, checkpoints, signals."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from contextlib import ExitStack

from seqzoo.data.tokens import encode_span
from seqzoo.model.memory import enough_memory
from seqzoo.plugin.build import build
from seqzoo.recipes.sections import Choice
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.expected import expected_training_seconds
from seqzoo.runs.experiment import Experiment
from seqzoo.runs.interruption import Interrupted, Interruption
from seqzoo.runs.introduction import introduction
from seqzoo.runs.metrics import Log
from seqzoo.runs.samples import SamplesInTraining
from seqzoo.runs.tracking import GuardedTracker
from seqzoo.scoring.chunks import SplitReader
from seqzoo.scoring.static import score_split
from seqzoo.terminal.progress import Meter
from seqzoo.training import checkpoint as checkpoints
from seqzoo.training.loop import Hooks, Training, train
from seqzoo.training.slowdown import MachineWatch

__all__ = ["train_run"]


def train_run(
    directory: RunDirectory, experiment: Experiment, training: Training, logs: Mapping[str, int]
) -> None:
    """Train to the end of the budget; raises Interrupted after a signal, with everything saved.

    logs: lengths of the two log files at the checkpoint that training continues from.
    """
    recipe, display = experiment.recipe, experiment.display
    with ExitStack() as stack:
        memory = functools.partial(
            enough_memory, device=training.runtime.device, saved=lambda: _saved(directory)
        )
        stack.enter_context(memory("training", settings=lambda: training.sizes))
        metrics = Log(directory.metrics, length=logs["metrics"], warn=display.warn)
        timing = Log(directory.timing, length=logs["timing"], warn=display.warn)
        stack.callback(metrics.close)
        stack.callback(timing.close)
        trackers = _open_trackers(experiment, directory, stack)
        interruption = stack.enter_context(Interruption(display.on_signal))
        split = _validation_split(experiment)
        machine = MachineWatch(training.runtime)

        def log(line: Mapping[str, float], times: Mapping[str, float]) -> None:
            metrics.append(line)
            if times:
                timing.append(times)
                _show(meter, training, line, times)
                if report := machine.observe(times["bytes_per_second"]):
                    display.warn(report)
            for tracker in trackers:
                tracker.log(training.step, {**line, **times})

        def validate() -> dict[str, float]:
            with memory("validation", settings=lambda: {"train.validation.lanes": split.lanes}):
                result = score_split(
                    training.model, split, runtime=training.runtime, chunk_length=_VALIDATION_CHUNK
                )
            meter.note(
                f"step {training.step}: validation {result.bits_per_byte:.4f} bits per byte, "
                f"accuracy {result.accuracy:.1%}"
            )
            return {
                "validation_bits_per_byte": result.bits_per_byte,
                "validation_accuracy": result.accuracy,
            }

        def save() -> None:
            directory.require_in_place()
            checkpoints.save(
                directory.checkpoints,
                training.checkpoint(
                    {
                        "tokenizer": experiment.tokenizer.state(),
                        "logs": {"metrics": metrics.sync(), "timing": timing.sync()},
                        "epochs": training.tokens_seen / training.epoch_tokens,
                    }
                ),
                keep=recipe.train.checkpoint.keep,
                best=training.best.step if training.best else None,
            )

        if training.step == 0:
            save()  # from now on, a killed run can be resumed
        if not display.is_silent:
            times = {
                "training": expected_training_seconds(
                    experiment, training, split, chunk_length=_VALIDATION_CHUNK
                )
            }
            display.facts(introduction(directory, experiment, training, times))
        meter = stack.enter_context(display.meter("training"))
        samples = SamplesInTraining(
            experiment, directory, show=lambda text: meter.note(f"  {text}")
        )
        hooks = Hooks(
            log,
            validate,
            save,
            stop=lambda: interruption.received is not None,
            aside=lambda validated: samples.after_update(training.step, is_validated=validated),
        )
        train(training, hooks)
    # Even if the budget is spent: the user wants to stop now, and scoring takes long.
    if interruption.received is not None:
        raise Interrupted(
            interruption.received,
            f"Stopped and saved at step {training.step}; continue with",
            command=directory.to_continue,
        )


def _saved(directory: RunDirectory) -> str:
    steps = checkpoints.checkpoint_steps(directory.checkpoints)
    if not any(steps):
        return ""
    return (
        f"the run is saved up to step {steps[-1]}, and when memory is free, continue with: "
        f"{directory.to_continue}"
    )


def _show(
    meter: Meter, training: Training, line: Mapping[str, float], times: Mapping[str, float]
) -> None:
    meter.show(
        min(training.progress, 1.0),
        f"step {training.step}: {line['bits_per_byte']:.3f} bits per byte, "
        f"{times['bytes_per_second'] / 1000:.1f} kB/s",
    )


def _open_trackers(
    experiment: Experiment, directory: RunDirectory, stack: ExitStack
) -> list[GuardedTracker]:
    trackers = []
    for choice in experiment.recipe.trackers:
        tracker = _open_tracker(experiment, choice, directory)
        stack.callback(tracker.close)
        trackers.append(tracker)
    return trackers


def _open_tracker(
    experiment: Experiment, choice: Choice, directory: RunDirectory
) -> GuardedTracker:
    return GuardedTracker(
        choice.name,
        lambda: build(experiment.registry, "tracker", choice, directory.path),
        warn=experiment.display.warn,
    )


_VALIDATION_CHUNK = 256


def _validation_split(experiment: Experiment) -> SplitReader:
    """The validation text, encoded once for all validations of a training.

    Its lanes are read in parallel for speed; with warm-up, the score is close to the exact one.
    """
    section = experiment.recipe.train.validation
    span = experiment.data.splits.validation.first(section.max_bytes)
    return SplitReader(
        encode_span(experiment.tokenizer, span),
        lanes=min(section.lanes, max(1, len(span) // 1000)),
        warmup_tokens=experiment.recipe.evaluate.warmup_tokens,
    )
