"""run(recipe) -> Result: the one file that joins corpus, model, training, scoring and sampling."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from seqzoo.training import checkpoint as checkpoints
from seqzoo.runs.build import blaming, build_chain, build_model, build_tokenizer, open_data, open_stream, try_model
from seqzoo.data.corpus import Data
from seqzoo.terminal.console import messages, note, panel, warn
from seqzoo.plugin.contracts import Tokenizer
from seqzoo.scoring.static import Protocol, score
from seqzoo.model.generate import generate
from seqzoo.runs.interruption import Interrupted, Interruption
from seqzoo.terminal.progress import Meter, meter
from seqzoo.recipes.load import Recipe
from seqzoo.plugin.registry import Registry
from seqzoo.runs.score import rescore
from seqzoo.results.result import Result
from seqzoo.runs.directory import RunDirectory, create_run_directory, open_run_directory
from seqzoo.runs.metrics import Log
from seqzoo.model.runtime import Runtime, make_runtime
from seqzoo.scoring.splits import require_lanes
from seqzoo.plugin.specs import Span
from seqzoo.data.tokens import encode
from seqzoo.runs.tracking import GuardedTracker
from seqzoo.training.loop import Hooks, Training, train
from seqzoo.runs.reopen import (
    Trained,
    load_weights,
    recorded_runtime,
    reopen_data,
    restored_tokenizer,
    stored_recipe,
    write_origin,
)

__all__ = ["resume", "run"]


def run(
    recipe: Recipe, *, root: Path, name: str | None = None, device: str | None = None
) -> tuple[RunDirectory, Result]:
    """Train, evaluate and sample a recipe in a new directory under `root`.

    name: of the directory; must be free. None takes the recipe's name, numbered if need be.
    Raises Interrupted after a signal (saved), DivergedError, and what the parts raise.
    """
    runtime = make_runtime(recipe.runtime, device=device)
    fallbacks: list[str] = []
    data = open_data(recipe, announce=fallbacks.append)
    for text in fallbacks:
        panel(text, title="another corpus")
    require_lanes(recipe, data)
    tokenizer = build_tokenizer(recipe)
    with blaming(recipe.registry, "tokenizer", recipe.tokenizer.name):
        tokenizer.learn(data.splits.training.bytes)
    training = _make_training(recipe, runtime, data, tokenizer)
    directory = create_run_directory(root, name or recipe.name, numbered=name is None)
    with directory.locked():
        write_origin(directory, recipe, data, fell_back=bool(fallbacks))
        return directory, _work(directory, recipe, data, tokenizer, training)


def resume(
    path: Path, registry: Registry, *, device: str | None = None
) -> tuple[RunDirectory, Result]:
    """Go on with a run from its newest whole checkpoint, to the bits it would have had.

    Raises CheckpointError where there is none, UsageError where the corpus is another one.
    """
    directory = open_run_directory(path)
    with directory.locked():
        checkpoints.clear_unfinished(directory.checkpoints)
        recipe = stored_recipe(directory, registry)
        checkpoint = checkpoints.load_newest(directory.checkpoints, warn=warn)
        runtime = recorded_runtime(recipe, checkpoint.state["runtime"], device)
        data = reopen_data(directory, recipe)
        tokenizer = restored_tokenizer(recipe, checkpoint)
        training = _make_training(recipe, runtime, data, tokenizer)
        training.restore(checkpoint)
        note(f"resuming {directory.path} from step {training.step}")
        return directory, _work(
            directory, recipe, data, tokenizer, training, logs=checkpoint.state["logs"]
        )


def _make_training(recipe: Recipe, runtime: Runtime, data: Data, tokenizer: Tokenizer) -> Training:
    with blaming(recipe.registry, "tokenizer", recipe.tokenizer.name):
        tokens = encode(tokenizer, data.splits.training.bytes)
    stream = open_stream(recipe, tokens)
    model = build_model(recipe, vocab_size=tokenizer.vocab_size)
    with blaming(recipe.registry, "architecture", recipe.architecture.name):
        model.prepare(tokens)
    try_model(recipe, model, vocab_size=tokenizer.vocab_size)
    # Tried before training, so that a mistake in the chain does not wait for its end.
    build_chain(recipe.sample.chain, recipe.registry, vocab_size=tokenizer.vocab_size)
    model.to(runtime.device)
    if recipe.runtime.compile:
        model.compile()
    return Training(
        model,
        stream,
        recipe.train,
        runtime=runtime,
        bytes_per_token=len(data.splits.training) / len(tokens),
        epoch_tokens=len(tokens),
    )


def _work(
    directory: RunDirectory,
    recipe: Recipe,
    data: Data,
    tokenizer: Tokenizer,
    training: Training,
    *,
    logs: Mapping[str, int] | None = None,
) -> Result:
    """Train to the end of the budget, then score the best weights and leave result and samples."""
    _train(directory, recipe, data, tokenizer, training, logs or {"metrics": 0, "timing": 0})
    folder = directory.checkpoints
    best = checkpoints.load_best(folder, checkpoints.load(folder, training.step), warn=warn)
    load_weights(training.model, best)
    trained = Trained(
        directory,
        recipe,
        training.runtime,
        tokenizer,
        training.model,
        best.step,
        training.effort(),
        training.runtime.record(),
    )
    result = rescore(trained, data)
    _write_samples(trained)
    return result


def _write_samples(trained: Trained) -> None:
    """The recipe's samples, prompt included, as the bytes that the model wrote."""
    section = trained.recipe.sample
    chain = build_chain(
        section.chain, trained.recipe.registry, vocab_size=trained.tokenizer.vocab_size
    )
    trained.directory.samples.mkdir(exist_ok=True)
    for number in range(section.count):
        pieces = generate(
            trained.model,
            trained.tokenizer,
            chain=chain,
            prompt=section.prompt.encode(),
            num_tokens=section.length,
            seed=section.seed + number,
        )
        path = trained.directory.samples / f"step-{trained.step}-{number + 1}.txt"
        path.write_bytes(section.prompt.encode() + b"".join(pieces))


