"""Warnings about a text name the files and say what to do; text that is fine has none."""

from __future__ import annotations

import gzip
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqzoo import CorpusContext
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
    return spec.open(spec.options(**options), CorpusContext(base=Path()))


def warnings_about(
    corpus: Corpus,
    batch_tokens: int = 2048,
    shares: tuple[float, float, float] = (0.9, 0.05, 0.05),
) -> list[str]:
    train, validation, test = shares
    splits = split(corpus, train=train, validation=validation, test=test)
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
    assert warning.endswith("gunzip -k 'my notes.gz'")  # without a full stop: it is pasted


@pytest.mark.parametrize(
    ("data", "ending"),
    [
        (gzip.compress(prose(9000)), "unpack it first; put this into the pipe: gunzip"),
        (
            prose(9000).decode().encode("utf-16"),
            "; put this into the pipe: iconv -f UTF-16 -t UTF-8",
        ),
        (prose(9000).replace(b"\n", b"\r\n"), "; put this into the pipe: tr -d '\\r'"),
        (b"PK\x03\x04" + bytes(9000), "; unpack it before it is piped in."),
        (b"\x89PNG\r\n\x1a\n" + bytes(9000), "leave it out if you want text."),
    ],
)
def test_what_was_piped_in_is_no_file_that_a_command_could_be_given(
    data: bytes, ending: str
) -> None:
    corpus = Corpus(
        "stdin", np.frombuffer(data, dtype=np.uint8), "a", files=[("stdin", 0, len(data))]
    )
    warning, _ = warnings_about(corpus)
    assert warning.startswith("stdin ")
    assert warning.endswith(ending)


def test_files_of_a_folder_are_counted_and_a_pattern_leaves_them_out(
    registry: Registry, tmp_path: Path
) -> None:
    files = {
        "a.md": prose(150_000),
        "b/c.md": prose(150_000, 1),
        "b/e.gz": gzip.compress(prose(9000)),
        "f.png": b"\x89PNG\r\n\x1a\n" + bytes(99),
        "empty.txt": b"",
    }
    warning, hint = warnings_of(registry, tmp_path, files)
    assert warning.startswith("2 of 5 files are not plain text. For example ")
    assert hint.endswith(f"To leave both files out: --text '{tmp_path}/**/*.md'")


LATIN = ("é" * 900).encode("latin-1")
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(99)
GOOD = prose(120_000)


@pytest.mark.parametrize(
    ("files", "pattern"),
    [
        ({"a.txt": GOOD, "b.txt": GOOD, "c.png": PICTURE}, "*.txt"),
        ({"a.txt": GOOD, "b/b.txt": GOOD, "c.png": PICTURE, "d.txt.gz": PICTURE}, "**/*.txt"),
        ({"a.txt": GOOD, "b.txt": GOOD, "sub/c.txt": LATIN}, "*.txt"),
        ({"a.txt": GOOD, "b.md": GOOD, "sub/c.txt": LATIN}, "*"),
        ({"good/a.txt": GOOD, "good/in/b.md": GOOD, "c.txt": LATIN}, "good/**/*"),
        ({"a.txt": GOOD, "b.md": GOOD, "c.png": PICTURE}, ""),
        ({"a.txt": GOOD, "sub/c.txt": GOOD, "lat.txt": LATIN}, ""),
        ({"a.txt": GOOD, "b.md": GOOD, "sub/c.txt": GOOD, "lat.txt": LATIN, "p.png": PICTURE}, ""),
        ({"[a].txt": GOOD, "b.t[x]t": GOOD, "c.png": PICTURE}, ""),
    ],
)
def test_a_pattern_is_offered_only_if_it_keeps_every_good_file_and_no_other(
    registry: Registry, tmp_path: Path, files: dict[str, bytes], pattern: str
) -> None:
    warnings = warnings_of(registry, tmp_path, files)
    hints = [warning.partition("To leave ")[2] for warning in warnings]
    assert [bool(hint) for hint in hints] == [False] * (len(hints) - 1) + [True]
    if not pattern:
        assert (
            "to another folder, or name each of the other files with its own --text." in hints[-1]
        )
        return
    assert hints[-1].endswith(f" out: --text '{tmp_path}/{pattern}'")
    rest = opened(registry, "directory", path=tmp_path, pattern=pattern)
    assert warnings_about(rest) == []
    good = {str(tmp_path / name) for name, data in files.items() if data is GOOD}
    assert {path for path, _, _ in rest.files} == good


def test_what_to_do_with_a_file_is_said_where_no_pattern_helps(
    registry: Registry, tmp_path: Path
) -> None:
    files = {"a.txt": prose(250_000), "b.txt": prose(9000).decode().encode("utf-16")}
    warning, hint = warnings_of(registry, tmp_path, files)
    assert warning.startswith(f"{tmp_path}/b.txt (1 of 2 files) is UTF-16LE text: ")
    assert warning.endswith(f"iconv -f UTF-16 -t UTF-8 {tmp_path}/b.txt > NEW")
    assert hint.startswith("To leave it out, ")


def test_a_corpus_that_is_not_of_files_has_no_warning(registry: Registry) -> None:
    assert warnings_about(opened(registry, "pastiche", size_bytes=1000)) == []


@pytest.mark.parametrize("batch_tokens", [2048, 400_000])
@pytest.mark.parametrize("shares", [(0.9, 0.05, 0.05), (0.5, 0.2, 0.3), (0.97, 0.011, 0.019)])
def test_a_short_text_has_one_warning_with_a_round_size_that_is_enough(
    batch_tokens: int, shares: tuple[float, float, float]
) -> None:
    (warning,) = warnings_about(_corpus(prose(2000)), batch_tokens, shares)
    (size,) = re.findall(r"at least ([\d,]+) bytes", warning)
    needed = int(size.replace(",", ""))
    assert len(str(needed).rstrip("0")) <= 2
    assert warnings_about(_corpus(prose(needed)), batch_tokens, shares) == []
    assert warnings_about(_corpus(prose(needed * 9 // 10)), batch_tokens, shares)


def test_the_warning_of_a_short_text_says_how_many_bytes_are_scored() -> None:
    assert warnings_about(_corpus(prose(60_000))) == [
        "Only 3,000 bytes are scored, so the score is uncertain (more than its interval says). "
        "Use at least 200,000 bytes of text."
    ]


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
