"""Formats numbers, paths and commands for people."""

from __future__ import annotations

import os
import shlex

from seqzoo.terminal.characters import can_be_shown

__all__ = ["approximate_time", "clock", "file_size", "pip_install", "quoted"]


def clock(seconds: float) -> str:
    """Seconds as a clock shows them: 95 as 1:35, 4000 as 1:06:40."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def file_size(size_bytes: float) -> str:
    """1234567 as 1.2 MB."""
    units = ("B", "kB", "MB", "GB")
    power = 0
    while size_bytes >= 999.5 and power < len(units) - 1:
        size_bytes, power = size_bytes / 1000, power + 1
    return f"{size_bytes:.{1 if power and size_bytes < 9.95 else 0}f} {units[power]}"


def approximate_time(seconds: float) -> str:
    """An estimate in words: "about 40 s", "about 6 min", "about 2.5 h"; "under 1 s"."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 90:
        return f"about {seconds:.0f} s"
    if seconds < 90 * 60:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h"


def quoted(path: str | os.PathLike[str]) -> str:
    """A path as it can be pasted into a shell: in quotes only where it needs them.

    Where it has characters that the terminal cannot show, it is printable ASCII, as `ls` writes it;
    bash, zsh and ksh read this form.
    """
    text = os.fspath(path)
    if text.isprintable() and can_be_shown(text):
        return shlex.quote(text)
    return "$'" + "".join(map(_escaped, text.encode("utf-8", "surrogateescape"))) + "'"


def _escaped(byte: int) -> str:
    character = chr(byte)
    if character in "\\'":
        return f"\\{character}"
    # Always three digits: a digit that follows is then not read as a part of the escape.
    return character if character.isascii() and character.isprintable() else f"\\{byte:03o}"


def pip_install(package: str) -> str:
    """The command that installs a package; brackets are in quotes, because zsh expands them."""
    return f"pip install {quoted(package)}"
