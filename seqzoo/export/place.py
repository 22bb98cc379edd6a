"""A new folder that is complete or absent: written beside its place, and then renamed."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqzoo.errors import UsageError
from seqzoo.storage import make_directory, naming, sync_directory, write_through

__all__ = ["new_folder", "require_place"]


def require_place(place: Path) -> None:
    """Raises UsageError unless there is nothing at the place of a new folder, or an empty one."""
    if not os.path.lexists(place):
        above = next(folder for folder in place.absolute().parents if folder.exists())
        if not above.is_dir():
            raise UsageError(f"{place} cannot be made: {above} is a file, expected a folder.")
        return
    if place.is_symlink() or not place.is_dir():
        raise UsageError(f"{place} exists and is not a folder; give the name of a new folder.")
    if next(place.iterdir(), None) is not None:
        raise UsageError(
            f"{place} exists and is not empty, and nothing is overwritten; give the name of a new "
            f"folder."
        )


@contextmanager
def new_folder(place: Path) -> Iterator[Path]:
    """A new folder beside the place, which it takes at the end; removed where anything fails."""
    make_directory(place.absolute().parent)
    folder = place.absolute().with_name(f".{place.absolute().name}.{uuid.uuid4().hex}.tmp")
    try:
        with naming(place, folder):
            folder.mkdir()
        yield folder
        shutil.rmtree(folder / "__pycache__", ignore_errors=True)
        for path in folder.iterdir():
            with path.open("rb+") as file:
                write_through(file)
        sync_directory(folder)
        require_place(place)
        os.rename(folder, place)  # takes the place of an empty folder too
        sync_directory(place.absolute().parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
