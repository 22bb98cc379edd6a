"""Byte pair encoding of any bytes; what needs the package `tokenizers` is in the slow suite."""

from __future__ import annotations

import itertools
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from commands import SMALL
from hypothesis import given, settings
from hypothesis import strategies as st

import seqzoo
from seqzoo_plugins.bpe.tokenizer import BPETokenizer
from seqzoo_plugins.bpe.words import words_of

TEXT = b"".join(b"line %d: the other \xc3\xa9 brother, 12%d\n" % (n, n) for n in range(60))


def as_array(text: bytes) -> np.ndarray:
    return np.frombuffer(text, dtype=np.uint8)


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)


@given(st.binary(max_size=300))
def test_words_are_all_bytes_and_none_is_long(text: bytes) -> None:
    words = list(words_of(as_array(text)))
    assert b"".join(words) == text
    assert all(0 < len(word) <= 65 for word in words)


def test_a_word_has_the_space_before_it_and_one_kind_of_byte() -> None:
    words = list(words_of(as_array(b"KING:\n\n  Who's 1st? \xc3\xa9t\xc3\xa9\t")))
    assert words == [
        *(b"KING", b":", b"\n\n ", b" Who", b"'", b"s", b" 1", b"st", b"?"),
        *(b" \xc3\xa9t\xc3\xa9", b"\t"),
    ]


def test_binary_data_has_words_of_a_bounded_length() -> None:
    for value in (0, 32, 65, 255):
        assert max(map(len, words_of(np.full(1000, value, dtype=np.uint8)))) == 64


@pytest.mark.usefixtures("without_library")
def test_a_tokenizer_that_learnt_nothing_has_the_bytes() -> None:
    tokenizer = BPETokenizer(1000)
    assert tokenizer.vocab_size == 256
    assert tokenizer.encode(as_array(TEXT)).tolist() == list(TEXT)


@pytest.mark.usefixtures("without_library")
def test_without_the_package_the_command_that_installs_it_is_shown() -> None:
    with pytest.raises(seqzoo.UsageError) as raised:
        BPETokenizer(1000).learn(as_array(TEXT))
    assert raised.value.exit_code == 2
    assert str(raised.value) == (
        "tokenizer 'bpe' needs the package 'tokenizers', which is not installed; install it with: "
        "pip install 'seqzoo[bpe]'"
    )
    restored = BPETokenizer(1000)
    restored.restore({"merges": [[97, 98]]})
    with pytest.raises(seqzoo.UsageError, match="pip install"):
        restored.encode(as_array(b"ab"))


@pytest.mark.usefixtures("without_library")
def test_ids_are_decoded_without_the_package() -> None:
    tokenizer = BPETokenizer(1000)
    tokenizer.restore({"merges": [[97, 98], [98, 99], [256, 99], [97, 257], [258, 32]]})
    # Two pairs give "abc", which is one token.
    assert tokenizer.vocab_size == 260
    tokens = np.array([258, 259, 255, 257])
    assert tokenizer.decode(tokens) == b"abcabc \xffbc"
    assert tokenizer.byte_lengths(tokens).tolist() == [3, 4, 1, 2]


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"merges": 5},
        {"merges": [[97, 256]]},
        {"merges": [[97, 98], [-1, 98]]},
        {"merges": [[97, 98, 99]]},
        {"merges": [[97, 98.0]]},
        {"merges": [], "further": 1},
    ],
    ids=str,
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(state: dict[str, Any]) -> None:
    tokenizer = BPETokenizer(1000)
    tokenizer.restore({"merges": [[97, 98]]})
    with pytest.raises(ValueError, match="expected"):
        tokenizer.restore(state)
    assert tokenizer.state() == {"merges": [[97, 98]]}


