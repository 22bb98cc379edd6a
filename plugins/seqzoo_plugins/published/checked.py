"""Finds a text in the user's data, in the cache or on the network, and always checks it."""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from pathlib import Path

import numpy as np

from seqzoo import (
    Corpus,
    CorpusUnavailable,
    UsageError,
    cache_directory,
    data_directory,
    map_bytes,
    write_cached,
)
from seqzoo_plugins.published.texts import PublishedText

__all__ = ["open_checked"]

CONNECT_S = 10.0
LEAST_TOTAL_S = 120.0
SLOWEST_BYTES_PER_S = 10_000


def open_checked(text: PublishedText, *, download: bool) -> Corpus:
    """The user's own copy in $SEQZOO_DATA, else the cached copy, else a download.

    Raises UsageError if the user's own copy is another text, CorpusUnavailable if there is no copy
    and it cannot be downloaded.
    """
    folder = data_directory()
    if folder is not None and (own := folder / text.file_name).is_file():
        return _own_copy(text, own)
    cached = cache_directory() / text.name / text.file_name
    try:
        data = map_bytes(cached)
    except OSError:
        data = np.empty(0, np.uint8)
    if _sha256(data) != text.sha256:
        looked = f"it is neither in {folder or 'SEQZOO_DATA (not set)'} nor in the cache"
        if not download:
            raise CorpusUnavailable(f"{text.name} is missing: {looked}, and downloading is off.")
        content = _downloaded(text, looked)
        write_cached(cached, [content])
        data = np.frombuffer(content, np.uint8)
    return Corpus(name=text.name, data=data, origin=str(cached))


def _own_copy(text: PublishedText, path: Path) -> Corpus:
    try:
        data = map_bytes(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    if (found := _sha256(data)) != text.sha256:
        raise UsageError(
            f"{path} is not {text.name}: its sha256 begins {found[:12]}, expected "
            f"{text.sha256[:12]}; replace the file, or open it with the corpus 'file'."
        )
    return Corpus(name=text.name, data=data, origin=str(path))


def _sha256(data: np.ndarray) -> str:
    return hashlib.sha256(data.data).hexdigest()


def _downloaded(text: PublishedText, looked: str) -> bytes:
    """The text, which is this text to the last byte. One attempt."""
    from seqzoo_plugins.published.download import download

    total_s = max(LEAST_TOTAL_S, text.download_bytes / SLOWEST_BYTES_PER_S)
    try:
        content = download(text.url, size=text.download_bytes, connect_s=CONNECT_S, total_s=total_s)
    except OSError as error:
        raise CorpusUnavailable(
            f"{text.name} could not be downloaded ({_reason(error)}), and {looked}."
        ) from error
    if text.member:
        content = _unpacked(text, content, looked)
    if hashlib.sha256(content).hexdigest() != text.sha256:
        size, expected = len(content), text.size_bytes
        found = f"more than {expected:,}" if size > expected else f"{size:,}"
        raise CorpusUnavailable(
            f"{text.name} was downloaded from {text.url} with the wrong sha256 ({found} bytes, "
            f"expected {expected:,}), so it is not kept; {looked}."
        )
    return content


def _unpacked(text: PublishedText, content: bytes, looked: str) -> bytes:
    """The text in a ZIP file: at most one byte more than it should have."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(text.member) as file:
            return file.read(text.size_bytes + 1)
    except (zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError, RuntimeError,
            EOFError, OSError, ValueError) as error:  # fmt: skip
        raise CorpusUnavailable(
            f"{text.name} was downloaded from {text.url} and is no ZIP file with {text.member} in "
            f"it ({type(error).__name__}), so it is not kept; {looked}."
        ) from error


def _reason(error: OSError) -> str:
    """The innermost cause in a few words; urllib puts one exception into another."""
    cause: object = error
    while isinstance(cause, OSError) and isinstance(
        reason := getattr(cause, "reason", None), OSError
    ):
        cause = reason
    message = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return " ".join(str(message).split())
