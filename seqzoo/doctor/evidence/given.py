"""What a subject is made from: settings, text, and a run, each as one object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from seqzoo.data.corpus import Data
from seqzoo.plugin.contracts import Tokenizer

if TYPE_CHECKING:
    from seqzoo.runs.reopen import Trained

__all__ = ["RunSoFar", "Settings", "Text"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How an examination is done.

    quick: without a short training. seed: of initialisation and random draws.
    seconds: how long the short training takes.
    """

    quick: bool = False
    seed: int = 1
    seconds: float = 12.0


@dataclass(frozen=True, kw_only=True)
class Text:
    """The text of a subject, as bytes and as tokens.

    tokens: of the training split. held_out: of the validation split.
    is_held_out_apart: whether training must not read it; otherwise it is the end of that text.
    use_cache: whether the scores of baselines on it are kept for the next time.
    """

    data: Data | None = None
    tokenizer: Tokenizer | None = None
    tokens: npt.NDArray[Any] | None = None
    held_out: npt.NDArray[Any] | None = None
    is_held_out_apart: bool = True
    bytes_per_token: float = 1.0
    use_cache: bool = True


@dataclass(frozen=True)
class RunSoFar:
    """A run with its best weights loaded, and the lines that it has logged."""

    trained: Trained
    metrics: Sequence[Mapping[str, float]]