def merged(word: bytes, ranks: dict[tuple[bytes, bytes], int]) -> list[bytes]:
    """The parts of a word: again and again, the earliest merge that applies joins its pairs."""
    parts = [bytes([value]) for value in word]
    while known := [pair for pair in itertools.pairwise(parts) if pair in ranks]:
        best = min(known, key=ranks.__getitem__)
        joined: list[bytes] = []
        for part in parts:
            if joined and (joined[-1], part) == best:
                joined[-1] += part
                # So that it is not the left side of the next pair.
                joined.append(b"")
            else:
                joined.append(part)
        parts = [part for part in joined if part]
    return parts


def ranks_of(tokenizer: BPETokenizer) -> dict[tuple[bytes, bytes], int]:
    def text(token: int) -> bytes:
        return tokenizer.decode(np.array([token]))

    merges = tokenizer.state()["merges"]
    return {(text(left), text(right)): rank for rank, (left, right) in enumerate(merges)}


@pytest.fixture(scope="module")
def learnt() -> BPETokenizer:
    pytest.importorskip("tokenizers", reason="pip install 'seqzoo[bpe]'")
    tokenizer = BPETokenizer(270)
    tokenizer.learn(as_array(TEXT))
    return tokenizer


@pytest.mark.slow
@settings(deadline=None)
@given(
    text=st.binary(max_size=200)
    | st.text(alphabet="the broINE:\n 12é", max_size=99).map(str.encode)
)
def test_tokens_are_those_of_the_merges_applied_by_hand(learnt: BPETokenizer, text: bytes) -> None:
    ranks = ranks_of(learnt)
    tokens = learnt.encode(as_array(text))
    expected = [part for word in words_of(as_array(text)) for part in merged(word, ranks)]
    assert [learnt.decode(tokens[i : i + 1]) for i in range(len(tokens))] == expected
    assert learnt.byte_lengths(tokens).tolist() == [len(part) for part in expected]


@pytest.mark.slow
def test_every_merge_is_of_a_most_frequent_pair(learnt: BPETokenizer) -> None:
    words = Counter(words_of(as_array(TEXT)))
    ranks = ranks_of(learnt)
    assert len(ranks) == 270 - 256
    for rank, pair in enumerate(ranks):
        earlier = dict(list(ranks.items())[:rank])
        pairs: Counter[tuple[bytes, bytes]] = Counter()
        for word, count in words.items():
            for each in itertools.pairwise(merged(word, earlier)):
                pairs[each] += count
        assert pairs[pair] == max(pairs.values())


@pytest.mark.slow
def test_a_text_that_is_cut_between_words_has_the_same_tokens(learnt: BPETokenizer) -> None:
    whole = learnt.encode(as_array(TEXT)).tolist()
    ends = np.cumsum([len(word) for word in words_of(as_array(TEXT))])
    for cut in ends[::17]:
        parts = [learnt.encode(as_array(part)) for part in (TEXT[:cut], TEXT[cut:])]
        # A run of white space can be divided otherwise.
        if not TEXT[cut - 1 : cut].isspace() and not TEXT[cut : cut + 1].isspace():
            assert np.concatenate(parts).tolist() == whole
        assert b"".join(map(learnt.decode, parts)) == TEXT


@pytest.mark.slow
def test_learning_twice_gives_the_same_json(learnt: BPETokenizer) -> None:
    other = BPETokenizer(270)
    other.learn(as_array(TEXT))
    assert json.dumps(other.state()) == json.dumps(learnt.state())


@pytest.mark.slow
def test_the_same_run_has_the_same_score_and_a_finished_one_can_be_used(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason="pip install 'seqzoo[bpe]'")
    recipe = yaml.safe_load(SMALL)
    changes = {"tokenizer": {"name": "bpe", "options": {"vocab_size": 400}}}
    whole = seqzoo.run(recipe, changes, root=tmp_path / "whole")
    again = seqzoo.run(recipe, changes, root=tmp_path / "again")
    assert whole.result is not None
    assert again.result is not None
    assert whole.result.scores == again.result.scores
    assert whole.score(b"To be, or not").bits_per_byte > 0
