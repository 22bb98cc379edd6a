from __future__ import annotations

import bz2
import gzip
import lzma
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqzoo import BaselineContext, BaselineScore, Span
from seqzoo_plugins.compressors import primed, register_baselines
from seqzoo_plugins.compressors.formats import COMPRESSORS
from seqzoo_plugins.compressors.primed import primed_bits

TEXT = b"".join(
    b"Scene %d. Enter a messenger of %d words, and exit %x.\n" % (i, i * i % 97, i * 7919)
    for i in range(600)
)


def as_array(data: bytes) -> np.ndarray:
    return np.frombuffer(data, dtype=np.uint8)


def write_gzip(path: Path, data: bytes) -> None:
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        file.write(data)
    assert gzip.decompress(path.read_bytes()) == data


def write_bzip2(path: Path, data: bytes) -> None:
    with bz2.open(path, "wb", compresslevel=9) as file:
        file.write(data)
    assert bz2.decompress(path.read_bytes()) == data


def write_xz(path: Path, data: bytes) -> None:
    # The dictionary of -9 would need 700 MB; one of the size of the text finds the same matches.
    lzma2 = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 17}
    with lzma.open(path, "wb", filters=[lzma2]) as file:
        file.write(data)
    assert lzma.decompress(path.read_bytes()) == data


def write_zstd(path: Path, data: bytes) -> None:
    import zstandard

    # The parameters of the largest file that the test writes, for all of its files.
    parameters = zstandard.ZstdCompressionParameters.from_level(22, source_size=len(TEXT))
    compressor = zstandard.ZstdCompressor(compression_params=parameters)
    with zstandard.open(path, "wb", cctx=compressor) as file:
        file.write(data)
    with zstandard.open(path, "rb") as file:
        assert file.read() == data


def write_brotli(path: Path, data: bytes) -> None:
    brotli = import_module("brotli")

    path.write_bytes(brotli.compress(data, quality=11, lgwin=24))
    assert brotli.decompress(path.read_bytes()) == data


def write_ppmd(path: Path, data: bytes) -> None:
    import pyppmd

    path.write_bytes(pyppmd.compress(data, max_order=6, mem_size=256 << 20, variant="H"))
    assert pyppmd.Ppmd7Decoder(6, 256 << 20).decode(path.read_bytes(), len(data)) == data


WRITERS: dict[str, Callable[[Path, bytes], None]] = {
    "gzip": write_gzip,
    "bzip2": write_bzip2,
    "xz": write_xz,
    "zstd": write_zstd,
    "brotli": write_brotli,
    "ppmd": write_ppmd,
}
PACKAGES = {"zstd": "zstandard", "brotli": "brotli", "ppmd": "pyppmd"}


def skipped_without_its_package(name: str) -> Any:
    package = PACKAGES.get(name, "bz2")
    is_missing = find_spec(package) is None
    return pytest.param(
        name, marks=pytest.mark.skipif(is_missing, reason=f"the package '{package}' is missing")
    )


each_compressor = pytest.mark.parametrize(
    "name", [skipped_without_its_package(name) for name in WRITERS]
)


def test_every_compressor_is_compared_with_a_real_file() -> None:
    assert set(WRITERS) == set(COMPRESSORS) == {spec.name for spec in register_baselines()}


def bits_of(*arguments: Any) -> dict[str, float]:
    """What `primed_bits` returns when it has ended."""
    running = primed_bits(*arguments)
    while True:
        try:
            assert 0 <= next(running) <= 1
        except StopIteration as ended:
            return dict(ended.value)


@each_compressor
def test_bits_are_the_difference_of_two_files_on_disk(name: str, tmp_path: Path) -> None:
    cut, end = 24_000, len(TEXT)
    data = as_array(TEXT)
    spans = {"a": Span(data, cut, cut + 3000), "b": Span(data, cut + 3000, end)}
    sizes = {}
    contents = {"": b""} | {split: span.bytes.tobytes() for split, span in spans.items()}
    for split, content in contents.items():
        WRITERS[name](tmp_path / "file", TEXT[:cut] + content)
        sizes[split] = (tmp_path / "file").stat().st_size
    assert bits_of(name, data[:cut], spans) == {
        split: 8 * (sizes[split] - sizes[""]) for split in spans
    }


