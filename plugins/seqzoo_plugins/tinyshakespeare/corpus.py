"""Finds the text in the user's data, in the cache or on the network, and always checks it."""

from __future__ import annotations

import hashlib
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

__all__ = ["SHA256", "SIZE_BYTES", "open_tinyshakespeare"]

SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
SIZE_BYTES = 1_115_394
FILE_NAME = "tinyshakespeare.txt"
CONNECT_S, TOTAL_S = 10.0, 120.0  # until the first answer, and for all: 1.1 MB at 10 kB/s


def open_tinyshakespeare(url: str, *, download: bool) -> Corpus:
    """$SEQZOO_DATA/tinyshakespeare.txt, else the cached copy, else a download.

    Raises UsageError if the user's own copy is another text, CorpusUnavailable if there is no copy
    and it cannot be downloaded.
    """
    folder = data_directory()
    if folder is not None and (own := folder / FILE_NAME).is_file():
        return _own_copy(own)
    cached = cache_directory() / "tinyshakespeare" / FILE_NAME
    try:
        data = map_bytes(cached)
    except OSError:
        data = np.empty(0, np.uint8)
    if _sha256(data) != SHA256:
        looked = f"it is neither in {folder or 'SEQZOO_DATA (not set)'} nor in the cache"
        if not download:
            raise CorpusUnavailable(
                f"tinyshakespeare is missing: {looked}, and downloading is off."
            )
        text = _downloaded(url, looked)
        write_cached(cached, [text])
        data = np.frombuffer(text, np.uint8)
    return Corpus(name="tinyshakespeare", data=data, origin=str(cached))


def _own_copy(path: Path) -> Corpus:
    try:
        data = map_bytes(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    if (found := _sha256(data)) != SHA256:
        raise UsageError(
            f"{path} is not tinyshakespeare: its sha256 begins {found[:12]}, expected "
            f"{SHA256[:12]}; replace the file, or open it with the corpus 'file'."
        )
    return Corpus(name="tinyshakespeare", data=data, origin=str(path))


def _sha256(data: np.ndarray) -> str:
    return hashlib.sha256(data.data).hexdigest()


def _downloaded(url: str, looked: str) -> bytes:
    """The text, which is this text to the last byte. One attempt."""
    from seqzoo_plugins.tinyshakespeare.download import download

    try:
        text = download(url, size=SIZE_BYTES, connect_s=CONNECT_S, total_s=TOTAL_S)
    except OSError as error:
        raise CorpusUnavailable(
            f"tinyshakespeare could not be downloaded ({_reason(error)}), and {looked}."
        ) from error
    if hashlib.sha256(text).hexdigest() != SHA256:
        size = f"more than {SIZE_BYTES:,}" if len(text) > SIZE_BYTES else f"{len(text):,}"
        raise CorpusUnavailable(
            f"tinyshakespeare was downloaded from {url} with the wrong sha256 ({size} bytes, "
            f"expected {SIZE_BYTES:,}), so it is not kept; {looked}."
        )
    return text


def _reason(error: OSError) -> str:
    """The innermost cause in a few words; urllib puts one exception into another."""
    cause: object = error
    while isinstance(cause, OSError) and isinstance(
        reason := getattr(cause, "reason", None), OSError
    ):
        cause = reason
    message = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return " ".join(str(message).split())
