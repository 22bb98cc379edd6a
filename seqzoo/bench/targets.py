"""Measures each size that an architecture declares, with its target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from seqzoo.bench.agreement import TOLERANCE_NATS, losses_agree
from seqzoo.bench.ratios import plain_lstm, sampling_ratio, training_ratio
from seqzoo.model.runtime import Runtime
from seqzoo.plugin.specs import ArchitectureSpec, Benchmark
from seqzoo.recipes.sections import TrainSection

__all__ = ["Measurement", "bench_section", "measure_targets"]

TRAINING_BESIDE_LSTM = 0.2
SAMPLING_BESIDE_LSTM = 0.4
"""What every architecture should reach beside torch's LSTM with as many parameters."""


@dataclass(frozen=True)
class Measurement:
    """One ratio of an architecture at one size.

    target: value that the ratio should reach. ours, theirs: in the unit that `meaning` names.
    """

    architecture: str
    size: str
    meaning: str
    ratio: float
    target: float | None
    ours: float
    theirs: float


def bench_section(batch_size: int, bptt_length: int) -> TrainSection:
    """The training section of a benchmark: no end and no validation."""
    return TrainSection.model_validate(
        {
            "batch_size": batch_size,
            "bptt_length": bptt_length,
            "budget": {"steps": 1_000_000},
            "validation": {"every_steps": 0},
        }
    )


def measure_targets(
    spec: ArchitectureSpec, *, runtime: Runtime, rounds: int = 7
) -> Iterator[Measurement]:
    """For each size: training, one text, 16 texts, and the largest difference of the losses.

    An architecture without a form in plain torch is also compared with torch's LSTM.
    """
    for size in spec.benchmarks or (Benchmark(),):
        options = spec.options(**size.options)
        section = bench_section(size.batch_size, size.bptt_length)
        words = ", ".join(f"{name}={value}" for name, value in size.options.items()) or "defaults"
        words += f", B{size.batch_size} T{size.bptt_length}"
        # A round must be long for the clock and short for disturbances of the machine.
        found = [
            (
                training_ratio(spec, options, section, runtime=runtime, rounds=rounds, updates=4),
                size.training,
            ),
            (
                sampling_ratio(spec, options, runtime=runtime, rounds=rounds, length=200),
                size.sampling,
            ),
            (
                sampling_ratio(
                    spec, options, runtime=runtime, rounds=rounds, length=100, streams=16
                ),
                size.sampling_16,
            ),
        ]
        if spec.plain_torch is None:
            lstm = plain_lstm(spec, options)
            found += [
                (
                    training_ratio(
                        spec,
                        options,
                        section,
                        runtime=runtime,
                        rounds=rounds,
                        updates=4,
                        other=lstm,
                    ),
                    TRAINING_BESIDE_LSTM,
                ),
                (
                    sampling_ratio(
                        spec, options, runtime=runtime, rounds=rounds, length=200, other=lstm
                    ),
                    SAMPLING_BESIDE_LSTM,
                ),
            ]
        for ratio, target in found:
            yield Measurement(
                spec.name, words, ratio.meaning, ratio.ratio, target, ratio.ours, ratio.theirs
            )
        agreement = losses_agree(spec, options)
        if len(agreement.losses) > 1:
            yield Measurement(
                spec.name,
                words,
                f"losses of {len(agreement.losses)} forms, {len(agreement.losses['seqzoo'])} "
                f"updates: largest difference, nats, over the tolerance",
                agreement.largest_difference / TOLERANCE_NATS,
                None,
                agreement.largest_difference,
                TOLERANCE_NATS,
            )
