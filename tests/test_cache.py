"""What is read from the cache is what was written there, or it is made again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqzoo import cache
from seqzoo.cache import map_bytes, open_cached, tidy_cache
from seqzoo.errors import CorpusUnavailable


def parts() -> Iterator[bytes]:
    yield b"to be"
    yield b", or not"


def never() -> Iterator[bytes]:
    raise AssertionError("it is in the cache")


@pytest.fixture(params=[1 << 27, 8], ids=["in memory", "mapped"])
def sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read, or, as if they were large, mapped."""
    monkeypatch.setattr(cache, "LARGEST_READ_BYTES", request.param)


@pytest.mark.usefixtures("sizes")
def test_what_was_made_is_made_once(tmp_path: Path) -> None:
    for make in (parts, never):
        data = open_cached(tmp_path / "text.bin", make)
        assert data.tobytes() == b"to be, or not"
        assert not data.flags.writeable


@given(st.data())
def test_whatever_is_damaged_is_made_again(
    tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("cache") / "text.bin"
    open_cached(path, parts)
    written = path.read_bytes()
    start = draw.draw(st.integers(0, len(written)))
    stop = draw.draw(st.integers(start, len(written)))
    path.write_bytes(written[:start] + draw.draw(st.binary(max_size=60)) + written[stop:])
    assert open_cached(path, parts).tobytes() == b"to be, or not"
    assert path.read_bytes() == written


def test_a_file_of_another_name_is_made_again(tmp_path: Path) -> None:
    open_cached(tmp_path / "text.bin", parts)
    shutil.copy(tmp_path / "text.bin", tmp_path / "other.bin")
    assert open_cached(tmp_path / "other.bin", lambda: [b"other"]).tobytes() == b"other"


def test_a_file_that_cannot_be_read_back_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "write_whole", lambda path, parts: path.write_bytes(b"lost"))
    with pytest.raises(CorpusUnavailable, match=r"text\.bin was written and has other bytes"):
        open_cached(tmp_path / "text.bin", parts)


def test_what_a_killed_process_was_writing_to_any_folder_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQZOO_CACHE", str(tmp_path / "cache"))
    tidy_cache()
    for folder in ("pastiche", "baselines", "of a stranger"):
        open_cached(tmp_path / "cache" / folder / "text.bin", parts)
        (tmp_path / "cache" / folder / f".large.bin.{'0' * 32}.tmp").write_bytes(b"half")
    (tmp_path / "cache" / "file").write_bytes(b"no folder")
    tidy_cache()
    names = {path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    assert names == {"text.bin", "file"}


def test_small_files_do_not_change_in_memory_and_large_ones_are_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"12345678")
    small = map_bytes(path)
    monkeypatch.setattr(cache, "LARGEST_READ_BYTES", 7)
    large = map_bytes(path)
    with path.open("r+b") as file:
        file.write(b"a")
    assert small.tobytes() == b"12345678"
    assert large.tobytes() == b"a2345678"
    assert isinstance(large, np.memmap)


@pytest.mark.usefixtures("sizes")
def test_the_first_bytes_of_a_file_are_all_there(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"0123456789ab")
    assert map_bytes(tmp_path / "text", 10).tobytes() == b"0123456789"
    with pytest.raises(ValueError, match=r"has 12 bytes|greater than"):
        map_bytes(tmp_path / "text", 13)
