"""The package that a launcher needs besides seqzoo."""

from __future__ import annotations

import importlib
from typing import Any

from seqzoo import UsageError

__all__ = ["imported"]


def imported(module: str, *, name: str) -> Any:
    """A module, which the extra of the same name installs. Raises UsageError where it is missing.

    name: of the package, in a sentence.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"launcher '{module}' needs {name}; install it with: pip install 'seqzoo[{module}]'"
        ) from error
