"""Serves the page of a run while it trains: on this machine only, and without writing anything."""

from __future__ import annotations

import os
import socket
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from seqzoo.errors import UsageError
from seqzoo.pages.render import page_policy
from seqzoo.report.now import LIVE_SCRIPTS, Now, etag, live_page

__all__ = ["LiveServer"]

_ADDRESS = "127.0.0.1"


class LiveServer(ThreadingHTTPServer):
    """A server of one run's page at `url`. A port that is in use is a UsageError."""

    daemon_threads = True
    allow_reuse_address = os.name != "nt"

    def __init__(self, run: Path, *, port: int) -> None:
        """port: 0 for any that is free. Raises UsageError if there is no run."""
        self.run = run
        self.now = Now(run)
        try:
            super().__init__((_ADDRESS, port), _Handler)
        except (OSError, OverflowError) as error:
            cause = getattr(error, "strerror", None) or str(error)
            raise UsageError(
                f"port {port} cannot be used: {cause}; leave out --port for a free one."
            ) from error

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{_ADDRESS}:{self.server_address[1]}/"

    def server_bind(self) -> None:
        """Bind without asking a name server for the machine's name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = _ADDRESS, int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: LiveServer
    timeout = 10
    server_version = "seqzoo"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        # A page of a stranger can make its own name mean this machine; the browser then sends
        # that name here.
        if self.headers.get("Host", "").lower() not in self._names():
            self._send(HTTPStatus.FORBIDDEN, "This page is served to this machine only.\n", "plain",
                       with_body=with_body)  # fmt: skip
            return
        if self.path == "/":
            page = live_page(self.server.run, self.server.now)
            self._send(HTTPStatus.OK, page, "html", with_body=with_body)
        elif self.path == "/live":
            text = self.server.now.text()
            if self.headers.get("If-None-Match") == etag(text):
                self._send(HTTPStatus.NOT_MODIFIED, "", "html", with_body=False)
            else:
                self._send(HTTPStatus.OK, text, "html", with_body=with_body)
        else:
            self._send(HTTPStatus.NOT_FOUND, "There is nothing here.\n", "plain",
                       with_body=with_body)  # fmt: skip

    def _names(self) -> set[str]:
        port = self.server.server_port
        return {f"{name}:{port}" for name in (_ADDRESS, "localhost")}

    def _send(self, status: HTTPStatus, text: str, kind: str, *, with_body: bool) -> None:
        body = text.encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", f"text/{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", page_policy(LIVE_SCRIPTS))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Referrer-Policy", "no-referrer")
        if kind == "html" and status != HTTPStatus.FORBIDDEN:
            self.send_header("ETag", etag(text))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of requests."""
