"""Laws of every installed stream, and of contiguous lanes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seqzoo import StreamContext
from seqzoo.data.lanes import Lanes
from seqzoo.plugin.contracts import Stream
from seqzoo.plugin.registry import Registry, load_registry

TOKENS = np.arange(1_000, dtype=np.uint32)
BATCH_SIZE, LENGTH = 4, 7

every_stream = pytest.mark.parametrize("name", ["", *load_registry().names("stream")])


@pytest.fixture
def stream(registry: Registry, name: str) -> Stream:
    return opened(registry, name)


def opened(registry: Registry, name: str) -> Stream:
    if not name:
        return Lanes(TOKENS, batch_size=BATCH_SIZE)
    spec = registry.get("stream", name)
    context = StreamContext(
        tokens=TOKENS, batch_size=BATCH_SIZE, documents=np.arange(0, len(TOKENS), 37)
    )
    stream: Stream = spec.open(spec.options(), context)
    return stream


@every_stream
def test_batches_are_rows_of_tokens_with_targets_one_ahead(stream: Stream) -> None:
    for _ in range(100):
        batch = stream.next(LENGTH)
        assert batch.inputs.dtype == batch.targets.dtype == torch.int64
        assert batch.inputs.shape == batch.targets.shape
        assert len(batch.inputs) == BATCH_SIZE
        assert 1 <= batch.inputs.shape[1] <= LENGTH
        counts = torch.ones_like(batch.targets).bool() if batch.mask is None else batch.mask
        assert torch.equal(batch.targets[counts], batch.inputs[counts] + 1)
        assert batch.num_targets == counts.sum()


@every_stream
def test_positions_where_given_are_where_the_rows_begin(stream: Stream) -> None:
    for _ in range(100):
        batch = stream.next(LENGTH)
        if batch.positions is None:
            pytest.skip("this stream does not say where its rows stand")
        assert torch.equal(batch.positions, batch.inputs[:, 0])  # tokens are numbered here


@every_stream
def test_rows_continue_unless_the_state_is_reset(stream: Stream) -> None:
    before = stream.next(LENGTH)
    for _ in range(100):
        batch = stream.next(LENGTH)
        continues = batch.inputs[:, 0] == before.targets[:, -1]
        assert (batch.restarts | continues).all()
        before = batch


@every_stream
def test_a_restored_stream_continues_with_the_same_batches(
    registry: Registry, name: str, stream: Stream
) -> None:
    for _ in range(23):
        stream.next(LENGTH)
    other = opened(registry, name)
    other.restore(stream.state())
    for _ in range(100):
        expected, found = stream.next(LENGTH), other.next(LENGTH)
        assert torch.equal(found.inputs, expected.inputs)
        assert torch.equal(found.restarts, expected.restarts)
        assert other.epoch == stream.epoch


@every_stream
def test_no_batch_changes_after_it_was_returned(stream: Stream) -> None:
    kept = [stream.next(LENGTH) for _ in range(50)]
    copies = [(batch.inputs.clone(), batch.targets.clone()) for batch in kept]
    for _ in range(50):
        stream.next(LENGTH)
    for batch, (inputs, targets) in zip(kept, copies, strict=True):
        assert torch.equal(batch.inputs, inputs)
        assert torch.equal(batch.targets, targets)
