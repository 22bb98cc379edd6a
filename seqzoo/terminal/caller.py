"""Warnings of the Python API: they point at the user's line, not at one of ours."""

from __future__ import annotations

import sys
import warnings

__all__ = ["SeqzooWarning", "warn_caller"]


class SeqzooWarning(UserWarning):
    """Something that a user should know, and that does not stop the work."""


def warn_caller(text: str) -> None:
    """Warn through `warnings`, at the line outside of seqzoo that led here."""
    depth, frame = 1, sys._getframe(1)
    # Python 3.12 has skip_file_prefixes for this.
    while _is_ours(frame.f_globals.get("__name__", "")) and frame.f_back is not None:
        depth, frame = depth + 1, frame.f_back
    warnings.warn(text, SeqzooWarning, stacklevel=depth + 1)


def _is_ours(module: str) -> bool:
    # contextlib is between a decorated function and its caller.
    return module.partition(".")[0] in ("seqzoo", "contextlib")
