"""Bits per byte: every byte is scored once and exactly, with any chunks, lanes and tokens."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import RUNTIME, Bigram, ByteTokenizer, Nibbles, Recurrent, Uniform, bits_of_table

from seqzoo.errors import DivergedError, UsageError
from seqzoo.plugin.span import Span
from seqzoo.scoring.static import Protocol, score
from seqzoo.scoring.tally import block_size


def corpus(count: int = 6000, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, count).astype(np.uint8)


def scored(model: torch.nn.Module, span: Span, **protocol: int):  # type: ignore[no-untyped-def]
    return score(model, ByteTokenizer(), span, runtime=RUNTIME, protocol=Protocol(**protocol))  # type: ignore[arg-type]


def test_a_uniform_model_scores_exactly_eight() -> None:
    result = scored(Uniform(), Span(corpus(), 1000, 6000))
    assert result.bits_per_byte == 8.0


@settings(max_examples=20)
@given(st.integers(1, 300), st.integers(1, 400), st.integers(1, 3000))
def test_bits_equal_a_loop_over_bytes(chunk_length: int, start: int, length: int) -> None:
    data, model = corpus(), Bigram()
    result = scored(model, Span(data, start, start + length), chunk_length=chunk_length)
    table = model.table.detach().numpy()
    expected = bits_of_table(table, int(data[start - 1]), data[start : start + length].tobytes())
    assert result.num_bytes == length
    # Logits are float32 and sums float64: only the rounding of the logits differs.
    assert result.bits_per_byte * length == pytest.approx(expected, rel=1e-6)


def test_a_limit_scores_the_first_bytes_and_has_a_protocol_of_its_own() -> None:
    data, model = corpus(), Bigram()
    limited = scored(model, Span(data, 1000, 6000), max_bytes=700)
    assert limited.num_bytes == 700
    assert limited.bits_per_byte == scored(model, Span(data, 1000, 1700)).bits_per_byte
    protocol = Protocol(max_bytes=700)
    assert "first 700 bytes" in str(protocol)
    assert protocol.record(adaptive=True).name.startswith("adaptive, 1 lane")
    assert protocol.record() != Protocol().record()


def test_a_limit_that_is_not_reached_is_none() -> None:
    assert Protocol(max_bytes=700).limited_by(701) == Protocol(max_bytes=700)
    assert Protocol(max_bytes=700).limited_by(700) == Protocol()
    assert Protocol().limited_by(700) == Protocol()


def test_accuracy_counts_correct_predictions() -> None:
    data, model = corpus(2000), Bigram()
    result = scored(model, Span(data, 500, 2000))
    best = model.table.detach().numpy().argmax(1)
    expected_correct = sum(best[data[i - 1]] == data[i] for i in range(500, 2000))
    assert result.correct == expected_correct
    assert result.accuracy == expected_correct / 1500


@pytest.mark.parametrize("chunk_length", [1, 7, 64, 5000])
def test_chunk_length_does_not_change_the_score(chunk_length: int) -> None:
    torch.manual_seed(0)
    model, span = Recurrent(), Span(corpus(2000), 1000, 2000)
    whole = scored(model, span, chunk_length=1000).bits_per_byte
    assert scored(model, span, chunk_length=chunk_length).bits_per_byte == pytest.approx(
        whole, abs=1e-6
    )


@settings(max_examples=30)
@given(st.integers(1, 9), st.integers(0, 50), st.integers(1, 90), st.integers(20, 2500))
def test_lanes_score_every_byte_once(
    lanes: int, warmup_tokens: int, chunk_length: int, length: int
) -> None:
    # A bigram needs one byte of context, which each lane has as its first input.
    data, model = corpus(3000), Bigram()
    span = Span(data, 400, 400 + length)
    one = scored(model, span)
    many = scored(model, span, lanes=lanes, warmup_tokens=warmup_tokens, chunk_length=chunk_length)
    assert many.num_bytes == one.num_bytes == length
    assert many.correct == one.correct
    np.testing.assert_allclose(many.block_bits, one.block_bits, rtol=1e-6)


def test_blocks_add_up_to_the_total_and_end_at_their_bytes() -> None:
    data, model = corpus(60_000), Bigram()
    result = scored(model, Span(data, 1000, 52_300))
    assert result.block_bytes.tolist() == [1000] * 51 + [300]
    second = scored(model, Span(data, 2000, 3000))
    assert result.block_bits[1] == pytest.approx(second.block_bits.sum(), rel=1e-9)


@pytest.mark.parametrize("length", [1, 7, 50, 99, 4321, 49_999, 50_000, 200_000])
def test_small_splits_have_small_blocks_and_enough_of_them(length: int) -> None:
    size = block_size(length)
    assert 1 <= size <= 1000
    assert length // size >= min(length, 50)
    assert size == 1000 or length < 50 * 1001


@pytest.mark.parametrize("lanes", [1, 4])
def test_tokens_that_are_not_bytes_are_charged_to_raw_bytes(lanes: int) -> None:
    span = Span(corpus(3000), 500, 3000)
    result = score(Uniform(), Nibbles(), span, runtime=RUNTIME, protocol=Protocol(lanes, 8, 37))
    assert result.tokens == 5000
    assert result.bits_per_byte == 16.0
    np.testing.assert_allclose(result.block_bits / result.block_bytes, 16, rtol=1e-12)


def test_scoring_restores_modes_and_generators() -> None:
    torch.manual_seed(1)
    model = Recurrent(dropout=0.5).train()
    model.embed.eval()
    before = torch.get_rng_state()
    first = scored(model, Span(corpus(), 5000, 6000)).bits_per_byte
    assert torch.equal(before, torch.get_rng_state())
    assert model.training
    assert not model.embed.training
    assert all(p.grad is None for p in model.parameters())
    assert scored(model, Span(corpus(), 5000, 6000)).bits_per_byte == first


def test_a_split_at_the_files_start_can_be_scored() -> None:
    result = scored(Uniform(), Span(corpus(), 0, 500))
    assert result.bits_per_byte == 8.0


def test_more_lanes_than_bytes_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"5 bytes cannot be scored in 8 lanes"):
        scored(Uniform(), Span(corpus(), 10, 15), lanes=8)


def test_probability_0_for_a_byte_is_reported_as_divergence() -> None:
    model = Bigram()
    with torch.no_grad():
        model.table[:, 7] = -torch.inf
    with pytest.raises(DivergedError, match="probability 0"):
        scored(model, Span(corpus(), 1000, 3000))
