"""Laws of the forms that an architecture declares: plain reference, equations, benchmarks."""

from __future__ import annotations

import pytest
from installed_architectures import (
    SMALL,
    VOCAB_SIZE,
    every_architecture,
    options_of,
)

from seqzoo.bench.agreement import TOLERANCE_NATS, losses_agree
from seqzoo.plugin.registry import Registry
from seqzoo.plugin.specs import ArchitectureSpec


@pytest.fixture
def spec(registry: Registry, name: str) -> ArchitectureSpec:
    spec: ArchitectureSpec = registry.get("architecture", name)
    return spec


@every_architecture
def test_its_forms_give_the_same_losses_over_40_updates(spec: ArchitectureSpec) -> None:
    if spec.plain_torch is None and spec.step_by_step is None:
        pytest.skip("declares one form only")
    found = losses_agree(
        spec, options_of(spec, **SMALL), vocab_size=VOCAB_SIZE, updates=40, batch_size=4, length=8
    )
    assert found.largest_difference < TOLERANCE_NATS
    ours = found.losses["seqzoo"]
    assert ours[-1] < ours[0]  # they learned: constant losses would agree even without gradients


@every_architecture
def test_its_benchmarks_are_sizes_that_its_options_accept(spec: ArchitectureSpec) -> None:
    for size in spec.benchmarks:
        spec.options(**size.options)
