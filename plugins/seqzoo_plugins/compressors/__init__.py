"""Baselines that are compressors. Each is primed: it compresses the training part first.

`gzip`, `bzip2` and `xz` come with Python; `zstd`, `brotli` and `ppmd` come with seqzoo.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from seqzoo import BaselineScore, BaselineSpec, Options, hookimpl

if TYPE_CHECKING:
    from seqzoo import BaselineContext

_THREADS = 4

_SUMMARIES = {
    "gzip": "gzip -9, given the training part; looks 32 kB back",
    "bzip2": "bzip2 -9, given the training part; sorts blocks of 900 kB",
    "xz": "xz -9e, given the training part; looks up to 64 MB back",
    "zstd": "zstd --ultra -22, given the training part; looks up to 128 MB back",
    "brotli": "brotli -q 11, given the training part; looks 16 MB back",
    "ppmd": "PPMd variant H of order 6, given the training part, with 256 MB of memory",
}
_SECONDS_PER_MEGABYTE = {
    "gzip": 0.43,
    "bzip2": 0.28,
    "xz": 2.6,
    "zstd": 2.8,
    "brotli": 7.0,
    "ppmd": 1.4,
}
"""On one core, for texts of 1 to 20 MB; every split is compressed after the training part again."""


@hookimpl
def register_baselines() -> Iterable[BaselineSpec]:
    cores = min(_THREADS, os.cpu_count() or 1)
    for name, summary in _SUMMARIES.items():
        yield BaselineSpec(
            name=name,
            summary=summary,
            score=_scorer(name),
            seconds_per_megabyte=_SECONDS_PER_MEGABYTE[name] / cores,
        )


def _scorer(
    name: str,
) -> Callable[[Options, BaselineContext], Iterable[BaselineScore | float]]:
    return partial(_score, name)


def _score(
    name: str, options: Options, context: BaselineContext
) -> Iterable[BaselineScore | float]:
    from seqzoo_plugins.compressors.primed import primed_bits

    bits = yield from primed_bits(name, context.training, context.splits)
    yield BaselineScore(
        name=f"primed {name}",
        bits=bits,
        adaptive=True,
        title=name,
        meaning=f"{name} compresses the training text first; what the split adds is counted.",
    )
