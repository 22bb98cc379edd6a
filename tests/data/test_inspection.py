"""Files that a model learns badly are recognised, and plain text of any kind is not."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import sqlite3
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqzoo.data.inspection import is_repetitive, traits

POEM = "Wer reitet so spät durch Nacht und Wind?\nEs ist der Vater mit seinem Kind;\n"
TEXTS = {
    "English": "To be, or not to be, that is the question:\n" * 40,
    "German": POEM * 40,
    "Russian": "Мой дядя самых честных правил,\nКогда не в шутку занемог,\n" * 40,
    "Chinese": "床前明月光,疑是地上霜。\n舉頭望明月,低頭思故鄉。\n" * 40,
    "Japanese": "吾輩は猫である。名前はまだ無い。\n" * 40,
    "Hindi": "सत्यमेव जयते नानृतं सत्येन पन्था विततो देवयानः।\n" * 40,
    "Arabic": "اقرأ باسم ربك الذي خلق\n" * 40,
    "Emoji": "👩‍👩‍👧‍👦 hello 🎉\n" * 40,
}


def kinds(*pieces: bytes) -> list[str]:
    return [trait.what for trait in traits(pieces)]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_plain_text_in_any_script_has_no_trait(text: str) -> None:
    assert kinds(text.encode()) == []


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_wide_encodings_are_named_with_and_without_a_mark(
    text: str, encoding: str, mark: str
) -> None:
    (what,) = kinds((mark + text).encode(encoding))
    assert encoding.replace("-", "").upper().replace("UTF", "UTF-") in what


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@given(cut=st.integers(0, 3), end=st.integers(1, 7))
def test_a_character_that_is_cut_is_no_mistake(text: str, cut: int, end: int) -> None:
    data = text.encode()
    assert kinds(data[:-end], data[cut:]) == []


ROWS = [{"id": n, "name": f"row {n}", "value": n * 0.37} for n in range(300)]
PLAIN: dict[str, bytes] = {
    "CSV": "\n".join(f"{r['id']},{r['name']},{r['value']}" for r in ROWS).encode(),
    "TSV": "\n".join(f"{r['id']}\t{r['name']}\t{r['value']}" for r in ROWS).encode(),
    "JSON": json.dumps(ROWS, indent=1).encode(),
    "JSON lines": "\n".join(map(json.dumps, ROWS)).encode(),
    "source code": Path(__file__).read_bytes(),
    "a log with colours": b"\x1b[31mERROR\x1b[0m something failed at 12:30\n" * 100,
    "a log with a progress bar": b"".join(b"\r%d%%" % n for n in range(100)) + b"\ndone\n" * 9,
    "man pages": b"N\bNA\bAM\bME\bE\n   ls - list files\n\f\n" * 50,
    "fields with separators": b"8=FIX.4.2|9=178\x0135=8\x0149=PHLX\x0156=PERS\n" * 90,
    "names with NUL": b"".join(b"./folder/file_number_%d.txt\0" % n for n in range(99)),
    "DNA": bytes(random.Random(1).choices(b"ACGT", k=20_000)),
    "bits": bytes(random.Random(1).choices(b"01", k=20_000)),
    "one damaged byte": POEM.encode() * 50 + b"\xff" + POEM.encode() * 50,
    "base64": "".join(random.Random(1).choices("ABCDEFabcdef0123456789+/", k=20_000)).encode(),
    "a text that begins with letters of a format": b"MZ is a name. PAR1 GUILTY\n" * 50,
    "BM": b"PAR1 was a game.\n" * 50,
    "Ogg": b"OggS is how a file begins.\n" * 50,
    "one line": b"all in one line, " * 500,
}


@pytest.mark.parametrize("data", PLAIN.values(), ids=PLAIN)
def test_text_that_programs_write_has_no_trait(data: bytes) -> None:
    assert kinds(data) == []


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("poem.txt", POEM * 100)
    return buffer.getvalue()


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        info = tarfile.TarInfo("poem.txt")
        info.size = len(POEM.encode())
        file.addfile(info, io.BytesIO(POEM.encode()))
    return buffer.getvalue()


def _sqlite() -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute("create table poems (line text)")
    return connection.serialize()


def _png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(72)))


def _npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(99))
    return buffer.getvalue()


NOISE = random.Random(7).randbytes(4000)
FORMATS: dict[str, tuple[Callable[[], bytes], str]] = {
    "gzip": (lambda: gzip.compress(POEM.encode() * 99), "gzip"),
    "bzip2": (lambda: bz2.compress(POEM.encode() * 99), "bzip2"),
    "xz": (lambda: lzma.compress(POEM.encode() * 99), "xz"),
    "zip": (_zip, "zip"),
    "tar": (_tar, "tar"),
    "sqlite": (_sqlite, "SQLite"),
    "png": (_png, "PNG"),
    "npy": (_npy, "NumPy"),
    "zstd": (lambda: b"\x28\xb5\x2f\xfd" + NOISE, "zstd"),
    "7z": (lambda: b"7z\xbc\xaf\x27\x1c" + NOISE, "7z"),
    "jpeg": (lambda: b"\xff\xd8\xff\xe0\x00\x10JFIF" + NOISE, "JPEG"),
    "elf": (lambda: b"\x7fELF\x02\x01\x01" + NOISE, "ELF"),
    "parquet": (lambda: b"PAR1\x15\x04\x15\x00" + NOISE + b"PAR1", "Parquet"),
    "pdf": (lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n" + NOISE, "PDF"),
    "noise": (lambda: NOISE, "binary"),
    "sound": (
        lambda: (np.sin(np.arange(9000) / 9) * 9000).astype("<i2").tobytes(), "binary"
    ),
    "small integers": (lambda: np.arange(5000, dtype="<u4").tobytes(), "binary"),
    "floats": (lambda: np.linspace(0, 1, 5000, dtype="<f4").tobytes(), "binary"),
    "zeros": (lambda: bytes(5000), "binary"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "named"), FORMATS.values(), ids=FORMATS)
def test_a_file_that_is_no_text_is_named_by_its_content(
    make: Callable[[], bytes], named: str
) -> None:
    (what,) = kinds(make())
    assert named in what


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "cp1251", "koi8-r", "gbk", "shift-jis"])
def test_text_in_another_encoding_is_named_and_not_taken_for_binary(encoding: str) -> None:
    language = {"cp1251": "Russian", "koi8-r": "Russian", "gbk": "Chinese", "shift-jis": "Japanese"}
    text = TEXTS[language.get(encoding, "German")].replace("舉", "举")
    (what,) = kinds(text.encode(encoding))
    assert "not UTF-8" in what


def test_line_ends_of_windows_and_old_macs_are_named() -> None:
    assert kinds(POEM.replace("\n", "\r\n").encode()) == ["has Windows line ends (CR LF)"]
    assert kinds(POEM.replace("\n", "\r").encode()) == [
        "uses old Mac line ends (CR), which most programs do not show as new lines"
    ]


def test_a_mark_is_named_beside_the_line_ends() -> None:
    data = b"\xef\xbb\xbf" + POEM.replace("\n", "\r\n").encode()
    assert kinds(data) == ["begins with a byte-order mark", "has Windows line ends (CR LF)"]


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn", "Co"]), min_size=1))
def test_no_text_without_control_characters_is_binary_or_wide(text: str) -> None:
    assert all("mark" in what for what in kinds(text.encode()))


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=3))
def test_any_bytes_are_judged_without_an_error(pieces: list[bytes]) -> None:
    for trait in traits(pieces):
        assert trait.what
        assert trait.advice
    is_repetitive(b"".join(pieces))


@pytest.mark.parametrize("sample", [b"a" * 9000, b"\n" * 9000, b" \n\t" * 3000, b"abcdef" * 5000])
def test_text_that_repeats_itself_is_repetitive(sample: bytes) -> None:
    assert is_repetitive(sample)


@pytest.mark.parametrize("name", ["CSV", "JSON", "DNA", "bits", "source code", "JSON lines"])
def test_data_with_little_information_is_not_repetitive(name: str) -> None:
    assert not is_repetitive(PLAIN[name])
