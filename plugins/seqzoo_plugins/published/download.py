"""Downloads a file of known size: no more bytes and no more seconds than it can need."""

from __future__ import annotations

import ssl
import urllib.request
from http.client import HTTPException, HTTPMessage, HTTPResponse
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any
from urllib.parse import urljoin

__all__ = ["download"]

_BLOCK = 1 << 16
_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)


def download(url: str, *, size: int, connect_s: float, total_s: float) -> bytes:
    """The bytes that an address answers with, and of more than `size` the first size + 1.

    connect_s: until the first answer. total_s: for everything. Proxies are those of the
    environment. What is compressed is not expanded. Raises OSError in every other case.
    """
    # A thread of its own: a server that sends one byte now and then keeps every limit of a socket.
    events: SimpleQueue[bytes | OSError] = SimpleQueue()
    Thread(target=_read, args=(url, size, total_s, events), daemon=True).start()
    _next(events, connect_s, "no answer")
    return _next(events, total_s, "no end of the file")


def _next(events: SimpleQueue[bytes | OSError], seconds: float, otherwise: str) -> bytes:
    try:
        event = events.get(timeout=seconds)
    except Empty:
        raise TimeoutError(f"{otherwise} within {seconds:g} seconds") from None
    if isinstance(event, OSError):
        raise event
    return event


def _read(url: str, size: int, timeout: float, events: SimpleQueue[bytes | OSError]) -> None:
    """Put an empty event where the server answers, then all bytes; or an OSError."""
    try:
        with _opened(url, timeout) as response:
            events.put(b"")
            parts, missing = [], size + 1
            while missing and (part := response.read(min(_BLOCK, missing))):
                parts.append(part)
                missing -= len(part)
        events.put(b"".join(parts))
    except OSError as error:
        events.put(error)
    except (HTTPException, ValueError) as error:  # an answer, or a proxy's address, of no sense
        events.put(OSError(f"{type(error).__name__}: {error}"))


class _AsItIs(urllib.request.HTTPErrorProcessor):
    """Gives every answer back: urllib would read the body of a redirect to its end."""

    def http_response(self, request: Any, response: Any) -> Any:
        return response

    https_response = http_response


def _opened(url: str, timeout: float) -> HTTPResponse:
    """The answer with status 200 that the redirects lead to. Raises OSError for any other."""
    opener = urllib.request.build_opener(
        _AsItIs, urllib.request.HTTPSHandler(context=_certificates())
    )
    for _ in range(_MAX_REDIRECTS + 1):
        if not url.startswith(("http://", "https://")):
            raise OSError(f"redirected to {url[:80]}")
        request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"})
        response: HTTPResponse = opener.open(request, timeout=timeout)
        if response.status == 200:
            return response
        response.close()
        headers: HTTPMessage = response.headers
        if response.status not in _REDIRECTS or "Location" not in headers:
            raise OSError(f"HTTP {response.status} {response.reason}".strip())
        url = urljoin(url, headers["Location"])
    raise OSError(f"more than {_MAX_REDIRECTS} redirects")


def _certificates() -> ssl.SSLContext:
    """Those of the system and, because not every Python finds them, those of certifi."""
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
