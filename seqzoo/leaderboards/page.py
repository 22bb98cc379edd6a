"""A Markdown file with a place for the leaderboard: the text between two marks is replaced."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seqzoo.errors import UsageError
from seqzoo.regular_files import read_bytes
from seqzoo.storage import write_whole

__all__ = ["Page", "read_page"]

_BEGIN = "<!-- leaderboard -->"
_END = "<!-- end of leaderboard -->"
_MAX_BYTES = 1 << 26


@dataclass(frozen=True)
class Page:
    """A file, and its text before and after the tables."""

    path: Path
    before: str
    after: str

    def write(self, tables: str) -> None:
        """Put the tables between the marks. Raises OSError."""
        write_whole(self.path, f"{self.before}\n\n{tables}\n{self.after}")


def read_page(path: Path) -> Page:
    """Raises UsageError where the file cannot be read or has no place for the tables."""
    try:
        text = read_bytes(path, limit=_MAX_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"{path} cannot be read: {cause}.") from error
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise UsageError(
            f"{path} has no place for the tables; write {_BEGIN} and {_END}, each on a line of its "
            f"own, where they should be."
        )
    return Page(path, before + begin, end + after)
