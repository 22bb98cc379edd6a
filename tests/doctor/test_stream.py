"""Healthy streams pass every check, and the question's stream has one fault."""

from __future__ import annotations

import numpy as np
import pytest
from commands import REPOSITORY
from made_streams import (
    HEALTHY,
    MakeBatches,
    T,
    causes,
    from_code,
    lanes,
    numbered,
    onehots,
    outcome,
    passages,
    plainly,
    status,
    training_of,
    words,
)

from seqzoo.doctor.checks import select_checks
from seqzoo.doctor.diagnosis import diagnose
from seqzoo.doctor.subject import Settings
from seqzoo.doctor.subjects.recipe import subject_of_recipe
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import load_recipe

pytestmark = pytest.mark.usefixtures("fast_reader")


@pytest.mark.parametrize("make", HEALTHY.values(), ids=list(HEALTHY))
@pytest.mark.parametrize("num_tokens", [400, 20_000])
def test_a_healthy_stream_passes_each_check(
    make: MakeBatches, num_tokens: int, registry: Registry
) -> None:
    length = next(make(np.arange(num_tokens))).inputs.shape[1]
    subject = numbered(make, registry, num_tokens=num_tokens, length=length)
    for what in ("aliasing", "repeats", "targets", "continuity", "resets", "split"):
        found = outcome(subject, f"stream.{what}")
        assert found.status == "pass", (what, found.seen)
        assert any(character.isdigit() for character in found.seen) or what == "continuity"


@pytest.mark.parametrize("name", ["shakespeare_gru", "shakespeare_transformer", "quick"])
def test_a_shipped_recipe_passes_each_check(name: str, registry: Registry) -> None:
    path = REPOSITORY / "recipes" / f"{name}.yaml"
    small = ["runtime.threads=1", "corpus.name=pastiche", "corpus.options={size_bytes: 300000}"]
    recipe = load_recipe(path, registry, overrides=small)
    subject = subject_of_recipe(recipe, title=name, settings=Settings(quick=True, seed=7))
    found = diagnose(subject, select_checks(subject.registry, ["stream"]))
    assert found.is_healthy, [each.outcome.seen for each in found.findings]
    skipped = {each.check.name for each in found.examined if each.outcome.status == "skip"}
    assert skipped == {"stream.text", "stream.edges"}, "they look at a user's own code"


@pytest.mark.parametrize("length", [1, 2, 3, T])
def test_plain_lanes_are_healthy(length: int) -> None:
    text = words(40_000)
    batches = plainly(lanes(training_of(text), length=length))
    found = from_code(batches, text[:36_000], held_out=text[36_000:])
    assert found.is_healthy, [each.outcome.seen for each in found.findings]
    for what in ("repeats", "targets", "continuity", "split", "overlap"):
        assert status(found, f"stream.{what}") == "pass"


@pytest.mark.parametrize("length", [1, 32])
def test_plain_passages_are_healthy_if_no_state_is_carried(length: int) -> None:
    text = words(40_000)
    batches = plainly(passages(training_of(text), length=length, rows=64))
    found = from_code(batches, text, carry_state=False)
    assert found.is_healthy, [each.outcome.seen for each in found.findings]
    assert status(found, "stream.targets") == "pass"


def test_the_questions_generator_has_one_fault() -> None:
    text = words(60_000)
    batches = onehots(bytes(training_of(text)), fresh=False)
    assert causes(from_code(batches, text)) == ["stream.aliasing"]


def test_the_questions_generator_is_healthy_with_new_arrays() -> None:
    text = words(60_000)
    found = from_code(onehots(bytes(training_of(text)), fresh=True), text)
    assert found.is_healthy, [each.outcome.seen for each in found.findings]
