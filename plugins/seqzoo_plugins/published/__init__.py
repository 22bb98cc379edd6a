"""Corpora `tinyshakespeare`, `enwik8` and `text8`: the usual benchmarks, checked by their hash."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from seqzoo import CorpusSpec, Options, hookimpl
from seqzoo_plugins.published.texts import ENWIK8, TEXT8, TINYSHAKESPEARE

if TYPE_CHECKING:
    from collections.abc import Callable

    from seqzoo import Corpus, CorpusContext
    from seqzoo_plugins.published.texts import PublishedText


class PublishedOptions(Options):
    download: bool = Field(default=True, description="download it if it is not on this machine")


@hookimpl
def register_corpora() -> Iterable[CorpusSpec]:
    for text in (TINYSHAKESPEARE, ENWIK8, TEXT8):
        yield CorpusSpec(
            name=text.name,
            summary=text.summary,
            options=PublishedOptions,
            open=_opens(text),
            source=text.url,
        )


def _opens(text: PublishedText) -> Callable[[PublishedOptions, CorpusContext], Corpus]:
    def open_(options: PublishedOptions, context: CorpusContext) -> Corpus:
        from seqzoo_plugins.published.checked import open_checked

        return open_checked(text, download=options.download)

    return open_
