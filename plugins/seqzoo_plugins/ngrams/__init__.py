"""Baselines `uniform`, `ngrams` and `adaptive_ngrams`, the lower rungs of the ladder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from seqzoo import BaselineScore, BaselineSpec, Options, hookimpl

if TYPE_CHECKING:
    from seqzoo import BaselineContext


_SOURCE = "Chen and Goodman 1999, doi:10.1006/csla.1999.0128, section 4.1.6"


class NgramOptions(Options):
    """Options of `ngrams` and `adaptive_ngrams`."""

    max_order: int = Field(default=6, ge=0, le=7, description="longest context, in bytes")


@hookimpl
def register_baselines() -> Iterable[BaselineSpec]:
    yield BaselineSpec(
        name="uniform",
        summary="assumes nothing about the text: 8 bits for every byte",
        score=_score_uniform,
        seconds_per_megabyte=0.0,
    )
    yield BaselineSpec(
        name="ngrams",
        summary="static byte n-grams, interpolated modified Kneser-Ney, one table per order",
        options=NgramOptions,
        score=_score_ngrams,
        source=_SOURCE,
        version=2,
        has_accuracy=True,
        seconds_per_megabyte=0.25,
    )
    yield BaselineSpec(
        name="adaptive_ngrams",
        summary="the same n-grams; each byte is counted after it is scored",
        options=NgramOptions,
        score=_score_adaptive_ngrams,
        source=_SOURCE,
        version=2,
        seconds_per_megabyte=0.42,
    )


def _score_uniform(options: Options, context: BaselineContext) -> Iterable[BaselineScore]:
    yield BaselineScore(
        name="uniform", bits={name: 8.0 * len(span) for name, span in context.splits.items()}
    )


def _score_ngrams(options: NgramOptions, context: BaselineContext) -> Iterable[BaselineScore]:
    from seqzoo_plugins.ngrams.scoring import score

    return score(context.training, context.splits, max_order=options.max_order)


def _score_adaptive_ngrams(
    options: NgramOptions, context: BaselineContext
) -> Iterable[BaselineScore]:
    from seqzoo_plugins.ngrams.adaptive import score

    return score(context.training, context.splits, max_order=options.max_order)
