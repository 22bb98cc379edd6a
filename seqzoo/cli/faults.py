"""Faults of the machine as one sentence: an OSError, and an error that no code can catch."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path

from seqzoo.storage import is_full
from seqzoo.terminal.console import warn
from seqzoo.terminal.streams import RESULTS

__all__ = ["exit_code_of", "report_ignored", "sentence_of_fault"]

_WRONG_PATH = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)


def exit_code_of(error: OSError) -> int:
    """2 where a path is wrong, 3 where the machine is at fault (seqzoo/errors.py)."""
    return 2 if error.errno in _WRONG_PATH and error.filename is not None else 3


def sentence_of_fault(error: OSError) -> str:
    """The message for a user; it only says what is certain."""
    cause = error.strerror or str(error) or type(error).__name__
    if error.filename == RESULTS:
        return f"The results could not be printed: {cause}."
    if not isinstance(error.filename, (str, bytes)):
        if is_full(error):
            return f"{cause}: make room on the disk and run the command again."
        return f"The system reports: {cause}."
    path = Path(os.fsdecode(error.filename))
    if error.errno == errno.ENOENT:
        return _missing(path)
    if error.errno == errno.ENOTDIR:
        return f"{_nearest(path)} is a file, expected a folder."
    if error.errno == errno.EISDIR:
        return f"{path} is a folder, expected a file."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{path}: {cause}; {_permission(path)}."
    if error.errno == errno.EROFS:
        return (
            f"{path} cannot be written: {cause}; use another folder, or a copy of {path.parent} "
            f"in another place."
        )
    if is_full(error):
        return f"{path} cannot be written: {cause}; make room and run the command again."
    return f"{path}: {cause}."


def _missing(path: Path) -> str:
    folder = path.parent
    if folder.is_dir():
        return f"{path}: there is no such file or folder."
    return f"The folder {folder} does not exist."


def _permission(path: Path) -> str:
    """What must change; to make or replace a file, the permissions of its folder count."""
    folder = path.parent
    can_read = not path.exists() or os.access(path, os.R_OK)
    if can_read and folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
        return f"you need the permission to write in the folder {folder}"
    return "change its permissions or choose another place"


def _nearest(path: Path) -> Path:
    """The first part of the path that exists and is not a folder."""
    for part in (*reversed(path.parents), path):
        if part.exists() and not part.is_dir():
            return part
    return path


def report_ignored(found: sys.UnraisableHookArgs) -> None:
    """Report in one line an error that no code can catch, as that of a plugin's exit function.

    It is Python's hook for such errors; the exit code stays.
    """
    with contextlib.suppress(BaseException):
        place, trace = "", found.exc_traceback
        while trace is not None:
            file = os.path.basename(trace.tb_frame.f_code.co_filename)
            place, trace = f" ({file}, line {trace.tb_lineno})", trace.tb_next
        message = " ".join(str(found.exc_value or "").split())
        name = getattr(found.object, "__qualname__", "code at the end of the process")
        warn(f"{name} failed and was ignored: {found.exc_type.__name__}: {message}{place}")
