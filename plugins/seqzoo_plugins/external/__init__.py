"""Baseline `external`: any compressor that is installed as a program, by the same accounting.

It is scored only where a recipe adds it with a command line, which the user has to trust.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from seqzoo import BaselineScore, BaselineSpec, hookimpl
from seqzoo_plugins.external.options import ExternalOptions

if TYPE_CHECKING:
    from seqzoo import BaselineContext


@hookimpl
def register_baselines() -> Iterable[BaselineSpec]:
    yield BaselineSpec(
        name="external",
        summary="a compressor that you have installed, such as paq8px, by its command line; only "
        "where a recipe adds it",
        options=ExternalOptions,
        score=_score,
    )


def _score(options: ExternalOptions, context: BaselineContext) -> Iterable[BaselineScore | float]:
    from seqzoo_plugins.external.sizes import added_bits

    label = context.label or "external"
    bits = yield from added_bits(options, context.training, context.splits)
    yield BaselineScore(
        name=f"primed {label}",
        bits=bits,
        adaptive=True,
        title=label,
        meaning=f"{label} compresses the training text first; what the split adds is counted.",
    )
