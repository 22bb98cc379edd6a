"""What a law receives: a declaration with one choice of its options, and how to build it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from seqzoo.plugin.specs import Options, Spec
from seqzoo.testing.home import Home

__all__ = ["Given", "NotHere"]

Declared = TypeVar("Declared", bound=Spec)


class NotHere(Exception):  # noqa: N818 (the law is skipped)
    """Why a law cannot be tried on this machine or with this declaration, in a few words."""


@dataclass(frozen=True)
class Given(Generic[Declared]):
    """A declaration with one choice of options.

    home: where another process finds the declaration; None if it exists only in this process.
    """

    spec: Declared
    options: Options
    home: Home | None = None

    def build(self) -> Any:
        """A new object of the plugin; each kind says how."""
        raise NotImplementedError

    def accept(self) -> None:
        """Try the options. Raises ValueError or UsageError for a combination that is refused."""
        self.build()
