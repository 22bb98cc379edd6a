"""Text that is given again is reported, in other batches or other rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from made_streams import (
    B,
    Batches,
    T,
    batch_of,
    causes,
    from_code,
    lanes,
    numbered,
    outcome,
    plainly,
    status,
    training_of,
    words,
)

from seqzoo.doctor.checks.stream._overlap import rows_behind_another
from seqzoo.plugin.registry import Registry

pytestmark = pytest.mark.usefixtures("fast_reader")


def test_one_batch_repeated_for_ever_is_a_repeat(registry: Registry) -> None:
    def stuck(tokens: np.ndarray) -> Batches:
        first = next(lanes(tokens))
        while True:
            yield batch_of(first.inputs.clone(), first.targets.clone(), False)

    found = outcome(numbered(stuck, registry), "stream.repeats")
    assert (found.status, found.numbers["repeats"]) == ("fail", 1.0)
    text = words(40_000)
    tokens = training_of(text)
    assert causes(from_code(plainly(stuck(tokens)), text)) == ["stream.repeats"]


def test_every_batch_given_twice_is_a_repeat(registry: Registry) -> None:
    def twice(tokens: np.ndarray) -> Batches:
        for batch in lanes(tokens):
            yield batch
            yield batch_of(batch.inputs.clone(), batch.targets.clone(), batch.restarts)

    found = outcome(numbered(twice, registry), "stream.repeats")
    assert found.status == "fail"
    assert found.numbers["repeats"] == pytest.approx(24 / 47)


def test_rows_that_all_read_the_same_place_are_copies(registry: Registry) -> None:
    def copies(tokens: np.ndarray) -> Batches:
        for batch in lanes(tokens, rows=1):
            yield batch_of(
                batch.inputs.repeat(B, 1), batch.targets.repeat(B, 1), bool(batch.restarts.all())
            )

    found = outcome(numbered(copies, registry), "stream.repeats")
    assert (found.status, found.numbers["equal_rows"]) == ("fail", 1 - 1 / B)


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_second_epoch_of_a_list_is_not_a_repeat(shuffled: bool) -> None:
    source = lanes(training_of(words(40_000)))
    batches = [next(source) for _ in range(12)]
    draw = np.random.default_rng(0)

    def epochs() -> Batches:
        while True:
            for place in draw.permutation(12) if shuffled else range(12):
                yield batches[place]

    found = from_code(plainly(epochs()), carry_state=False)
    assert status(found, "stream.repeats") == "pass"


@pytest.mark.parametrize("by", [1, 50, 500])
def test_lanes_that_read_the_same_text_with_a_delay_are_reported(
    by: int, registry: Registry
) -> None:
    def overlapping(tokens: np.ndarray) -> Batches:
        for place in range(0, 4_000, T):
            starts = np.arange(B)[:, None] * by + place + np.arange(T)
            inputs, targets = (
                torch.from_numpy(tokens[starts + ahead].astype(np.int64)) for ahead in (0, 1)
            )
            yield batch_of(inputs, targets, place == 0)

    exact = outcome(numbered(overlapping, registry), "stream.repeats")
    text = words(40_000)
    found = from_code(plainly(overlapping(training_of(text))), text)
    assert exact.status == "fail"
    assert exact.numbers["rows_behind_another"] == (B - 1) / B
    assert f"token {by} on" in exact.seen
    assert causes(found) == ["stream.repeats"]


@pytest.mark.parametrize("step", [1, 3, 8])
def test_windows_that_overlap_in_a_batch_give_a_warning(step: int, registry: Registry) -> None:
    def sliding(tokens: np.ndarray, *, draw: Any = None) -> Batches:
        starts = np.arange(0, 19_000, step)
        if draw is not None:
            draw.shuffle(starts)
        for first in range(0, len(starts) - B, B):
            rows = starts[first : first + B, None] + np.arange(32)
            inputs, targets = (
                torch.from_numpy(tokens[rows + ahead].astype(np.int64)) for ahead in (0, 1)
            )
            yield batch_of(inputs, targets, True)

    found = outcome(numbered(sliding, registry, length=32), "stream.repeats")
    assert (found.status, found.numbers["rows_behind_another"]) == ("warn", (B - 1) / B)
    text = words(40_000)
    plain = from_code(plainly(sliding(training_of(text))), text, carry_state=False)
    assert causes(plain) == ["stream.repeats"]
    shuffled = plainly(sliding(training_of(text), draw=np.random.default_rng(0)))
    assert causes(from_code(shuffled, text, carry_state=False)) == []


@pytest.mark.parametrize("given", [True, False])
def test_lanes_that_each_read_the_whole_text_do_not_overlap(given: bool) -> None:
    text = words(4_000)
    tokens = training_of(text)

    def round_and_round() -> Batches:
        starts = np.arange(B)[:, None] * (len(tokens) // B)
        for place in range(0, 1 << 20, T):
            rows = (starts + place + np.arange(T + 1)) % len(tokens)
            block = torch.from_numpy(tokens[rows].astype(np.int64))
            yield batch_of(block[:, :-1], block[:, 1:], False)

    found = from_code(plainly(round_and_round()), text if given else None)
    assert causes(found) == []
    assert status(found, "stream.repeats") == "pass"


def test_rows_behind_another_equal_those_of_a_naive_loop() -> None:
    draw = np.random.default_rng(0)
    text = draw.integers(3, size=400)
    rows = np.stack([text[start : start + 60] for start in (0, 20, 40, 47, 300)])
    behind = {
        j: {
            d
            for i in range(5)
            for d in range(1, 60 - 8 + 1)
            if i != j and list(rows[i, d:]) == list(rows[j, : 60 - d])
        }
        for j in range(5)
    }
    shares = {d: sum(d in each for each in behind.values()) / 5 for d in range(1, 60)}
    best = max(shares, key=lambda d: (shares[d], -d))
    assert rows_behind_another(torch.from_numpy(rows), width=8) == (shares[best], best)
    assert (shares[best], best) == (0.4, 20)
