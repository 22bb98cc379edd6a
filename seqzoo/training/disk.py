"""The disk that a checkpoint is written to: whether there is room, and what to say if not."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path

from seqzoo.errors import DiskFault
from seqzoo.storage import is_full
from seqzoo.training.manifest import reason_of

__all__ = ["disk_fault", "may_pass", "require_space"]

_MAY_PASS = (errno.EIO, errno.ENOSPC, errno.EAGAIN, errno.EBUSY, errno.ESTALE, errno.ETIMEDOUT)
"""Faults that another attempt may not meet: of a network, of a disk that others write to."""


def require_space(folder: Path, sizes: Iterable[int]) -> None:
    """Raises DiskFault if the file system says that files of these sizes do not fit into it."""
    needed, free = _space(folder, sizes)
    if free is not None and needed > free:
        raise _no_space(folder, needed, free)


def disk_fault(folder: Path, sizes: Iterable[int], error: OSError) -> DiskFault:
    """The fault of a save that failed, with needed and free bytes if the disk is full."""
    if not is_full(error):
        return DiskFault(
            f"a checkpoint could not be written to {folder}: {reason_of(error)}", is_full=False
        )
    needed, free = _space(folder, sizes)
    why = ""
    if free is not None and needed <= free:
        why = f" ({error.strerror}: a quota, or a part that the file system keeps for itself)"
    return _no_space(folder, needed, free or 0, why)


def may_pass(error: OSError) -> bool:
    """Whether a second attempt can succeed."""
    return error.errno in _MAY_PASS


def _space(folder: Path, sizes: Iterable[int]) -> tuple[int, int | None]:
    """Bytes that the files need, and bytes that are free; None where the system does not say."""
    disk = os.statvfs(next(each for each in (folder, *folder.parents) if each.is_dir()))
    block = disk.f_frsize
    # Files take whole blocks, and so does each of the folders.
    needed = sum(-(-size // block) * block for size in (*sizes, 1, 1))
    return needed, disk.f_bavail * block if disk.f_blocks else None


def _no_space(folder: Path, needed: int, free: int, why: str = "") -> DiskFault:
    return DiskFault(
        f"not enough space for a checkpoint in {folder}: {needed:,} bytes needed, {free:,} "
        f"free{why}",
        is_full=True,
    )
