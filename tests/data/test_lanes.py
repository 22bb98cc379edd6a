"""Lanes: every batch continues the text that the carried state has read."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import Nibbles

from seqzoo.data.lanes import Lanes
from seqzoo.data.tokens import encode
from seqzoo.errors import UsageError


def distinct_tokens(count: int) -> np.ndarray:
    """Tokens that are equal to their positions."""
    return np.arange(count, dtype=np.uint32)


@given(st.integers(1, 7), st.integers(1, 9), st.integers(20, 200))
def test_every_batch_continues_the_previous_one_in_every_lane(
    batch_size: int, length: int, count: int
) -> None:
    lanes = Lanes(distinct_tokens(count), batch_size=batch_size)
    previous = None
    while lanes.epoch == 0:
        batch = lanes.next(length)
        if previous is None:
            assert batch.restarts.all()
        else:
            assert not batch.restarts.any()
            assert torch.equal(batch.inputs[:, 0], previous.targets[:, -1])
        previous = batch
    assert lanes.next(length).restarts.all()


@given(st.integers(1, 7), st.integers(1, 9), st.integers(20, 200))
def test_targets_are_the_next_token(batch_size: int, length: int, count: int) -> None:
    batch = Lanes(distinct_tokens(count), batch_size=batch_size).next(length)
    assert torch.equal(batch.targets, batch.inputs + 1)


@given(st.integers(1, 7), st.integers(1, 9), st.integers(20, 200))
def test_an_epoch_reads_every_token_of_the_lanes_once(
    batch_size: int, length: int, count: int
) -> None:
    lanes = Lanes(distinct_tokens(count), batch_size=batch_size)
    seen: list[int] = []
    while lanes.epoch == 0:
        seen.extend(lanes.next(length).targets.flatten().tolist())
    assert sorted(seen) == list(range(1, batch_size * lanes.lane_length + 1))
    assert count - 1 - len(seen) < batch_size


def test_a_batch_does_not_change_after_it_was_returned() -> None:
    lanes = Lanes(distinct_tokens(1000), batch_size=4)
    batches = [lanes.next(16) for _ in range(10)]
    copies = [(batch.inputs.clone(), batch.targets.clone()) for batch in batches]
    for _ in range(20):
        lanes.next(16)
    for batch, (inputs, targets) in zip(batches, copies, strict=True):
        assert torch.equal(batch.inputs, inputs)
        assert torch.equal(batch.targets, targets)


def test_position_and_epoch_are_the_whole_state() -> None:
    first, second = (Lanes(distinct_tokens(100), batch_size=3) for _ in range(2))
    for _ in range(7):
        first.next(8)
    second.position, second.epoch = first.position, first.epoch
    for _ in range(9):
        assert torch.equal(first.next(8).inputs, second.next(8).inputs)


def test_the_error_for_a_small_corpus_names_the_required_size() -> None:
    with pytest.raises(UsageError, match=r"batch_size 8 needs at least 9 tokens.*found 5"):
        Lanes(distinct_tokens(5), batch_size=8)


def test_a_large_text_is_encoded_to_a_file_with_the_same_tokens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = np.random.default_rng(0).integers(0, 256, 1000).astype(np.uint8)
    whole = encode(Nibbles(), data)
    monkeypatch.setattr("seqzoo.data.tokens._BLOCK_BYTES", 64)
    in_blocks = encode(Nibbles(), data)
    assert isinstance(in_blocks, np.memmap)
    assert np.array_equal(whole, in_blocks)
