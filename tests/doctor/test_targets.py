"""Targets that are not the next token are reported as what they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from made_streams import (
    CONFUSED,
    Batches,
    T,
    batch_of,
    causes,
    from_code,
    lanes,
    numbered,
    outcome,
    passages,
    plainly,
    rolled,
    status,
    training_of,
    words,
)

from seqzoo.doctor.checks.stream._offsets import OFFSETS, shares_by_offset
from seqzoo.doctor.evidence.recording import Recording
from seqzoo.plugin.contracts import Batch
from seqzoo.plugin.registry import Registry

pytestmark = pytest.mark.usefixtures("fast_reader")


@pytest.mark.parametrize("length", [1, 2, T])
@pytest.mark.parametrize("ahead", OFFSETS)
def test_the_offset_of_the_targets_is_reported(length: int, ahead: int, registry: Registry) -> None:
    def make(tokens: np.ndarray) -> Batches:
        return lanes(tokens, length=length, ahead=ahead)

    exact = outcome(numbered(make, registry), "stream.targets")
    text = words(40_000)
    found = from_code(plainly(make(training_of(text))), text)
    plain = next(e.outcome for e in found.examined if e.check.name == "stream.targets")
    assert exact.numbers[f"share_at_{ahead:+d}"] == 1.0
    assert plain.numbers[f"share_at_{ahead:+d}"] > 0.99
    if ahead == 1:
        assert (exact.status, plain.status) == ("pass", "pass")
        return
    assert causes(found) == ["stream.targets"]
    assert exact.status == plain.status == "fail"
    said = {0: "the input itself", 2: "off by one", 3: "off by two"}.get(ahead, "has read")
    assert said in exact.seen
    assert said in plain.seen


def test_shares_by_offset_equal_those_of_a_naive_loop() -> None:
    draw = torch.Generator().manual_seed(0)
    pairs = [torch.randint(3, (2, 2, 7), generator=draw) for _ in range(5)]
    batches = tuple(batch_of(pair[0], pair[1], restarts=False) for pair in pairs)
    expected = {}
    for offset in OFFSETS:
        hits = [
            bool(batch.targets[row, t] == batch.inputs[row, t + offset])
            for batch in batches
            for row in range(2)
            for t in range(7)
            if 0 <= t + offset < 7
        ]
        expected[offset] = sum(hits) / len(hits)
    found = shares_by_offset(Recording(batches, (False,) * 5, numbered=False))
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("ahead", [-1, 0, 1, 2])
def test_pairs_of_single_tokens_are_compared_with_the_corpus(ahead: int) -> None:
    text = words(40_000)
    batches = plainly(passages(training_of(text), length=1, rows=64, ahead=ahead))
    found = from_code(batches, text, carry_state=False)
    assert causes(found) == ([] if ahead == 1 else ["stream.targets"])


def test_single_tokens_without_a_corpus_are_skipped() -> None:
    batches = plainly(passages(training_of(words(40_000)), length=1, rows=64))
    assert status(from_code(batches, carry_state=False), "stream.targets") == "skip"


def test_targets_rolled_in_their_row_are_reported(registry: Registry) -> None:
    exact = outcome(numbered(rolled, registry), "stream.targets")
    text = words(40_000)
    found = from_code(plainly(rolled(training_of(text))), text)
    assert exact.status == "fail"
    assert f"place {T} of {T}" in exact.seen
    assert causes(found) == ["stream.targets"]


@pytest.mark.parametrize(("confuse", "said"), CONFUSED.values(), ids=list(CONFUSED))
@pytest.mark.parametrize("carry_state", [False, True])
def test_confused_axes_are_reported(
    confuse: Callable[[Batch], Batch], said: str, carry_state: bool, registry: Registry
) -> None:
    def make(tokens: np.ndarray) -> Batches:
        return (confuse(batch) for batch in lanes(tokens) if batch.inputs.shape[1] == T)

    text = words(40_000)
    found = from_code(plainly(make(training_of(text))), text, carry_state=carry_state)
    assert causes(found) == ["stream.targets"]
    assert said in found.causes[0].outcome.seen
    exact = outcome(numbered(make, registry), "stream.targets")
    assert said in exact.seen


def test_a_periodic_text_is_not_taken_for_rolled_targets() -> None:
    tokens = np.frombuffer(b"ab" * 10_000, dtype=np.uint8)
    found = from_code(plainly(passages(tokens)), carry_state=False)
    assert status(found, "stream.targets") == "pass"
