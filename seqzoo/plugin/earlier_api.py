"""What the plugin API was before, so that plugins that were written for it still work for now."""

from __future__ import annotations

import warnings

__all__ = ["warn"]


def warn(what: str) -> None:
    """Report a form of the API before 1, at the line of the plugin that uses it."""
    warnings.warn(
        f"{what}; the earlier form will be refused by the next version of seqzoo",
        DeprecationWarning,
        stacklevel=4,
    )
