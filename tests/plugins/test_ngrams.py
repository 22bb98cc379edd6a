from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_discounts import naive_discounts

from seqzoo import BaselineContext, BaselineScore, Span
from seqzoo_plugins.ngrams import NgramOptions, grams, register_baselines, scoring
from seqzoo_plugins.ngrams.scoring import score

UNIFORM = [1 / 256] * 256
PLAY = b"Good sir, the old miller is no friend to the sheep. We know it, we know it. Let him pay.\n"


def as_array(data: bytes) -> np.ndarray:
    return np.frombuffer(data, dtype=np.uint8)


class NaiveKneserNey:
    """The formula of Chen and Goodman with dictionaries and loops."""

    def __init__(self, training: bytes, order: int) -> None:
        self.order = min(order, len(training) - 1)
        self.levels = []
        for length in range(1, self.order + 2):
            positions = range(len(training) - length + 1)
            strings = [training[i : i + length] for i in positions]
            if length == self.order + 1:
                counts = {string: strings.count(string) for string in set(strings)}
            else:
                before = defaultdict(set)
                for i in range(1, len(training) - length + 1):
                    before[training[i : i + length]].add(training[i - 1])
                counts = {string: len(before[string]) for string in set(strings)}
            table: dict[bytes, dict[int, int]] = defaultdict(dict)
            for string, number in counts.items():
                table[string[:-1]][string[-1]] = number
            self.levels.append((table, naive_discounts(list(counts.values()))))

    def distribution(self, history: bytes) -> list[float]:
        """All 256 probabilities after the bytes of the file so far."""
        probabilities = UNIFORM
        for order, (table, discounts) in enumerate(self.levels):
            if order > len(history):
                break
            counts = table.get(history[len(history) - order :], {})
            total = sum(counts.values())
            if total == 0:
                continue
            taken = {symbol: discounts[min(c, 3)] for symbol, c in counts.items()}
            backoff = sum(taken.values()) / total
            probabilities = [
                (counts.get(symbol, 0) - taken.get(symbol, 0)) / total + backoff * below
                for symbol, below in enumerate(probabilities)
            ]
        return probabilities


def naive_score(
    data: bytes, training_length: int, span: Span, order: int
) -> tuple[float, int, int]:
    """Bits, and the smallest and largest number of correct guesses, by how ties are decided."""
    model = NaiveKneserNey(data[:training_length], order)
    bits, fewest, most = 0.0, 0, 0
    for i in range(span.start, span.stop):
        distribution = model.distribution(data[:i])
        assert math.fsum(distribution) == pytest.approx(1, abs=1e-12)
        bits -= math.log2(distribution[data[i]])
        close = [s for s in range(256) if distribution[s] > max(distribution) - 1e-13]
        most += data[i] in close
        fewest += close == [data[i]]
    return bits, fewest, most


def check_against_naive(data: bytes, training_length: int, max_order: int) -> None:
    array = as_array(data)
    middle = (training_length + len(data)) // 2
    splits = {
        "all": Span(array, training_length, len(data)),
        "part": Span(array, middle, len(data)),
        "none": Span(array, middle, middle),
    }
    rungs = list(score(array[:training_length], splits, max_order=max_order))
    assert [rung.name for rung in rungs] == [f"order-{k}" for k in range(max_order + 1)]
    for order, rung in enumerate(rungs):
        assert rung.bits["none"] == 0
        for name in ("all", "part"):
            span = splits[name]
            if len(span) == 0:
                continue
            bits, fewest, most = naive_score(data, training_length, span, order)
            assert rung.bits[name] == pytest.approx(bits, rel=1e-9, abs=1e-9)
            assert fewest <= round(rung.accuracy[name] * len(span)) <= most


@pytest.mark.parametrize(
    ("data", "training_length"),
    [
        (PLAY + PLAY[40:] + b"Come, come, unseen: 0123 \xff\x00", len(PLAY) + 30),
        (b"a" * 60, 40),
        (b"ab" * 30, 41),
        (b"a" * 40 + b"bcd" * 8, 40),
        (bytes(range(256)), 200),
        (PLAY, 1),
        (PLAY, 3),
        (np.random.default_rng(0).bytes(400), 300),
        (np.random.default_rng(1).integers(0, 4, 300, dtype=np.uint8).tobytes(), 250),
    ],
    ids=["play", "one", "two", "change", "each", "train1", "train3", "random", "four"],
)
def test_equals_dictionaries_and_loops(data: bytes, training_length: int) -> None:
    check_against_naive(data, training_length, max_order=6)


