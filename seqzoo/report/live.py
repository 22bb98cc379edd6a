"""Serves the page of a run while it trains: on this machine only, and without writing anything."""

from __future__ import annotations

import socket
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from seqzoo.errors import UsageError
from seqzoo.pages.render import page_policy
from seqzoo.report.now import LIVE_SCRIPTS, Now, etag, live_page
from seqzoo.terminal.console import warn

__all__ = ["LiveServer"]

_ADDRESS = "127.0.0.1"


class LiveServer(ThreadingHTTPServer):
    """A server of one run's page at `url`. A port that is in use is a UsageError."""

    daemon_threads = True

    def __init__(self, run: Path, *, port: int) -> None:
        """port: 0 for any that is free. Raises UsageError if there is no run."""
        self.run = run
        self.now = Now(run)
        try:
            super().__init__((_ADDRESS, port), _Handler)
        except (OSError, OverflowError) as error:
            cause = getattr(error, "strerror", None) or "it must be from 1 to 65535"
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
        """A browser that went away is no error; another one is reported, and the page lives."""
        error = sys.exception()
        if not isinstance(error, (ConnectionError, TimeoutError)):
            warn(f"a page could not be sent: {type(error).__name__}: {error}")


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
        # that name here. The port may be that of a tunnel.
        name = self.headers.get("Host", "").lower().partition(":")[0]
        if name not in (_ADDRESS, "localhost"):
            text = f"This page is for this machine only; open {self.server.url}\n"
            self._send(HTTPStatus.FORBIDDEN, text, "plain", with_body=with_body)
            return
        if self.path == "/":
            page = live_page(self.server.run, self.server.now)
            self._send(HTTPStatus.OK, page, "html", with_body=with_body)
        elif self.path == "/live":
            text = self.server.now.text()
            tag = etag(text)
            if self.headers.get("If-None-Match") == tag:
                self._send(HTTPStatus.NOT_MODIFIED, "", "html", tag=tag, with_body=False)
            else:
                self._send(HTTPStatus.OK, text, "html", tag=tag, with_body=with_body)
        else:
            text = "There is nothing here.\n"
            self._send(HTTPStatus.NOT_FOUND, text, "plain", with_body=with_body)

    def _send(
        self, status: HTTPStatus, text: str, kind: str, *, with_body: bool, tag: str = ""
    ) -> None:
        body = text.encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", f"text/{kind}; charset=utf-8")
        if status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", page_policy(LIVE_SCRIPTS))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Referrer-Policy", "no-referrer")
        if tag:
            self.send_header("ETag", tag)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of requests."""
