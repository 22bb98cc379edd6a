"""Batches come from all of the corpus, as far as a recording can show it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from examined_models import outcome, reported
from made_up_text import written

from seqzoo.doctor import examine
from seqzoo.doctor.checks.stream._hashes import hashes_of_rows, places_in

B, T = 8, 32
CORPUS = written(seed=3, count=40_000)
IDS = np.frombuffer(CORPUS, np.uint8).astype(np.int64)


def cut(starts: Any, ids: Any = IDS) -> Any:
    places = np.asarray(starts)[:, None] + np.arange(T)
    return ids[places], ids[places + 1]


def windows(size: int, first: int = 0) -> Any:
    def batches() -> Iterator[Any]:
        draw = np.random.default_rng(0)
        while True:
            yield cut(first + draw.integers(size - T - 1, size=B))

    return batches


def lanes(size: int) -> Any:
    def batches() -> Iterator[Any]:
        length = size // B
        while True:
            for start in range(0, length - T - 1, T):
                yield cut(np.arange(B) * length + start)

    return batches


def in_order(step: int, *, rounds: int = 1, size: int = len(IDS)) -> Any:
    def batches() -> Iterator[Any]:
        for _ in range(rounds):
            starts = np.arange(0, size - T - 1, step)
            for some in range(0, len(starts) - B, B):
                yield cut(starts[some : some + B])

    return batches


def through_a_buffer(step: int, held: int) -> Any:
    """As tf.data shuffles: one of the next `held` windows at random, and no window twice."""

    def batches() -> Iterator[Any]:
        draw, waiting = np.random.default_rng(0), list(range(0, held * step, step))
        for batch in range(200):
            chosen = []
            for row in range(B):
                at = int(draw.integers(len(waiting)))
                chosen.append(waiting[at])
                waiting[at] = (held + batch * B + row) * step
            yield cut(chosen)

    return batches


def said(batches: Any, corpus: Any = CORPUS) -> Any:
    found = examine(
        batches=batches, corpus=corpus, carry_state=False, only=["stream.coverage"], show=False
    )
    return outcome(found, "stream.coverage"), reported(found)


@pytest.mark.parametrize(
    "batches",
    [
        windows(3000),
        windows(3000, first=100_000),
        windows(len(IDS) // 40),
        lanes(3000),
        in_order(T, rounds=50, size=3000),
    ],
    ids=["windows", "windows elsewhere", "a fortieth", "lanes", "in order"],
)
def test_a_small_part_of_the_corpus_is_named(batches: Any) -> None:
    found, all_found = said(batches)
    assert found.status == "warn", found
    assert "of the text" in found.seen, all_found
    assert "[:3000]" in found.remedy


@pytest.mark.parametrize(
    "batches",
    [
        windows(len(IDS)),
        windows(len(IDS) // 2),
        lanes(len(IDS)),
        in_order(T),
        in_order(1),
        through_a_buffer(1, 2000),
        through_a_buffer(1, 20_000),
        through_a_buffer(T, 500),
        list(in_order(T, size=8000)()),
    ],
    ids=[
        "windows",
        "half",
        "lanes",
        "in order",
        "one apart",
        "buffer",
        "long buffer",
        "rows",
        "few",
    ],
)
def test_batches_that_only_begin_somewhere_are_not(batches: Any) -> None:
    found, _ = said(batches)
    assert found.status == "pass", found


def test_a_corpus_that_repeats_itself_is_not_judged() -> None:
    text = written(seed=4, count=1000)
    found, _ = said(windows(len(text)), text * 20)
    assert found.status == "skip"


def test_a_place_is_where_a_window_stands_once() -> None:
    text = np.random.default_rng(0).integers(0, 256, 600_000).astype(np.uint8)
    text[500_000:500_016] = text[400_000:400_016]
    starts = [0, 17, 262_140, 262_144, 300_001, 599_984]
    rows = np.stack([text[start : start + 16] for start in [*starts, 400_000]])
    rows = np.concatenate([rows, np.zeros((1, 16), np.uint8)])
    assert places_in(hashes_of_rows(rows), text, 16).tolist() == [*starts, -1, -1]
