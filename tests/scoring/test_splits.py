"""Splits scored together equal splits scored separately; common beginnings are read once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from tiny import RUNTIME, ByteTokenizer, Nibbles, Recurrent
from torch import Tensor

from seqzoo.data.corpus import Splits
from seqzoo.data.tokens import EncodedTraining, encode_span
from seqzoo.plugin.contracts import State, Tokenizer
from seqzoo.plugin.span import Span
from seqzoo.plugin.specs import SPLITS
from seqzoo.recipes.sections import AdaptiveSection
from seqzoo.scoring.adaptive import gradient_scales, score_adaptively
from seqzoo.scoring.chunks import SplitReader
from seqzoo.scoring.splits import adaptive_scores, named_splits, static_scores
from seqzoo.scoring.static import Protocol, score
from seqzoo.scoring.tally import Tally
from seqzoo.terminal.display import Display

BYTES = np.random.default_rng(0).choice(np.frombuffer(b"ab c\n", dtype=np.uint8), size=6000)
SPLIT = Splits(Span(BYTES, 0, 3000), Span(BYTES, 3000, 4100), Span(BYTES, 4100, 6000), "0.5/-/-")
PARTS = named_splits(SPLIT)


class CountingTokenizer(ByteTokenizer):
    """Counts the bytes that it encodes."""

    def __init__(self) -> None:
        self.encoded = 0

    def encode(self, data: Any) -> Any:
        self.encoded += len(data)
        return np.array(data)  # a copy: with a view, a large text is encoded in one call


class CountingModel(Recurrent):
    """Counts the tokens that it reads."""

    read = 0

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        self.read += tokens.numel()
        return super().forward(tokens, state)


def model() -> CountingModel:
    torch.manual_seed(0)
    return CountingModel(dropout=0.5)


def assert_same(found: Mapping[str, Any], separate: Mapping[str, Tally]) -> None:
    assert list(found) == list(separate)
    for name, tally in separate.items():
        assert found[name].bits_per_byte == tally.bits_per_byte, name
        assert found[name].accuracy == tally.accuracy


@pytest.mark.parametrize("tokenizer", [ByteTokenizer(), Nibbles()])
@pytest.mark.parametrize(
    "protocol", [Protocol(chunk_length=64), Protocol(lanes=3, chunk_length=64)]
)
def test_splits_scored_together_equal_splits_scored_separately(
    tokenizer: Tokenizer, protocol: Protocol
) -> None:
    network = Recurrent(vocab_size=tokenizer.vocab_size)
    together = static_scores(
        network, tokenizer, PARTS, runtime=RUNTIME, protocol=protocol, display=Display()
    )
    separate = {
        name: score(network, tokenizer, getattr(SPLIT, name), runtime=RUNTIME, protocol=protocol)
        for name in SPLITS
    }
    assert_same(together, separate)


def test_adaptive_scores_together_equal_separate_ones() -> None:
    section = AdaptiveSection(segment_length=16, learning_rate=0.01)
    network = model()
    training = EncodedTraining(ByteTokenizer(), SPLIT.training.bytes)
    scales = gradient_scales(network, training, runtime=RUNTIME, section=section)
    readers = {
        name: SplitReader(encode_span(ByteTokenizer(), getattr(SPLIT, name))) for name in SPLITS
    }
    together = score_adaptively(network, readers, runtime=RUNTIME, section=section, scales=scales)
    separate: dict[str, Tally] = {}
    for name, reader in readers.items():
        separate |= score_adaptively(
            network, {name: reader}, runtime=RUNTIME, section=section, scales=scales
        )
    assert_same(together, separate)


def test_validation_is_read_once_as_the_beginning_of_the_held_out_part() -> None:
    network = model()
    protocol = Protocol(chunk_length=100)
    static_scores(
        network, ByteTokenizer(), PARTS, runtime=RUNTIME, protocol=protocol, display=Display()
    )
    assert network.read == len(SPLIT.held_out) + len(SPLIT.test)


def test_adaptive_scores_encode_the_training_part_once() -> None:
    tokenizer = CountingTokenizer()
    training = EncodedTraining(tokenizer, SPLIT.training.bytes)
    before = tokenizer.encoded
    assert before == len(SPLIT.training)
    adaptive_scores(
        model(),
        tokenizer,
        PARTS,
        training=lambda: training,
        runtime=RUNTIME,
        section=AdaptiveSection(),
        display=Display(),
    )
    # The splits, and the 64 bytes before each, of which the last token is the first input.
    held_out = len(SPLIT.validation) + len(SPLIT.test) + len(SPLIT.held_out)
    assert tokenizer.encoded - before == held_out + 3 * 64


@pytest.mark.parametrize("tokenizer", [ByteTokenizer(), Nibbles()])
def test_stretches_of_the_training_part_are_its_own_bytes(tokenizer: Tokenizer) -> None:
    training = EncodedTraining(tokenizer, SPLIT.training.bytes)
    per_byte = len(training) // len(SPLIT.training)
    starts = []
    for index, text in training.stretches(5, 64):
        assert len(text.data) == 64
        assert tokenizer.decode(text.tokens) == text.data.tobytes()
        start = index // per_byte
        np.testing.assert_array_equal(text.data, BYTES[start : start + 64])
        assert text.first_input == (int(training.tokens[index - 1]) if index else 0)
        starts.append(start)
    assert starts == [0, 734, 1468, 2202, 2936]
