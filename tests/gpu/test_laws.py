"""The laws of every architecture on a GPU, in float32 and in bfloat16."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from installed_architectures import (
    VOCAB_SIZE,
    build,
    every_architecture,
    every_variant,
    random_tokens,
)
from torch import Tensor

from seqzoo.model import state as states
from seqzoo.model.runtime import Runtime
from seqzoo.plugin.contracts import SequenceModel, State
from seqzoo.plugin.registry import Registry
from seqzoo.testing.architectures.given import changed

ROWS, LENGTH = 3, 24
TOLERANCE = {"float32": 1e-4, "bfloat16": 0.1}
"""Of the spread of the logits. bfloat16 keeps 8 bits, and errors add up from layer to layer."""
SAME = {"float32": 1e-4, "bfloat16": 0.02}
"""Of what is computed from the same numbers, in batches of another size at most."""


def error(found: Tensor, expected: Tensor) -> float:
    """The root mean square of the difference, as a share of the spread."""
    found, expected = found.double(), expected.double()
    return float((found - expected).square().mean().sqrt() / expected.std())


def logits_of(
    model: SequenceModel, text: Tensor, runtime: Runtime, state: State = None
) -> tuple[Tensor, State]:
    with torch.no_grad(), runtime.autocast():
        logits, state = model(text.to(runtime.device), state)
    assert logits.device.type == "cuda"
    assert {leaf.device.type for _, leaf in states.leaves(state)} <= {"cuda"}
    return logits.float().cpu(), state


def model_on_gpu(registry: Registry, name: str, runtime: Runtime) -> SequenceModel:
    return build(registry.get("architecture", name)).eval().to(runtime.device)


@every_variant
def test_logits_are_those_of_the_cpu(
    name: str, variant: dict[str, Any], registry: Registry, runtime: Runtime
) -> None:
    text = random_tokens(ROWS, LENGTH)
    model = build(registry.get("architecture", name), **variant).eval()
    with torch.no_grad():
        expected, _ = model(text)
    found, _ = logits_of(model.to(runtime.device), text, runtime)
    assert error(found, expected) <= TOLERANCE[runtime.precision]


@every_architecture
def test_pieces_with_the_state_carried_give_the_same_logits(
    name: str, registry: Registry, runtime: Runtime
) -> None:
    model, text = model_on_gpu(registry, name, runtime), random_tokens(ROWS, LENGTH)
    whole, _ = logits_of(model, text, runtime)
    state: State = None
    pieces = []
    for piece in text.split([1, 7, 1, 15], dim=1):
        logits, state = logits_of(model, piece, runtime, state)
        pieces.append(logits)
    assert error(torch.cat(pieces, dim=1), whole) <= TOLERANCE[runtime.precision]


@every_architecture
def test_later_tokens_change_nothing_before_them(
    name: str, registry: Registry, runtime: Runtime
) -> None:
    model, text = model_on_gpu(registry, name, runtime), random_tokens(ROWS, LENGTH)
    whole, _ = logits_of(model, text, runtime)
    other, _ = logits_of(model, changed(text, 15), runtime)
    # Not of the same bits: spacebyte's batches of words have other sizes then.
    assert error(other[:, :15], whole[:, :15]) <= SAME[runtime.precision]
    assert error(other[:, 15], whole[:, 15]) > 2 * SAME[runtime.precision]


@every_architecture
def test_rows_do_not_see_each_other(name: str, registry: Registry, runtime: Runtime) -> None:
    model, text = model_on_gpu(registry, name, runtime), random_tokens(ROWS, LENGTH)
    whole, _ = logits_of(model, text, runtime)
    other = text.clone()
    other[1] = (other[1] + 1) % VOCAB_SIZE
    found, _ = logits_of(model, other, runtime)
    assert error(found[[0, 2]], whole[[0, 2]]) <= SAME[runtime.precision]
    assert error(found[1], whole[1]) > 2 * SAME[runtime.precision]


@every_architecture
def test_gradients_are_those_of_the_cpu(name: str, registry: Registry, runtime: Runtime) -> None:
    on_cpu = build(registry.get("architecture", name), dropout=0.0)
    on_gpu = copy.deepcopy(on_cpu).to(runtime.device)
    text = random_tokens(ROWS, LENGTH + 1)
    for model in (on_cpu, on_gpu):
        model.train()
        inputs = text.to(next(model.parameters()).device)
        with runtime.autocast() if model is on_gpu else nullcontext():
            logits, _ = model.forward_in_training(inputs[:, :-1], None, None)
        F.cross_entropy(logits.float().flatten(0, 1), inputs[:, 1:].flatten()).backward()
    expected = torch.cat([p.grad.flatten() for p in on_cpu.parameters() if p.grad is not None])
    found = torch.cat([p.grad.flatten().cpu() for p in on_gpu.parameters() if p.grad is not None])
    # The backward pass rounds once more.
    assert error(found, expected) <= 2 * TOLERANCE[runtime.precision]


def test_the_gpu_adds_in_float32(runtime: Runtime) -> None:
    if runtime.precision != "float32":
        pytest.skip("float32 only")
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(512, 512, generator=generator) for _ in range(2))
    exact = left.double() @ right.double()
    found = (left.to("cuda") @ right.to("cuda")).cpu().double()
    assert float((found - exact).norm() / exact.norm()) < 1e-6  # TF32 has 3e-4
