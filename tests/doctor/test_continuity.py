"""Rows that continue nothing are reported, and states that are reset too often or never."""

from __future__ import annotations

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
from seqzoo.doctor.evidence.recording import Recording
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


def test_a_state_that_is_never_reset_is_reported(registry: Registry) -> None:
    subject = numbered(lambda t: lanes(t, restarts=lambda place: False), registry)
    found = outcome(subject, "stream.resets")
    assert found.status == "fail"
    assert "never reset" in found.seen
    assert found.numbers["jumps"] == found.numbers["jumps_without_reset"] > 2


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
    none_there = from_code(plainly(lanes(tokens)), text, carry_state=False, model=Stateless())
    assert status(none_there, "stream.resets") == "pass"
    nothing_continues = from_code(plainly(passages(tokens)), text, carry_state=False)
    assert status(nothing_continues, "stream.resets") == "pass"
    assert status(from_code(plainly(lanes(tokens)), text), "stream.resets") == "skip"
