"""A file is replaced as a whole, or it stays as it was."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from seqzoo.storage import write_new, write_whole


def test_text_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("a longer text than the next")
    write_whole(path, "né\n")
    assert path.read_bytes() == "né\n".encode()


@pytest.mark.parametrize("operation", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    path = tmp_path / "file"
    path.write_text("old")
    with monkeypatch.context() as patched:
        patched.setattr(os, operation, fail)
        with pytest.raises(OSError, match="disk full"):
            write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_parts_are_joined_in_a_folder_that_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    write_whole(path, iter([b"\xff", b"", b"\x00"]))
    assert path.read_bytes() == b"\xff\x00"


def test_parts_that_fail_half_way_leave_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    def parts() -> Iterator[bytes]:
        yield b"new"
        raise KeyError("the source of the parts")

    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(KeyError, match="source"):
        write_whole(path, parts())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("operation", ["open", "fsync", "replace"])
def test_an_error_names_the_file_and_not_the_unfinished_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    def fail(path: object, *_: object, **__: object) -> None:
        name = [] if operation == "fsync" else [str(path)]
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), *name)

    monkeypatch.setattr(Path if operation == "open" else os, operation, fail)
    with pytest.raises(OSError, match="Read-only") as caught:
        write_whole(tmp_path / "file", "new")
    assert caught.value.filename == str(tmp_path / "file")
    assert caught.value.filename2 is None


def test_the_source_of_the_parts_keeps_its_name_in_an_error(tmp_path: Path) -> None:
    def parts() -> Iterator[bytes]:
        yield (tmp_path / "absent").read_bytes()

    with pytest.raises(FileNotFoundError) as caught:
        write_whole(tmp_path / "file", parts())
    assert caught.value.filename == str(tmp_path / "absent")


def test_a_new_file_replaces_none_and_is_whole_or_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(FileExistsError):
        write_new(path, "new")
    assert path.read_text() == "old"

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            write_new(tmp_path / "other", "new")
    assert list(tmp_path.iterdir()) == [path]
    write_new(tmp_path / "other", "new")
    assert (tmp_path / "other").read_text() == "new"
