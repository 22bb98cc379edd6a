from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_discounts import naive_discounts

from seqzoo import Span
from seqzoo_plugins.ngrams import NgramOptions, adaptive
from seqzoo_plugins.ngrams import scoring as static
from seqzoo_plugins.ngrams.adaptive import score
from seqzoo_plugins.ngrams.kneser_ney import estimate_discounts

PLAY = b"Good sir, the old miller is no friend to the sheep. We know it, we know it. Let him pay.\n"


def as_array(data: bytes) -> np.ndarray:
    return np.frombuffer(data, dtype=np.uint8)


class NaiveAdaptive:
    """Dictionaries that receive one occurrence at a time and are read again for each byte.

    occurrences[n]: of each string of n bytes. predecessors[n]: the distinct bytes before each.
    """

    def __init__(self, training: bytes, order: int) -> None:
        self.order = order
        self.occurrences = [Counter[bytes]() for _ in range(order + 2)]
        self.predecessors = [defaultdict[bytes, set[int]](set) for _ in range(order + 2)]
        for end in range(1, len(training) + 1):
            self.learn_last_byte(training[:end])

    def learn_last_byte(self, file: bytes) -> None:
        for length in range(1, min(self.order + 1, len(file)) + 1):
            string = file[len(file) - length :]
            self.occurrences[length][string] += 1
            if length < len(file):
                self.predecessors[length][string].add(file[len(file) - length - 1])

    def level(self, order: int) -> dict[bytes, int]:
        """Counts of the strings of order + 1 bytes: occurrences at the top, else continuations."""
        if order == self.order:
            return self.occurrences[order + 1]
        return {string: len(before) for string, before in self.predecessors[order + 1].items()}

    def distribution(self, history: bytes) -> list[float]:
        """All 256 probabilities after the bytes of the file so far."""
        probabilities = [1 / 256] * 256
        for order in range(min(self.order, len(history)) + 1):
            level = self.level(order)
            discounts = naive_discounts(list(level.values()))
            context = history[len(history) - order :]
            counts = [level.get(context + bytes([symbol]), 0) for symbol in range(256)]
            total = sum(counts)
            if total == 0:
                continue
            taken = [discounts[min(count, 3)] for count in counts]
            probabilities = [
                (count - less) / total + sum(taken) / total * below
                for count, less, below in zip(counts, taken, probabilities, strict=True)
            ]
        return probabilities


def naive_bits(training: bytes, data: bytes, span: Span, order: int) -> list[float]:
    model = NaiveAdaptive(training, order)
    bits = []
    for i in range(span.start, span.stop):
        distribution = model.distribution(data[:i])
        assert math.fsum(distribution) == pytest.approx(1, abs=1e-12)
        bits.append(-math.log2(distribution[data[i]]))
        model.learn_last_byte(data[: i + 1])
    return bits


def check_against_naive(training: bytes, data: bytes, start: int, max_order: int) -> None:
    array = as_array(data)
    middle = (start + len(data)) // 2
    splits = {
        "whole": Span(array, start, len(data)),
        "beginning": Span(array, start, middle),
        "end": Span(array, middle, len(data)),
        "none": Span(array, middle, middle),
    }
    rungs = list(score(as_array(training), splits, max_order=max_order))
    assert [rung.name for rung in rungs] == [f"order-{k}" for k in range(max_order + 1)]
    for order, rung in enumerate(rungs):
        assert rung.adaptive
        for name, span in splits.items():
            bits = sum(naive_bits(training, data, span, order))
            assert rung.bits[name] == pytest.approx(bits, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("data", "training_length", "max_order"),
    [
        (PLAY + PLAY[40:70] + b"Come, unseen: 0123 \xff\x00", len(PLAY) + 5, 6),
        (PLAY, 40, 7),
        (b"a" * 60, 40, 6),
        (b"ab" * 30, 41, 6),
        (b"a" * 40 + b"bcd" * 8, 40, 6),
        (bytes(range(200, 256)), 20, 3),
        (PLAY[:60], 1, 4),
        (PLAY[:60], 3, 6),
        (np.random.default_rng(1).integers(0, 4, 160, dtype=np.uint8).tobytes(), 100, 5),
    ],
    ids=["play", "order-7", "one", "two", "change", "each", "train1", "train3", "four"],
)
def test_equals_dictionaries_updated_byte_by_byte(
    data: bytes, training_length: int, max_order: int
) -> None:
    check_against_naive(data[:training_length], data, training_length, max_order)