@each_compressor
def test_blocks_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = as_array(TEXT)
    splits = {"test": Span(data, 20_000, len(data))}
    whole = bits_of(name, data[:20_000], splits)
    monkeypatch.setattr(primed, "_BLOCK", 999)
    assert bits_of(name, data[:20_000], splits) == whole


@each_compressor
def test_bytes_that_are_not_contiguous_are_read_in_order(name: str) -> None:
    data = as_array(TEXT)
    doubled = np.repeat(data, 2)
    expected = bits_of(name, data[:9000], {"test": Span(data, 9000, 9500)})
    strided = bits_of(name, doubled[::2][:9000], {"test": Span(doubled[::2], 9000, 9500)})
    assert strided == expected


@each_compressor
def test_the_training_part_reduces_the_size(name: str) -> None:
    data = as_array(TEXT[:20_000] + TEXT[:5000])
    span = Span(data, 20_000, 25_000)
    assert (
        bits_of(name, data[:20_000], {"test": span})["test"]
        < 0.7 * (bits_of(name, data[:0], {"test": span})["test"])
    )


@each_compressor
def test_noise_does_not_shrink(name: str) -> None:
    data = np.random.default_rng(0).integers(0, 256, 40_000, dtype=np.uint8)
    bits = bits_of(name, data[:30_000], {"test": Span(data, 30_000, 40_000)})["test"]
    # bzip2 gains a little: its code tables are used for more symbols. xz rounds to four bytes.
    assert bits > 7.9 * 10_000


@each_compressor
def test_an_empty_split_costs_zero_bits(name: str) -> None:
    data = as_array(TEXT)
    assert bits_of(name, data, {"empty": Span(data, 5, 5)}) == {"empty": 0}
    assert bits_of(name, data[:100], {}) == {}


def context_of(data: np.ndarray) -> BaselineContext:
    """The first 400 bytes for training, the next 100 to score."""
    return BaselineContext(training=data[:400], splits={"test": Span(data, 400, 500)})


@each_compressor
def test_rungs_are_named_primed_and_are_adaptive(name: str) -> None:
    data = as_array(TEXT[:500])
    (spec,) = (spec for spec in register_baselines() if spec.name == name)
    (rung,) = spec.score(spec.options(), context_of(data))
    assert isinstance(rung, BaselineScore)
    assert rung.name == f"primed {name}"
    assert rung.adaptive


@each_compressor
def test_a_compressor_that_is_closed_reads_no_further(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow:
        def compress(self, data: bytes) -> bytes:
            given.append(len(data))
            time.sleep(0.01)
            return b""

        def flush(self) -> bytes:
            raise AssertionError("it read to the end")

    given: list[int] = []
    monkeypatch.setattr(primed, "COMPRESSORS", {name: lambda most: Slow()})
    monkeypatch.setattr(primed, "_BLOCK", 10)
    monkeypatch.setattr(primed, "_SHARE_EVERY_SECONDS", 0.0)
    data = as_array(TEXT)
    running = primed_bits(name, data[:20_000], {"test": Span(data, 20_000, len(data))})
    assert next(running) < 1
    running.close()
    assert sum(given) < 2000
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]


@pytest.mark.parametrize("name", PACKAGES)
def test_a_missing_package_is_reported_with_the_install_command(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, PACKAGES[name], None)
    data = as_array(TEXT[:500])
    (spec,) = (spec for spec in register_baselines() if spec.name == name)
    with pytest.raises(ImportError, match=r"^the package '\w+' .* pip install '\w+'$"):
        list(spec.score(spec.options(), context_of(data)))


def test_ppmd_agrees_with_another_implementation_on_tinyshakespeare(tinyshakespeare: Path) -> None:
    pytest.importorskip("pyppmd")
    data = np.fromfile(tinyshakespeare, dtype=np.uint8)
    span = Span(data, len(data) * 9 // 10, len(data))
    bits = bits_of("ppmd", data[: span.start], {"held_out": span})["held_out"]
    # Another implementation of variant H with order 6 needs 2.026; its files end differently.
    assert bits / len(span) == pytest.approx(2.026, abs=0.005)
