"""The stream of documents reads every document whole, once in each epoch, and never two as one."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import seqzoo
import seqzoo_plugins.documents as plugin
from seqzoo import StreamContext, UsageError
from seqzoo.plugin.contracts import Batch, Stream


def open_(lengths: list[int], rows: int, *, shuffle: bool = True, seed: int = 1) -> Stream:
    """Numbered tokens, in documents of these lengths."""
    (spec,) = plugin.register_streams()
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    context = StreamContext(
        tokens=np.arange(sum(lengths), dtype=np.uint32),
        batch_size=rows,
        documents=starts,
        seed=seed,
    )
    return spec.open(plugin.DocumentsOptions(shuffle=shuffle), context)


def documents_read(batches: list[Batch], rows: int) -> list[tuple[int, ...]]:
    """What each row read between two resets, without what is masked; the last ones are not ended.

    A document is its first input and all its targets.
    """
    read: list[tuple[int, ...]] = []
    for row in range(rows):
        current: list[int] = []
        for batch in batches:
            if batch.restarts[row]:
                read.append(tuple(current))
                current = [int(batch.inputs[row, 0])]
            assert batch.mask is not None
            current += batch.targets[row][batch.mask[row]].tolist()
    return [document for document in read if document]


@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=12).filter(lambda x: max(x) > 1),
    rows=st.integers(1, 4),
    time=st.integers(1, 6),
    shuffle=st.booleans(),
)
def test_every_document_is_read_whole_and_equally_often(
    lengths: list[int], rows: int, time: int, shuffle: bool
) -> None:
    stream = open_(lengths, rows, shuffle=shuffle)
    batches: list[Batch] = []
    while stream.epoch < 4:
        batches.append(stream.next(time))
    counts = Counter(documents_read(batches, rows))
    starts = np.cumsum([0, *lengths])
    whole = [tuple(range(a, b)) for a, b in pairwise(starts) if b - a >= 2]
    assert set(counts) <= set(whole)
    # A row has not yet ended the document that it reads.
    assert sum(counts.values()) >= 4 * len(whole) - rows
    assert all(counts[document] >= 4 - rows for document in whole)


def test_rows_that_stopped_are_masked_until_the_next_batch() -> None:
    stream = open_([3, 8], 2, shuffle=False)
    first = stream.next(5)
    assert first.restarts.tolist() == [True, True]
    assert first.inputs.tolist()[1] == [3, 4, 5, 6, 7]
    assert first.mask is not None
    assert first.mask.tolist() == [[True, True, False, False, False], [True] * 5]
    second = stream.next(5)
    assert second.restarts.tolist() == [True, False]


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int) -> list[list[int]]:
        stream = open_([2] * 8, 1, seed=seed)
        return [[int(stream.next(9).inputs[0, 0]) for _ in range(8)] for _ in range(2)]

    assert order(1) == order(1)
    first, second = order(1)
    assert sorted(first) == sorted(second) == list(range(0, 16, 2))
    assert first != second
    assert order(1) != order(2)


@pytest.mark.parametrize(
    ("documents", "message"),
    [(None, "needs a corpus of several documents"), (np.arange(5), "fewer than 2 tokens")],
)
def test_a_text_without_documents_is_refused_in_one_sentence(
    documents: np.ndarray | None, message: str
) -> None:
    (spec,) = plugin.register_streams()
    context = StreamContext(tokens=np.arange(5, dtype=np.uint8), batch_size=2, documents=documents)
    with pytest.raises(UsageError, match=message):
        spec.open(spec.options(), context)


@pytest.mark.filterwarnings("ignore::seqzoo.SeqzooWarning")
def test_a_resumed_run_over_the_files_of_a_folder_has_the_same_bits(tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    for number in range(40):
        (texts / f"{number:02}.txt").write_text(f"{number} " * (20 + 7 * number))
    changes = {
        "train.stream": {"name": "documents"},
        "train.batch_size": 4,
        "train.schedule.decay": "constant",
        "architecture.options.hidden_size": 8,
        "baselines.include": [],
        "sample.length": 5,
    }

    def run(steps: int, name: str) -> seqzoo.Run:
        given = changes | {"train.budget": {"steps": steps}}
        return seqzoo.run("quick", given, text=texts, root=tmp_path / "runs", name=name)

    whole = run(12, "whole").model.state_dict()
    resumed = seqzoo.resume(run(6, "part").path, {"train.budget.steps": 12}).model.state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
