"""A run that is no better than an even guess is reported as that; no advice to train longer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from doctor_subjects import RUNGS, curve, run_of, with_ladder

from seqzoo.doctor.checks import select_checks
from seqzoo.doctor.diagnosis import Diagnosis, diagnose
from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.registry import Registry


def given(*losses: float, **options: Any) -> Subject:
    """A run of 256 tokens with these validations, whose text was not read once."""
    subject = with_ladder(run_of(curve([*losses], **options), training_bytes=10**6), **RUNGS)
    subject._vocab_size = 256
    return subject


def diagnosed(subject: Subject, registry: Registry) -> tuple[Diagnosis, dict[str, Outcome]]:
    subject.quick = True
    found = diagnose(subject, select_checks(registry, ["verdict"]))
    return found, {each.check.name: each.outcome for each in found.examined}


@pytest.mark.parametrize(
    ("losses", "training", "words"),
    [
        ([129.0, 166.0, 80.0, 50.0], None, "worse than an even guess: 50.00 bits per byte"),
        ([8.0, 4.0, 9.0, 50.0], None, "worse than an even guess: 50.00 bits per byte"),
        ([8.0, 9.0, 9.5, 10.0], [6.0, 5.0, 4.0, 3.0], "in validation only"),
        ([8.0, 8.0, 8.0, 8.0], None, "nothing was learnt"),
    ],
)
def test_a_run_that_guesses_no_better_than_evenly_is_not_undertrained(
    losses: list[float], training: list[float] | None, words: str, registry: Registry
) -> None:
    found, outcomes = diagnosed(given(*losses, training=training), registry)
    assert [each.check.name for each in found.causes] == ["verdict.even_guess"]
    assert words in outcomes["verdict.even_guess"].seen
    assert outcomes["verdict.undertrained"].status == "skip"
    advice = " ".join(each.outcome.remedy for each in found.findings)
    assert "train.budget" not in advice
    assert "Increase the learning rate" not in advice


@pytest.mark.parametrize("losses", [[8.0, 6.0, 5.0, 4.8], [7.0, 4.0, 2.5, 2.2]])
def test_a_run_that_learns_something_is_better_than_an_even_guess(
    losses: list[float], registry: Registry
) -> None:
    _, outcomes = diagnosed(given(*losses), registry)
    assert outcomes["verdict.even_guess"].status == "pass"
    assert outcomes["verdict.undertrained"].status == "warn"


def test_the_first_updates_are_not_judged(registry: Registry) -> None:
    _, outcomes = diagnosed(given(8.3), registry)  # an initial loss, after 100 updates
    assert outcomes["verdict.even_guess"].status == "pass"


def test_tokens_of_several_bytes_have_another_even_guess(registry: Registry) -> None:
    subject = given(6.0, 6.0, 6.0, 6.0)
    subject._vocab_size, subject.bytes_per_token = 4096, 3.0
    _, outcomes = diagnosed(subject, registry)
    assert "needs 4.00" in outcomes["verdict.even_guess"].seen
    assert outcomes["verdict.even_guess"].status == "fail"


def test_the_suggested_rates_are_smaller(registry: Registry) -> None:
    subject = given(50.0, 50.0)
    options = SimpleNamespace(learning_rates=("learning_rate",), learning_rate=0.3)
    train = SimpleNamespace(optimizer=SimpleNamespace(options=options), clip_norm=None)
    subject._recipe = SimpleNamespace(train=train)  # type: ignore[assignment]
    _, outcomes = diagnosed(subject, registry)
    assert outcomes["verdict.even_guess"].changes == (
        "train.optimizer.learning_rate=0.03",
        "train.clip_norm=1",
    )