@settings(max_examples=40, deadline=None)
@given(
    st.text(alphabet="ab\n", min_size=2, max_size=40).map(str.encode)
    | st.binary(min_size=2, max_size=25),
    st.floats(0, 1),
    st.sampled_from([0, 1, 3, 7]),
)
def test_equals_dictionaries_updated_byte_by_byte_on_any_bytes(
    data: bytes, share: float, max_order: int
) -> None:
    training_length = int(share * (len(data) - 1))
    check_against_naive(data[:training_length], data, training_length, max_order)


@pytest.mark.parametrize("start", [0, 1, 4])
def test_nothing_before_the_file_is_context_or_counted(start: int) -> None:
    check_against_naive(PLAY[30:], PLAY[:30], start, max_order=3)


@pytest.mark.parametrize("context", [b"know", b"zzzzzz", b"", PLAY])
def test_probabilities_of_all_symbols_sum_to_one_after_learning(context: bytes) -> None:
    probabilities = np.zeros((7, 256))
    for symbol in range(256):
        data = as_array(PLAY + context + bytes([symbol]))
        splits = {"all": Span(data, 60, len(data)), "but one": Span(data, 60, len(data) - 1)}
        for order, rung in enumerate(score(data[:60], splits, max_order=6)):
            probabilities[order, symbol] = 2 ** (rung.bits["but one"] - rung.bits["all"])
    assert probabilities.min() > 0
    # The difference of two sums of some hundred bits each, in powers of two.
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(7), abs=1e-10)


def test_the_first_byte_costs_the_same_as_with_the_static_model() -> None:
    data = as_array(PLAY * 2)
    splits = {"one": Span(data, 100, 101)}
    for frozen, learning in zip(
        static.score(data[:100], splits, max_order=6),
        score(data[:100], splits, max_order=6),
        strict=True,
    ):
        assert learning.name == frozen.name
        assert learning.bits["one"] == pytest.approx(frozen.bits["one"], rel=1e-12)


def test_text_that_occurs_again_in_the_split_costs_less() -> None:
    noise = np.random.default_rng(3).integers(0, 256, 500, dtype=np.uint8)
    data = np.concatenate([as_array(PLAY), noise, noise])
    splits = {"once": Span(data, len(PLAY), len(PLAY) + 500), "twice": Span(data, len(PLAY), 1089)}
    rung = list(score(data[: len(PLAY)], splits, max_order=6))[-1]
    assert rung.bits["twice"] - rung.bits["once"] < 0.25 * rung.bits["once"]


def test_small_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    data = as_array(PLAY * 2 + b"We know it not.")
    splits = {"test": Span(data, 120, len(data))}
    whole = [rung.bits["test"] for rung in score(data[:120], splits, max_order=4)]
    monkeypatch.setattr(adaptive, "_BLOCK", 5)
    cut = [rung.bits["test"] for rung in score(data[:120], splits, max_order=4)]
    assert cut == pytest.approx(whole, rel=1e-12)


def test_discounts_of_many_positions_equal_those_of_each() -> None:
    counts_of_counts = np.random.default_rng(0).integers(0, 5, (4, 300))
    expected = [estimate_discounts(each) for each in counts_of_counts.T]
    assert np.array_equal(estimate_discounts(counts_of_counts), np.stack(expected, axis=1))


def test_max_order_gives_one_rung_for_each_order() -> None:
    data = as_array(PLAY)
    splits = {"test": Span(data, 50, len(data))}
    short = list(score(data[:50], splits, max_order=2))
    full = list(score(data[:50], splits, max_order=NgramOptions().max_order))
    assert [rung.bits for rung in short] == [
        pytest.approx(rung.bits, rel=1e-12) for rung in full[:3]
    ]
