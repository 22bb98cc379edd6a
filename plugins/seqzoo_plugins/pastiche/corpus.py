"""Pastiche as a corpus: plays in one file; code lengths are computed on request."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from seqzoo import Corpus, cache_directory, open_cached
from seqzoo_plugins.pastiche.generation import generate_play

__all__ = ["open_pastiche"]


def open_pastiche(seed: int, size_bytes: int) -> Corpus:
    """The first size_bytes bytes of a seed's plays, from the cache.

    Raises CorpusUnavailable if the cache cannot be written.
    """
    name = f"pastiche-seed{seed}-{size_bytes}-{_grammar_version()}.bin"
    path = cache_directory() / "pastiche" / name
    # The text, and after it the start of each play, as int64.
    written = open_cached(path, lambda: _text_and_starts(seed, size_bytes))
    starts = written[size_bytes:].view("<i8").tolist()

    def code_lengths(start: int, stop: int) -> npt.NDArray[np.float64]:
        return _code_lengths(seed, starts, start, min(stop, size_bytes))

    return Corpus(
        name="pastiche",
        data=written[:size_bytes],
        origin=f"made by seqzoo from seed {seed}, grammar {_grammar_version()}",
        code_lengths=code_lengths,
    )


@cache
def _grammar_version() -> str:
    """Changes with the code and the vocabulary, so that no old text is read from the cache."""
    digest = hashlib.sha256()
    folder = resources.files("seqzoo_plugins.pastiche")
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith((".py", ".txt")):
            digest.update(entry.read_bytes())
    return digest.hexdigest()[:12]


def _text_and_starts(seed: int, size_bytes: int) -> Iterator[bytes]:
    """The text, then the start of each play (int64)."""
    starts: list[int] = []
    written = 0
    while written < size_bytes:
        text, _ = generate_play(seed, len(starts))
        starts.append(written)
        text = text[: size_bytes - written]
        written += len(text)
        yield text
    yield np.array(starts, dtype="<i8").tobytes()


def _code_lengths(seed: int, starts: list[int], start: int, stop: int) -> npt.NDArray[np.float64]:
    """Bits of the bytes [start, stop). Their plays are generated again; nothing is stored."""
    if not 0 <= start <= stop:
        raise ValueError(f"no bytes [{start}, {stop}) in this corpus")
    parts = [np.empty(0)]
    for play in range(bisect_right(starts, start) - 1, len(starts)):
        if starts[play] >= stop:
            break
        bits = _bits_of_play(seed, play)
        parts.append(bits[max(0, start - starts[play]) : stop - starts[play]])
    return np.concatenate(parts)


@lru_cache(64)
def _bits_of_play(seed: int, play: int) -> npt.NDArray[np.float64]:
    return generate_play(seed, play)[1]
