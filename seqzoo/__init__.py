"""seqzoo: a plugin-based zoo of byte-level sequence models.

This is the whole public API; plugins import from here and from nowhere else. Names are loaded
when first used, so that declaring a plugin costs no import of torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from seqzoo.version import __version__ as __version__

if TYPE_CHECKING:
    from seqzoo.doctor.examine import examine
    from seqzoo.doctor.subject import Subject
    from seqzoo.errors import CorpusUnavailable, PluginError, SeqzooError, UsageError
    from seqzoo.plugin.check import Check, CheckSubject, Outcome
    from seqzoo.plugin.contracts import (
        Batch,
        Corpus,
        Sampler,
        SequenceModel,
        State,
        Stream,
        Tokenizer,
        Tracker,
    )
    from seqzoo.plugin.hooks import hookimpl
    from seqzoo.plugin.registry import load_registry
    from seqzoo.plugin.specs import (
        ArchitectureSpec,
        BaselineScore,
        BaselineSpec,
        Benchmark,
        CorpusSpec,
        Options,
        SamplerSpec,
        Span,
        StreamSpec,
        TokenizerSpec,
        TrackerSpec,
    )
    from seqzoo.storage import cache_directory, data_directory, write_whole

_HOMES = {
    "plugin.check": ("Check", "CheckSubject", "Outcome"),
    "plugin.contracts": (
        "Batch",
        "Corpus",
        "Sampler",
        "SequenceModel",
        "State",
        "Stream",
        "Tokenizer",
        "Tracker",
    ),
    "doctor.examine": ("examine",),
    "doctor.subject": ("Subject",),
    "errors": ("CorpusUnavailable", "PluginError", "SeqzooError", "UsageError"),
    "plugin.hooks": ("hookimpl",),
    "plugin.registry": ("load_registry",),
    "storage": ("cache_directory", "data_directory", "write_whole"),
    "plugin.specs": (
        "ArchitectureSpec",
        "BaselineScore",
        "BaselineSpec",
        "Benchmark",
        "CorpusSpec",
        "Options",
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
    "CheckSubject",
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
    "Subject",
    "Tokenizer",
    "TokenizerSpec",
    "Tracker",
    "TrackerSpec",
    "UsageError",
    "cache_directory",
    "data_directory",
    "examine",
    "hookimpl",
    "load_registry",
    "write_whole",
]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(importlib.import_module(f"seqzoo.{_HOME_OF[name]}"), name)
    raise AttributeError(f"module 'seqzoo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
