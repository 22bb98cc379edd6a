"""Downloads that are cut, wrong, endless, parallel or offline: the cache has the text or nothing.

A server on this machine sends what each case says; the address and the expected sha256 of the
corpus `tinyshakespeare` are changed in the child, and nothing else.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import http.server
import importlib
import random
import resource
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from children import Child, Ended, command, start
from outcome import Outcome
from tiny_runs import text_of

__all__ = ["trial"]

TEXT = text_of(200_000, seed=5)
CORPUS = "tinyshakespeare"
ENDLESS_BYTES = 100_000_000
"""The server ends there itself."""

MAX_TAKEN_BYTES = 30 * len(TEXT)
"""Taken of an endless answer: some times the text, and the buffers of the system."""

LIMIT_S = 90.0

KINDS = (
    "whole",
    "cut",
    "wrong",
    "empty",
    "missing",
    "refused",
    "endless",
    "endless without a length",
    "a bomb of gzip",
    "a loop of addresses",
    "closed at once",
    "offline",
    "parallel",
    "killed",
    "a damaged copy",
)


@dataclass
class _Server:
    """begin: answers; called when the children are forked, because a fork has no threads."""

    kind: str
    url: str = ""
    taken: list[int] = field(default_factory=list)
    begin: Callable[[], None] = lambda: None


def trial(count: int, seed: int, folder: Path) -> Outcome:
    """`count` downloads, of every kind in turn."""
    found, draw, most = Outcome(), random.Random(seed), 0
    for number in range(count):
        kind, share = KINDS[number % len(KINDS)], draw.random()
        with found.case(f"{kind}, place {share:.3f}"), _serving(kind, share) as server:
            place = folder / f"download-{number}"
            place.mkdir()
            if kind == "a damaged copy":
                path = place / "cache" / CORPUS / f"{CORPUS}.txt"
                path.parent.mkdir(parents=True)
                path.write_bytes(TEXT[:-1] + b"?")
            children = [
                start(_fetch(server.url, place), place / f"{each}.txt")
                for each in range(4 if kind == "parallel" else 1)
            ]
            server.begin()
            if kind == "killed":
                time.sleep(share * 0.5)
                children[0].send(signal.SIGKILL)
            _judge(found, server, place, children)
            most = max(most, *server.taken, 0) if kind.startswith("endless") else most
            if kind == "killed":
                with _serving("whole", 0.0) as other:
                    child = start(_fetch(other.url, place), place / "again.txt")
                    other.begin()
                    again = child.wait(LIMIT_S)
                found.require(again.code == 0, f"fetched again, it {again}")
                left = _files(place / "cache")
                found.require(len(left) == 1, f"left in the cache: {left}")
            shutil.rmtree(place)
    found.notes.append(f"of an endless answer of {ENDLESS_BYTES:,} bytes, {most:,} were taken")
    return found


def _judge(found: Outcome, server: _Server, place: Path, children: list[Child]) -> None:
    kind, ended = server.kind, [child.wait(LIMIT_S) for child in children]
    succeeds = kind in ("whole", "parallel", "a damaged copy")
    for each in ended:
        _judge_one(found, kind, each, succeeds=succeeds)
    kept = {path: (place / "cache" / path).read_bytes() for path in _files(place / "cache")}
    text = {f"{CORPUS}/{CORPUS}.txt": TEXT}
    if kind == "killed":
        found.require(kept.get(f"{CORPUS}/{CORPUS}.txt") in (TEXT, None), "the copy is not whole")
    else:
        found.require(kept == (text if succeeds else {}), f"the cache has {sorted(kept)}")
    for taken in server.taken:
        found.require(taken <= MAX_TAKEN_BYTES, f"{taken:,} bytes were taken")
    left = [path.name for path in (place / "temporary").rglob("*") if path.is_file()]
    found.require(not left or kind == "killed", f"temporary files are left: {left}")


def _judge_one(found: Outcome, kind: str, ended: Ended, *, succeeds: bool) -> None:
    expected = (0,) if succeeds else (0, -signal.SIGKILL) if kind == "killed" else (3,)
    found.require(ended.code in expected, f"it {ended}")
    found.require(not ended.has_traceback, f"a traceback: it {ended}")
    if ended.code == 3:
        said = [line for line in ended.text.splitlines() if line.startswith("error: ")]
        found.require(len(said) == 1, f"not one sentence: it {ended}")


def _files(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def _fetch(url: str, place: Path) -> Callable[[], int]:
    """`seqzoo fetch` with an empty cache, an own temporary folder, and another address."""
    temporary = place / "temporary"
    temporary.mkdir(exist_ok=True)
    go = command(
        "fetch",
        CORPUS,
        folder=place,
        SEQZOO_CACHE=str(place / "cache"),
        SEQZOO_DATA="",
        TMPDIR=str(temporary),
        NO_PROXY="*",
    )

    def run() -> int:
        tempfile.tempdir = None
        # A file that grows past it ends the process.
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_TAKEN_BYTES, MAX_TAKEN_BYTES))
        if "connect" in vars(socket.socket):  # what keeps tests from the network
            del socket.socket.connect
        plugin: Any = importlib.import_module("seqzoo_plugins.published")
        plugin.TINYSHAKESPEARE = dataclasses.replace(
            plugin.TINYSHAKESPEARE,
            url=url,
            sha256=hashlib.sha256(TEXT).hexdigest(),
            size_bytes=len(TEXT),
            download_bytes=len(TEXT),
        )
        return go()

    return run


@contextmanager
def _serving(kind: str, share: float) -> Iterator[_Server]:
    """A server on this machine; offline, its address only."""
    found = _Server(kind)

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            try:
                _answer(self, kind, share)
            except OSError:  # the other side has enough
                pass
            finally:
                found.taken.append(getattr(self, "sent", 0))

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_port}/text.txt"
        if kind == "offline":
            server.server_close()
            yield found
            return
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        found.begin = thread.start
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def _answer(handler: Any, kind: str, share: float) -> None:
    handler.sent = 0

    def send(content: bytes) -> None:
        handler.wfile.write(content)
        handler.sent += len(content)

    def begin(code: int, **headers: str) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()

    length = str(len(TEXT))
    if kind in ("whole", "parallel", "a damaged copy"):
        begin(200, Content_Length=length)
        send(TEXT)
    elif kind == "killed":
        begin(200, Content_Length=length)
        for place in range(0, len(TEXT), 10_000):
            send(TEXT[place : place + 10_000])
            time.sleep(0.02)
    elif kind == "cut":
        begin(200, Content_Length=length)
        send(TEXT[: int(share * len(TEXT))])
    elif kind == "wrong":
        begin(200, Content_Length=length)
        place = int(share * len(TEXT))
        send(TEXT[:place] + bytes([TEXT[place] ^ 1]) + TEXT[place + 1 :])
    elif kind == "empty":
        begin(200, Content_Length="0")
    elif kind == "missing":
        begin(404, Content_Length="0")
    elif kind == "refused":
        begin(500, Content_Length="0")
    elif kind == "a loop of addresses":
        begin(302, Location="/text.txt", Content_Length="0")
    elif kind == "a bomb of gzip":
        bomb = gzip.compress(bytes(ENDLESS_BYTES), 9)
        begin(200, Content_Length=str(len(bomb)), Content_Encoding="gzip")
        send(bomb)
    elif kind.startswith("endless"):
        named = {} if "without" in kind else {"Content_Length": str(ENDLESS_BYTES)}
        begin(200, **named)
        while handler.sent < ENDLESS_BYTES:
            send(TEXT)
    # "closed at once" sends nothing.
