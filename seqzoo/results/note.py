"""A run's note: runs/NAME/note.txt, one line of the user, beside its result."""

from __future__ import annotations

from pathlib import Path

from seqzoo.storage import write_whole

__all__ = ["read_note", "write_note"]


def read_note(run: Path) -> str:
    """The first line of the note; empty if there is none that can be read."""
    try:
        lines = (run / "note.txt").read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return "".join(c if c.isprintable() else " " for c in lines[0]).strip()


def write_note(run: Path, text: str) -> None:
    """Replace the note; an empty text removes it. Raises OSError."""
    if line := " ".join(text.split()):
        write_whole(run / "note.txt", f"{line}\n")
    else:
        (run / "note.txt").unlink(missing_ok=True)
