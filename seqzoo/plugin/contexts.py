"""What a plugin's function receives beside its options: one frozen object for each kind of plugin.

`build(options, context)` takes from the context what it needs. A later version may add fields, so
that plugins written for this one continue to work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from seqzoo.plugin.contracts import Tokenizer
    from seqzoo.plugin.span import Span

__all__ = [
    "ArchitectureContext",
    "BaselineContext",
    "Context",
    "CorpusContext",
    "DecoderContext",
    "SamplerContext",
    "StreamContext",
    "TokenizerContext",
    "TrackerContext",
]


@dataclass(frozen=True, kw_only=True)
class Context:
    """What every kind of plugin receives.

    base: the folder that relative paths in the options start from: the recipe's, or the working
    directory for options of the command line.
    """

    base: Path = field(default_factory=Path)


@dataclass(frozen=True, kw_only=True)
class ArchitectureContext(Context):
    """For a `SequenceModel`. vocab_size: V, the number of token ids."""

    vocab_size: int


@dataclass(frozen=True, kw_only=True)
class TokenizerContext(Context):
    """For a `Tokenizer`."""


@dataclass(frozen=True, kw_only=True)
class StreamContext(Context):
    """For a `Stream`.

    tokens: (N,) unsigned integers, the training part; a stream only indexes them.
    batch_size: B, the rows of every batch.
    documents: the index in `tokens` of the first token of each document, (K,) int64, ascending;
    None if the corpus has no documents.
    seed: the recipe's `train.seed`, for streams with a random order.
    """

    tokens: npt.NDArray[np.unsignedinteger[Any]]
    batch_size: int
    documents: npt.NDArray[np.int64] | None = None
    seed: int = 1


@dataclass(frozen=True, kw_only=True)
class SamplerContext(Context):
    """For a `Sampler`. vocab_size: V. tokenizer: it has learnt, and says which bytes an id is."""

    vocab_size: int
    tokenizer: Tokenizer


@dataclass(frozen=True, kw_only=True)
class DecoderContext(Context):
    """For a `Decoder`. vocab_size: V. tokenizer: it has learnt, and says which bytes an id is."""

    vocab_size: int
    tokenizer: Tokenizer


@dataclass(frozen=True, kw_only=True)
class CorpusContext(Context):
    """For a `Corpus`."""


@dataclass(frozen=True, kw_only=True)
class BaselineContext(Context):
    """For the scores of a baseline.

    training: (N,) uint8, all that it may learn from.
    splits: name -> `Span`; each is scored alone, every byte once, independent of other splits.
    """

    training: npt.NDArray[np.uint8]
    splits: Mapping[str, Span]


@dataclass(frozen=True, kw_only=True)
class TrackerContext(Context):
    """For a `Tracker`.

    run_directory: the folder of the run, where files of a tracker belong.
    run_id: 16 letters and digits that no other run has, for services that need a name of their own.
    It stays the same when the run resumes or its folder is renamed.
    recipe: the checked recipe with all defaults, as plain data.
    resumed_from: this tracker, with the same options, received all lines up to this step in an
    earlier process, and receives the later ones now. None if it receives all lines.
    """

    run_directory: Path
    run_id: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    resumed_from: int | None = None

    @property
    def run_name(self) -> str:
        """The name of the run."""
        return self.run_directory.name
