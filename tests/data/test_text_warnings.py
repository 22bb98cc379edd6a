"""Warnings about a text name the files and say what to do; text that is fine has none."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqzoo.data.corpus import split
from seqzoo.data.text_warnings import text_warnings
from seqzoo.plugin.corpus import Corpus
from seqzoo.plugin.registry import Registry

WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "a",
    "lazy",
    "dog",
    "while",
    "nobody",
    "watches",
    "it",
]


def prose(size: int, seed: int = 0) -> bytes:
    generator = random.Random(seed)
    lines = (" ".join(generator.choices(WORDS, k=9)) + "." for _ in range(size // 20))
    return "\n".join(lines).encode()[:size]


def warnings_of(registry: Registry, folder: Path, files: dict[str, bytes]) -> list[str]:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    name = next(iter(files)) if len(files) == 1 else ""
    corpus = opened(registry, "file" if name else "directory", path=folder / name)
    return warnings_about(corpus)


def opened(registry: Registry, name: str, **options: Any) -> Corpus:
    spec = registry.get("corpus", name)
    return spec.open(spec.options(**options), Path())


def warnings_about(corpus: Corpus, batch_tokens: int = 2048) -> list[str]:
    splits = split(corpus, train=0.9, validation=0.05, test=0.05)
    return text_warnings(corpus, splits, batch_tokens=batch_tokens)


def test_plain_text_that_is_long_enough_has_no_warning(registry: Registry, tmp_path: Path) -> None:
    assert warnings_of(registry, tmp_path, {"a.txt": prose(210_000)}) == []
    assert warnings_of(registry, tmp_path, {"b.txt": prose(200_000), "c.md": prose(9000, 1)}) == []


def test_a_file_is_named_with_what_to_do(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    packed = gzip.compress(random.Random(1).randbytes(210_000))
    (warning,) = warnings_of(registry, tmp_path, {"my notes.gz": packed})
    assert warning.startswith("my notes.gz is a gzip archive: ")
    assert warning.endswith("gunzip -k 'my notes.gz'.")


def test_files_of_a_folder_are_counted_and_a_pattern_leaves_them_out(
    registry: Registry, tmp_path: Path
) -> None:
    files = {
        "a.md": prose(150_000),
        "b/c.md": prose(150_000, 1),
        "d.txt": prose(1000),
        "b/e.gz": gzip.compress(prose(9000)),
        "f.png": b"\x89PNG\r\n\x1a\n" + bytes(99),
    }
    (warning,) = warnings_of(registry, tmp_path, files)
    assert warning.startswith("2 of 5 files are not plain text. For example ")
    assert warning.endswith(f"to leave them out: --text '{tmp_path}/**/*.md'.")
    rest = opened(registry, "directory", path=tmp_path, pattern="**/*.md")
    assert warnings_about(rest) == []


def test_a_pattern_is_not_offered_where_it_would_not_help(
    registry: Registry, tmp_path: Path
) -> None:
    files = {"a.txt": prose(250_000), "b.txt": prose(9000).decode().encode("utf-16")}
    (warning,) = warnings_of(registry, tmp_path, files)
    assert warning.startswith(f"{tmp_path}/b.txt (1 of 2 files) is UTF-16LE text: ")
    assert f"iconv -f UTF-16 -t UTF-8 {tmp_path}/b.txt" in warning
    assert "leave them out" not in warning


def test_a_corpus_that_is_not_of_files_has_no_warning(registry: Registry) -> None:
    assert warnings_about(opened(registry, "pastiche", size_bytes=1000)) == []


def test_the_size_that_a_short_text_needs_is_enough() -> None:
    for batch_tokens in (2048, 400_000):
        corpus = _corpus(prose(2000))
        needed = 0
        for warning in warnings_about(corpus, batch_tokens):
            assert "is short" in warning
            needed = max(needed, int(warning.split("at least ")[1].split()[0].replace(",", "")))
        assert warnings_about(_corpus(prose(needed - 25)), batch_tokens)
        assert warnings_about(_corpus(prose(needed + 25)), batch_tokens) == []


def _corpus(data: bytes) -> Corpus:

    return Corpus("a", np.frombuffer(data, dtype=np.uint8), "a", files=[("a", 0, len(data))])


def test_a_text_of_one_byte_is_reported(registry: Registry, tmp_path: Path) -> None:
    (warning,) = warnings_of(registry, tmp_path, {"a.txt": b"\n" * 300_000})
    assert "repeats the same bytes" in warning


def test_what_only_the_middle_of_a_file_shows_is_seen(registry: Registry, tmp_path: Path) -> None:
    text = prose(500_000)
    mixed = text + "ä".encode("latin-1") * 9 + text
    (warning,) = warnings_of(registry, tmp_path, {"a.txt": mixed})
    assert "not UTF-8" in warning
