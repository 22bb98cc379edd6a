"""A mapped file is known to have the bytes that were hashed, or the change is reported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seqzoo.cache import sha256_of
from seqzoo.data.mapped import MappedFile, mapped_file
from seqzoo.errors import EnvironmentFault

TEXT = bytes(range(256)) * 40


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "text").write_bytes(TEXT)
    return tmp_path / "text"


@pytest.fixture
def mapped(path: Path) -> MappedFile:
    found = mapped_file(np.memmap(path, np.uint8, "r"))
    assert found is not None
    assert found.sha256() == sha256_of(np.frombuffer(TEXT, np.uint8))
    return found


def overwrite(path: Path, data: bytes, place: int = 0) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(data)


@pytest.mark.parametrize("place", [0, 5000, len(TEXT) - 1])
def test_another_byte_is_reported_also_with_its_time_set_back(
    mapped: MappedFile, path: Path, place: int
) -> None:
    times = path.stat()
    overwrite(path, b"\xaa", place)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    mapped.require_whole(again="seqzoo resume r")
    with pytest.raises(EnvironmentFault, match=r"was changed .* continue with: seqzoo resume r$"):
        mapped.require_unchanged(again="seqzoo resume r")


@pytest.mark.parametrize("size", [0, 4096, len(TEXT) - 1])
def test_a_cut_file_is_reported_before_it_is_read(
    mapped: MappedFile, path: Path, size: int
) -> None:
    os.truncate(path, size)
    for require in (mapped.require_whole, mapped.require_unchanged):
        with pytest.raises(EnvironmentFault, match=rf"was cut to {size:,} bytes .*10,240; restore"):
            require(again="seqzoo resume r")


def test_the_same_bytes_are_no_change(mapped: MappedFile, path: Path, tmp_path: Path) -> None:
    overwrite(path, TEXT)
    mapped.require_unchanged()
    path.chmod(0o400)
    mapped.require_unchanged()
    path.chmod(0o600)
    with path.open("ab") as file:
        file.write(b"more")
    mapped.require_unchanged()
    path.rename(tmp_path / "renamed")
    path.write_bytes(b"another file of the same name")
    mapped.require_unchanged()
    mapped.require_whole(again="")


def test_restored_bytes_are_no_change(mapped: MappedFile, path: Path) -> None:
    overwrite(path, b"\xaa")
    with pytest.raises(EnvironmentFault):
        mapped.require_unchanged()
    overwrite(path, TEXT[:1])
    mapped.require_unchanged()


def test_views_of_a_mapped_file_are_mapped_and_bytes_in_memory_are_not(path: Path) -> None:
    data = np.memmap(path, np.uint8, "r")
    assert mapped_file(data[3:50]) is not None
    assert mapped_file(np.asarray(data)[3:]) is not None
    assert mapped_file(np.frombuffer(TEXT, np.uint8)) is None
    assert mapped_file(np.array(data)) is None


def test_a_file_that_is_cut_while_it_is_read_does_not_end_the_process_without_a_word(
    path: Path,
) -> None:
    program = """
import os, sys
import numpy as np
from seqzoo.data.mapped import mapped_file
data = np.memmap(sys.argv[1], np.uint8, "r")
mapped = mapped_file(data)
os.truncate(sys.argv[1], 0)
data.sum()
"""
    command = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Bus error" in done.stderr
