"""Corpus `tinyshakespeare`: 1.1 MB of Shakespeare's plays, the usual benchmark."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from seqzoo import CorpusSpec, Options, hookimpl

if TYPE_CHECKING:
    from seqzoo import Corpus, CorpusContext

URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"


class TinyShakespeareOptions(Options):
    download: bool = Field(default=True, description="download it if it is not on this machine")


@hookimpl
def register_corpora() -> Iterable[CorpusSpec]:
    yield CorpusSpec(
        name="tinyshakespeare",
        summary="40,000 lines of Shakespeare (1,115,394 bytes), from $SEQZOO_DATA or the network",
        options=TinyShakespeareOptions,
        open=_open,
        source=URL,
    )


def _open(options: TinyShakespeareOptions, context: CorpusContext) -> Corpus:
    from seqzoo_plugins.tinyshakespeare.corpus import open_tinyshakespeare

    return open_tinyshakespeare(URL, download=options.download)
