"""The stream of shifted lanes: every token once in an epoch, and cut at other places in each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import seqzoo_plugins.shifted as plugin
from seqzoo import Options, StreamContext, UsageError
from seqzoo.data.lanes import Lanes
from seqzoo.plugin.contracts import Batch, Stream

CASES = {
    "rows": st.integers(1, 5),
    "more": st.integers(1, 60),
    "length": st.integers(1, 9),
    "seed": st.integers(0, 9),
}


def open_(count: int, rows: int, *, seed: int = 1) -> Stream:
    """Numbered tokens."""
    (spec,) = plugin.register_streams()
    tokens = np.arange(count, dtype=np.uint32)
    return spec.open(Options(), StreamContext(tokens=tokens, batch_size=rows, seed=seed))


def epochs(stream: Stream, length: int, count: int) -> Iterator[list[Batch]]:
    """The batches of each epoch."""
    for epoch in range(count):
        batches = []
        while stream.epoch == epoch:
            batches.append(stream.next(length))
        yield batches


@given(**CASES)
def test_each_target_is_read_once_in_an_epoch_and_few_are_left_out(
    rows: int, more: int, length: int, seed: int
) -> None:
    count = rows + more
    for batches in epochs(open_(count, rows, seed=seed), length, 4):
        targets = torch.cat([batch.targets.flatten() for batch in batches]).tolist()
        assert len(set(targets)) == len(targets)
        assert set(targets) <= set(range(1, count))
        assert count - 1 - len(targets) == (count - 1) % rows


@given(**CASES)
def test_rows_are_text_without_gaps_and_restart_only_where_something_begins(
    rows: int, more: int, length: int, seed: int
) -> None:
    count = rows + more
    for batches in epochs(open_(count, rows, seed=seed), length, 4):
        assert batches[0].restarts.all()
        for number, batch in enumerate(batches):
            assert batch.positions is not None
            expected = batch.positions[:, None] + torch.arange(batch.inputs.shape[1])
            assert torch.equal(batch.inputs, expected)
            assert torch.equal(batch.targets, expected + 1)
            if number:
                assert torch.equal(batch.restarts, batch.inputs[:, 0] == 0)
                goes_on = ~batch.restarts
                before = batches[number - 1].targets[:, -1]
                assert torch.equal(batch.inputs[goes_on, 0], before[goes_on])
                assert before[batch.restarts].tolist() in ([], [count - 1])


def test_lanes_begin_and_are_cut_elsewhere_in_each_epoch_and_with_each_seed() -> None:
    def starts(seed: int) -> list[int]:
        found = []
        for batches in epochs(open_(10_000, 4, seed=seed), 64, 6):
            assert batches[0].positions is not None
            found.append(int(batches[0].positions[0]) % 64)
        return found

    assert starts(1) == starts(1)
    assert len({*starts(1), *starts(2)}) >= 10  # of 12 draws from 64 places


def test_at_most_one_batch_more_than_plain_lanes_is_short() -> None:
    rows, length, count = 4, 64, 10_000
    plain = Lanes(np.zeros(count, dtype=np.uint8), batch_size=rows)
    (expected,) = epochs(plain, length, 1)
    for batches in epochs(open_(count, rows), length, 6):
        assert len(expected) <= len(batches) <= len(expected) + 1
        assert sum(batch.inputs.shape[1] < length for batch in batches) <= 2


@pytest.mark.parametrize("batches", range(0, 40, 3))
def test_every_place_can_be_restored(batches: int) -> None:
    stream, other = open_(101, 3), open_(101, 3)
    for _ in range(batches):
        stream.next(4)
    other.restore(stream.state())
    for _ in range(30):
        one, two = stream.next(5), other.next(5)
        for part in ("inputs", "targets", "restarts", "positions"):
            assert torch.equal(getattr(one, part), getattr(two, part))
        assert stream.epoch == other.epoch


def test_a_text_that_is_too_short_is_one_sentence() -> None:
    with pytest.raises(UsageError, match=r"batch_size 4 needs at least 5 tokens .*, found 4;"):
        open_(4, 4)
    assert open_(5, 4).next(9).inputs.shape == (4, 1)


@pytest.mark.parametrize("state", [{"position": 33, "epoch": 0}, {"position": 0, "epoch": -1}])
def test_a_place_outside_of_the_lanes_is_refused(state: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="is not in lanes of 33 tokens"):
        open_(101, 3).restore(state)
