"""Opening with a fallback, splitting to the byte, hashing."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from commands import SMALL
from hypothesis import given
from hypothesis import strategies as st

from seqzoo import (
    Corpus,
    CorpusContext,
    CorpusSpec,
    CorpusUnavailable,
    Options,
    Tokenizer,
    UsageError,
    hookimpl,
)
from seqzoo.data.corpus import divide, open_corpus, open_data, sha256_of, split
from seqzoo.data.tokens import EncodedTraining
from seqzoo.plugin.registry import Owner, Registry
from seqzoo.recipes.load import recipe
from seqzoo.recipes.sections import Choice, CorpusSection, SplitSection


def section_of(name: str, *, fallback: str | None = None) -> CorpusSection:
    return CorpusSection(
        name=name,
        options=Options(),
        fallback=None if fallback is None else Choice(name=fallback, options=Options()),
    )


def corpus_of(size: int) -> Corpus:
    return Corpus(name="numbers", data=np.arange(size).astype(np.uint8), origin="a test")


class CorporaPlugin:
    @hookimpl
    def register_corpora(self) -> list[CorpusSpec]:
        def absent(options: Options, context: CorpusContext) -> Corpus:
            raise CorpusUnavailable("the folder is empty.")

        def wrong(options: Options, context: CorpusContext) -> Corpus:
            raise UsageError("no such file.")

        def present(options: Options, context: CorpusContext) -> Corpus:
            return corpus_of(100)

        opens: dict[str, Callable[[Any, CorpusContext], Corpus]] = {
            "absent": absent,
            "wrong": wrong,
            "present": present,
        }
        return [CorpusSpec(name=name, summary=name, open=open) for name, open in opens.items()]


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.add(CorporaPlugin(), Owner("corpora"))
    return registry


def test_an_available_corpus_announces_nothing(registry: Registry) -> None:
    messages: list[str] = []
    section = section_of("present", fallback="absent")
    corpus = open_corpus(section, registry, Path(), announce=messages.append)
    assert len(corpus.data) == 100
    assert messages == []


def test_a_fallback_is_used_and_announced_in_one_sentence(registry: Registry) -> None:
    messages: list[str] = []
    section = section_of("absent", fallback="present")
    corpus = open_corpus(section, registry, Path(), announce=messages.append)
    assert corpus.name == "numbers"
    (sentence,) = messages
    for part in (
        "'absent'",
        "the folder is empty",
        "'numbers'",
        "SEQZOO_DATA",
        "seqzoo fetch absent",
    ):
        assert part in sentence
    assert "\n" not in sentence


def test_without_a_fallback_the_error_is_raised(registry: Registry) -> None:
    with pytest.raises(CorpusUnavailable, match="the folder is empty"):
        open_corpus(section_of("absent"), registry, Path(), announce=print)


def test_a_fallback_does_not_hide_a_mistake_of_the_user(registry: Registry) -> None:
    section = section_of("wrong", fallback="present")
    with pytest.raises(UsageError, match="no such file"):
        open_corpus(section, registry, Path(), announce=print)


@given(st.integers(20, 10**6))
def test_the_usual_split_equals_decimal_arithmetic(size: int) -> None:
    splits = split(corpus_of(size), train=0.9, validation=0.05, test=0.05)
    assert splits.training.stop == int(Decimal("0.9") * size)
    assert splits.validation.stop == int(Decimal("0.95") * size)


@given(st.integers(100, 5000), st.integers(1, 98), st.integers(1, 98))
def test_parts_are_contiguous_and_cover_the_corpus(size: int, train: int, validation: int) -> None:
    validation = min(validation, 99 - train)
    test = 100 - train - validation
    corpus = corpus_of(size)
    splits = split(corpus, train=train / 100, validation=validation / 100, test=test / 100)
    parts = [splits.training.bytes, splits.validation.bytes, splits.test.bytes]
    np.testing.assert_array_equal(np.concatenate(parts), corpus.data)
    tail = np.concatenate(parts[1:])
    np.testing.assert_array_equal(splits.held_out.bytes, tail)
    assert all(len(part) for part in parts)


def test_identity_names_the_shares() -> None:
    splits = split(corpus_of(100), train=0.9, validation=0.05, test=0.05)
    assert splits.identity == "0.9/0.05/0.05"


@pytest.mark.parametrize(
    ("size", "shares", "part"),
    [
        (9, (0.9, 0.05, 0.05), "validation"),
        (0, (0.9, 0.05, 0.05), "training"),
        (100, (0.0, 0.5, 0.5), "training"),
        (100, (0.5, 0.5, 0.0), "test"),
    ],
)
def test_an_empty_part_is_an_error_with_its_name(
    size: int, shares: tuple[float, float, float], part: str
) -> None:
    train, validation, test = shares
    with pytest.raises(UsageError, match=f"its {part} part would be empty"):
        split(corpus_of(size), train=train, validation=validation, test=test)


def test_shares_that_do_not_add_up_to_one_are_an_error() -> None:
    with pytest.raises(UsageError, match=r"adds up to 1\.1"):
        split(corpus_of(100), train=0.9, validation=0.1, test=0.1)


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, (1 << 20) + 1])
def test_sha256_in_blocks_equals_that_of_the_whole(size: int) -> None:
    data = np.random.default_rng(1).integers(0, 256, size).astype(np.uint8)
    assert sha256_of(data) == hashlib.sha256(data.tobytes()).hexdigest()
    assert sha256_of(data[::2]) == hashlib.sha256(data[::2].tobytes()).hexdigest()


def test_a_corpus_is_opened_without_torch() -> None:
    program = """
