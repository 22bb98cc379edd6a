"""Parts of a score by block, class and distance; each kind adds up to the total."""

from __future__ import annotations

import math
import string
from collections import defaultdict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import RUNTIME, Bigram, ByteTokenizer, Nibbles, Uniform

from seqzoo.plugin.contracts import Tokenizer
from seqzoo.plugin.span import Span
from seqzoo.scoring.static import Protocol, score
from seqzoo.scoring.tally import BYTE_CLASSES, Part, Tally, byte_class_table

TEXT = np.frombuffer(b"\x00Tab\there, 7 \xc3\xa9t\xc3\xa9s.\nNo? Yes! " * 40, dtype=np.uint8)


class Pairs(Tokenizer):
    """A token is two bytes; a single last byte is a token too."""

    vocab_size = 65536 + 256

    def encode(self, data):  # type: ignore[no-untyped-def]
        even = data[: len(data) // 2 * 2].reshape(-1, 2).astype(np.uint32)
        return np.concatenate(
            [even[:, 0] * 256 + even[:, 1], 65536 + data[len(data) // 2 * 2 :].astype(np.uint32)]
        )

    def decode(self, tokens):  # type: ignore[no-untyped-def]
        raise AssertionError("not needed")

    def byte_lengths(self, tokens):  # type: ignore[no-untyped-def]
        return np.where(np.asarray(tokens) < 65536, 2, 1).astype(np.int64)


def naive_class(byte: int) -> str:
    character = chr(byte)
    if character == "\n":
        return "newline"
    if character in " \t":
        return "space"
    for name, characters in (
        ("lower case", string.ascii_lowercase),
        ("upper case", string.ascii_uppercase),
        ("digit", string.digits),
        ("punctuation", string.punctuation),
    ):
        if character in characters:
            return name
    return "other"


def test_classes_of_bytes_follow_ascii() -> None:
    assert [BYTE_CLASSES[index] for index in byte_class_table()] == [
        naive_class(byte) for byte in range(256)
    ]


def test_parts_equal_a_loop_over_bytes() -> None:
    model, start = Bigram(), 5
    span = Span(TEXT, start, len(TEXT))
    tally = score(model, ByteTokenizer(), span, runtime=RUNTIME, protocol=Protocol(chunk_length=7))
    table = torch.log_softmax(model.table.detach().double(), dim=-1).numpy()
    classes: dict[str, list[float]] = defaultdict(list)
    distances: dict[int, list[float]] = defaultdict(list)
    for place in range(start, len(TEXT)):
        bits = -table[TEXT[place - 1], TEXT[place]] / math.log(2)
        classes[naive_class(TEXT[place])].append(bits)
        distances[int(math.log2(place - start)) + 1 if place > start else 0].append(bits)
    assert {part.name: part.bytes for part in tally.by_class()} == {
        name: len(costs) for name, costs in classes.items()
    }
    for part in tally.by_class():
        assert part.bits == pytest.approx(math.fsum(classes[part.name]), rel=1e-6)
    found = list(tally.by_distance())
    assert [part.name for part in found[:4]] == ["0", "1", "2", "4"]
    for part, (_, costs) in zip(found, sorted(distances.items()), strict=True):
        assert part.bytes == len(costs)
        assert part.bits == pytest.approx(math.fsum(costs), rel=1e-6)


@pytest.mark.parametrize("tokenizer", [ByteTokenizer(), Nibbles(), Pairs()])
@pytest.mark.parametrize("lanes", [1, 3])
def test_parts_add_up_to_the_total_for_any_token(tokenizer: Tokenizer, lanes: int) -> None:
    span = Span(TEXT, 11, len(TEXT) - 6)
    tally = score(
        Flat(tokenizer.vocab_size),
        tokenizer,
        span,
        runtime=RUNTIME,
        protocol=Protocol(lanes=lanes, warmup_tokens=4, chunk_length=50),
    )
    whole = tally.block_bits.sum()
    for parts in (list(tally.by_class()), list(tally.by_distance())):
        assert sum(part.bits for part in parts) == pytest.approx(whole, rel=1e-12)
        assert sum(part.bytes for part in parts) == len(span)
    sizes = {part.name: part.bytes for part in tally.by_class()}
    assert sizes == {name: sum(naive_class(byte) == name for byte in span.bytes) for name in sizes}


class Flat(Uniform):
    """Uniform over any vocabulary."""

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.bias = torch.nn.Parameter(torch.zeros(vocab_size))

    def forward(self, tokens, state=None):  # type: ignore[no-untyped-def]
        return self.bias.expand(*tokens.shape, len(self.bias)), torch.zeros(len(tokens), 0)


@settings(max_examples=30)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=40), st.integers(0, 3))
def test_the_cost_of_a_long_token_is_divided_among_its_bytes(sizes: list[int], seed: int) -> None:
    lengths = np.array(sizes)
    data = np.random.default_rng(seed).integers(0, 256, lengths.sum()).astype(np.uint8)
    nats = np.arange(1.0, len(sizes) + 1)
    tally = Tally(data)
    first = np.cumsum(lengths) - lengths
    tally.add(nats, nats > 2, positions=first, lengths=lengths, distances=first)
    expected: dict[str, float] = defaultdict(float)
    for token, size in enumerate(sizes):
        for byte in data[first[token] : first[token] + size]:
            expected[naive_class(byte)] += nats[token] / size
    found = {part.name: part.bits for part in tally.by_class()}
    assert found == {name: pytest.approx(cost) for name, cost in expected.items()}
    assert isinstance(next(tally.by_class()), Part)
