"""Ids that were stored in too few bits are warned of, bytes are not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from examined_models import causes, outcome, reported
from torch import Tensor, nn

from seqzoo.doctor import examine
from seqzoo.doctor.checks.stream._wrapped import type_that_wraps
from seqzoo.doctor.diagnosis import Diagnosis

V = 1000


def windows(ids: np.ndarray) -> Any:
    """Rows of 32 tokens from random places."""

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        draw, known = np.random.default_rng(0), torch.from_numpy(ids.astype(np.int64))
        while True:
            at = torch.from_numpy(draw.integers(0, len(known) - 33, 16)[:, None] + np.arange(33))
            yield known[at[:, :-1]], known[at[:, 1:]]

    return batches


def ranks(size: int = V, count: int = 40_000) -> np.ndarray:
    """Words by their rank, of which the n-th is about 1 / n as frequent as the first."""
    ids: np.ndarray = np.random.default_rng(1).zipf(1.1, 10 * count) - 1
    return ids[ids < size][:count]


def examined(ids: np.ndarray, vocab_size: int = V, corpus: bytes | None = None) -> Diagnosis:
    def model() -> nn.Module:
        return nn.Sequential(nn.Embedding(vocab_size, 8), nn.Linear(8, vocab_size))

    return examine(
        model=model,
        batches=windows(ids),
        corpus=corpus,
        carry_state=False,
        only=["stream.contract"],
        quick=True,
        show=False,
    )


def test_ids_that_wrapped_at_256_are_warned_of() -> None:
    found = examined(ranks().astype(np.uint8))
    assert causes(found) == ["stream.contract"]
    said = outcome(found, "stream.contract")
    assert said.status == "warn"
    assert "stored as uint8" in said.seen


def test_the_same_ids_in_a_larger_type_are_sound() -> None:
    found = examined(ranks())
    assert causes(found) == [], reported(found)


@pytest.mark.parametrize(("vocab_size", "warned"), [(256, False), (260, False), (1000, True)])
def test_all_bytes_are_sound_in_their_own_vocabulary(vocab_size: int, warned: bool) -> None:
    drawn = np.random.default_rng(0).integers(0, 256, 40_000)
    assert bool(causes(examined(drawn, vocab_size))) == warned


def test_bytes_of_a_corpus_that_has_byte_255_are_sound() -> None:
    drawn = np.random.default_rng(0).integers(0, 256, 40_000).astype(np.uint8)
    found = examined(drawn, corpus=drawn.tobytes())
    assert causes(found) == [], reported(found)


def test_bytes_of_text_are_sound_in_a_large_vocabulary() -> None:
    letters = "".join(map(chr, range(32, 0x3000))) * 2
    data = letters.encode()
    found = examined(np.frombuffer(data, dtype=np.uint8), corpus=data)
    assert causes(found) == [], reported(found)


@pytest.mark.parametrize(
    ("ids", "vocab_size", "said"),
    [
        (torch.arange(256), 384, "uint8"),
        (torch.arange(256), 383, ""),
        (torch.arange(255), 1000, ""),
        (torch.arange(257), 1000, ""),
        (torch.arange(26, 256), 1000, ""),
        (torch.arange(25, 256), 1000, "uint8"),
        (torch.arange(65_536), 100_000, "uint16"),
        (torch.arange(65_535), 100_000, ""),
        (torch.tensor([], dtype=torch.int64), 1000, ""),
    ],
)
def test_a_type_wraps_if_its_values_occur_and_no_other(
    ids: Tensor, vocab_size: int, said: str
) -> None:
    assert type_that_wraps(ids, vocab_size) == said