import sys
from pathlib import Path
from seqzoo.data.corpus import divide, open_corpus, sha256_of
from seqzoo.plugin.registry import load_registry
from seqzoo.recipes.sections import CorpusSection
registry = load_registry()
options = registry.get("corpus", "file").options(path=__file__)
corpus = open_corpus(
    CorpusSection(name="file", options=options), registry, Path(), announce=print
)
assert len(sha256_of(corpus.data)) == 64
sys.exit("torch" in sys.modules)
"""
    program = program.replace("__file__", repr(__file__))
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


@pytest.mark.parametrize(
    "shares", [(0.9, 0.05, 0.05), (0.5, 0.25, 0.25), (0.98, 0.01, 0.01), (0.1, 0.1, 0.8)]
)
def test_the_size_that_a_split_asks_for_is_enough(shares: tuple[float, float, float]) -> None:
    train, validation, test = shares
    with pytest.raises(UsageError, match="at least") as caught:
        split(corpus_of(1), train=train, validation=validation, test=test)
    needed = int(str(caught.value).split("at least ")[1].split()[0])
    assert split(corpus_of(needed), train=train, validation=validation, test=test)


def test_a_corpus_that_comes_divided_is_divided_so_unless_the_recipe_says_otherwise() -> None:
    corpus = Corpus(name="c", data=np.zeros(100, np.uint8), origin="", division=(60, 90))
    own = divide(corpus, None)
    assert [(s.start, s.stop) for s in (own.training, own.validation, own.test)] == [
        (0, 60),
        (60, 90),
        (90, 100),
    ]
    assert own.identity == "its own, 60/30/10 bytes"
    shares = divide(corpus, SplitSection(train=0.8, validation=0.1, test=0.1))
    assert (shares.training.stop, shares.identity) == (80, "0.8/0.1/0.1")
    usual = divide(dataclasses.replace(corpus, division=None), None)
    assert (usual.training.stop, usual.identity) == (90, "0.9/0.05/0.05")


@pytest.mark.parametrize("division", [(0, 5), (5, 5), (6, 5), (5, 10), (-1, 5)])
def test_a_division_with_an_empty_part_is_refused(division: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="division of corpus 'c'"):
        Corpus(name="c", data=np.zeros(10, np.uint8), origin="", division=division)


@pytest.mark.parametrize("starts", [[], [1, 3], [0, 3, 3], [0, 5, 4], [0, 11]])
def test_documents_ascend_from_the_first_byte(starts: list[int]) -> None:
    with pytest.raises(ValueError, match="documents of corpus 'c'"):
        Corpus(
            name="c",
            data=np.zeros(10, np.uint8),
            origin="",
            documents=np.array(starts, dtype=np.int64),
        )


class OfPairs(Tokenizer):
    """A token for two equal bytes, and one for each other byte."""

    vocab_size = 512

    def encode(self, data: np.ndarray) -> np.ndarray:
        tokens, place = [], 0
        while place < len(data):
            is_pair = place + 1 < len(data) and data[place] == data[place + 1]
            tokens.append(int(data[place]) + 256 * is_pair)
            place += 1 + is_pair
        return np.array(tokens, dtype=np.uint16)

    def decode(self, tokens: np.ndarray) -> bytes:
        return b"".join(bytes([t % 256]) * (1 + (t >= 256)) for t in tokens.tolist())

    def byte_lengths(self, tokens: np.ndarray) -> np.ndarray:
        return np.where(tokens >= 256, 2, 1)


def test_documents_in_tokens_are_the_first_tokens_that_begin_in_them() -> None:
    data = np.frombuffer(b"aabbccdde", np.uint8)  # "bb" is across a border
    starts = np.array([0, 3, 6, 8, 9 + 50])  # the last is beyond the training part
    encoded = EncodedTraining(OfPairs(), data, starts)
    begins = np.cumsum([0, *OfPairs().byte_lengths(encoded.tokens)])[:-1].tolist()
    expected = [min(i for i, begin in enumerate(begins) if begin >= start) for start in starts[:-1]]
    assert encoded.documents is not None
    assert encoded.documents.tolist() == expected == [0, 2, 3, 4]
    assert EncodedTraining(OfPairs(), data).documents is None


def test_opening_a_corpus_tidies_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQZOO_CACHE", str(tmp_path))
    left = tmp_path / "stdin" / f".text.{'0' * 32}.tmp"
    left.parent.mkdir()
    left.write_bytes(b"half")
    parsed = recipe(yaml.safe_load(SMALL), {"corpus.options.size_bytes": 3000})
    open_data(parsed, announce=pytest.fail)
    assert not left.exists()
