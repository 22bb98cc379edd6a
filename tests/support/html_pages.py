"""Reads a page as a browser does, for tests: tables, texts, and everything that could do harm."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

_VOID = {"meta", "link", "br", "line", "circle", "polyline", "hr", "img", "input"}


class PageReader(HTMLParser):
    """rows: the cells of every table row. text: all that is shown. dangers: what must not be there.

    Dangers are addresses outside of the page, event handlers, scripts that the page's policy does
    not allow, and tags that are not closed.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.text = ""
        self.titles: list[str] = []
        self.dangers: list[str] = []
        self.headings: list[str] = []
        self._open: list[str] = []
        self._policy = ""
        self.feed(page)
        self.close()
        self.dangers += [f"<{tag}> is not closed" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        for name, value in values.items():
            is_elsewhere = name in ("src", "href", "action", "data", "srcset", "xlink:href")
            if is_elsewhere and not value.startswith(("#", "data:,")):
                self.dangers.append(f"{name}={value}")
            if name.startswith("on"):
                self.dangers.append(f"{name}={value}")
            if name == "style" and "url" in value:
                self.dangers.append(f"style={value}")
        if values.get("http-equiv") == "Content-Security-Policy":
            self._policy = values["content"]
        if "title" in values:
            self.titles.append(values["title"])
        if tag in ("iframe", "object", "embed", "base", "form"):
            self.dangers.append(f"<{tag}>")
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag in ("h1", "h2", "h3"):
            self.headings.append("")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self.dangers.append(f"</{tag}> closes {self._open[-1:] or 'nothing'}")
        else:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if "script" in self._open:
            digest = base64.b64encode(hashlib.sha256(data.encode()).digest()).decode()
            if f"'sha256-{digest}'" not in self._policy:
                self.dangers.append(f"a script that is not allowed: {data[:80]}")
            return
        if "style" in self._open:
            if re.search(r"url\(|@import|expression", data):
                self.dangers.append("a style that loads something")
            return
        self.text += data
        if self._open and {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data.strip()
        if {"h1", "h2", "h3"} & set(self._open):
            self.headings[-1] += data.strip()
