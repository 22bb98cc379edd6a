"""A file is replaced as a whole, or it stays as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from seqzoo.storage import write_whole


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
