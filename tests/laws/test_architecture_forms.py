"""Laws of the forms that an architecture declares: plain reference, equations, benchmarks."""

from __future__ import annotations

import pytest
import torch
from installed_architectures import (
    SMALL,
    VOCAB_SIZE,
    build,
    every_architecture,
    options_of,
    random_tokens,
)

from seqzoo import ArchitectureContext
from seqzoo.bench.agreement import TOLERANCE_NATS, losses_agree
from seqzoo.plugin.registry import Registry
from seqzoo.plugin.specs import ArchitectureSpec


@pytest.fixture
def spec(registry: Registry, name: str) -> ArchitectureSpec:
    spec: ArchitectureSpec = registry.get("architecture", name)
    return spec


@every_architecture
def test_its_plain_reference_is_the_same_function(spec: ArchitectureSpec) -> None:
    if spec.plain_torch is None:
        pytest.skip("declares no reference")
    model = build(spec).eval()
    plain = spec.plain_torch(
        options_of(spec, **SMALL), ArchitectureContext(vocab_size=VOCAB_SIZE)
    ).eval()
    plain.load_state_dict(model.state_dict())
    tokens = random_tokens(2, 40)
    logits, state = model(tokens)
    expected, expected_state = plain(tokens, None)
    torch.testing.assert_close(logits, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(
        model(tokens, state)[0], plain(tokens, expected_state)[0], atol=1e-6, rtol=0
    )


@every_architecture
def test_its_forms_give_the_same_losses_over_100_updates(spec: ArchitectureSpec) -> None:
    if spec.plain_torch is None and spec.step_by_step is None:
        pytest.skip("declares one form only")
    found = losses_agree(
        spec, options_of(spec, **SMALL), vocab_size=VOCAB_SIZE, batch_size=4, length=8
    )
    assert found.largest_difference < TOLERANCE_NATS
    ours = found.losses["seqzoo"]
    assert ours[-1] < ours[0]  # they learned: constant losses would agree even without gradients


@every_architecture
def test_its_benchmarks_are_sizes_that_its_options_accept(spec: ArchitectureSpec) -> None:
    for size in spec.benchmarks:
        spec.options(**size.options)
