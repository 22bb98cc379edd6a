"""Each size that an architecture names, measured, beside what it should reach."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from seqzoo.bench.agreement import TOLERANCE_NATS, losses_agree
from seqzoo.bench.ratios import sampling_ratio, training_ratio
from seqzoo.model.runtime import Runtime
from seqzoo.plugin.specs import ArchitectureSpec, Benchmark
from seqzoo.recipes.sections import TrainSection

__all__ = ["Measured", "bench_section", "measure_targets"]


@dataclass(frozen=True)
class Measured:
    """A figure of one architecture at one size.

    ratio: what the target is about; ours and theirs in the unit that `meaning` names.
    """

    architecture: str
    size: str
    meaning: str
    ratio: float
    target: float | None
    ours: float
    theirs: float


def bench_section(batch_size: int, bptt_length: int) -> TrainSection:
    """How a benchmark trains: without end, without validation."""
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
) -> Iterator[Measured]:
    """Training, one text, 16 texts, and how far the losses of the forms lie apart, size by size."""
    for size in spec.benchmarks or (Benchmark(),):
        options = spec.options(**size.options)
        section = bench_section(size.batch_size, size.bptt_length)
        words = ", ".join(f"{name}={value}" for name, value in size.options.items()) or "defaults"
        words += f", B{size.batch_size} T{size.bptt_length}"
        for ratio, target in (
            # A turn has to be long beside the clock and short beside the machine's moods.
            (
                training_ratio(spec, options, section, runtime=runtime, rounds=rounds, updates=4),
                size.training,
            ),
            (sampling_ratio(spec, options, rounds=rounds, length=200), size.sampling),
            (
                sampling_ratio(spec, options, rounds=rounds, length=100, streams=16),
                size.sampling_16,
            ),
        ):
            yield Measured(
                spec.name, words, ratio.meaning, ratio.ratio, target, ratio.ours, ratio.theirs
            )
        found = losses_agree(spec, options)
        if len(found.losses) > 1:
            yield Measured(
                spec.name,
                words,
                f"losses of {len(found.losses)} forms, {len(found.losses['seqzoo'])} updates: "
                f"largest difference, nats, over what is allowed",
                found.largest_difference / TOLERANCE_NATS,
                None,
                found.largest_difference,
                TOLERANCE_NATS,
            )
