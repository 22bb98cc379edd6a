"""What the user gave as text: a file, a folder or pattern, several of them, or a pipe."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from seqzoo import UsageError

__all__ = ["is_file", "is_folder", "is_pipe", "split_pattern"]

_WILDCARDS = frozenset("*?[")


def is_pipe(texts: tuple[str, ...]) -> bool:
    """Whether it is stdin (`-`), or a pipe that the shell made (`<(command)`).

    Raises UsageError where it is one of several, because its bytes come without an end mark.
    """
    pipes = [text for text in texts if text in ("-", "/dev/stdin") or _is_pipe(Path(text))]
    if pipes and len(texts) > 1:
        raise UsageError(
            f"text '{pipes[0]}' is a pipe and must be the only text; join the others into it, for "
            f"example: cat a.txt - | seqzoo run quick --text -"
        )
    return bool(pipes)


def is_folder(texts: tuple[str, ...]) -> bool:
    """Whether it is one folder, or one pattern of files."""
    return len(texts) == 1 and (os.path.isdir(texts[0]) or bool(split_pattern(texts[0])[1]))


def is_file(texts: tuple[str, ...]) -> bool:
    """Whether it is one path of another kind: a file, or a path where nothing is."""
    return len(texts) == 1 and not is_pipe(texts) and not is_folder(texts)


def split_pattern(path: str) -> tuple[Path, str]:
    """The folder that a pattern starts from, and the rest; "" for a path that is no pattern.

    A wildcard in the name of something that exists is not a wildcard.
    """
    folder = Path(path)
    parts = folder.parts
    for place, part in enumerate(parts):
        above = Path(*parts[:place])
        if _WILDCARDS & set(part) and not os.path.lexists(above / part):
            return above, "/".join(parts[place:])
    return folder, ""


def _is_pipe(path: Path) -> bool:
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except OSError:
        return False
