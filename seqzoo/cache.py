"""Files in the cache: complete or absent, compared with their SHA-256, in memory or mapped."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from seqzoo.errors import CorpusUnavailable
from seqzoo.regular_files import open_to_read
from seqzoo.storage import cache_directory, is_full, remove_unfinished, write_by_sha256, write_whole

__all__ = [
    "map_bytes",
    "open_cached",
    "sha256_of",
    "tidy_cache",
    "write_cached",
    "write_cached_by_sha256",
]

LARGEST_READ_BYTES = 1 << 27
"""Of a file that is read into memory; 100 MB, such as enwik8, is the usual size of a large text."""

_BLOCK = 1 << 20
_SEAL_BYTES = hashlib.sha256().digest_size


def map_bytes(path: Path, num_bytes: int | None = None) -> np.ndarray:
    """(N,) uint8, read-only: a file, or its first num_bytes.

    Up to 128 MiB are read into memory, so that nothing changes if the file does. Larger files are
    mapped. Raises OSError, also for a pipe or a device, ValueError if there are fewer bytes.
    """
    with open_to_read(path) as file:
        size = os.fstat(file.fileno()).st_size if num_bytes is None else num_bytes
        if size > LARGEST_READ_BYTES:
            return np.memmap(path, dtype=np.uint8, mode="r", shape=(size,))
        content = file.read(size)
    if num_bytes is not None and len(content) < num_bytes:
        raise ValueError(f"{path} has {len(content):,} bytes, expected {num_bytes:,}")
    return np.frombuffer(content, dtype=np.uint8)


def open_cached(path: Path, make: Callable[[], Iterable[bytes]]) -> np.ndarray:
    """(N,) uint8, read-only: what `make` gives, part by part, or gave when it was first called.

    The file ends with a SHA-256 of its name and its content. If it is missing, damaged or belongs
    to another name, it is made again. Raises CorpusUnavailable if the cache cannot be used.
    """
    data = _intact(path)
    if data is None:
        write_cached(path, _sealed(path, make()))
        data = _intact(path)
    if data is None:
        raise CorpusUnavailable(
            f"{path} was written and has other bytes when it is read; check the disk, or set "
            f"SEQZOO_CACHE to a folder on another one."
        )
    return data


def tidy_cache() -> None:
    """Remove what killed processes were writing to the folders of the cache; see storage."""
    with contextlib.suppress(OSError):
        for folder in os.scandir(cache_directory()):
            remove_unfinished(Path(folder.path))


def write_cached(path: Path, parts: Iterable[bytes]) -> None:
    """Write the parts to a file of the cache. Raises CorpusUnavailable if that fails."""
    with _faults_of(path):
        write_whole(path, parts)


def write_cached_by_sha256(folder: Path, parts: Iterable[bytes]) -> str:
    """Write the parts to a file of the cache that is named by their SHA-256, which is returned.

    Raises CorpusUnavailable if that fails.
    """
    with _faults_of(folder / "text"):
        return write_by_sha256(folder, parts)


def sha256_of(data: np.ndarray) -> str:
    """Hexadecimal SHA-256 of (N,) uint8, in blocks: a mapped file need not fit into memory."""
    digest = hashlib.sha256()
    _add(digest, data)
    return digest.hexdigest()


def _intact(path: Path) -> np.ndarray | None:
    """The content of a sealed file; None if there is none, or if it is not what was written."""
    try:
        sealed = map_bytes(path)
    except (OSError, ValueError):
        return None
    data, seal = sealed[:-_SEAL_BYTES], sealed[-_SEAL_BYTES:]
    digest = _begun(path)
    _add(digest, data)
    return data if digest.digest() == seal.tobytes() else None


def _sealed(path: Path, parts: Iterable[bytes]) -> Iterator[bytes]:
    digest = _begun(path)
    for part in parts:
        digest.update(part)
        yield part
    yield digest.digest()


def _begun(path: Path) -> hashlib._Hash:
    # With the name: a file that was copied over another one is not that one.
    return hashlib.sha256(path.name.encode() + b"\0")


def _add(digest: hashlib._Hash, data: np.ndarray) -> None:
    for start in range(0, len(data), _BLOCK):
        digest.update(data[start : start + _BLOCK].tobytes())


@contextlib.contextmanager
def _faults_of(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CorpusUnavailable(
            f"{_fault(path, error)}; {'make room, or ' if is_full(error) else ''}set SEQZOO_CACHE "
            f"to a folder that can be written."
        ) from error


def _fault(path: Path, error: OSError) -> str:
    """Which file or folder of the cache cannot be made, and why."""
    for folder in reversed(path.parents):
        if folder.exists() and not folder.is_dir():
            return f"the cache cannot be used: {folder} is a file, expected a folder"
    if not path.parent.is_dir():
        return f"the folder {path.parent} of the cache cannot be made ({error.strerror or error})"
    return f"{path} cannot be written ({error.strerror or error})"
