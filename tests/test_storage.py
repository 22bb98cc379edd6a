"""A file is replaced as a whole, or it stays as it was."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seqzoo.storage import (
    make_directory,
    remove_unfinished,
    write_by_sha256,
    write_new,
    write_whole,
)


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


_SLOW_WRITER = """
import sys
from pathlib import Path
from seqzoo.storage import write_by_sha256, write_whole
def parts():
    yield b"x" * 100_000
    print("writing", flush=True)
    sys.stdin.read()
if sys.argv[2] == "named":
    write_whole(Path(sys.argv[1], "file.bin"), parts())
else:
    write_by_sha256(Path(sys.argv[1]), parts())
"""


def writer(folder: Path, kind: str) -> subprocess.Popen[str]:
    """A process that has written half a file and waits until its stdin ends."""
    command = [sys.executable, "-c", _SLOW_WRITER, str(folder), kind]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


@pytest.mark.parametrize("kind", ["named", "by its hash"])
def test_what_a_killed_writer_left_is_removed_and_a_living_one_finishes(
    tmp_path: Path, kind: str
) -> None:
    with writer(tmp_path, kind) as dead, writer(tmp_path, kind) as living:
        dead.send_signal(signal.SIGKILL)
        dead.wait()
        assert len(list(tmp_path.iterdir())) == 2
        remove_unfinished(tmp_path)
        assert len(list(tmp_path.iterdir())) == 1
        living.communicate("")
        assert living.returncode == 0
    (kept,) = tmp_path.iterdir()
    assert kept.read_bytes() == b"x" * 100_000


def test_the_next_file_of_a_folder_removes_what_was_left(tmp_path: Path) -> None:
    left = tmp_path / f".other.bin.{'0' * 32}.tmp"
    left.write_bytes(b"half")
    write_whole(tmp_path / "file", "new")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_only_unfinished_files_are_removed(tmp_path: Path) -> None:
    name = f".file.{'0' * 32}.tmp"
    (tmp_path / "folder" / name).mkdir(parents=True)
    os.mkfifo(tmp_path / name)
    for other in ("file.tmp", ".file.tmp", f"file.{'0' * 32}.tmp", f".file.{'0' * 31}.tmp"):
        (tmp_path / other).write_bytes(b"of the user")
    (tmp_path / "aim").mkdir()
    (tmp_path / "aim" / name).write_bytes(b"of another folder")
    (tmp_path / "link").symlink_to(tmp_path / "aim")
    (tmp_path / "folder" / f".link.{'1' * 32}.tmp").symlink_to(tmp_path / "aim" / name)
    before = sorted(tmp_path.rglob("*"))
    for folder in (tmp_path, tmp_path / "folder", tmp_path / "link", tmp_path / "absent"):
        remove_unfinished(folder)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_that_is_removed_before_it_is_locked_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock = fcntl.flock
    raced: list[bool] = []

    def flock_later(file: Any, operation: int) -> None:
        if not raced:
            raced.append(True)
            remove_unfinished(tmp_path)  # as another process does at this moment
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", flock_later)
    write_whole(tmp_path / "file", "new")
    assert raced
    assert (tmp_path / "file").read_text() == "new"


def test_a_file_is_named_by_its_hash(tmp_path: Path) -> None:
    name = write_by_sha256(tmp_path / "new", iter([b"a", b"bc"]))
    assert name == hashlib.sha256(b"abc").hexdigest()
    assert (tmp_path / "new" / name).read_bytes() == b"abc"
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_every_new_folder_is_on_disk_in_the_one_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr("seqzoo.storage.sync_directory", synced.append)
    make_directory(tmp_path / "a" / "b")
    assert synced == [tmp_path, tmp_path / "a"]
    make_directory(tmp_path / "a" / "b")
    assert len(synced) == 2


def test_a_folder_that_cannot_be_synced_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("seqzoo.storage.sync_directory", full)
    with pytest.raises(OSError, match="No space"):
        make_directory(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []
