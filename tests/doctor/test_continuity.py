"""Rows that continue nothing are reported, and states that are reset too often or never."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from made_streams import (
    B,
    Batches,
    Stateless,
    T,
    batch_of,
    causes,
    from_code,
    lanes,
    numbered,
    outcome,
    passages,
    plainly,
    shuffled,
    status,
    training_of,
    words,
)

from seqzoo.doctor.checks._shares import share_of_continued_rows
from seqzoo.doctor.diagnosis import Diagnosis
from seqzoo.doctor.evidence.recording import Recording
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.registry import Registry

pytestmark = pytest.mark.usefixtures("fast_reader")


@pytest.mark.parametrize("length", [1, T])
def test_shuffled_rows_continue_nothing(length: int, registry: Registry) -> None:
    found = outcome(numbered(lambda t: shuffled(t, length=length), registry), "stream.continuity")
    assert found.status == "fail"
    assert "another row" in found.seen
    # A row stays in its place with chance 1/8; over 47 joints of 8 rows that varies by 0.02.
    assert found.numbers["continued"] == pytest.approx(1 / B, abs=0.08)
    text = words(40_000)
    plain = from_code(plainly(shuffled(training_of(text), length=16)), text)
    assert causes(plain) == ["stream.continuity"]


def test_rows_cut_one_after_the_other_are_reported(registry: Registry) -> None:
    def stacked(tokens: np.ndarray) -> Batches:
        for batch in lanes(tokens, rows=1, length=B * T):
            shape = (B, T)
            if batch.inputs.shape[1] == B * T:
                yield batch_of(batch.inputs.reshape(shape), batch.targets.reshape(shape), False)

    exact = outcome(numbered(stacked, registry), "stream.continuity")
    text = words(40_000)
    found = from_code(plainly(stacked(training_of(text))), text)
    assert exact.status == "fail"
    assert "the one above it" in exact.seen
    assert causes(found) == ["stream.continuity"]
    assert "the one above it" in found.causes[0].outcome.seen


def test_passages_with_a_carried_state_continue_nothing() -> None:
    text = words(40_000)
    found = from_code(plainly(passages(training_of(text))), text)
    assert causes(found) == ["stream.continuity"]
    assert "carry_state=False" in found.causes[0].outcome.remedy


@pytest.mark.parametrize("ahead", [1, 2, 3])
@pytest.mark.parametrize("length", [1, T])
def test_continuity_is_measured_for_any_targets(ahead: int, length: int) -> None:
    source = lanes(training_of(words(40_000)), length=length, ahead=ahead)
    batches = tuple(next(source) for _ in range(100))
    recording = Recording(batches, (False,) * 100, numbered=False).carried_on()
    assert share_of_continued_rows(recording) == 1.0


def spaced(gap: int, length: int = T) -> Any:
    """Lanes of which each batch begins so many tokens after the end of the one before."""
    text = np.frombuffer(words(40_000), np.uint8).astype(np.int64)
    rows = text[: len(text) // B * B].reshape(B, -1)

    def batches() -> Any:
        for start in range(0, rows.shape[1] - length - 1, length + gap):
            yield rows[:, start : start + length], rows[:, start + 1 : start + length + 1]

    return batches


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        (1, "begins 1 token late"),
        (3, "begins 3 tokens late"),
        (-1, "begins 1 token early"),
        (-5, "begins 5 tokens early"),
    ],
)
def test_rows_that_begin_late_or_early_are_named(gap: int, said: str) -> None:
    found = outcome_of(from_code(spaced(gap, 24), words(40_000)), "stream.continuity")
    assert found.status == "fail"
    assert said in found.seen
    assert f"not by T {'+' if gap > 0 else '-'} {abs(gap)}" in found.remedy
    if gap < 0:  # the batches alone show it
        assert said in outcome_of(from_code(spaced(gap, 24)), "stream.continuity").seen


def moved(order: Any) -> Any:
    """The rows of batch k in the order `order(k)`."""

    def batches() -> Any:
        for k, (x, y) in enumerate(spaced(0, 24)()):
            yield x[order(k)], y[order(k)]

    return batches


def test_rows_that_change_places_are_named() -> None:
    draw = np.random.default_rng(0)
    by_one = moved(lambda k: np.roll(np.arange(B), k))
    for batches, corpus in (
        (by_one, None),
        (by_one, words(40_000)),
        (moved(lambda k: draw.permutation(B)), words(40_000)),
    ):
        found = outcome_of(from_code(batches, corpus), "stream.continuity")
        assert found.status == "fail"
        assert "rows change their places" in found.seen


def test_rows_from_anywhere_are_neither_late_nor_moved() -> None:
    text = words(40_000)
    batches = plainly(passages(training_of(text), length=24))
    found = outcome_of(from_code(batches, text), "stream.continuity")
    assert "begin at other places" in found.seen


def test_a_state_that_is_never_reset_is_reported(registry: Registry) -> None:
    subject = numbered(lambda t: lanes(t, restarts=lambda place: False), registry)
    found = outcome(subject, "stream.resets")
    assert found.status == "fail"
    assert "never reset" in found.seen
    assert found.numbers["jumps"] == found.numbers["jumps_without_reset"] > 2


def in_epochs(size: int, *, shifts: bool = False) -> Any:
    """Lanes of so many batches, again and again; shifts: lane i continues in lane i + 1."""
    text = np.frombuffer(words(size * B * T + 1), np.uint8).astype(np.int64)
    lanes = text[:-1].reshape(B, -1), text[1:].reshape(B, -1)

    def batches() -> Any:
        moved = 0
        while True:
            x, y = (np.roll(part, -moved, axis=0) for part in lanes)
            for start in range(0, size * T, T):
                yield x[:, start : start + T], y[:, start : start + T]
            moved += shifts

    return batches, text.astype(np.uint8).tobytes()


def outcome_of(diagnosis: Diagnosis, name: str) -> Outcome:
    (found,) = [each.outcome for each in diagnosis.examined if each.check.name == name]
    return found


@pytest.mark.parametrize("size", [9, 31, 40])
def test_an_epoch_that_begins_with_the_state_of_the_last_is_named(size: int) -> None:
    batches, text = in_epochs(size)
    found = from_code(batches, text)
    assert causes(found) == ["stream.continuity"]
    assert "begin again where they began" in found.causes[0].outcome.seen
    assert "state = None" in found.causes[0].outcome.remedy


def test_an_epoch_that_begins_where_the_last_ended_is_healthy() -> None:
    batches, text = in_epochs(31, shifts=True)
    found = from_code(batches, text)
    assert "stream.continuity" not in causes(found)
    batches, text = in_epochs(60)
    assert from_code(batches, text).is_healthy


def test_a_model_without_a_state_needs_no_reset() -> None:
    batches, text = in_epochs(31)
    assert status(from_code(batches, text, model=Stateless()), "stream.continuity") == "pass"


def test_a_state_that_is_reset_at_every_batch_is_reported(registry: Registry) -> None:
    subject = numbered(lambda t: lanes(t, restarts=lambda place: True), registry)
    found = outcome(subject, "stream.resets")
    assert found.status == "fail"
    assert "where the text continues" in found.seen
    assert found.numbers["resets_without_jump"] == found.numbers["continued"] > 20


def test_passages_pass_and_the_report_says_what_that_means(registry: Registry) -> None:
    found = outcome(numbered(passages, registry), "stream.resets")
    assert found.status == "pass"
    assert f"no more than {T} tokens" in found.seen


def test_a_rare_reset_at_random_passes(registry: Registry) -> None:
    draw = np.random.default_rng(0)
    subject = numbered(
        lambda t: lanes(t, restarts=lambda place: place == 0 or draw.random() < 0.01), registry
    )
    assert outcome(subject, "stream.resets").status == "pass"


def test_resets_are_skipped_if_rows_continue_nothing(registry: Registry) -> None:
    subject = numbered(lambda t: shuffled(t, restarts=lambda place: False), registry)
    assert outcome(subject, "stream.resets").status == "skip"


def test_in_user_code_a_state_that_is_not_carried_is_reported_if_rows_continue() -> None:
    text = words(40_000)
    tokens = training_of(text)
    thrown_away = from_code(plainly(lanes(tokens)), text, carry_state=False)
    assert causes(thrown_away) == ["stream.resets"]
    (found,) = thrown_away.causes
    assert found.outcome.status == "warn"
    assert "state.detach()" in found.outcome.remedy
    assert "random places" in found.outcome.remedy
    none_there = from_code(plainly(lanes(tokens)), text, carry_state=False, model=Stateless())
    assert status(none_there, "stream.resets") == "pass"
    nothing_continues = from_code(plainly(passages(tokens)), text, carry_state=False)
    assert status(nothing_continues, "stream.resets") == "pass"
    assert status(from_code(plainly(lanes(tokens)), text), "stream.resets") == "skip"
