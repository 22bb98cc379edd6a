"""Baselines that are compressors, each primed: it has compressed the training part before.

`gzip`, `bzip2` and `xz` come with Python; `zstd`, `brotli` and `ppmd` need `seqzoo[baselines]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from seqzoo import BaselineScore, BaselineSpec, Options, Span, hookimpl

if TYPE_CHECKING:
    import numpy as np

_SUMMARIES = {
    "gzip": "gzip -9 after the training part; sees 32 kB back",
    "bzip2": "bzip2 -9 after the training part; sorts blocks of 900 kB",
    "xz": "xz -9e after the training part; sees up to 64 MB back",
    "zstd": "zstd --ultra -22 after the training part; sees up to 128 MB back",
    "brotli": "brotli -q 11 after the training part; sees 16 MB back",
    "ppmd": "PPMd variant H of order 6 after the training part, with 256 MB",
}


@hookimpl
def register_baselines() -> Iterable[BaselineSpec]:
    for name, summary in _SUMMARIES.items():
        yield BaselineSpec(name=name, summary=summary, score=_scorer(name))


def _scorer(
    name: str,
) -> Callable[[Options, np.ndarray, Mapping[str, Span]], Iterable[BaselineScore]]:
    return partial(_score, name)


def _score(
    name: str, options: Options, training: np.ndarray, splits: Mapping[str, Span]
) -> Iterable[BaselineScore]:
    from seqzoo_plugins.compressors.primed import primed_bits

    yield BaselineScore(
        name=f"primed {name}", bits=primed_bits(name, training, splits), adaptive=True
    )
