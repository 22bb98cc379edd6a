"""The same bytes everywhere, and code lengths that are the true conditional probabilities."""

from __future__ import annotations

import bz2
import errno
import hashlib
import lzma
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from fractions import Fraction
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqzoo import Corpus, CorpusContext, CorpusUnavailable
from seqzoo.plugin.registry import Registry
from seqzoo_plugins.pastiche.generation import draws, generate, generate_play
from seqzoo_plugins.pastiche.play import Play
from seqzoo_plugins.pastiche.table import Table, blend
from seqzoo_plugins.pastiche.verse import Script


def open_(registry: Registry, **options: Any) -> Corpus:
    spec = registry.get("corpus", "pastiche")
    corpus: Corpus = spec.open(spec.options(**options), CorpusContext(base=Path()))
    return corpus


def code_lengths(corpus: Corpus, start: int, stop: int) -> np.ndarray:
    assert corpus.code_lengths is not None
    return corpus.code_lengths(start, stop)


def choices_read_from(text: bytes, script: Script) -> Iterator[tuple[Table, int, int]]:
    """A naive reader of a whole play: at each table the longest text that fits.

    Yields the table, the place of the text, and its index.
    """
    place = 0
    table = next(script)
    while True:
        fitting = [i for i, item in enumerate(table.texts) if text.startswith(item, place)]
        index = max(fitting, key=lambda i: len(table.texts[i]))
        yield table, place, index
        place += len(table.texts[index])
        try:
            table = script.send(index)
        except StopIteration:
            return


def table_after(chosen: list[int]) -> Table:
    """The table after these choices; the script is run from its beginning."""
    script = Play().script()
    table = next(script)
    for index in chosen:
        table = script.send(index)
    return table


def next_byte(chosen: list[int], typed: bytes) -> dict[int, Fraction]:
    """P(next byte | all before), by brute force over the texts, in exact arithmetic.

    chosen: choices that are certain; typed: bytes of the choice that is under way.
    """
    table = table_after(chosen)
    fitting = [i for i, text in enumerate(table.texts) if text.startswith(typed)]
    mass = sum(table.weights[i] for i in fitting)
    chances: dict[int, Fraction] = defaultdict(Fraction)
    going_on = {table.texts[i][len(typed)] for i in fitting if table.texts[i] != typed}
    for i in fitting:
        share = Fraction(table.weights[i], mass)
        if table.texts[i] != typed:
            chances[table.texts[i][len(typed)]] += share
            continue
        following = table_after([*chosen, i])
        for text, weight in zip(following.texts, following.weights, strict=True):
            # A byte with two meanings could not be read back, and the sum would not show it.
            assert text[0] not in going_on
            chances[text[0]] += share * Fraction(weight, following.total)
    return chances


def test_the_first_megabyte_is_the_same_on_every_machine(registry: Registry) -> None:
    corpus = open_(registry)
    assert len(corpus.data) == 1_000_000
    assert hashlib.sha256(corpus.data.tobytes()).hexdigest() == (
        "dfcb76443b3c7cf1a7836c502aec02a704460aed9160c449cc35e143d177d995"
    )


def test_draws_are_splitmix64() -> None:
    """Compared with the form of its authors: a state that is incremented and mixed."""

    def splitmix(state: int, count: int) -> list[int]:
        outputs = []
        for _ in range(count):
            state = (state + 0x9E3779B97F4A7C15) % 2**64
            z = state
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
            outputs.append(z ^ (z >> 31))
        return outputs

    key = splitmix(splitmix(7, 1)[0], 4)[3]
    source = draws(7, 3)
    assert [next(source) for _ in range(5000)] == splitmix(key, 5000)


def test_draws_choose_each_text_in_proportion_to_its_weight() -> None:
    table = Table([("a", 5, None), ("b", 1, None), ("c", 3, None)])
    draws_of = Counter(table.index(draw) for draw in range(9 * 7))
    assert draws_of == {0: 35, 1: 7, 2: 21}
    assert table.limit % table.total == 0
    assert 2**64 - table.limit < table.total


