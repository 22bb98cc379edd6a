"""No file of a run or of the cache makes a command wait, fill the memory or write elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from seqzoo.regular_files import (
    open_to_change,
    open_to_read,
    parse_json,
    read_bytes,
    read_json,
)


def test_what_is_appended_to_a_file_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for part in (b"one ", b"two"):
        with open_to_change(path) as file:
            file.write(part)
    assert read_bytes(path, limit=7) == b"one two"
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


@pytest.mark.parametrize("open_file", [open_to_read, open_to_change])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_only_regular_files_are_opened(
    tmp_path: Path, open_file: Callable[[Path], object], make: Callable[[Path], object]
) -> None:
    path = tmp_path / "file"
    make(path)
    with pytest.raises(OSError, match=r"not a regular file|a folder|a link") as caught:
        open_file(path)
    assert caught.value.filename == str(path)


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    target, missing, link = tmp_path / "diary", tmp_path / "missing", tmp_path / "lock"
    target.write_text("dear diary")
    for of in (target, missing):
        link.symlink_to(of)
        with pytest.raises(OSError, match="it is a link"):
            open_to_change(link)
        link.unlink()
    assert target.read_text() == "dear diary"
    assert not missing.exists()


def test_nothing_is_written_to_a_file_with_a_second_name(tmp_path: Path) -> None:
    diary, lock = tmp_path / "diary", tmp_path / "lock"
    diary.write_text("dear diary")
    os.link(diary, lock)
    with pytest.raises(OSError, match="it has a second name"):
        open_to_change(lock)
    assert diary.read_text() == "dear diary"


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # more than any memory
    with pytest.raises(OSError, match="more than 100 bytes"):
        read_bytes(path, limit=100)
    with pytest.raises(OSError, match="more than 67,108,864 bytes"):
        read_json(path)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"1" * 5_000,
        b"[NaN]",
        b"-Infinity",
        b"\xff",
        b"",
        b"{} {}",
    ],
)
def test_json_that_cannot_be_used_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (each has its own words)
        parse_json(content)


def _umask() -> int:
    os.umask(current := os.umask(0))
    return current
