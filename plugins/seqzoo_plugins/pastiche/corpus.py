"""Pastiche as a corpus: plays in one file; code lengths are computed on request."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seqzoo import Corpus, cache_directory, map_bytes, write_cached
from seqzoo_plugins.pastiche.generation import generate_play

__all__ = ["open_pastiche"]


def open_pastiche(seed: int, size_bytes: int) -> Corpus:
    """The first size_bytes bytes of a seed's plays, memory-mapped from the cache.

    Raises CorpusUnavailable if the cache cannot be written.
    """
    name = f"pastiche-seed{seed}-{size_bytes}-{_grammar_version()}.bin"
    path = cache_directory() / "pastiche" / name
    starts = _play_starts(path, size_bytes)
    if starts is None:
        write_cached(path, _text_and_starts(seed, size_bytes))
        starts = _play_starts(path, size_bytes)
        assert starts is not None, f"{path} was written wrong"

    def code_lengths(start: int, stop: int) -> npt.NDArray[np.float64]:
        return _code_lengths(seed, starts, start, min(stop, size_bytes))

    return Corpus(
        name="pastiche",
        data=map_bytes(path, size_bytes),
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
    """The text, then the start of each play, then the number of plays (int64)."""
    starts: list[int] = []
    written = 0
    while written < size_bytes:
        text, _ = generate_play(seed, len(starts))
        starts.append(written)
        text = text[: size_bytes - written]
        written += len(text)
        yield text
    yield np.array([*starts, len(starts)], dtype="<i8").tobytes()


def _play_starts(path: Path, size_bytes: int) -> list[int] | None:
    """The starts of the plays, read from the end of a cached file; None if it is not complete."""
    try:
        with path.open("rb") as file:
            file.seek(size_bytes)
            trailer = file.read()
    except OSError:
        return None
    if len(trailer) < 16 or len(trailer) % 8:
        return None
    *starts, count = np.frombuffer(trailer, dtype="<i8").tolist()
    ordered = starts == sorted(set(starts)) and starts[0] == 0 and starts[-1] < size_bytes
    return starts if count == len(starts) and ordered else None


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