def test_blended_lists_have_their_shares() -> None:
    table = Table(blend((3, [("a", 1, None), ("b", 1, None)]), (1, [("c", 7, None)])))
    assert [Fraction(w, table.total) for w in table.weights] == [
        Fraction(3, 8),
        Fraction(3, 8),
        Fraction(1, 4),
    ]


@pytest.mark.parametrize("entries", [[], [("", 1, None)], [("a", 1, None), ("a", 2, None)]])
def test_a_table_that_could_not_be_read_back_is_refused(entries: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"at least one|twice"):
        Table(entries)


def test_a_script_with_an_ambiguous_end_is_refused() -> None:
    def script() -> Script:
        yield Table([("the", 1, None), ("them", 1, None)])

    with pytest.raises(ValueError, match="must end"):
        generate(script(), iter([0] * 9))


def test_every_choice_can_be_read_from_the_text_and_costs_its_probability() -> None:
    """The sum over bytes is minus log2 of the probability of all choices, no bit more or less."""
    text, bits = generate_play(3, 0)
    choices, read = 0.0, b""
    for table, _, index in choices_read_from(text, Play().script()):
        read += table.texts[index]
        choices -= log2(table.weights[index] / table.total)
    assert read == text
    assert choices == pytest.approx(bits.sum(), rel=1e-9)
    assert (bits >= 0).all()


def test_code_lengths_are_the_conditional_probabilities_by_brute_force() -> None:
    """Each byte at random places, with exact fractions; all 256 probabilities sum to exactly 1."""
    text, bits = generate_play(2, 1)
    chosen: list[int] = []
    rng = np.random.default_rng(5)
    checked = 0
    for table, place, index in choices_read_from(text, Play().script()):
        if place > 6000:
            break
        if (len(table.texts) > 1 and rng.random() < 0.1) or place < 60:
            item = table.texts[index]
            for length in range(len(item)):
                if length == 0 and place:
                    continue  # the first byte also carries the end of the choice before
                chances = next_byte(chosen, item[:length])
                assert sum(chances.values()) == 1
                assert -log2(chances[item[length]]) == pytest.approx(bits[place + length], abs=1e-9)
                checked += 1
            chances = next_byte(chosen, item)
            after = place + len(item)
            assert sum(chances.values()) == 1
            assert -log2(chances[text[after]]) == pytest.approx(bits[after], abs=1e-9)
        chosen.append(index)
    assert checked > 300


def test_a_smaller_size_is_the_beginning_of_a_larger_one(registry: Registry) -> None:
    small, large = open_(registry, size_bytes=10_000), open_(registry)
    np.testing.assert_array_equal(small.data, large.data[:10_000])
    np.testing.assert_array_equal(code_lengths(small, 0, 10_000), code_lengths(large, 0, 10_000))


def test_code_lengths_do_not_depend_on_where_they_are_cut(registry: Registry) -> None:
    corpus = open_(registry, size_bytes=200_000)
    whole = code_lengths(corpus, 0, 200_000)
    for start, stop in [(0, 1), (199_999, 200_000), (50_000, 180_000), (7, 7), (200_000, 200_000)]:
        np.testing.assert_array_equal(code_lengths(corpus, start, stop), whole[start:stop])


def test_seeds_differ(registry: Registry) -> None:
    texts = [open_(registry, seed=seed, size_bytes=5000).data.tobytes() for seed in (0, 1, 2)]
    assert len(set(texts)) == 3


def floor(corpus: Corpus, start: int) -> float:
    return float(code_lengths(corpus, start, len(corpus.data)).mean())


