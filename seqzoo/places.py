"""Where things are kept on this machine, outside any one run."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_directory", "data_directory"]


def cache_directory() -> Path:
    """Downloads, generated corpora and baseline scores: $SEQZOO_CACHE, else the user's cache.

    Not created here. Everything in it can be deleted at any time.
    """
    if chosen := os.environ.get("SEQZOO_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "seqzoo"


def data_directory() -> Path | None:
    """The folder of corpora that the user keeps: $SEQZOO_DATA, or None."""
    chosen = os.environ.get("SEQZOO_DATA")
    return Path(chosen).expanduser() if chosen else None
