"""Finds the text in the user's data, in the cache or on the network, and always checks it."""

from __future__ import annotations

import hashlib
import logging
import sys
from pathlib import Path

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
TIMEOUT_S = (4.0, 15.0)  # to connect, and between two packets


def open_tinyshakespeare(url: str, *, download: bool) -> Corpus:
    """$SEQZOO_DATA/tinyshakespeare.txt, else the cached copy, else a download.

    Raises UsageError if the user's own copy is another text, CorpusUnavailable if there is no copy
    and it cannot be downloaded.
    """
    folder = data_directory()
    if folder is not None and (kept := folder / FILE_NAME).is_file():
        found = _sha256(kept)
        if found != SHA256:
            raise UsageError(
                f"{kept} is not tinyshakespeare: its sha256 begins {found[:12]}, expected "
                f"{SHA256[:12]}; replace the file, or open it with the corpus 'file'."
            )
        return _corpus(kept)
    cached = cache_directory() / "tinyshakespeare" / FILE_NAME
    if cached.is_file() and _sha256(cached) == SHA256:
        return _corpus(cached)
    looked = f"it is neither in {folder or 'SEQZOO_DATA (not set)'} nor in the cache"
    if not download:
        raise CorpusUnavailable(f"tinyshakespeare is missing: {looked}, and downloading is off.")
    _download(url, cached, looked)
    return _corpus(cached)


def _corpus(path: Path) -> Corpus:
    return Corpus(name="tinyshakespeare", data=map_bytes(path), origin=str(path))


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error


def _download(url: str, path: Path, looked: str) -> None:
    """Download into a temporary folder, check, then write into the cache. One attempt."""
    import tempfile

    import pooch

    pooch.get_logger().setLevel(logging.ERROR)  # it would log to stderr beside our own messages
    fetch = pooch.HTTPDownloader(progressbar=_can_show_progress(), timeout=TIMEOUT_S)
    with tempfile.TemporaryDirectory() as folder:
        try:
            arrived = pooch.retrieve(
                url, known_hash=f"sha256:{SHA256}", fname=FILE_NAME, path=folder, downloader=fetch
            )
        except OSError as error:  # the exceptions of requests are OSErrors too
            raise CorpusUnavailable(
                f"tinyshakespeare could not be downloaded ({_reason(error)}), and {looked}."
            ) from error
        except ValueError as error:
            raise CorpusUnavailable(
                f"tinyshakespeare was downloaded from {url} with the wrong sha256 (expected "
                f"{SHA256[:12]}), so it was deleted; {looked}."
            ) from error
        write_cached(path, [Path(arrived).read_bytes()])


def _can_show_progress() -> bool:
    """pooch draws its progress bar with tqdm, which is not one of our dependencies."""
    from importlib.util import find_spec

    return sys.stderr.isatty() and find_spec("tqdm") is not None


def _reason(error: Exception) -> str:
    """The innermost cause in a few words; the messages of requests are long."""
    while (inner := error.__cause__ or error.__context__) is not None:
        if not isinstance(inner, Exception):
            break
        error = inner
    message = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(message.split())
