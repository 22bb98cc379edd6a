"""The published texts: where each is, and by which bytes it is known."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ENWIK8", "TEXT8", "TINYSHAKESPEARE", "PublishedText"]


@dataclass(frozen=True)
class PublishedText:
    """A text that never changes.

    file_name: what the user's own copy is called. sha256, size_bytes: of the text.
    member: its name in the ZIP file at the address; "" where the address has the text itself.
    download_bytes: of what is at the address.
    """

    name: str
    summary: str
    url: str
    file_name: str
    sha256: str
    size_bytes: int
    download_bytes: int
    member: str = ""


TINYSHAKESPEARE = PublishedText(
    name="tinyshakespeare",
    summary="40,000 lines of Shakespeare (1,115,394 bytes), from $SEQZOO_DATA or the network",
    url="https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    file_name="tinyshakespeare.txt",
    sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    size_bytes=1_115_394,
    download_bytes=1_115_394,
)

ENWIK8 = PublishedText(
    name="enwik8",
    summary="the first 100 MB of a dump of Wikipedia, with its markup (downloads 36 MB)",
    url="https://mattmahoney.net/dc/enwik8.zip",
    file_name="enwik8",
    sha256="2b49720ec4d78c3c9fabaee6e4179a5e997302b3a70029f30f2d582218c024a8",
    size_bytes=100_000_000,
    download_bytes=36_445_475,
    member="enwik8",
)

TEXT8 = PublishedText(
    name="text8",
    summary="100 MB of Wikipedia as lower-case words without markup (downloads 31 MB)",
    url="https://mattmahoney.net/dc/text8.zip",
    file_name="text8",
    sha256="6e890197040d37d85beb962ae1f041ff1d9a9ca8d20c7d99c85027eebf51dca7",
    size_bytes=100_000_000,
    download_bytes=31_344_016,
    member="text8",
)
