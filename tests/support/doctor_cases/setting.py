"""The text, the sizes and the batches of one visit."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from seqzoo.plugin.registry import load_registry

__all__ = ["Batches", "Ids", "Pair", "Setting", "lanes", "pastiche", "windows", "words_of"]

Ids: TypeAlias = npt.NDArray[np.int64]
Pair: TypeAlias = tuple[Any, Any]
Batches: TypeAlias = Callable[[], Iterator[Pair]]


@functools.cache
def pastiche(size: int = 300_000) -> bytes:
    """The corpus of every case: made by its plugin, so that no file is needed."""
    spec: Any = load_registry().get("corpus", "pastiche")
    return bytes(spec.open(spec.options(seed=20, size_bytes=size), Path()).data)


@dataclass(frozen=True)
class Setting:
    """A corpus and a seed, and what follows from them."""

    corpus: bytes
    seed: int

    @property
    def H(self) -> int:  # noqa: N802
        """Width of a model, a multiple of 8."""
        return (48, 32, 64)[self.seed % 3]

    @property
    def B(self) -> int:  # noqa: N802
        """Rows of a batch."""
        return (16, 12, 8)[self.seed % 3]

    @property
    def T(self) -> int:  # noqa: N802
        """Tokens of a row."""
        return (32, 24, 40)[self.seed % 3]

    @property
    def bytes(self) -> Ids:
        """The corpus as ids below 256."""
        return np.frombuffer(self.corpus, np.uint8).astype(np.int64)

    @property
    def chars(self) -> Ids:
        """The corpus as ids of the bytes that occur, in ascending order."""
        return np.unique(np.frombuffer(self.corpus, np.uint8), return_inverse=True)[1].astype(
            np.int64
        )

    @property
    def num_chars(self) -> int:
        """How many different bytes occur."""
        return len(set(self.corpus))

    def stateful(
        self, build: Callable[[], nn.Module], ids: Ids | None = None, **further: Any
    ) -> dict[str, Any]:
        """A model on rows that continue from batch to batch."""
        chosen = self.bytes if ids is None else ids
        given = {"model": build, "batches": lanes(self, chosen), "corpus": self.corpus}
        return given | further

    def stateless(
        self, build: Callable[[], nn.Module], ids: Ids | None = None, **further: Any
    ) -> dict[str, Any]:
        """A model on windows at random places, nothing carried."""
        chosen = self.bytes if ids is None else ids
        given = {"model": build, "batches": windows(self, chosen), "corpus": self.corpus}
        return given | {"carry_state": False} | further


def lanes(setting: Setting, ids: Ids, *, ahead: int = 1) -> Batches:
    """Rows side by side, each a stretch of the text that the next batch continues."""
    B, T = setting.B, setting.T

    def batches() -> Iterator[Pair]:
        rows = ids[: len(ids) // B * B].reshape(B, -1)
        for start in range(0, rows.shape[1] - T - ahead, T):
            yield rows[:, start : start + T], rows[:, start + ahead : start + ahead + T]

    return batches


def windows(setting: Setting, ids: Ids, *, ahead: int = 1) -> Batches:
    """Rows from random places."""
    B, T = setting.B, setting.T
    text = torch.from_numpy(ids)

    def batches() -> Iterator[Pair]:
        draw = torch.Generator().manual_seed(setting.seed)
        while True:
            starts = torch.randint(len(text) - T - ahead, (B, 1), generator=draw) + torch.arange(T)
            yield text[starts], text[starts + ahead]

    return batches


def words_of(corpus: bytes, most: int = 10_000) -> tuple[Ids, int]:
    """The corpus as ids of words, rare ones as one id; and how many ids there are."""
    words = corpus.split()
    names, inverse, counts = np.unique(np.array(words), return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    size = min(most, len(names))
    return np.minimum(rank[inverse], size - 1), size


def tensor_of(ids: Ids) -> Tensor:
    """A copy as a tensor of int64."""
    return torch.from_numpy(ids.copy())