def test_no_compressor_is_below_the_entropy(registry: Registry) -> None:
    corpus = open_(registry)
    data = corpus.data.tobytes()
    entropy = floor(corpus, 0)
    for compress in (bz2.compress, lzma.compress):
        assert 8 * len(compress(data)) / len(data) > entropy


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_no_adaptive_context_model_is_below_the_entropy(registry: Registry, order: int) -> None:
    """Counts with an escape to the next lower order, updated after each byte."""
    corpus = open_(registry, size_bytes=200_000)
    data = corpus.data.tobytes()
    counts: list[dict[bytes, Counter[int]]] = [defaultdict(Counter) for _ in range(order + 1)]
    bits = 0.0
    for place, byte in enumerate(data):
        chance = 1 / 256
        for length in range(min(order, place) + 1):
            seen = counts[length][data[place - length : place]]
            total, distinct = seen.total(), len(seen)
            if total:  # Witten-Bell: as much for the order below as there are distinct successors
                chance = (seen[byte] + distinct * chance) / (total + distinct)
            seen[byte] += 1
        bits -= log2(chance)
    assert bits / len(data) > floor(corpus, 0)


def test_entropy_falls_with_the_order(registry: Registry) -> None:
    data = open_(registry).data.tobytes()
    entropies = []
    for order in range(5):
        pairs = Counter(data[i : i + order + 1] for i in range(len(data) - order))
        contexts: Counter[bytes] = Counter()
        for pair, count in pairs.items():
            contexts[pair[:-1]] += count
        bits = -sum(n * log2(n / contexts[pair[:-1]]) for pair, n in pairs.items())
        entropies.append(bits / len(data))
    assert entropies == sorted(entropies, reverse=True)
    assert entropies[0] > 4.2
    assert entropies[1] > 3.2
    assert entropies[3] > entropies[4] + 0.2


def test_a_damaged_file_is_made_anew(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQZOO_CACHE", str(tmp_path))
    whole = open_(registry, size_bytes=3000).data.tobytes()
    (path,) = (tmp_path / "pastiche").iterdir()
    for damage in (b"", path.read_bytes()[:-8], whole, path.read_bytes() + b"more"):
        path.unlink()
        path.write_bytes(damage)
        assert open_(registry, size_bytes=3000).data.tobytes() == whole
    assert list((tmp_path / "pastiche").iterdir()) == [path]


def test_a_cache_that_cannot_be_written_is_one_sentence(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"in the way")
    for cache in (tmp_path / "file", tmp_path / "file" / "below"):
        monkeypatch.setenv("SEQZOO_CACHE", str(cache))
        with pytest.raises(CorpusUnavailable, match="SEQZOO_CACHE") as caught:
            open_(registry, size_bytes=10)
        assert f"{tmp_path / 'file'} is a file, expected a folder" in str(caught.value)
        assert "room" not in str(caught.value)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.ENOENT, errno.EROFS])
def test_room_is_asked_for_only_where_the_disk_is_full(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fail(path: Path, **_: object) -> None:
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setenv("SEQZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(Path, "mkdir", fail)
    with pytest.raises(CorpusUnavailable, match=os.strerror(code)) as caught:
        open_(registry, size_bytes=10)
    assert str(tmp_path / "cache" / "pastiche") in str(caught.value)
    assert ("make room" in str(caught.value)) == (code == errno.ENOSPC)


@pytest.mark.parametrize("place", [0, 9_999, 10_000, -40, -1])
def test_a_cached_text_with_another_byte_is_made_again(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    monkeypatch.setenv("SEQZOO_CACHE", str(tmp_path / "cache"))
    made = open_(registry, size_bytes=10_000)
    text, lengths = made.data.tobytes(), code_lengths(made, 0, 10_000)
    (kept,) = (tmp_path / "cache" / "pastiche").iterdir()
    content = bytearray(kept.read_bytes())
    content[place] ^= 1
    kept.write_bytes(content)
    again = open_(registry, size_bytes=10_000)
    assert again.data.tobytes() == text
    np.testing.assert_array_equal(code_lengths(again, 0, 10_000), lengths)
