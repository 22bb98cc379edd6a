"""Runs a recipe: training, scoring and sampling -> Result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from seqzoo.data.tokens import encode_span
from seqzoo.model.memory import enough_memory
from seqzoo.model.runtime import make_runtime
from seqzoo.plugin.build import build
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import Recipe
from seqzoo.recipes.sections import Choice
from seqzoo.results.result import Result
from seqzoo.runs.build import build_chain, open_stream
from seqzoo.runs.directory import (
    RunDirectory,
    create_run_directory,
    open_run_directory,
)
from seqzoo.runs.experiment import Experiment, load_weights, new_experiment, restored_tokenizer
from seqzoo.runs.interruption import Interrupted, Interruption
from seqzoo.runs.metrics import Log
from seqzoo.runs.origin import write_origin
from seqzoo.runs.reopen import Trained, recorded_runtime, reopen_data, stored_recipe
from seqzoo.runs.score import score_run
from seqzoo.runs.start import load_start, warn_of_other_text
from seqzoo.runs.tracking import GuardedTracker
from seqzoo.scoring.chunks import SplitReader
from seqzoo.scoring.static import require_lanes, score_split
from seqzoo.terminal.display import Display
from seqzoo.terminal.format import quoted
from seqzoo.terminal.progress import Meter
from seqzoo.training import checkpoint as checkpoints
from seqzoo.training.loop import Hooks, Training, train
from seqzoo.training.slowdown import MachineWatch

__all__ = ["resume_run", "run_recipe"]


def run_recipe(
    recipe: Recipe,
    *,
    root: Path,
    name: str | None = None,
    device: str | None = None,
    display: Display,
) -> tuple[RunDirectory, Result]:
    """Train, evaluate and sample a recipe in a new directory under `root`.

    name: of the directory, which must not exist. None: the recipe's name, with a number if that
    exists. Raises Interrupted after a signal (the run is saved), and what the parts raise.
    """
    runtime = make_runtime(recipe.runtime, device=device)
    start = load_start(recipe, display=display)
    experiment = new_experiment(recipe, runtime=runtime, display=display, start=start)
    if start is not None:
        warn_of_other_text(start, experiment)
    splits = experiment.data.splits
    require_lanes(min(len(splits.validation), len(splits.test)), recipe.evaluate.lanes)
    training = _make_training(experiment)
    directory = create_run_directory(root, name or recipe.name, numbered=name is None)
    with directory.locked():
        write_origin(directory, experiment)
        return directory, _train_and_score(directory, experiment, training)


def resume_run(
    path: Path, registry: Registry, *, device: str | None = None, display: Display
) -> tuple[RunDirectory, Result]:
    """Continue a run from its newest complete checkpoint.

    The result is bit-for-bit the same as that of an uninterrupted run. Raises CheckpointError if
    there is no checkpoint, UsageError if the corpus has changed.
    """
    directory = open_run_directory(path)
    with directory.locked():
        checkpoints.clear_unfinished(directory.checkpoints)
        recipe = stored_recipe(directory, registry)
        checkpoint = checkpoints.load_newest(directory.checkpoints, warn=display.warn)
        experiment = Experiment(
            recipe,
            runtime=recorded_runtime(recipe, checkpoint.state["runtime"], device, display=display),
            display=display,
            tokenizer=restored_tokenizer(recipe, checkpoint),
            open_data=lambda: reopen_data(directory, recipe, display=display),
        )
        training = _make_training(experiment)
        training.restore(checkpoint)
        display.note(f"resuming {directory.path} from step {training.step}")
        logs = checkpoint.state["logs"]
        return directory, _train_and_score(directory, experiment, training, logs=logs)


def _make_training(experiment: Experiment) -> Training:
    recipe = experiment.recipe
    stream = open_stream(recipe, experiment.training.tokens)
    model = experiment.model
    # Before training, so that a mistake in the chain is reported now and not at the end.
    build_chain(recipe.sample.chain, recipe.registry, vocab_size=experiment.tokenizer.vocab_size)
    if recipe.runtime.compile:
        experiment.display.note("the first update compiles the model, which takes a minute or more")
        model.compile()
    return Training(
        model,
        stream,
        recipe.train,
        runtime=experiment.runtime,
        bytes_per_token=experiment.training.bytes_per_token,
        epoch_tokens=len(experiment.training),
    )


def _train_and_score(
    directory: RunDirectory,
    experiment: Experiment,
    training: Training,
    *,
    logs: Mapping[str, int] | None = None,
) -> Result:
    """Train to the end of the budget, score the best weights, and write result and samples."""
    _train(directory, experiment, training, logs or {"metrics": 0, "timing": 0})
    folder = directory.checkpoints
    newest = checkpoints.load(folder, training.step)
    best = checkpoints.load_best(folder, newest, warn=experiment.display.warn)
    load_weights(training.model, best)
    training.model.eval()
    trained = Trained(
        directory, experiment, best.step, training.effort(), training.runtime.record()
    )
    with _memory("scoring", directory, training, dict):
        result = score_run(trained)
        _write_samples(trained)
    return result


def _write_samples(trained: Trained) -> None:
    """Write the recipe's samples, prompt included, as bytes."""
    section = trained.experiment.recipe.sample
    prompt = section.prompt.encode()
    trained.directory.samples.mkdir(exist_ok=True)
    for number in range(section.count):
        written = trained.experiment.generate(
            prompt, length=section.length, chain=section.chain, seed=section.seed + number
        )
        path = trained.directory.samples / f"step-{trained.step}-{number + 1}.txt"
        path.write_bytes(prompt + b"".join(written))


