"""The rule that decides whether a result came out again."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from commands import REPOSITORY
from small_result import make_result, make_score

from seqzoo.cards.card import Card, SeedRecord
from seqzoo.cards.outcome import Verdict, difference_of, outcome
from seqzoo.results.result import CorpusRecord, ProtocolRecord, Result, SplitScore

EVEN = [2.4, 2.5, 2.6, 2.5]


def card_with(*tests: list[float], **changes: Any) -> Card:
    first, *others = tests
    return Card(
        recipe={},
        budget_by_clock=False,
        plugins={},
        result=make_result(blocks=first, **changes),
        seeds=tuple(
            SeedRecord(seed=2 + number, weights_sha256="d" * 64, test=make_score(blocks))
            for number, blocks in enumerate(others)
        ),
    )


def ended(blocks: list[float], **changes: Any) -> Result:
    return make_result(blocks=blocks, weights_sha256="e" * 64, **changes)


def shifted(by: float) -> list[float]:
    return [each + by for each in EVEN]


def test_equal_weights_with_equal_scores_are_the_same_bits() -> None:
    found = outcome(card_with(EVEN, learnt=2.3), [make_result(blocks=EVEN, learnt=2.3)])
    assert (found.verdict, found.difference) == (Verdict.SAME_BITS, None)


@pytest.mark.parametrize("other", [{"blocks": shifted(1e-4), "learnt": 2.3}, {"blocks": EVEN},
                                   {"blocks": EVEN, "learnt": 2.31}])  # fmt: skip
def test_equal_weights_with_other_scores_are_not_reproduced(other: dict[str, Any]) -> None:
    found = outcome(card_with(EVEN, learnt=2.3), [make_result(**other)])
    assert found.verdict is Verdict.NOT_REPRODUCED


def test_scores_of_other_bytes_are_never_subtracted() -> None:
    found = outcome(card_with(EVEN), [ended(EVEN, sha256="b" * 64)])
    assert found.verdict is Verdict.NOT_REPRODUCED
    assert "differ in corpus" in found.reason


def test_one_training_each_is_within_noise_only_where_the_text_alone_explains_it() -> None:
    mixed = [each + shift for each, shift in zip(EVEN, (0.01, -0.01, 0.012, -0.01), strict=True)]
    assert outcome(card_with(EVEN), [ended(mixed)]).verdict is Verdict.WITHIN_NOISE
    # Another seed can differ as much, and nothing says how much seeds differ.
    assert outcome(card_with(EVEN), [ended(shifted(0.01))]).verdict is Verdict.NOT_DECIDED


@pytest.mark.parametrize(
    ("edited", "said"),
    [
        ({"steps": 7}, "steps is"),
        ({"parameters": 1}, "parameters is"),
        ({"architecture": "gru"}, "architecture is"),
        ({"protocol": ProtocolRecord(name="static, 1 lane", lanes=8)}, "they were scored"),
        ({"corpus": CorpusRecord(name="c", sha256="a" * 64, bytes=5, origin="")}, "the corpus has"),
        ({"accuracy": 0.99}, "accuracy, interval or blocks"),
        ({"blocks": EVEN[::-1]}, "accuracy, interval or blocks"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_card_that_says_more_than_the_weights_is_not_reproduced(
    edited: dict[str, Any], said: str
) -> None:
    uneven = [2.0, *EVEN[1:]]
    own = make_result(blocks=uneven)
    card = card_with(uneven)
    if "accuracy" in edited or "blocks" in edited:
        change = edited if "accuracy" in edited else {"blocks": card.tests[0].blocks[::-1]}
        score = card.tests[0].model_copy(update=change)
        edited = {"scores": {**card.result.scores, "test": score}}
    card = card.model_copy(update={"result": card.result.model_copy(update=edited)})
    found = outcome(card, [own])
    assert found.verdict is Verdict.NOT_REPRODUCED
    assert said in found.reason


def test_a_changed_recipe_with_another_score_is_not_reproduced() -> None:
    found = outcome(card_with(EVEN), [ended(shifted(0.5))], changed="the recipe was changed")
    assert found.verdict is Verdict.NOT_REPRODUCED
    assert found.reason == "the recipe was changed"


def test_seeds_of_either_side_decide_it() -> None:
    near, far = ended(shifted(0.01)), ended(shifted(0.5))
    seeds = [shifted(by) for by in (0.0, 0.01, -0.01)]
    assert outcome(card_with(*seeds), [near]).verdict is Verdict.WITHIN_NOISE
    assert outcome(card_with(*seeds), [far]).verdict is Verdict.NOT_REPRODUCED
    own = [ended(shifted(0.5 + by)) for by in (0.0, 0.01, -0.01)]
    assert outcome(card_with(EVEN), own).verdict is Verdict.NOT_REPRODUCED


def test_the_page_says_when_each_answer_is_given() -> None:
    page = (REPOSITORY / "docs" / "cards.md").read_text(encoding="utf-8")
    table = page.partition("| answer |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| ([\w ]+) \|.* \| (\d) \|$", table, re.MULTILINE)
    assert rows == [(each, "6" if each.is_finding else "0") for each in Verdict]


def test_a_text_that_is_too_short_decides_nothing() -> None:
    short = make_score([2.5])  # five blocks
    own = make_score([9.0])
    assert difference_of([short], [own]).interval is None


def test_the_interval_is_the_t_interval_of_two_samples_where_all_blocks_are_equal() -> None:
    # Without noise of the text, it is Student's: the 97.5 % quantile of t with 2 degrees is 4.303.
    tests = [make_score([2.5 + by] * 4) for by in (0.0, 0.02, -0.02)]
    found = difference_of(tests, [make_score([2.51] * 4)])
    half = 4.303 * 0.02 * math.sqrt(1 / 3 + 1)
    assert found.interval is not None
    assert found.bits_per_byte == pytest.approx(0.01)
    assert found.spread == pytest.approx(0.02)
    # The interval is of 2,000 quantiles, of which the outermost are apart by a hundredth.
    assert found.interval == pytest.approx((0.01 - half, 0.01 + half), rel=0.02)


@pytest.mark.parametrize(("in_card", "here"), [(2, 1), (3, 1), (1, 3), (2, 2)])
def test_a_true_repetition_is_refused_in_at_most_one_case_of_twenty(
    in_card: int, here: int
) -> None:
    generator = np.random.default_rng(1)
    trials, refused = 300, 0
    for _ in range(trials):
        scores = [drawn_score(generator) for _ in range(in_card + here)]
        refused += not difference_of(scores[:in_card], scores[in_card:]).contains_zero
    # 0.05, and twice the standard deviation of a share of so many trials.
    assert refused / trials < 0.05 + 2 * math.sqrt(0.05 * 0.95 / trials)


def drawn_score(generator: np.random.Generator) -> SplitScore:
    """Of one training: 40 blocks that are hard to different degrees, and the chance of its seed."""
    hardness = np.random.default_rng(2).normal(2.5, 0.3, 40)
    blocks: npt.NDArray[np.float64] = hardness + generator.normal(0, 0.01)
    blocks = blocks + generator.normal(0, 0.01, 40)
    mean = float(blocks.mean())
    return SplitScore(
        bits_per_byte=mean,
        nats=mean * 4000 * math.log(2),
        bytes=4000,
        accuracy=0.5,
        interval=None,
        blocks=tuple((100 * blocks).tolist()),
        block_bytes=100,
    )
