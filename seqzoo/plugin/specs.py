"""What a plugin declares: names, options and how to build, without importing torch.

A spec is cheap to make and to look at, so that `seqzoo list` and recipe checking stay fast; its
`build` imports the heavy parts when, and only when, the object is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from seqzoo.plugin.contracts import Corpus, Sampler, SequenceModel, Stream, Tokenizer, Tracker

__all__ = [
    "SPLITS",
    "ArchitectureSpec",
    "BaselineScore",
    "BaselineSpec",
    "Benchmark",
    "CorpusSpec",
    "Options",
    "SamplerSpec",
    "Span",
    "Spec",
    "StreamSpec",
    "TokenizerSpec",
    "TrackerSpec",
]

SPLITS = ("validation", "test", "held_out")
"""What is scored of a corpus; held_out is the two before it together."""

_NAME = re.compile(r"[a-z][a-z0-9_]*(-[a-z0-9_]+)*")


class Options(BaseModel):
    """Base of every plugin's own options: pydantic fields with defaults, unknown keys refused.

    A subclass with a single obvious option may name it in `shorthand`; recipes can then write
    `{temperature: 0.8}` for `{temperature: {value: 0.8}}`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
    shorthand: ClassVar[str | None] = None


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What every kind of plugin declares.

    name: what recipes write; lower case, digits, `_` and `-`.
    summary: one line for `seqzoo list`.
    options: the plugin's own options; a field without a default must be given in every recipe.
    source: where it comes from (paper, equation, specification).
    """

    kind: ClassVar[str]
    pattern: ClassVar[re.Pattern[str]] = _NAME
    name: str
    summary: str
    options: type[Options] = Options
    source: str = ""

    def __post_init__(self) -> None:
        if not self.pattern.fullmatch(self.name):
            raise ValueError(
                f"{self.kind} name {self.name!r} is not lower-case letters, digits, '_' and '-'"
            )
        if not (isinstance(self.options, type) and issubclass(self.options, Options)):
            raise TypeError(f"options of {self.kind} '{self.name}' must be a subclass of Options")


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A size at which `seqzoo bench --targets` measures an architecture, and what it should reach.

    options: the architecture's own. training, sampling, sampling_16: least ratios of seqzoo's
    speed to bare torch's, in training, in writing one text and 16 side by side; None where the
    ratio is only to be shown.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int = 32
    bptt_length: int = 64
    training: float | None = None
    sampling: float | None = None
    sampling_16: float | None = None


@dataclass(frozen=True, kw_only=True)
class ArchitectureSpec(Spec):
    """A sequence model: `build(options, vocab_size=V)` gives a `SequenceModel` on the CPU.

    reference: builds the same network in the plainest torch, parameters named alike, for
    `seqzoo bench` and tests to hold the model against: a module that maps (tokens, state or None)
    to (logits, state).
    naive: the same by its equations alone, token by token, where `build` has a faster form.
    benchmarks: the sizes that it is measured at; without any, its default options.
    """

    kind: ClassVar[str] = "architecture"
    build: Callable[..., SequenceModel]
    reference: Callable[..., nn.Module] | None = None
    naive: Callable[..., nn.Module] | None = None
    benchmarks: tuple[Benchmark, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TokenizerSpec(Spec):
    """Bytes to token ids and back: `build(options)` gives a `Tokenizer` that has learnt nothing."""

    kind: ClassVar[str] = "tokenizer"
    build: Callable[[Any], Tokenizer]


@dataclass(frozen=True, kw_only=True)
class StreamSpec(Spec):
    """The order of training's text: `open(options, tokens, batch_size=B)` gives a `Stream`.

    tokens: (N,) unsigned integers, the training split; to be indexed and not interpreted.
    """

    kind: ClassVar[str] = "stream"
    open: Callable[..., Stream]


@dataclass(frozen=True, kw_only=True)
class SamplerSpec(Spec):
    """A link of the sampling chain: `build(options)` gives a `Sampler`."""

    kind: ClassVar[str] = "sampler"
    build: Callable[[Any], Sampler]


@dataclass(frozen=True, kw_only=True)
class CorpusSpec(Spec):
    """Bytes to learn from: `open(options, base)` gives a `Corpus`.

    base: the folder that relative paths in the options start from (the recipe's).
    `open` raises CorpusUnavailable where the bytes cannot be had, so that a recipe's fallback
    can step in, and UsageError where an option is wrong.
    """

    kind: ClassVar[str] = "corpus"
    open: Callable[[Any, Path], Corpus]


@dataclass(frozen=True, kw_only=True)
class BaselineScore:
    """What a baseline needs for some bytes.

    name: the rung, e.g. "order-3" or "gzip".
    bits: code length of each asked split.
    accuracy: share of bytes that its most probable guess hits, where it makes guesses.
    context_length: how many bytes before the next one it looks at, where that is what it is.
    adaptive: learns from the bytes it has already been scored on. A frozen and an adaptive score
    of one name stand in one row, side by side.
    """

    name: str
    bits: Mapping[str, float]
    accuracy: Mapping[str, float] = field(default_factory=dict)
    adaptive: bool = False
    context_length: int | None = None


@dataclass(frozen=True)
class Span:
    """A stretch of a corpus: the bytes [start, stop) and, for context, all that precedes them.

    data: (N,) uint8, the whole corpus.
    """

    data: np.ndarray
    start: int
    stop: int

    @property
    def bytes(self) -> np.ndarray:
        """(stop - start,) uint8, a view."""
        return self.data[self.start : self.stop]

    def before(self, num_bytes: int) -> np.ndarray:
        """Up to num_bytes predecessors of the first byte, in file order: context, never scored."""
        return self.data[max(0, self.start - num_bytes) : self.start]

    def first(self, num_bytes: int) -> Span:
        """Its beginning, at most num_bytes long."""
        return replace(self, stop=min(self.start + num_bytes, self.stop))

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, kw_only=True)
class BaselineSpec(Spec):
    """A classical predictor, scored and not trained by gradient.

    `score(options, training, splits)` gives one `BaselineScore` for each rung it stands for.
    training: (N,) uint8, all that may be learnt from. splits: name -> `Span`; each is scored on
    its own, every byte once, as if the others did not exist.
    version: raise it when the scores change, so that cached ones are dropped.
    guesses: it names a most probable next byte, so its scores have an accuracy.
    """

    kind: ClassVar[str] = "baseline"
    score: Callable[[Any, np.ndarray, Mapping[str, Span]], Iterable[BaselineScore]]
    version: int = 1
    guesses: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(field.is_required() for field in self.options.model_fields.values()):
            raise ValueError(f"every option of baseline '{self.name}' needs a default")


@dataclass(frozen=True, kw_only=True)
class TrackerSpec(Spec):
    """A sink for metrics: `open(options, run_directory)` gives a `Tracker`."""

    kind: ClassVar[str] = "tracker"
    open: Callable[[Any, Path], Tracker]
