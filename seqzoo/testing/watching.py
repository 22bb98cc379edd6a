"""Notices what a plugin prints and what it changes that all plugins share."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

from seqzoo.plugin.surroundings import Surroundings

__all__ = ["changes", "printed"]


@contextlib.contextmanager
def printed() -> Iterator[io.StringIO]:
    """What is printed on stdout while the context is open."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        yield said


@contextlib.contextmanager
def changes() -> Iterator[list[str]]:
    """The names of the shared settings that were changed; complete when the context has ended."""
    names: list[str] = []
    with Surroundings() as surroundings:
        yield names
        names += surroundings.put_back()
