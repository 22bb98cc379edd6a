"""seqzoo: a plugin-based zoo of byte-level sequence models.

This is the whole public API; plugins import from here and from nowhere else. Names are loaded
when first used, so that declaring a plugin costs no import of torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqzoo.contracts import (
        Batch,
        Corpus,
        Sampler,
        SequenceModel,
        State,
        Stream,
        Tokenizer,
        Tracker,
    )
    from seqzoo.errors import CorpusUnavailable, PluginError, SeqzooError, UsageError
    from seqzoo.hookspecs import hookimpl
    from seqzoo.places import cache_directory, data_directory
    from seqzoo.specs import (
        ArchitectureSpec,
        BaselineScore,
        BaselineSpec,
        Benchmark,
        Check,
        CorpusSpec,
        Options,
        Outcome,
        SamplerSpec,
        Span,
        StreamSpec,
        TokenizerSpec,
        TrackerSpec,
    )

__version__ = "0.1.0"

_HOMES = {
    "contracts": (
        "Batch",
        "Corpus",
        "Sampler",
        "SequenceModel",
        "State",
        "Stream",
        "Tokenizer",
        "Tracker",
    ),
    "errors": ("CorpusUnavailable", "PluginError", "SeqzooError", "UsageError"),
    "hookspecs": ("hookimpl",),
    "places": ("cache_directory", "data_directory"),
    "specs": (
        "ArchitectureSpec",
        "BaselineScore",
        "BaselineSpec",
        "Benchmark",
        "Check",
        "CorpusSpec",
        "Options",
        "Outcome",
        "SamplerSpec",
        "Span",
        "StreamSpec",
        "TokenizerSpec",
        "TrackerSpec",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ArchitectureSpec",
    "BaselineScore",
    "BaselineSpec",
    "Batch",
    "Benchmark",
    "Check",
    "Corpus",
    "CorpusSpec",
    "CorpusUnavailable",
    "Options",
    "Outcome",
    "PluginError",
    "Sampler",
    "SamplerSpec",
    "SequenceModel",
    "SeqzooError",
    "Span",
    "State",
    "Stream",
    "StreamSpec",
    "Tokenizer",
    "TokenizerSpec",
    "Tracker",
    "TrackerSpec",
    "UsageError",
    "cache_directory",
    "data_directory",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(importlib.import_module(f"seqzoo.{_HOME_OF[name]}"), name)
    raise AttributeError(f"module 'seqzoo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
