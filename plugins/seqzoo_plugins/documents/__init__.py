"""Stream `documents`: every row reads whole documents, and its state is reset between them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from seqzoo import Options, StreamSpec, hookimpl

if TYPE_CHECKING:
    from seqzoo import Stream, StreamContext


class DocumentsOptions(Options):
    shuffle: bool = Field(
        default=True, description="read the documents in another order in each epoch"
    )


@hookimpl
def register_streams() -> Iterable[StreamSpec]:
    yield StreamSpec(
        name="documents",
        summary="whole documents, the state reset between them; for corpora of several files",
        options=DocumentsOptions,
        open=_open,
    )


def _open(options: DocumentsOptions, context: StreamContext) -> Stream:
    from seqzoo_plugins.documents.stream import Documents

    return Documents(context, shuffle=options.shuffle)