def _train(
    directory: RunDirectory, experiment: Experiment, training: Training, logs: Mapping[str, int]
) -> None:
    recipe, display = experiment.recipe, experiment.display
    with ExitStack() as stack:
        stack.enter_context(_memory("training", directory, training, lambda: training.sizes))
        metrics = Log(directory.metrics, length=logs["metrics"], warn=display.warn)
        timing = Log(directory.timing, length=logs["timing"], warn=display.warn)
        stack.callback(metrics.close)
        stack.callback(timing.close)
        trackers = _open_trackers(experiment, directory, stack)
        interruption = stack.enter_context(Interruption(display.on_signal))
        meter = stack.enter_context(display.meter("training"))
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
            sizes = {"train.validation.lanes": split.lanes}
            with _memory("validation", directory, training, lambda: sizes):
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
            checkpoints.save(
                directory.checkpoints,
                training.checkpoint(
                    {
                        "tokenizer": experiment.tokenizer.state(),
                        "logs": {"metrics": metrics.sync(), "timing": timing.sync()},
                    }
                ),
                keep=recipe.train.checkpoint.keep,
                best=training.best.step if training.best else None,
            )

        if training.step == 0:
            save()  # from now on, a killed run can be resumed
        train(training, Hooks(log, validate, save, stop=lambda: interruption.received is not None))
    # Even if the budget is spent: the user wants to stop now, and scoring takes long.
    if interruption.received is not None:
        raise Interrupted(
            interruption.received,
            f"stopped and saved at step {training.step}; continue with: "
            f"seqzoo resume {directory.path}",
        )


def _memory(
    task: str,
    directory: RunDirectory,
    training: Training,
    settings: Callable[[], Mapping[str, int]],
) -> AbstractContextManager[None]:
    """`enough_memory`, whose message says how to continue."""

    def saved() -> str:
        steps = checkpoints.checkpoint_steps(directory.checkpoints)
        if not any(steps):
            return ""
        return (
            f"the run is saved up to step {steps[-1]}, and when memory is free, continue with: "
            f"seqzoo resume {quoted(directory.path)}"
        )

    return enough_memory(task, training.runtime.device, settings, saved=saved)


def _show(
    meter: Meter, training: Training, line: Mapping[str, float], times: Mapping[str, float]
) -> None:
    meter.show(
        min(training.progress, 1.0),
        f"step {training.step} {line['bits_per_byte']:.3f} bits/byte "
        f"lr {line['learning_rate']:.1e} grad {line['gradient_norm']:.2f} "
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
