"""A disk that is full while a run is written: what is saved, and how the run continues."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from seqzoo.errors import DiskFault
from seqzoo.runs.directory import RunDirectory
from seqzoo.storage import is_full
from seqzoo.training.checkpoint_files import checkpoint_steps

__all__ = ["in_words", "room_for"]


# A disk that fails, one that the system has made read-only because of that, a limit of file sizes.
_OTHERS = (errno.EIO, errno.EROFS, errno.EFBIG)


@contextmanager
def room_for(directory: RunDirectory, *, is_new: bool = False) -> Iterator[None]:
    """Training and scoring of a run: what the disk does not take is a DiskFault.

    Its message says what is saved, and the command that continues. is_new: the folder was made by
    this command; if it has no checkpoint yet, it is removed, so that the command can be repeated.
    """
    try:
        yield
    except DiskFault as fault:
        _add_remedy(fault, directory, is_new=is_new)
        raise
    except OSError as error:
        if not is_full(error) and error.errno not in _OTHERS:
            raise
        found = DiskFault(in_words(error, directory.path), is_full=is_full(error))
        _add_remedy(found, directory, is_new=is_new)
        raise found from error


def in_words(fault: DiskFault | OSError, default: object = "a file") -> str:
    """What could not be written, and why. default: what to name if the system names no file."""
    if isinstance(fault, DiskFault):
        return fault.problem
    return f"{fault.filename or default} cannot be written: {fault.strerror}"


def _add_remedy(fault: DiskFault, directory: RunDirectory, *, is_new: bool) -> None:
    if steps := checkpoint_steps(directory.checkpoints):
        room = "make room and " if fault.is_full else ""
        fault.saved = fault.saved or f"the run is saved up to step {steps[-1]}"
        fault.remedy = f"{room}continue with: {directory.to_continue}"
    elif is_new:
        shutil.rmtree(directory.path, ignore_errors=True)
        fault.saved = "nothing is saved"