@settings(max_examples=40, deadline=None)
@given(
    st.text(alphabet="ab\n", min_size=2, max_size=60).map(str.encode)
    | st.binary(min_size=2, max_size=40),
    st.floats(0, 1),
    st.sampled_from([0, 1, 3, 7]),
)
def test_scores_equal_dictionaries_and_loops_on_any_bytes(
    data: bytes, share: float, max_order: int
) -> None:
    check_against_naive(data, max(1, int(share * (len(data) - 1))), max_order)


@pytest.mark.parametrize("start", [0, 2, 4])
def test_a_split_at_the_start_of_the_file_uses_only_existing_context(start: int) -> None:
    data = as_array(PLAY)
    span = Span(data, start, 30)
    for order, rung in enumerate(score(data[30:], {"start": span}, max_order=4)):
        model = NaiveKneserNey(PLAY[30:], order)
        bits = -sum(math.log2(model.distribution(PLAY[:i])[PLAY[i]]) for i in range(start, 30))
        assert rung.bits["start"] == pytest.approx(bits, rel=1e-9)


@pytest.mark.parametrize("context", [b"know", b"zzzzzz", b"he sheep\xff", b""])
def test_probabilities_of_all_symbols_sum_to_one(context: bytes) -> None:
    splits = {}
    for symbol in range(256):
        data = as_array(PLAY + context + bytes([symbol]))
        splits[str(symbol)] = Span(data, len(data) - 1, len(data))
    for rung in score(as_array(PLAY), splits, max_order=6):
        probabilities = [2 ** -rung.bits[str(symbol)] for symbol in range(256)]
        assert min(probabilities) > 0
        assert math.fsum(probabilities) == pytest.approx(1, abs=1e-12)


def test_without_training_every_order_is_uniform() -> None:
    data = as_array(PLAY)
    for rung in score(data[:0], {"all": Span(data, 0, len(data))}, max_order=3):
        assert rung.bits["all"] == 8 * len(data)


def test_uniform_is_exactly_eight() -> None:
    data = as_array(PLAY)
    (uniform,) = (spec for spec in register_baselines() if spec.name == "uniform")
    context = BaselineContext(training=data[:5], splits={"test": Span(data, 5, 31)})
    (rung,) = uniform.score(uniform.options(), context)
    assert isinstance(rung, BaselineScore)
    assert rung.bits["test"] / 26 == 8.0


def test_random_bytes_cannot_be_compressed() -> None:
    data = np.random.default_rng(7).integers(0, 256, 60_000, dtype=np.uint8)
    for rung in score(data[:50_000], {"test": Span(data, 50_000, 60_000)}, max_order=6):
        # 10,000 bytes of iid noise: the mean code length's standard error is below 0.01.
        assert rung.bits["test"] / 10_000 > 7.97
        assert rung.accuracy["test"] < 0.01


def test_a_static_score_adds_up_over_touching_splits() -> None:
    data = as_array(PLAY * 3 + b"something new")
    spans = {"a": Span(data, 100, 180), "b": Span(data, 180, 290), "both": Span(data, 100, 290)}
    together = list(score(data[:100], spans, max_order=5))
    for order, rung in enumerate(together):
        assert rung.bits["both"] == pytest.approx(rung.bits["a"] + rung.bits["b"], rel=1e-12)
        for name, span in spans.items():
            alone = list(score(data[:100], {name: span}, max_order=5))[order]
            assert rung.bits[name] == pytest.approx(alone.bits[name], rel=1e-12)
            assert rung.accuracy[name] == alone.accuracy[name]


def test_small_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    data = as_array(PLAY * 2 + b"We know it not.")
    splits = {"test": Span(data, 120, len(data))}
    whole = [(r.bits["test"], r.accuracy["test"]) for r in score(data[:120], splits, max_order=4)]
    monkeypatch.setattr(grams, "_BLOCK", 7)
    monkeypatch.setattr(scoring, "_BLOCK", 5)
    cut = [(r.bits["test"], r.accuracy["test"]) for r in score(data[:120], splits, max_order=4)]
    assert [c[0] for c in cut] == pytest.approx([w[0] for w in whole], rel=1e-12)
    assert [c[1] for c in cut] == [w[1] for w in whole]


def test_max_order_gives_one_rung_for_each_order() -> None:
    data = as_array(PLAY)
    splits = {"test": Span(data, 50, len(data))}
    short = list(score(data[:50], splits, max_order=2))
    full = list(score(data[:50], splits, max_order=NgramOptions().max_order))
    assert len(short) == 3
    assert len(full) == 7
    assert [rung.bits for rung in short] == [
        pytest.approx(rung.bits, rel=1e-12) for rung in full[:3]
    ]
