"""Contexts, tables, window and smoothing of `seqzoo_plugins.counts` against loops over text."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from typing import Any

import numba
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from seqzoo_plugins.counts import learned as learned_module
from seqzoo_plugins.counts.compiled import compiled
from seqzoo_plugins.counts.contexts import ABSENT, ContextSet, context_keys
from seqzoo_plugins.counts.counts import Counts
from seqzoo_plugins.counts.kinds import TEXT_PARTS, parse_context
from seqzoo_plugins.counts.learned import Learned
from seqzoo_plugins.counts.lookup import Sums
from seqzoo_plugins.counts.options import CountOptions
from seqzoo_plugins.counts.smoothing import UNIFORM, witten_bell
from seqzoo_plugins.counts.table import FOLDS, CountTable
from seqzoo_plugins.counts.text import bytes_of_tokens
from seqzoo_plugins.counts.window import MOST_PLACES, add_window_counts

ALPHABET = b"aB' \n.\xc3"
V = 256
BYTES = bytes_of_tokens(V, None)
KINDS = (
    "last1",
    "last3",
    "token1+token2",
    "word",
    "gap+word",
    "gap+word+word1",
    "word+word2+word3",
    "line",
    "start+word",
    "token0+column",
)
CONTEXTS = [parse_context(text) for text in KINDS]
texts = st.lists(st.sampled_from(ALPHABET), min_size=1, max_size=80)


def test_loops_are_compiled_where_nothing_can_be_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    njit = numba.njit

    def no_folder(function: Any, *, cache: bool = False, **further: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(function, **further)

    monkeypatch.setattr(numba, "njit", no_folder)
    assert compiled(lambda number: number + 1)(2) == 3


def part_of(text: bytes, part: str) -> Hashable:
    """A part of a text, by regular expressions on all of it."""
    words = [(m.start(), m.group().lower()) for m in re.finditer(rb"[A-Za-z0-9'\x80-\xff]+", text)]
    in_word = bool(words) and words[-1][0] + len(words[-1][1]) == len(text)
    line = text.rpartition(b"\n")[2]
    if part == "word":
        return words[-1][1] if in_word else b""
    if part == "gap":
        before = text[: words[-1][0]] if in_word else text
        return re.search(rb"[^A-Za-z0-9'\x80-\xff]*$", before).group()  # type: ignore[union-attr]
    if part == "line":
        return line
    if part == "start":
        return line[:1]
    if part == "column":
        return min(len(line), 255)
    ended = [word for _, word in (words[:-1] if in_word else words)]
    number = int(part.removeprefix("word"))
    return ended[-number] if number <= len(ended) else b""


def context_of(text: Sequence[int], kind: str) -> Hashable | None:
    """The context at the end of a text; None if it is incomplete."""
    parsed = parse_context(kind)
    if any(distance >= len(text) for distance in parsed.tokens):
        return None
    tokens = tuple(text[len(text) - 1 - distance] for distance in parsed.tokens)
    parts = tuple(part_of(bytes(text), TEXT_PARTS[part]) for part in parsed.parts)
    return tokens, parts


def keys_of(text: Sequence[int], kinds: Sequence[str] = KINDS, bits: int = 50) -> Any:
    """(N, K) keys of the contexts that end at each token."""
    chosen = ContextSet.of([parse_context(kind) for kind in kinds])
    parts = np.zeros((1, len(TEXT_PARTS)), dtype=np.int64)
    tokens = np.array([text], dtype=np.int64)
    return context_keys(tokens, parts, chosen, BYTES, length=len(text), bits=bits)[0]


def no_sums(N: int, K: int, size: int = V) -> Sums:
    """With a column for each symbol."""
    return Sums(np.zeros((N, K, size)), np.zeros((N, K)), np.zeros((N, K)), np.arange(size))


def naive_counts(
    text: Sequence[int], places: Sequence[int], asked: Sequence[int], kinds: Sequence[str] = KINDS
) -> Any:
    """(N, K, V): how often each symbol, at these places of a text, followed the contexts at the end
    of each beginning of `asked`.
    """
    result = np.zeros((len(asked), len(kinds), V))
    for number, kind in enumerate(kinds):
        found: dict[Hashable, Counter[int]] = defaultdict(Counter)
        for place in places:
            if place > 0 and (context := context_of(text[:place], kind)) is not None:
                found[context][text[place]] += 1
        for end in range(len(asked)):
            for symbol, count in found[context_of(asked[: end + 1], kind)].items():
                result[end, number, symbol] = count
    return result


def assert_are(sums: Sums, expected: Any) -> None:
    """The counts, their sums and how many are above 0."""
    np.testing.assert_array_equal(sums.counts, expected)
    np.testing.assert_array_equal(sums.totals, expected.sum(-1))
    np.testing.assert_array_equal(sums.kinds, (expected > 0).sum(-1))


@given(texts)
def test_keys_are_equal_where_contexts_are_equal(text: list[int]) -> None:
    keys = keys_of(text)
    for number, kind in enumerate(KINDS):
        contexts = [context_of(text[: end + 1], kind) for end in range(len(text))]
        for end, context in enumerate(contexts):
            same = [other == context for other in contexts]
            assert (keys[:, number] == keys[end, number]).tolist() == same
            assert (keys[end, number] == ABSENT) == (context is None)
            assert keys[end, number] < 1 << 50


@given(texts, st.integers(0, 80))
def test_keys_are_the_same_for_any_cut_of_a_text(text: list[int], cut: int) -> None:
    cut = min(cut, len(text) - 1)
    chosen = ContextSet.of(CONTEXTS)
    parts = np.zeros((2, len(TEXT_PARTS)), dtype=np.int64)
    tokens = np.array([text, text[::-1]])
    pieces = [
        context_keys(tokens[:, :stop], parts, chosen, BYTES, length=stop - start, bits=50)
        for start, stop in ((0, cut), (cut, len(text)))
        if stop > start
    ]
    found = np.concatenate(pieces, axis=1)
    np.testing.assert_array_equal(found[0], keys_of(text))
    np.testing.assert_array_equal(found[1], keys_of(text[::-1]))


class Pairs:
    """Ids are pairs of bytes of the alphabet."""

    def decode(self, tokens: Any) -> bytes:
        return bytes(
            byte
            for token in tokens.tolist()
            for byte in (ALPHABET[token // len(ALPHABET)], ALPHABET[token % len(ALPHABET)])
        )


@given(st.lists(st.integers(0, len(ALPHABET) ** 2 - 1), min_size=1, max_size=40))
def test_words_are_found_inside_tokens_of_several_bytes(tokens: list[int]) -> None:
    kinds = [kind for kind in KINDS if not parse_context(kind).tokens]
    chosen = ContextSet.of([parse_context(kind) for kind in kinds])
    pairs: Any = Pairs()
    keys = context_keys(
        np.array([tokens]),
        np.zeros((1, len(TEXT_PARTS)), dtype=np.int64),
        chosen,
        bytes_of_tokens(len(ALPHABET) ** 2, pairs),
        length=len(tokens),
        bits=50,
    )
    text = list(pairs.decode(np.array(tokens)))
    np.testing.assert_array_equal(keys[0], keys_of(text, kinds)[1::2])


def test_some_contexts_of_a_list_have_the_keys_that_they_have_in_it() -> None:
    text = list(b"Ba 'a\nB.")
    parts = np.zeros((1, len(TEXT_PARTS)), dtype=np.int64)
    third = ContextSet.of(CONTEXTS[3:4], first=3)
    found = context_keys(np.array([text]), parts, third, BYTES, length=len(text), bits=50)
    np.testing.assert_array_equal(found[0, :, 0], keys_of(text)[:, 3])


@settings(max_examples=30)
@given(texts, texts)
def test_table_counts_what_follows_every_context(text: list[int], asked: list[int]) -> None:
    table = CountTable(CONTEXTS, BYTES)
    table.count(np.array(text, dtype=np.uint8))
    sums = no_sums(len(asked), len(KINDS))
    table.add_counts(sums, keys_of(asked, bits=table.key_bits))
    assert_are(sums, naive_counts(text, range(len(text)), asked))
    assert table.seen.nonzero().flatten().tolist() == sorted(set(text))


@settings(max_examples=20)
@given(texts)
def test_a_folds_own_counts_are_left_out(text: list[int]) -> None:
    table = CountTable(CONTEXTS, BYTES)
    table.count(np.array(text, dtype=np.uint8))
    N = len(text)
    folds = table.folds(np.arange(1, N + 1))
    sums = no_sums(N, len(KINDS))
    table.add_counts(sums, keys_of(text, bits=table.key_bits), folds)
    for fold in range(FOLDS):
        others = [place for place in range(N) if place * FOLDS // N != fold]
        expected = naive_counts(text, others, text)
        np.testing.assert_array_equal(sums.counts[folds == fold], expected[folds == fold])


def test_a_full_table_drops_the_rarest_entries_in_training_and_in_scoring() -> None:
    kinds = ("last2", "last4")
    text = np.random.default_rng(0).integers(0, 7, 4000).tolist()
    table = CountTable([parse_context(kind) for kind in kinds], BYTES, max_entries=100)
    table.count(np.array(text, dtype=np.uint8))
    assert 0 < len(table.counts) <= 100
    exact = naive_counts(text, range(4000), text, kinds)
    keys = keys_of(text, kinds, bits=table.key_bits)
    found, seen = no_sums(4000, 2), no_sums(4000, 2)
    table.add_counts(found, keys)
    table.add_counts(seen, keys, table.folds(np.arange(1, 4001)))
    for number in range(2):
        least = found.counts[:, number][found.counts[:, number] > 0].min()
        assert least > 1
        np.testing.assert_array_equal(
            found.counts[:, number], exact[:, number] * (exact[:, number] >= least)
        )
        own = seen.counts[:, number]
        assert not ((own > 0) & (own < least)).any()


def test_what_one_kind_of_context_leaves_of_the_entries_is_for_the_others() -> None:
    text = np.random.default_rng(0).integers(0, 7, 4000).astype(np.uint8)
    kinds = [parse_context(kind) for kind in ("last1", "last3")]
    table = CountTable(kinds, BYTES, max_entries=49 + 7**4)
    table.count(text)
    alone = CountTable(kinds[1:], BYTES)
    alone.count(text)
    assert len(table.counts) == 49 + len(alone.counts)


@settings(max_examples=30)
@given(texts, texts, st.integers(16, 40))
def test_window_counts_are_those_of_the_latest_tokens(
    before: list[int], text: list[int], window: int
) -> None:
    kinds = ("last1", "last3", "word", "gap+word")
    rows = [[*before, *text], [*before, *text[::-1]]]
    padding = [ABSENT] * max(0, window - len(before))
    tokens = np.array([[*padding, *row][-window - len(text) :] for row in rows])
    missing = np.full((len(padding), len(kinds)), ABSENT)
    keys = np.stack(
        [np.concatenate([missing, keys_of(row, kinds)])[-window - len(text) :] for row in rows]
    )
    sums = no_sums(2 * len(text), len(kinds))
    add_window_counts(sums, tokens, keys, [slice(0, 2), slice(2, 4)])
    expected = np.zeros_like(sums.counts)
    for number, row in enumerate(rows):
        for time in range(len(text)):
            now = len(before) + time
            for k, kind in enumerate(kinds):
                context = context_of(row[: now + 1], kind)
                for end in range(max(0, now - window), now):
                    if context is not None and context_of(row[: end + 1], kind) == context:
                        expected[number * len(text) + time, k, row[end + 1]] += 1
    assert_are(sums, expected)


def test_only_the_latest_of_many_places_are_used() -> None:
    text = [97] * 1000
    kinds = ("last2", "last4")
    sums = no_sums(100, 2)
    add_window_counts(sums, np.array([text]), keys_of(text, kinds)[None], [slice(0, 2)])
    expected = np.zeros((100, 2, V))
    expected[:, :, 97] = MOST_PLACES
    assert_are(sums, expected)


def test_witten_bell_equals_the_formula_and_sums_to_one() -> None:
    generator = np.random.default_rng(0)
    counts = generator.integers(0, 4, (50, 4, 7)).astype(np.float64)
    counts[::5, 1:] = 0
    sums = Sums(counts.copy(), counts.sum(-1), (counts > 0).sum(-1).astype(float), np.arange(7))
    parents = np.array([UNIFORM, 0, 0, 2])
    evidence = witten_bell(sums, parents, 1 / 7)
    for row in range(50):
        for k, parent in enumerate(parents):
            c = counts[row, k]
            n, t = c.sum(), (c > 0).sum()
            below = np.full(7, 1 / 7) if parent == UNIFORM else sums.counts[row, parent]
            expected = (c + t * below) / (n + t) if n else below
            np.testing.assert_allclose(sums.counts[row, k], expected, rtol=1e-12)
            expected = [np.log1p(n), np.log1p(t), t / (n + t) if n else 1.0]
            np.testing.assert_allclose(evidence[row, k], expected, rtol=1e-12)
    np.testing.assert_allclose(sums.counts.sum(-1), 1, rtol=1e-12)


@settings(max_examples=30)
@given(texts, st.randoms(use_true_random=False))
def test_every_token_that_was_read_counts_for_the_next(text: list[int], random: Any) -> None:
    learned = Learned(len(KINDS), V)
    keys = keys_of(text)
    sums = no_sums(len(text), len(KINDS))
    start = 0
    while start < len(text):
        stop = random.randint(start + 1, len(text))
        own = slice(start, stop)
        piece = Sums(sums.counts[own], sums.totals[own], sums.kinds[own], sums.columns)
        learned.read(piece, keys[own], np.array(text[own]), 1.0)
        start = stop
    expected = [naive_counts(text, range(end + 1), text)[end] for end in range(len(text))]
    assert_are(sums, np.array(expected))


def test_the_counts_of_long_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned_module, "_FIRST_SIZE", 64)
    learned = Learned(1, V, most_entries=64)
    text = [*range(60), *range(100, 160), *range(180, 240), 0, 130, 200]
    sums = no_sums(len(text), 1)
    keys = keys_of(text, ("last1",))
    for time, token in enumerate(text):
        own = slice(time, time + 1)
        piece = Sums(sums.counts[own], sums.totals[own], sums.kinds[own], sums.columns)
        learned.read(piece, keys[own], np.array([token]), 2.0)
    assert sums.totals[-3:, 0].tolist() == [0.0, 2.0, 2.0]
    assert sums.counts[-1, 0, 201] == 2.0


def counts_of(training: bytes, **options: Any) -> Counts:
    counts = Counts(CountOptions(window=32, **options), vocab_size=V, tokenizer=None)
    counts.table.count(np.frombuffer(training, dtype=np.uint8))
    return counts


def read(counts: Counts, text: bytes, state: Any = None) -> tuple[Tensor, Tensor, Any]:
    """(N, K, V) probabilities of all symbols, evidence, and the state."""
    tokens = torch.tensor([list(text)])
    state = counts.initial_state(1) if state is None else state
    found, state = counts(tokens, state, None, torch.float64)
    return found.probabilities[:, :, found.columns], found.evidence, state


@given(st.binary(min_size=2, max_size=60), st.integers(1, 60))
def test_distributions_sum_to_one_and_any_cut_gives_the_same(text: bytes, cut: int) -> None:
    """Also where a symbol that was never seen comes later in the piece."""
    counts = counts_of(b"that which we call a rose\nby any other name")
    whole, evidence, _ = read(counts, text)
    np.testing.assert_allclose(whole.sum(-1), 1, rtol=1e-12)
    first, first_evidence, state = read(counts, text[: min(cut, len(text) - 1)])
    rest, rest_evidence, _ = read(counts, text[min(cut, len(text) - 1) :], state)
    assert torch.equal(torch.cat([first, rest]), whole)
    assert torch.equal(torch.cat([first_evidence, rest_evidence]), evidence)


def test_threads_give_the_same_as_one() -> None:
    counts = counts_of(b"a rose is a rose" * 20)
    tokens = torch.from_numpy(np.random.default_rng(0).integers(97, 100, (8, 100)))
    threads = torch.get_num_threads()
    found = []
    try:
        for number in (1, 3):
            torch.set_num_threads(number)
            found.append(counts(tokens, counts.initial_state(8), None, torch.float32)[0])
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(found[0].probabilities, found[1].probabilities)
    assert torch.equal(found[0].evidence, found[1].evidence)


def test_a_context_falls_back_on_the_most_specific_one_that_it_refines() -> None:
    """Without any count, every context has the distribution of the one on which it falls back."""
    options = {
        "contexts": ("last1", "last2", "gap+word", "gap+word+word1", "token1+token2"),
        "window_contexts": ("last1", "last3", "word"),
    }
    counts = counts_of(b"aab", **options)
    probabilities, evidence, _ = read(counts, b"ba")
    last1, last2, word, pair, apart, recent1, recent3, recent_word = probabilities[-1]
    assert evidence[-1, 1:, 0].tolist() == [0.0] * 7
    for same in (last2, word, pair, apart, recent1, recent3, recent_word):
        assert torch.equal(same, last1)


def test_a_table_on_another_device_stays_there() -> None:
    table = CountTable(CONTEXTS, BYTES).to("meta")
    table.count(np.arange(5, dtype=np.uint8))
    assert all(buffer.is_meta for buffer in table.buffers())


@pytest.mark.parametrize(
    ("contexts", "message"),
    [
        (("last1", "lastt2"), "'lastt2' is no part of a context"),
        (("last0",), "no part of a context"),
        (("last17",), "looks back more than 16 tokens"),
        (("token16",), "looks back more than 16 tokens"),
        (("word+gap", "gap+word"), "is there twice"),
        (("",), "no part of a context"),
    ],
)
def test_a_context_that_cannot_be_is_refused(contexts: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CountOptions(contexts=contexts)
