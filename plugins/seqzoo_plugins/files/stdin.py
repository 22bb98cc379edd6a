"""Text from a pipe: its bytes come once, so they are kept in the cache under their hash."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from seqzoo import (
    Corpus,
    CorpusUnavailable,
    UsageError,
    cache_directory,
    map_bytes,
    write_cached_by_sha256,
)
from seqzoo_plugins.files.found import shown

__all__ = ["keep_stdin", "open_stdin"]

_BLOCK = 1 << 20


def keep_stdin(path: str) -> str:
    """Read stdin (`-`) or a pipe to its end and keep the bytes; returns their SHA-256.

    Raises UsageError if there is nothing to read, CorpusUnavailable if it cannot be kept.
    """
    if path in ("-", "/dev/stdin"):
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError(
                f"'{path}' reads text from a pipe, and nothing is piped in; for example: "
                "cat notes.txt | seqzoo run quick --text -"
            )
        return write_cached_by_sha256(_folder(), _blocks(sys.stdin.buffer))
    # Opening a pipe waits until something writes to it, which may be never.
    print(f"Reading the text from the pipe {shown(path)} until it ends.", file=sys.stderr)
    with Path(path).open("rb") as pipe:
        return write_cached_by_sha256(_folder(), _blocks(pipe))


def open_stdin(sha256: str) -> Corpus:
    """The kept bytes. Raises CorpusUnavailable if they are gone or were changed."""
    path = _folder() / sha256
    try:
        data, state = map_bytes(path), "was changed"
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError)
        data, state = (
            np.empty(0, np.uint8),
            "is no longer there" if is_missing else "cannot be read",
        )
    if hashlib.sha256(data.data).hexdigest() != sha256:
        raise CorpusUnavailable(
            f"the text that was piped in was kept as {path}, which {state}; put the same bytes "
            f"there, or start a new run with '--text -'."
        )
    return Corpus(
        name="stdin",
        data=data,
        origin=f"piped in, kept as {path}",
        files=[("stdin", 0, len(data))],
    )


def _folder() -> Path:
    return cache_directory() / "stdin"


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """Raises UsageError if there are none."""
    block = file.read(_BLOCK)
    if not block:
        raise UsageError("the piped text is empty.")
    while block:
        yield block
        block = file.read(_BLOCK)
