"""What a run does at this moment, for the page that is served while it trains; reads files only."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path
from typing import Any

from markupsafe import Markup

from seqzoo.comparison.finished import read_logged_run
from seqzoo.errors import SeqzooError
from seqzoo.pages.render import render
from seqzoo.report.logged import charts_of, samples_of
from seqzoo.report.state import state_in_words
from seqzoo.runs.directory import RunDirectory, open_run_directory
from seqzoo.runs.status import RunState, status_of
from seqzoo.terminal.format import quoted

__all__ = ["LIVE_SCRIPTS", "Now", "etag", "live_page"]

_NUM_SAMPLES = 6

_PAUSES = 20
"""For so many times as long as it took, the text is not made again: training needs the machine."""


class Now:
    """The changing part of the page of one run; made again only if a file of the run changed."""

    def __init__(self, path: Path) -> None:
        """Raises UsageError if there is no run at `path`."""
        self._directory = open_run_directory(path)
        self._seen: tuple[object, ...] = ()
        self._text = ""
        self._next = 0.0
        self._lock = threading.Lock()

    def text(self) -> str:
        """A piece of HTML. A file that cannot be read is a sentence in it."""
        with self._lock:
            began = time.monotonic()
            if began < self._next and self._text:
                return self._text
            if (stamps := _stamps(self._directory)) != self._seen or not self._text:
                self._text = self._made()
                self._seen = stamps
                self._next = began + _PAUSES * (time.monotonic() - began)
            return self._text

    def _made(self) -> str:
        values: dict[str, Any] = {"charts": [], "samples": [], "unread": ""}
        try:
            status = status_of(self._directory)
            path = self._directory.path
            try:
                run = read_logged_run(path, status.result)
                values["charts"] = charts_of(run)
            except SeqzooError as error:
                run = read_logged_run(path, status.result, with_log=False)
                values["unread"] = str(error)
            values["state"] = state_in_words(status, run)
            if status.state is RunState.FINISHED:
                values["state"] += f" The whole report: seqzoo report {quoted(path)}"
            values["samples"] = samples_of(run, at_most=_NUM_SAMPLES)[::-1]
        except Exception as error:  # a file that is damaged in a new way; the page lives
            kind = "" if isinstance(error, SeqzooError) else f"{type(error).__name__}: "
            values["state"] = values["unread"] = f"{kind}{error}"
        return render(_PACKAGES, "now.html.j2", title="", **values)


_PACKAGES = ("seqzoo.report",)


def live_page(run: Path, now: Now) -> str:
    """The whole page, which asks for the changing part again and again."""
    text = now.text()
    return render(
        _PACKAGES,
        "live.html.j2",
        title=f"seqzoo report: {run.resolve().name}",
        scripts=LIVE_SCRIPTS,
        now=Markup(text),
        tag=etag(text),
    )


LIVE_SCRIPTS = ("charts.js", "live.js")


def etag(text: str) -> str:
    """A short name of a text, as HTTP writes it."""
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'


def _stamps(directory: RunDirectory) -> tuple[object, ...]:
    """What changes when the run writes something that is shown, or starts or stops."""
    found: list[object] = [directory.holder()]
    for path in (directory.metrics, directory.timing, directory.samples, directory.result):
        try:
            status = os.stat(path)
        except OSError:
            found.append(None)
        else:
            found.append((status.st_mtime_ns, status.st_size))
    return tuple(found)
