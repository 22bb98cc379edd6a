"""One rule of comparability: an identity, and a sentence that agrees with it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_result import make_result, make_score

from seqzoo.results.comparable import score_identity, why_not_comparable
from seqzoo.results.result import ProtocolRecord, Result

BLOCKLESS = make_score([2.5, 2.5]).model_copy(update={"blocks": ()})
CHANGES: dict[str, list[dict[str, Any]]] = {
    "corpus": [{}, {"sha256": "b" * 64}],
    "cut": [{}, {"split": "0.8/0.1/0.1"}],
    "protocol": [
        {},
        {"protocol": {"name": "static, 8 lanes", "lanes": 8}},
        {"protocol": {"name": "static, 1 lane", "warmup_tokens": 9}},
        {"protocol": {"name": "static, 1 lane", "adaptive": True}},
        {"protocol": {"name": "static, 1 lane", "max_bytes": 2000}},
    ],
    "scores": [{}, {"blocks": [2.5] * 3}, {"scores": {}}, {"scores": {"test": BLOCKLESS}}],
    "adaptive": [{}, {"learnt": 2.1}, {"learnt": 1.9}],
    # What must not matter.
    "name": [{}, {"corpus_name": "another name"}],
    "score": [{}, {"test": 2.0}],
}


@st.composite
def results(draw: st.DrawFn) -> Result:
    changes: dict[str, Any] = {}
    for alternatives in CHANGES.values():
        changes |= draw(st.sampled_from(alternatives))
    if "scores" in changes:
        changes.pop("learnt", None)  # an adaptive score needs the static one of the same bytes
    return make_result(**changes)


@given(results(), results(), st.booleans())
def test_the_sentence_is_empty_exactly_where_the_identities_are_equal(
    one: Result, other: Result, adaptive: bool
) -> None:
    first, second = (score_identity(each, "test", adaptive=adaptive) for each in (one, other))
    reason = why_not_comparable(one, other, "test", adaptive=adaptive)
    assert (reason == "") == (first is not None and first == second)


@given(results(), results(), results())
def test_comparability_is_symmetric_and_transitive(one: Result, two: Result, three: Result) -> None:
    assert bool(why_not_comparable(one, two, "test")) == bool(why_not_comparable(two, one, "test"))
    if not why_not_comparable(one, two, "test") and not why_not_comparable(two, three, "test"):
        assert not why_not_comparable(one, three, "test")


@given(results())
def test_a_result_with_a_score_in_blocks_is_comparable_with_itself(one: Result) -> None:
    is_scored = score_identity(one, "test") is not None
    assert bool(why_not_comparable(one, one, "test")) != is_scored


def test_static_and_adaptive_scores_have_different_identities() -> None:
    result = make_result(learnt=2.1)
    assert score_identity(result, "test") != score_identity(result, "test", adaptive=True)


def test_each_split_has_its_own_identity() -> None:
    result = make_result()
    assert score_identity(result, "test") != score_identity(result, "validation")


def test_a_protocol_is_what_it_does_and_not_its_name() -> None:
    renamed = make_result(protocol={"name": "frozen, one lane"})
    assert why_not_comparable(make_result(), renamed, "test") == ""


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"sha256": "b" * 64, "corpus_name": "verse"},
            "old and new differ in corpus (corpus aaaaaaaa and verse bbbbbbbb), so their scores "
            "cannot be subtracted",
        ),
        (
            {"protocol": {"name": "x", "lanes": 8, "warmup_tokens": 100}, "split": "0.8/0.1/0.1"},
            "old and new differ in split (0.9/0.05/0.05 and 0.8/0.1/0.1), protocol (static, 1 "
            "lane and static, 8 lanes, 100 tokens of warm-up), so their scores cannot be "
            "subtracted",
        ),
        ({"scores": {}}, "new has no score for held-out"),
    ],
)
def test_the_sentence_names_both_and_says_what_differs(
    changes: dict[str, Any], expected: str
) -> None:
    reason = why_not_comparable(
        make_result(), make_result(**changes), "held_out", names=("old", "new")
    )
    assert reason == expected


def test_a_missing_adaptive_score_is_the_reason() -> None:
    pair = make_result(learnt=2.0), make_result()
    assert why_not_comparable(*pair, "test", adaptive=True) == "B has no adaptive scores"
    assert why_not_comparable(*pair, "test") == ""


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        ({}, "static, 1 lane"),
        ({"adaptive": True}, "adaptive, 1 lane"),
        ({"lanes": 8, "warmup_tokens": 64}, "static, 8 lanes, 64 tokens of warm-up"),
        ({"max_bytes": 2000}, "static, 1 lane, the first 2,000 bytes of each split"),
    ],
)
def test_a_protocol_is_put_into_words_from_its_fields(protocol: dict[str, Any], words: str) -> None:
    assert ProtocolRecord(name="any", **protocol).words == words
