"""Servers that cut, lie, or never end: the cache has the verified text, or nothing."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seqzoo.errors import CorpusUnavailable
from seqzoo_plugins.published import checked
from seqzoo_plugins.published.checked import open_checked
from seqzoo_plugins.published.download import download
from seqzoo_plugins.published.texts import ENWIK8, TEXT8, TINYSHAKESPEARE, PublishedText

_CONNECT = socket.socket.connect  # before the fixture that refuses it
TEXT = b"First Citizen:\nBefore we proceed any further, hear me speak.\n" * 100
SHA256 = hashlib.sha256(TEXT).hexdigest()
SHORT = replace(TINYSHAKESPEARE, sha256=SHA256, size_bytes=len(TEXT), download_bytes=len(TEXT))
OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"

Answer = Callable[[socket.socket], None]


def sends(*parts: bytes) -> Answer:
    return lambda client: client.sendall(b"".join(parts))


def repeats(start: bytes, part: bytes) -> Answer:
    """Parts without end, until the other side closes."""

    def answer(client: socket.socket) -> None:
        client.sendall(start)
        while True:
            client.sendall(part)

    return answer


def drips(client: socket.socket) -> None:
    client.sendall(OK + b"\r\n")
    while not stopped.wait(0.01):
        client.sendall(b"x")


def waits(_: socket.socket) -> None:
    stopped.wait(60)


def whole(client: socket.socket) -> None:
    client.sendall(OK + b"Content-Length: %d\r\n\r\n" % len(TEXT) + TEXT)


stopped = threading.Event()


@pytest.fixture(autouse=True)
def _network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """This machine answers, no other one; the text is a short one."""

    def connect(self: socket.socket, address: Any) -> None:
        assert address[0] == "127.0.0.1"
        _CONNECT(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SEQZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(checked, "CONNECT_S", 5.0)
    monkeypatch.setattr(checked, "LEAST_TOTAL_S", 5.0)
    stopped.clear()
    yield
    stopped.set()


@pytest.fixture
def served() -> Iterator[Callable[[Answer], str]]:
    """Starts a server with this answer; returns its address."""
    listeners = []

    def serve(answer: Answer) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def talk(client: socket.socket) -> None:
            with client:
                try:
                    client.recv(1 << 16)
                    answer(client)
                except OSError:
                    pass  # the other side has what it wanted

        def accept() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/input.txt"

    yield serve
    for listener in listeners:
        listener.close()


def kept(tmp_path: Path) -> list[bytes]:
    return [path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file()]


ZEROS = gzip.compress(bytes(1 << 24))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (sends(), "could not be downloaded"),
        (sends(b"nonsense\r\n"), "could not be downloaded"),
        (sends(b"HTTP/1.1 404 Not Found\r\n\r\n"), "HTTP 404 Not Found"),
        (sends(OK + b"Content-Length: 6300\r\n\r\n", TEXT[:100]), "wrong sha256 (100 bytes, "),
        (sends(OK + b"Transfer-Encoding: chunked\r\n\r\nff\r\nabc"), "IncompleteRead"),
        (sends(OK + b"\r\n<html>Please log in.</html>"), "wrong sha256 (27 bytes, "),
        (sends(OK + b"\r\n" + TEXT[:-1] + b"!"), "wrong sha256"),
        (repeats(OK + b"\r\n", bytes(1 << 16)), "wrong sha256 (more than "),
        (repeats(OK + b"Content-Length: 999999999999\r\n\r\n", TEXT), "wrong sha256 (more than "),
        (
            repeats(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n"),
            "wrong sha256 (more than ",
        ),
        (sends(OK + b"Content-Encoding: gzip\r\n\r\n" + ZEROS), "wrong sha256"),
        (repeats(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), "could not be downloaded"),
        (repeats(b"HTTP/1.1 200 OK\r\nX: ", bytes(1 << 16)), "could not be downloaded"),
        (
            repeats(b"HTTP/1.1 302 Found\r\nLocation: /input.txt\r\n\r\n", bytes(1 << 16)),
            "more than 5 redirects",
        ),
        (
            sends(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n"),
            "redirected to file",
        ),
        (sends(b"HTTP/1.1 302 Found\r\n\r\n"), "HTTP 302"),
    ],
)
def test_a_wrong_answer_is_one_sentence_and_leaves_no_file(
    tmp_path: Path, served: Callable[[Answer], str], answer: Answer, says: str
) -> None:
    with pytest.raises(CorpusUnavailable) as caught:
        open_checked(replace(SHORT, url=served(answer)), download=True)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert kept(tmp_path) == []


@pytest.mark.parametrize(
    ("answer", "says"), [(drips, "no end of the file within"), (waits, "no answer within")]
)
def test_a_slow_server_is_not_waited_for(
    tmp_path: Path,
    served: Callable[[Answer], str],
    monkeypatch: pytest.MonkeyPatch,
    answer: Answer,
    says: str,
) -> None:
    monkeypatch.setattr(checked, "CONNECT_S", 0.5)
    monkeypatch.setattr(checked, "LEAST_TOTAL_S", 0.5)
    with pytest.raises(CorpusUnavailable, match=says):
        open_checked(replace(SHORT, url=served(answer)), download=True)
    assert kept(tmp_path) == []


def test_no_more_is_read_than_the_size_and_one_byte(served: Callable[[Answer], str]) -> None:
    for part in (bytes(1), bytes(1 << 20)):
        url = served(repeats(OK + b"\r\n", part))
        assert download(url, size=1000, connect_s=5, total_s=5) == bytes(1001)


def test_a_refused_connection_and_a_proxy_without_sense_are_one_sentence(
    tmp_path: Path, served: Callable[[Answer], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(CorpusUnavailable, match="Connection refused"):
        open_checked(replace(SHORT, url=f"http://127.0.0.1:{port}/"), download=True)
    for proxy in ("127.0.0.1:port", f"http://127.0.0.1:{port}", "socks5://127.0.0.1:x", "::"):
        monkeypatch.setenv("http_proxy", proxy)
        with pytest.raises(CorpusUnavailable, match="could not be downloaded") as caught:
            open_checked(replace(SHORT, url=served(whole)), download=True)
        assert "\n" not in str(caught.value)
    assert kept(tmp_path) == []


def test_a_whole_text_is_kept_once_also_after_a_redirect(
    tmp_path: Path, served: Callable[[Answer], str]
) -> None:
    url = served(whole)
    moved = served(sends(f"HTTP/1.1 301 Moved\r\nLocation: {url}\r\n\r\n".encode()))
    assert open_checked(replace(SHORT, url=moved), download=True).data.tobytes() == TEXT
    assert kept(tmp_path) == [TEXT]
    assert open_checked(replace(SHORT, url=url), download=False).data.tobytes() == TEXT


_PROGRAM = """
import sys
from dataclasses import replace
from seqzoo_plugins.published.checked import open_checked
from seqzoo_plugins.published.texts import TINYSHAKESPEARE
size = int(sys.argv[3])
text = replace(
    TINYSHAKESPEARE, url=sys.argv[1], sha256=sys.argv[2], size_bytes=size, download_bytes=size
)
print(len(open_checked(text, download=True).data))
"""


def test_processes_that_download_at_the_same_time_keep_one_whole_file(
    tmp_path: Path, served: Callable[[Answer], str]
) -> None:
    command = [sys.executable, "-c", _PROGRAM, served(whole), SHA256, str(len(TEXT))]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    sizes = [process.communicate()[0].strip() for process in started]
    assert sizes == [str(len(TEXT))] * 4
    assert kept(tmp_path) == [TEXT]


def zipped(*, name: str = "text8", data: bytes = TEXT, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        archive.writestr(name, data)
    return content.getvalue()


def packed(url: str, archive: bytes) -> PublishedText:
    """The short text in an archive at an address."""
    return replace(SHORT, url=url, member="text8", download_bytes=len(archive))


def test_a_text_in_an_archive_is_unpacked_and_kept_once(
    tmp_path: Path, served: Callable[[Answer], str]
) -> None:
    archive = zipped()
    text = packed(served(sends(OK + b"\r\n" + archive)), archive)
    assert open_checked(text, download=True).data.tobytes() == TEXT
    assert open_checked(text, download=False).data.tobytes() == TEXT
    assert kept(tmp_path) == [TEXT]


DAMAGED = zipped()[:40] + b"????" + zipped()[44:]


@pytest.mark.parametrize(
    ("archive", "says"),
    [
        (b"PK nonsense", "no ZIP file with text8"),
        (zipped(name="other"), "no ZIP file with text8"),
        (zipped()[:-30], "no ZIP file with text8"),
        (DAMAGED, "no ZIP file with text8"),
        (zipped(data=bytes(1 << 24)), "wrong sha256 (more than "),
        (zipped(data=TEXT[:-1]), "wrong sha256"),
        (zipped(name="../text8"), "no ZIP file with text8"),
    ],
)
def test_an_archive_of_something_else_is_one_sentence_and_leaves_no_file(
    tmp_path: Path, served: Callable[[Answer], str], archive: bytes, says: str
) -> None:
    with pytest.raises(CorpusUnavailable) as caught:
        open_checked(packed(served(sends(OK + b"\r\n" + archive)), archive), download=True)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert kept(tmp_path) == []


def test_every_published_text_has_a_file_name_of_its_own_and_a_secure_address() -> None:
    texts = (TINYSHAKESPEARE, ENWIK8, TEXT8)
    assert len({text.file_name for text in texts}) == len({text.sha256 for text in texts}) == 3
    for text in texts:
        assert text.url.startswith("https://")
        assert len(bytes.fromhex(text.sha256)) == 32
