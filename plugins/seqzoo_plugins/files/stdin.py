"""Text from a pipe: its bytes come once, so they are kept in the cache under their hash."""

from __future__ import annotations

import hashlib
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from seqzoo import Corpus, CorpusUnavailable, UsageError, cache_directory, map_bytes, write_cached
from seqzoo_plugins.files.found import shown

__all__ = ["keep_stdin", "open_stdin"]

_BLOCK = 1 << 20


def keep_stdin(path: str) -> str:
    """Read stdin (`-`) or a pipe to its end and keep the bytes; returns their SHA-256.

    Raises UsageError if there is nothing to read, CorpusUnavailable if it cannot be kept.
    """
    digest = hashlib.sha256()
    unfinished = _kept(f"{uuid.uuid4().hex}.part")
    if path in ("-", "/dev/stdin"):
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError(
                f"'{path}' reads text from a pipe, and nothing is piped in; for example: "
                "cat notes.txt | seqzoo run quick --text -"
            )
        write_cached(unfinished, _blocks(sys.stdin.buffer, digest))
    else:
        # Opening a pipe waits until something writes to it, which may be never.
        print(f"Reading the text from the pipe {shown(path)} until it ends.", file=sys.stderr)
        with Path(path).open("rb") as pipe:
            write_cached(unfinished, _blocks(pipe, digest))
    if unfinished.stat().st_size == 0:
        unfinished.unlink()
        raise UsageError("the piped text is empty.")
    os.replace(unfinished, _kept(digest.hexdigest()))
    return digest.hexdigest()


def open_stdin(sha256: str) -> Corpus:
    """The kept bytes, memory-mapped. Raises CorpusUnavailable if they are gone or were changed."""
    path = _kept(sha256)
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        found = ""
    if found != sha256:
        state = "was changed" if found else "is no longer there"
        raise CorpusUnavailable(
            f"the text that was piped in was kept as {path}, which {state}; put the same bytes "
            f"there, or start a new run with '--text -'."
        )
    data = map_bytes(path)
    return Corpus(
        name="stdin",
        data=data,
        origin=f"piped in, kept as {path}",
        files=[("stdin", 0, len(data))],
    )


def _kept(name: str) -> Path:
    return cache_directory() / "stdin" / name


def _blocks(file: IO[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        digest.update(block)
        yield block
