"""Baselines that are compressors. Each is primed: it compresses the training part first.

`gzip`, `bzip2` and `xz` come with Python; `zstd`, `brotli` and `ppmd` come with seqzoo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from seqzoo import BaselineScore, BaselineSpec, Options, Span, hookimpl

if TYPE_CHECKING:
    import numpy as np

_SUMMARIES = {
    "gzip": "gzip -9, given the training part; looks 32 kB back",
    "bzip2": "bzip2 -9, given the training part; sorts blocks of 900 kB",
    "xz": "xz -9e, given the training part; looks up to 64 MB back",
    "zstd": "zstd --ultra -22, given the training part; looks up to 128 MB back",
    "brotli": "brotli -q 11, given the training part; looks 16 MB back",
    "ppmd": "PPMd variant H of order 6, given the training part, with 256 MB of memory",
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
