"""A run's note: runs/NAME/note.txt, one line of the user, beside its result."""

from __future__ import annotations

from pathlib import Path

from seqzoo.regular_files import read_bytes
from seqzoo.storage import write_whole

__all__ = ["read_note", "write_note"]

_MAX_BYTES = 1 << 16


def read_note(run: Path) -> str:
    """The first line of the note; empty if there is none that can be read."""
    try:
        content = read_bytes(run / "note.txt", limit=_MAX_BYTES)
    except OSError:
        return ""
    line, *_ = content.decode("utf-8", "replace").split("\n", 1)
    return "".join(c if c.isprintable() else " " for c in line).strip()


def write_note(run: Path, text: str) -> None:
    """Replace the note; an empty text removes it. Raises OSError."""
    if line := " ".join(text.split()):
        write_whole(run / "note.txt", f"{line}\n")
    else:
        (run / "note.txt").unlink(missing_ok=True)
