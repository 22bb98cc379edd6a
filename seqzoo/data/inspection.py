"""What a file is, judged by some of its bytes: plain text, or something that a model learns badly.

UTF-8 in any script is plain text, and so are tables, source code, and logs with escape sequences.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

__all__ = ["Trait", "is_repetitive", "traits"]


class Trait(NamedTuple):
    """group: what is said of several files. what: what is said of one. advice: what to do.

    command: what does it, for a FILE; "" where there is none.
    """

    group: str
    what: str
    advice: str
    command: str = ""

    def for_file(self, file: str) -> str:
        """What to do with a file; ends with the command, if there is one, or with a full stop."""
        if not self.command:
            return f"{self.advice}."
        return f"{self.advice}: {self.command.replace('FILE', file)}"

    @property
    def for_pipe(self) -> str:
        """What to do with a text that is piped in, and is no file."""
        program, *options = self.command.removesuffix(" > NEW").split(" ")
        if program not in _FILTERS:
            advice = self.advice.removesuffix(" first")
            return f"{advice} before it is piped in." if program else f"{self.advice}."
        used = [each for each in options if each not in ("-k", "<", "FILE")]
        return f"{self.advice}; put this into the pipe: {' '.join([program, *used])}"


_FILTERS = ("gunzip", "bunzip2", "unxz", "unzstd", "unlz4", "lzip", "iconv", "tail", "tr")
"""Programs that read a pipe and write one."""

NOT_TEXT = "are not plain text"
WIDE = "are UTF-16 or UTF-32 text"
OTHER_ENCODING = "are not UTF-8"
WINDOWS_LINES = "have Windows line ends (CR LF)"
OLD_MAC_LINES = "use old Mac line ends (CR), which most programs do not show as new lines"
MARKED = "begin with a byte-order mark"

_UNPACK = "the model would learn compressed bytes, which look like noise; unpack it first"
_NOT_FOR_TEXT = "the model would learn its bytes; leave it out if you want text"

# First bytes of formats. Letters alone can begin a text; then there must be a NUL as well.
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (rb"\x1f\x8b\x08", "is a gzip archive", f"{_UNPACK}: gunzip -k FILE"),
    (rb"PK\x03\x04", "is a zip archive (or an office document)", f"{_UNPACK}: unzip FILE"),
    (rb"BZh[1-9](1AY&SY|\x17rE8P\x90)", "is a bzip2 archive", f"{_UNPACK}: bunzip2 -k FILE"),
    (rb"\xfd7zXZ\x00", "is an xz archive", f"{_UNPACK}: unxz -k FILE"),
    (rb"\x28\xb5\x2f\xfd", "is a zstd archive", f"{_UNPACK}: unzstd FILE"),
    (rb"7z\xbc\xaf\x27\x1c", "is a 7z archive", f"{_UNPACK}: 7z x FILE"),
    (rb"Rar!\x1a\x07", "is a rar archive", f"{_UNPACK}: unrar x FILE"),
    (rb"\x04\x22\x4d\x18", "is an lz4 archive", f"{_UNPACK}: unlz4 FILE"),
    (rb"LZIP\x01", "is an lzip archive", f"{_UNPACK}: lzip -dk FILE"),
    (rb"\x1f[\x9d\xa0]", "is a compressed file (.Z)", f"{_UNPACK}: uncompress FILE"),
    (rb"(?s:.{257})ustar", "is a tar archive", "unpack it first: tar xf FILE"),
    (rb"%PDF-\d\.\d\s", "is a PDF", "extract its text first: pdftotext FILE"),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old office document", "save it as plain text"),
    (rb"\x89PNG\r\n\x1a\n", "is a PNG image", _NOT_FOR_TEXT),
    (rb"\xff\xd8\xff", "is a JPEG image", _NOT_FOR_TEXT),
    (rb"GIF8[79]a", "is a GIF image", _NOT_FOR_TEXT),
    (rb"II\*\x00|MM\x00\*", "is a TIFF image", _NOT_FOR_TEXT),
    (rb"(?s:RIFF.{4}(WEBP|WAVE|AVI ))", "is a WebP, WAV or AVI file", _NOT_FOR_TEXT),
    (rb"ID3[\x02-\x04]|\xff[\xfb\xf3\xf2]", "is an MP3 file", _NOT_FOR_TEXT),
    (rb"OggS|fLaC", "is an Ogg or FLAC file", _NOT_FOR_TEXT),
    (rb"(?s:.{4})ftyp|\x1a\x45\xdf\xa3", "is a video", _NOT_FOR_TEXT),
    (rb"\x7fELF", "is a program (ELF)", _NOT_FOR_TEXT),
    (rb"MZ|\xcf\xfa\xed\xfe|\xfe\xed\xfa\xcf|\xca\xfe\xba\xbe", "is a program", _NOT_FOR_TEXT),
    (rb"\x00asm", "is a program (WebAssembly)", _NOT_FOR_TEXT),
    (rb"SQLite format 3\x00", "is an SQLite database", "export its text: sqlite3 FILE .dump"),
    (rb"PAR1", "is a Parquet table", "export the column with the text to a text file first"),
    (rb"ARROW1|ORC|Obj\x01", "is a binary table (Arrow, ORC or Avro)",
     "export the column with the text to a text file first"),
    (rb"\x89HDF\r\n\x1a\n", "is an HDF5 file", _NOT_FOR_TEXT),
    (rb"\x93NUMPY", "is a NumPy array", _NOT_FOR_TEXT),
    (rb"\x80[\x02-\x05][\x95\}\]c(]", "is a Python pickle", _NOT_FOR_TEXT),
    (rb"GGUF", "is a file of model weights", _NOT_FOR_TEXT),
)  # fmt: skip

# Tab, line ends, form feed; backspace and escape are in logs of terminals.
_IN_TEXT = frozenset(b"\t\n\v\f\r\b\x1b")
_CONTROL = bytes(byte for byte in [*range(32), 127] if byte not in _IN_TEXT)
_ABOVE_ASCII = bytes(range(128, 256))
_ESCAPED = re.compile("[\udc80-\udcff]")
_WIDTHS = {"UTF-32LE": 4, "UTF-32BE": 4, "UTF-16LE": 2, "UTF-16BE": 2}
_SPACES = frozenset(" \n\r\t\u00a0\u3000\u3001\u3002\uff0c")


def traits(pieces: Sequence[bytes]) -> list[Trait]:
    """What a user should know about a file before a model learns it; empty for plain text.

    pieces: parts of the file in order, the first from its start, each at a multiple of 4 bytes.
    """
    whole = b"".join(pieces)
    if not whole:
        return []
    invalid, outside_ascii = map(sum, zip(*map(_not_utf8, pieces), strict=True))
    controls = len(whole) - len(whole.translate(None, delete=_CONTROL))
    nuls = whole.count(0)
    for magic, what, advice in _MAGIC:
        if (match := re.match(magic, pieces[0])) and (nuls or not _is_printable(match[0])):
            advice, _, command = advice.partition(": ")
            return [Trait(NOT_TEXT, what, advice, command)]
    if (nuls or invalid) and (wide := _wide_encoding(pieces[0][:4096])):
        # With a mark, iconv finds the order itself and removes the mark.
        marked = pieces[0].startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff"))
        advice = f"every character is at least {_WIDTHS[wide]} bytes; convert it first"
        command = f"iconv -f {wide[:6] if marked else wide} -t UTF-8 FILE > NEW"
        return [Trait(WIDE, f"is {wide} text", advice, command)]
    limit = 0.01 if invalid else 0.1
    if controls > limit * len(whole) or nuls > 0.05 * len(whole):
        what = f"is binary data ({controls / len(whole):.0%} control bytes)"
        return [Trait(NOT_TEXT, what, _NOT_FOR_TEXT)]
    return list(_traits_of_text(pieces[0], whole, invalid, outside_ascii))


def is_repetitive(sample: bytes) -> bool:
    """Whether a text repeats itself so much that there is nothing to learn."""
    if len(set(sample)) < 2 or not sample.strip():
        return True
    return len(sample) >= 4096 and len(zlib.compress(sample, 6)) < len(sample) / 50


def _traits_of_text(
    first: bytes, whole: bytes, invalid: int, outside_ascii: int
) -> Iterator[Trait]:
    if invalid > 0.1 * outside_ascii:
        advice = (
            "it can be trained on, but samples are shown with wrong characters; convert it with "
            "its encoding in place of LATIN1"
        )
        yield Trait(
            OTHER_ENCODING,
            "is not UTF-8, perhaps Latin-1",
            advice,
            "iconv -f LATIN1 -t UTF-8 FILE > NEW",
        )
    if first.startswith(b"\xef\xbb\xbf"):
        advice = "the model would learn it as text; remove it first"
        yield Trait(MARKED, "begins with a byte-order mark", advice, "tail -c +4 FILE > NEW")
    lines, returns, pairs = whole.count(b"\n"), whole.count(b"\r"), whole.count(b"\r\n")
    if pairs > 0.5 * lines:
        advice = "the model learns to write both; convert them if you do not want that"
        command = "tr -d '\\r' < FILE > NEW"
        yield Trait(WINDOWS_LINES, "has Windows line ends (CR LF)", advice, command)
    # Progress bars in logs return to the start of a line and end it in the usual way.
    elif returns > 1 and lines < 0.01 * returns:
        what = "uses old Mac line ends (CR), which most programs do not show as new lines"
        yield Trait(OLD_MAC_LINES, what, "convert them first", "tr '\\r' '\\n' < FILE > NEW")


def _not_utf8(piece: bytes) -> tuple[int, int]:
    """How many bytes of a piece are not UTF-8, and how many are not ASCII.

    A character that is cut at the start or at the end is not counted.
    """
    outside_ascii = len(piece) - len(piece.translate(None, delete=_ABOVE_ASCII))
    if not outside_ascii:
        return 0, 0
    begin = next((n for n in range(min(4, len(piece))) if piece[n] & 0xC0 != 0x80), 0)
    decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
    text = decoder.decode(piece[begin:])
    return len(text) - len(_ESCAPED.sub("", text)), outside_ascii


def _wide_encoding(start: bytes) -> str:
    """UTF-16 or UTF-32 in either order, with or without a byte-order mark; "" for neither."""
    for encoding, width in _WIDTHS.items():
        # A character of two units may be cut at the end.
        text = start[: len(start) // width * width].decode(encoding, errors="replace")
        marked = text.startswith("\ufeff")
        # The high byte of a space or of a line end is 0.
        if not text or not (marked or (0 in start and _SPACES & set(text))):
            continue
        known = sum(_is_known(character) for character in text)
        if known >= 0.97 * len(text):
            return encoding
    return ""


def _is_printable(matched: bytes) -> bool:
    return matched.isascii() and matched.decode().isprintable()


def _is_known(character: str) -> bool:
    if character in "\n\r\t\ufeff\f":
        return True
    return character != "\ufffd" and unicodedata.category(character) not in ("Cc", "Cn", "Co", "Cs")
