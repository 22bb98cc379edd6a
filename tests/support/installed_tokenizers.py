"""The installed tokenizers whose packages are installed too."""

from __future__ import annotations

import importlib.util

from seqzoo.plugin.registry import Registry

__all__ = ["tokenizers_in"]


def tokenizers_in(registry: Registry) -> list[str]:
    """Their names. An optional package is missing where only the dependencies are installed."""
    missing = {"bpe"} if importlib.util.find_spec("tokenizers") is None else set()
    return [name for name in registry.names("tokenizer") if name not in missing]