def _train(
    directory: RunDirectory,
    recipe: Recipe,
    data: Data,
    tokenizer: Tokenizer,
    training: Training,
    logs: Mapping[str, int],
) -> None:
    with ExitStack() as stack:
        metrics = Log(directory.metrics, length=logs["metrics"])
        timing = Log(directory.timing, length=logs["timing"])
        stack.callback(metrics.close)
        stack.callback(timing.close)
        trackers = _open_trackers(recipe, directory, stack)
        interruption = stack.enter_context(Interruption())
        display = stack.enter_context(meter("training", messages()))

        def log(line: Mapping[str, float], times: Mapping[str, float]) -> None:
            metrics.append(line)
            if times:
                timing.append(times)
                _show(display, training, line, times)
            for tracker in trackers:
                tracker.log(training.step, {**line, **times})

        watched = data.splits.validation.first(recipe.train.validation.max_bytes)

        def validate() -> dict[str, float]:
            result = score(
                training.model,
                tokenizer,
                watched,
                runtime=training.runtime,
                protocol=_validation_protocol(recipe, watched),
            )
            display.note(
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
                        "tokenizer": tokenizer.state(),
                        "logs": {"metrics": metrics.sync(), "timing": timing.sync()},
                    }
                ),
                keep=recipe.train.checkpoint.keep,
                best=training.best.step if training.best else None,
            )

        if training.step == 0:
            save()  # from here on a killed run can go on, and what cannot be stored is told now
        train(training, Hooks(log, validate, save, stop=lambda: interruption.received is not None))
    # Also where the budget was spent meanwhile: scoring takes longer than who asked will wait.
    if interruption.received is not None:
        raise Interrupted(
            interruption.received,
            f"stopped and saved at step {training.step}; go on with: "
            f"seqzoo resume {directory.path}",
        )


def _show(
    display: Meter, training: Training, line: Mapping[str, float], times: Mapping[str, float]
) -> None:
    display.show(
        min(training.progress, 1.0),
        f"step {training.step} {line['bits_per_byte']:.3f} bits/byte "
        f"lr {line['learning_rate']:.1e} grad {line['gradient_norm']:.2f} "
        f"{times['bytes_per_second'] / 1000:.1f} kB/s",
    )


def _open_trackers(
    recipe: Recipe, directory: RunDirectory, stack: ExitStack
) -> list[GuardedTracker]:
    trackers = []
    for choice in recipe.trackers:
        spec = recipe.registry.get("tracker", choice.name)
        opened = partial(spec.open, choice.options, directory.path)
        tracker = GuardedTracker(choice.name, opened)
        stack.callback(tracker.close)
        trackers.append(tracker)
    return trackers


def _validation_protocol(recipe: Recipe, watched: Span) -> Protocol:
    """Side by side for speed; each lane warmed up, so that it is close to the exact score."""
    lanes = min(recipe.train.validation.lanes, max(1, len(watched) // 1000))
    return Protocol(lanes=lanes, warmup_tokens=recipe.evaluate.warmup_tokens, chunk_length=256)
