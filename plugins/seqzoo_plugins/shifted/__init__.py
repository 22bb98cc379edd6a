"""Stream `shifted`: contiguous lanes that begin at another place of the text in each epoch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from seqzoo import Options, StreamSpec, hookimpl

if TYPE_CHECKING:
    from seqzoo import Stream, StreamContext


@hookimpl
def register_streams() -> Iterable[StreamSpec]:
    yield StreamSpec(
        name="shifted",
        summary="contiguous lanes that begin at another place of the text in each epoch",
        open=_open,
    )


def _open(options: Options, context: StreamContext) -> Stream:
    from seqzoo_plugins.shifted.stream import Shifted

    return Shifted(context)
