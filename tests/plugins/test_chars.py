"""The escape of unseen bytes, and files larger than a block."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqzoo_plugins.bytes.tokenizer import ByteTokenizer
from seqzoo_plugins.chars import tokenizer as module
from seqzoo_plugins.chars.tokenizer import CharTokenizer


def as_array(data: bytes) -> np.ndarray:
    return np.frombuffer(data, dtype=np.uint8)


def taught(training: bytes) -> CharTokenizer:
    tokenizer = CharTokenizer()
    tokenizer.learn(as_array(training))
    return tokenizer


def encode_naively(symbols: list[int], data: bytes) -> list[int]:
    tokens = []
    for byte in data:
        if byte in symbols:
            tokens.append(symbols.index(byte))
        else:
            tokens += [len(symbols), *divmod(byte, len(symbols))]
    return tokens


def decode_naively(symbols: list[int], tokens: list[int]) -> bytes:
    """A reader of one id at a time. It keeps the digits of an incomplete escape, or None."""
    digits: list[int] | None = None
    out = bytearray()
    for token in tokens:
        if token == len(symbols):
            digits = []
        elif digits is None:
            out.append(symbols[token])
        else:
            digits.append(token)
            if len(digits) == 2:
                value = digits[0] * len(symbols) + digits[1]
                if value < 256:
                    out.append(value)
                digits = None
    return bytes(out)


@given(training=st.binary(max_size=60), data=st.binary(max_size=60))
def test_encode_equals_a_byte_by_byte_encoder(training: bytes, data: bytes) -> None:
    tokenizer = taught(training)
    symbols = list(tokenizer.state()["symbols"])
    assert tokenizer.encode(as_array(data)).tolist() == encode_naively(symbols, data)


@given(data=st.data())
def test_decode_equals_an_id_by_id_decoder_for_any_ids(data: st.DataObject) -> None:
    tokenizer = taught(b"some of the text, no more")
    escape = tokenizer.vocab_size - 1
    ids = st.one_of(st.integers(0, escape), st.just(escape))
    tokens = data.draw(st.lists(ids, max_size=30))
    array = np.array(tokens, dtype=np.int64)
    expected = decode_naively(list(tokenizer.state()["symbols"]), tokens)
    assert tokenizer.decode(array) == expected
    assert tokenizer.byte_lengths(array).sum() == len(expected)


def test_symbols_are_the_sorted_distinct_bytes_of_the_training_part() -> None:
    training = b"the quick brown fox jumps over the lazy dog"
    tokenizer = taught(training)
    assert tokenizer.state() == {"symbols": sorted(set(training))}
    assert tokenizer.vocab_size == len(set(training)) + 1
    assert tokenizer.encode(as_array(b" ")).tolist() == [0]


def test_a_small_alphabet_is_extended_with_the_lowest_missing_bytes() -> None:
    assert taught(b"\x01b").state() == {"symbols": [*range(15), ord("b")]}


@pytest.mark.parametrize("num_symbols", [15, 16, 17, 255, 256])
def test_every_byte_round_trips_with_any_size_of_alphabet(num_symbols: int) -> None:
    tokenizer = taught(bytes(range(num_symbols)))
    everything = bytes(range(256))
    tokens = tokenizer.encode(as_array(everything))
    assert tokenizer.decode(tokens) == everything
    assert tokens.dtype == (np.uint8 if num_symbols < 256 else np.uint16)


def test_an_escaped_byte_counts_at_its_last_digit() -> None:
    tokenizer = taught(bytes(range(65, 91)))
    tokens = tokenizer.encode(as_array(b"Aa"))
    assert tokenizer.byte_lengths(tokens).tolist() == [1, 0, 0, 1]


def test_the_block_size_does_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.random.default_rng(0).integers(0, 256, 1000, dtype=np.uint8)
    whole = taught(b"0123456789 and letters")
    expected = whole.encode(data)
    monkeypatch.setattr(module, "_BLOCK", 7)
    cut = taught(b"0123456789 and letters")
    assert cut.state() == whole.state()
    np.testing.assert_array_equal(cut.encode(data), expected, strict=True)


def test_a_memory_mapped_file_is_learned_and_encoded(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"enter the ghost, exeunt others\n" * 100)
    data = np.memmap(tmp_path / "text", dtype=np.uint8, mode="r")
    tokenizer = CharTokenizer()
    tokenizer.learn(data)
    assert tokenizer.decode(tokenizer.encode(data)) == data.tobytes()


@pytest.mark.parametrize(
    "symbols",
    [
        None,
        "abc",
        list(range(15)),
        [*range(15), 14],
        [*range(15), 256],
        [*range(16)][::-1],
        [*map(float, range(16))],
    ],
)
def test_a_damaged_state_is_refused(symbols: object) -> None:
    with pytest.raises(ValueError, match="ascending byte values"):
        CharTokenizer().restore({"symbols": symbols})


def test_the_bytes_tokenizer_copies_nothing(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(bytes(range(256)))
    data = np.memmap(tmp_path / "data", dtype=np.uint8, mode="r")
    tokens = ByteTokenizer().encode(data)
    assert isinstance(tokens, np.memmap)
    assert np.shares_memory(tokens, data)
