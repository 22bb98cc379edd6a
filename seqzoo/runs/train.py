"""Trains an experiment in its folder: metrics, validation, trackers, checkpoints, signals."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace

from seqzoo.data.tokens import encode_span
from seqzoo.errors import DiskFault
from seqzoo.results.ladder import Ladder
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.disk import in_words
from seqzoo.runs.expected import expected_training_seconds
from seqzoo.runs.experiment import Experiment
from seqzoo.runs.interruption import Interrupted, Interruption
from seqzoo.runs.introduction import introduction
from seqzoo.runs.ladder import expected_ladder, fast_ladder
from seqzoo.runs.memory import enough_memory_in
from seqzoo.runs.metrics import Log
from seqzoo.runs.origin import read_origin
from seqzoo.runs.probe import probe_of
from seqzoo.runs.samples import SamplesInTraining
from seqzoo.runs.scoring_cost import expected_scoring_seconds
from seqzoo.runs.tracking import Trackers
from seqzoo.scoring.chunks import SplitReader
from seqzoo.scoring.static import score_split
from seqzoo.scoring.tally import Tally
from seqzoo.terminal.format import approximate_time
from seqzoo.terminal.progress import Meter
from seqzoo.training import checkpoint as checkpoints
from seqzoo.training.loop import Hooks, train
from seqzoo.training.slowdown import MachineWatch
from seqzoo.training.updates import Training

__all__ = ["train_run"]


def train_run(
    directory: RunDirectory,
    experiment: Experiment,
    training: Training,
    logs: Mapping[str, int],
    trackers: Trackers,
    *,
    is_scored: bool = True,
) -> None:
    """Train to the end of the budget; raises Interrupted after a signal, with everything saved.

    logs: lengths of the two log files at the checkpoint that training continues from.
    is_scored: whether scoring follows, for the expected time.
    """
    recipe, display, data = experiment.recipe, experiment.display, experiment.data
    again = directory.to_continue
    with ExitStack() as stack:
        stack.enter_context(
            enough_memory_in(directory, "training", training.runtime, lambda: training.sizes)
        )
        metrics = Log(directory.metrics, length=logs["metrics"], warn=display.warn)
        timing = Log(directory.timing, length=logs["timing"], warn=display.warn)
        stack.callback(metrics.close)
        stack.callback(timing.close)
        trackers.start(training.step)
        interruption = stack.enter_context(Interruption(display.on_signal))
        split = _validation_split(experiment)
        machine = MachineWatch(training.runtime)
        training.warn = display.warn

        def log(line: Mapping[str, float], times: Mapping[str, float]) -> None:
            metrics.append(line)
            if times:
                timing.append(times)
                _show(meter, training, line, times)
                if report := machine.observe(times["bytes_per_second"]):
                    display.warn(report)
            trackers.log(training.step, {**line, **times})

        ranks = training.ranks
        if ranks is not None:
            ranks.asks_to_stop = lambda: interruption.received is not None

        def is_stopping() -> bool:
            # Ranks stop after the same update: what they want is exchanged with its gradients.
            return interruption.received is not None if ranks is None else ranks.all_stop

        def validate() -> Mapping[str, float]:
            return validated() if ranks is None else ranks.from_first(validated())

        def validated() -> dict[str, float]:
            sizes = {"train.validation.lanes": split.lanes}
            with enough_memory_in(directory, "validation", training.runtime, lambda: sizes):
                found = _validation_scores(training, split)
            better = min(found.values(), key=lambda tally: tally.bits_per_byte)
            several = {kind: each.bits_per_byte for kind, each in found.items() if len(found) > 1}
            kinds = ", ".join(f"{kind} {score:.3f}" for kind, score in several.items())
            place = ladder.between(better.bits_per_byte, "validation")
            meter.note(
                f"step {training.step}: validation {better.bits_per_byte:.3f} bits/byte"
                f"{f' ({kinds})' if kinds else ''}, accuracy {better.accuracy:.0%}"
                f"{f', {place}' if place else ''}"
            )
            return {
                "validation_bits_per_byte": better.bits_per_byte,
                "validation_accuracy": better.accuracy,
                **{f"validation_bits_per_byte_{kind}": each for kind, each in several.items()},
            }

        origin, recipe_text = read_origin(directory), recipe.to_yaml()
        probe = probe_of(experiment.tokenizer, data.splits.validation)

        def save() -> None:
            complete = training.checkpoint(
                {
                    "tokenizer": experiment.tokenizer.state(),
                    "epochs": training.tokens_seen / training.epoch_tokens,
                    "recipe": recipe_text,
                    "origin": origin.fingerprint,
                }
            )
            # All that can fail comes after that: other ranks take part in it, and would wait.
            directory.require_in_place()
            data.require_unchanged(again=again)
            with training.weights_in_use():
                answers = probe.answered_by(training.model)
            logged = {
                "probe": answers,
                "logs": {"metrics": metrics.sync(), "timing": timing.sync()},
                "metrics_sha256": metrics.sha256,
            }
            checkpoints.save(
                directory.checkpoints,
                replace(complete, state={**complete.state, **logged}),
                keep=recipe.train.checkpoint.keep,
                best=training.best.step if training.best else None,
                run=origin.id,
                warn=display.warn,
            )
            trackers.save()

        def save_if_possible(is_needed: bool) -> None:
            try:
                save()
            except (DiskFault, OSError) as fault:
                if is_needed:
                    raise
                steps = checkpoints.checkpoint_steps(directory.checkpoints)
                display.warn(
                    f"no checkpoint of step {training.step}: {in_words(fault)}; training "
                    f"continues, and the newest checkpoint is that of step {steps[-1]}."
                )

        # From the first checkpoint on, a killed run can be resumed. It is not written again by a
        # resumed run: killed in that moment, the run would have none.
        if not checkpoints.checkpoint_steps(directory.checkpoints):
            save()
        ladder = Ladder(())
        if not display.is_silent:
            ladder = fast_ladder(experiment)
            expected = _expected_times(experiment, training, split, is_scored=is_scored)
            display.facts(introduction(directory, experiment, training, expected))
        meter = stack.enter_context(display.meter("training"))
        samples = SamplesInTraining(
            experiment,
            directory,
            show=lambda line: meter.note(f"  {line}"),
            written=lambda text: trackers.log_text(training.step, "sample", text),
        )

        def aside(is_validated: bool) -> None:
            data.require_whole(again=again)
            samples.after_update(training.step, is_validated=is_validated)

        hooks = Hooks(
            log,
            validate,
            save_if_possible,
            stop=is_stopping,
            aside=aside,
        )
        train(training, hooks)
    # Even if the budget is spent: the user wants to stop now, and scoring takes long.
    if interruption.received is not None or is_stopping():
        raise Interrupted(
            interruption.received or signal.SIGTERM,  # another rank has got it
            f"Stopped and saved at step {training.step}; continue with",
            command=directory.to_continue,
        )


def _expected_times(
    experiment: Experiment, training: Training, validation: SplitReader, *, is_scored: bool
) -> dict[str, str]:
    """How long each stage will take, in words; stages whose time is unknown are left out."""
    seconds = expected_training_seconds(
        experiment, training, validation, chunk_length=_VALIDATION_CHUNK
    )
    expected = {"training": "" if seconds is None else approximate_time(seconds)}
    if is_scored and not experiment.recipe.runtime.compile:
        adaptive = experiment.recipe.evaluate.adaptive
        expected["scoring"] = approximate_time(expected_scoring_seconds(experiment))
        if adaptive is not None:
            expected["adaptive scoring"] = approximate_time(
                expected_scoring_seconds(experiment, adaptive=adaptive)
            )
    if is_scored:
        expected["baselines"] = expected_ladder(
            experiment, training_seconds=training.seconds + (seconds or 0.0)
        )
    return {stage: words for stage, words in expected.items() if words}


def _show(
    meter: Meter, training: Training, line: Mapping[str, float], times: Mapping[str, float]
) -> None:
    meter.show(
        min(training.progress, 1.0),
        f"step {training.step}: {line['bits_per_byte']:.3f} bits/byte, "
        f"{times['bytes_per_second'] / 1000:.1f} kB/s",
    )


_VALIDATION_CHUNK = 256


def _validation_scores(training: Training, split: SplitReader) -> dict[str, Tally]:
    """Those of the trained weights and, if there is an average, of the averaged ones."""

    def score() -> Tally:
        return score_split(
            training.model, split, runtime=training.runtime, chunk_length=_VALIDATION_CHUNK
        )

    found = {"trained": score()}
    if training.average is not None and training.average.is_there:
        with training.average.in_place():
            found["averaged"] = score()
    return found


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
