"""What a plugin declares: names, options and how to build, without importing torch.

Making a spec is cheap, so that `seqzoo list` and checking a recipe are fast. Its `build` imports
large packages only when the object is needed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from seqzoo.errors import PluginError
from seqzoo.plugin.earlier_api import adapted
from seqzoo.version import __version__

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from seqzoo.plugin.choice import Choice
    from seqzoo.plugin.contexts import (
        ArchitectureContext,
        BaselineContext,
        CorpusContext,
        DecoderContext,
        LauncherContext,
        OptimizerContext,
        SamplerContext,
        ScheduleContext,
        StreamContext,
        TokenizerContext,
        TrackerContext,
    )
    from seqzoo.plugin.contracts import Corpus, Sampler, Schedule, SequenceModel, Stream, Tokenizer
    from seqzoo.plugin.decoding import Decoder
    from seqzoo.plugin.launcher import Launcher
    from seqzoo.plugin.tracker import Tracker

__all__ = [
    "API",
    "SPLITS",
    "ArchitectureSpec",
    "BaselineScore",
    "BaselineSpec",
    "Benchmark",
    "Combination",
    "CorpusSpec",
    "DecoderSpec",
    "LauncherSpec",
    "OptimizerOptions",
    "OptimizerSpec",
    "Options",
    "SamplerSpec",
    "ScheduleSpec",
    "Spec",
    "StreamSpec",
    "TokenizerSpec",
    "TrackerSpec",
]

SPLITS = ("validation", "test", "held_out")
"""The parts of a corpus that are scored; held_out is validation and test together."""

API = 1
"""The version of the plugin API; a version before it is translated where that is possible."""

EARLIER_API = 0

_NAME = re.compile(r"[a-z][a-z0-9_]*(-[a-z0-9_]+)*")


class Options(BaseModel):
    """Base of the options of every plugin: pydantic fields with defaults, unknown keys refused.

    A subclass with one main option can name it in `shorthand`; recipes can then write
    `{temperature: 0.8}` for `{temperature: {value: 0.8}}`.
    An option that is a path has the type `Path`. On the command line it then starts from the
    working directory and arrives absolute, in a recipe it starts from the recipe's folder; `~` is
    expanded, and an empty path is refused.
    An option that is the command line of a program has the type `Command`, and no default but None;
    a recipe that gives it is used only if the user trusts the command.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
    shorthand: ClassVar[str | None] = None


class OptimizerOptions(Options):
    """Base of the options of every optimizer: what the core has to know of them.

    learning_rates: the options that are learning rates. `learning_rate` is the one that is logged.
    """

    learning_rates: ClassVar[tuple[str, ...]] = ("learning_rate",)
    learning_rate: float = Field(
        default=3e-3, gt=0, description="learning rate, before the schedule"
    )
    weight_decay: float = Field(default=0.01, ge=0, description="weight decay, on matrices only")


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What every kind of plugin declares.

    name: the name in recipes; lower case, digits, `_` and `-`.
    summary: one line for `seqzoo list`.
    options: the class of the plugin's options; every recipe must set a field without a default.
    source: its origin (paper, equation, specification).
    api: the version of the plugin API that it was written for. The default stays 1 when seqzoo has
    a later one, so a plugin for API 2 must say so.
    """

    kind: ClassVar[str]
    pattern: ClassVar[re.Pattern[str]] = _NAME
    functions: ClassVar[tuple[str, ...]] = ()
    """The fields that are called with (options, context)."""

    name: str
    summary: str
    options: type[Options] = Options
    source: str = ""
    api: int = 1
    earlier_forms: tuple[str, ...] = field(default=(), init=False)
    """Functions in a form before API 1, which still work, e.g. "build(options, vocab_size)"."""

    def __post_init__(self) -> None:
        if self.api not in (EARLIER_API, API):
            raise PluginError(
                f"{self.kind} '{self.name}' is written for plugin API {self.api}, and seqzoo "
                f"{__version__} has API {API}; install "
                + (
                    "a newer seqzoo, or an earlier version of the plugin"
                    if self.api > API
                    else "a newer version of the plugin"
                )
            )
        if not self.pattern.fullmatch(self.name):
            raise ValueError(
                f"{self.kind} name {self.name!r} is not lower-case letters, digits, '_' and '-'"
            )
        if not (isinstance(self.options, type) and issubclass(self.options, Options)):
            raise TypeError(f"options of {self.kind} '{self.name}' must be a subclass of Options")
        forms = []
        for function in self.functions:
            if (given := getattr(self, function)) is None:
                continue
            try:
                current, form = adapted(self.kind, given, api=self.api)
            except TypeError as error:
                raise PluginError(f"{function} of {self.kind} '{self.name}' {error}") from error
            object.__setattr__(self, function, current)
            if form:
                forms.append(function + form)
        object.__setattr__(self, "earlier_forms", tuple(forms))


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A size at which `seqzoo bench --targets` measures an architecture, and what it should reach.

    options: of the architecture. training, sampling, sampling_16: the required ratio of seqzoo's
    speed to the speed of plain torch, or of `step_by_step` where there is no `plain_torch`, for
    training, for generating one text, and for generating 16 texts in parallel; None if the ratio is
    only shown.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int = 32
    bptt_length: int = 64
    training: float | None = None
    sampling: float | None = None
    sampling_16: float | None = None


@dataclass(frozen=True, kw_only=True)
class Combination:
    """How an architecture mixes trained models, for `seqzoo ensemble`.

    Its logits must be log(sum_k w_k p_k) up to a constant: p_k is what member k gives the next
    token, and w_k its share.
    options: `options(members)` gives the options of a mixture of these architectures.
    weights: `weights(members, shares)` gives its `state_dict`, from those of the members and the
    shares w, which are positive and add up to 1.
    """

    options: Callable[[tuple[Choice, ...]], Options]
    weights: Callable[[Sequence[Mapping[str, Tensor]], Sequence[float]], Mapping[str, Tensor]]


@dataclass(frozen=True, kw_only=True)
class ArchitectureSpec(Spec):
    """A sequence model: `build(options, context)` gives a `SequenceModel` on the CPU.

    plain_torch: builds the same network in plain torch, with equal parameter names, so that `seqzoo
    bench` and tests can compare: a module that maps (tokens, state or None) to (logits, state).
    step_by_step: the same network token by token, as its equations say, if `build` has a faster
    form.
    benchmarks: the sizes at which it is measured; without any, its default options.
    combination: how it mixes trained models, if that is what it does.
    standalone: provisional: a Python file with the same network, which `seqzoo export` copies. It
    imports only torch, NumPy and the standard library; docs/plugins.md says what is in it.
    """

    kind: ClassVar[str] = "architecture"
    functions: ClassVar[tuple[str, ...]] = ("build", "plain_torch", "step_by_step")
    build: Callable[[Any, ArchitectureContext], SequenceModel]
    plain_torch: Callable[[Any, ArchitectureContext], nn.Module] | None = None
    step_by_step: Callable[[Any, ArchitectureContext], nn.Module] | None = None
    benchmarks: tuple[Benchmark, ...] = ()
    combination: Combination | None = None
    standalone: Path | None = None


@dataclass(frozen=True, kw_only=True)
class TokenizerSpec(Spec):
    """Bytes to token ids and back: `build(options, context)` gives a new `Tokenizer`.

    standalone: provisional: a Python file with the same tokenizer, which `seqzoo export` copies; as
    in `ArchitectureSpec`.
    """

    kind: ClassVar[str] = "tokenizer"
    functions: ClassVar[tuple[str, ...]] = ("build",)
    build: Callable[[Any, TokenizerContext], Tokenizer]
    standalone: Path | None = None


@dataclass(frozen=True, kw_only=True)
class StreamSpec(Spec):
    """The order in which training reads its tokens: `open(options, context)` gives a `Stream`."""

    kind: ClassVar[str] = "stream"
    functions: ClassVar[tuple[str, ...]] = ("open",)
    open: Callable[[Any, StreamContext], Stream]


@dataclass(frozen=True, kw_only=True)
class OptimizerSpec(Spec):
    """How gradients change the weights: `build(options, context)` gives a torch optimizer.

    Or a tuple of several, which step together; each parameter of the context is in one of them. The
    core multiplies the learning rate of every group by the factor of the schedule, and stores the
    `state` of every parameter with the checkpoints: tensors and numbers.
    options: a subclass of `OptimizerOptions`. Recipes write them beside the name.
    """

    kind: ClassVar[str] = "optimizer"
    options: type[OptimizerOptions] = OptimizerOptions
    build: Callable[[Any, OptimizerContext], Optimizer | tuple[Optimizer, ...]]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not issubclass(self.options, OptimizerOptions):
            raise TypeError(
                f"options of optimizer '{self.name}' must be a subclass of OptimizerOptions"
            )
        _refuse_options(self, "name")


@dataclass(frozen=True, kw_only=True)
class ScheduleSpec(Spec):
    """How the learning rate changes: `build(options, context)` gives a `Schedule`.

    Recipes write its options beside `decay`, its name.
    """

    kind: ClassVar[str] = "schedule"
    build: Callable[[Any, ScheduleContext], Schedule]

    def __post_init__(self) -> None:
        super().__post_init__()
        _refuse_options(self, "decay", "warmup_steps")


@dataclass(frozen=True, kw_only=True)
class SamplerSpec(Spec):
    """A link of the sampling chain: `build(options, context)` gives a `Sampler`.

    Its name is also an option of `seqzoo sample`, with the shorthand option as its value.
    letter: a short form of that option, "t" for `-t`; "" for none.
    """

    kind: ClassVar[str] = "sampler"
    functions: ClassVar[tuple[str, ...]] = ("build",)
    build: Callable[[Any, SamplerContext], Sampler]
    letter: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not re.fullmatch("[A-Za-z]?", self.letter):
            raise ValueError(f"letter of sampler '{self.name}' is {self.letter!r}, not one letter")


@dataclass(frozen=True, kw_only=True)
class DecoderSpec(Spec):
    """A way to choose a whole text: `build(options, context)` gives a `Decoder`."""

    kind: ClassVar[str] = "decoder"
    functions: ClassVar[tuple[str, ...]] = ("build",)
    build: Callable[[Any, DecoderContext], Decoder]


@dataclass(frozen=True, kw_only=True)
class CorpusSpec(Spec):
    """Bytes to learn from: `open(options, context)` gives a `Corpus`.

    `open` raises CorpusUnavailable if the bytes are not available, so that the recipe's fallback is
    used, and UsageError if an option is wrong.
    for_texts: `for_texts(texts)` gives the options with which this corpus opens the user's own
    texts (`seqzoo run RECIPE --text ...`), or None if it is not made for them. texts: absolute
    paths; a pattern such as `/home/me/notes/*.md` is not expanded, and `-` is stdin.
    """

    kind: ClassVar[str] = "corpus"
    functions: ClassVar[tuple[str, ...]] = ("open",)
    open: Callable[[Any, CorpusContext], Corpus]
    for_texts: Callable[[tuple[str, ...]], Options | None] | None = None


@dataclass(frozen=True, kw_only=True)
class BaselineScore:
    """The score of a baseline on each split.

    name: the rung, e.g. "order-3" or "gzip".
    bits: code length of each split.
    accuracy: share of bytes that its most probable guess predicts, if it makes guesses.
    context_length: how many earlier bytes it looks at, if the number is fixed.
    adaptive: it learns from bytes after they are scored. A static and an adaptive score with the
    same name are one row of a table.
    title: what a sentence calls it, e.g. "an order-3 table"; empty means the name.
    meaning: one sentence that explains it to a reader who has not met it.
    """

    name: str
    bits: Mapping[str, float]
    accuracy: Mapping[str, float] = field(default_factory=dict)
    adaptive: bool = False
    context_length: int | None = None
    title: str = ""
    meaning: str = ""


@dataclass(frozen=True, kw_only=True)
class BaselineSpec(Spec):
    """A classical predictor, which is not trained by gradients.

    Every run is compared with it; where an option has no default, only runs whose recipe adds it
    with options, under `baselines.add`.
    `score(options, context)` gives `BaselineScore`s, one for each rung of the ladder. One that
    takes long can yield the finished share (0 to 1) now and then: it is shown, and there the
    baseline can be stopped.
    version: increase it when the scores change, so that cached scores are not used.
    has_accuracy: it has a most probable next byte, so its scores have an accuracy.
    seconds_per_megabyte: rough processor time for each megabyte of training and splits, to know
    what a ladder will cost before it is made; None: measured on the first bytes of the text.
    """

    kind: ClassVar[str] = "baseline"
    functions: ClassVar[tuple[str, ...]] = ("score",)
    score: Callable[[Any, BaselineContext], Iterable[BaselineScore | float]]
    version: int = 1
    has_accuracy: bool = False
    seconds_per_megabyte: float | None = None

    @property
    def needs_options(self) -> bool:
        """Whether it can be scored only with options that a recipe gives."""
        return any(field.is_required() for field in self.options.model_fields.values())


@dataclass(frozen=True, kw_only=True)
class TrackerSpec(Spec):
    """An output for metrics: `open(options, context)` gives a `Tracker`.

    `open` and the tracker run in a process of their own, which loads the plugin again.
    """

    kind: ClassVar[str] = "tracker"
    functions: ClassVar[tuple[str, ...]] = ("open",)
    open: Callable[[Any, TrackerContext], Tracker]


@dataclass(frozen=True, kw_only=True)
class LauncherSpec(Spec):
    """A place where the members of a sweep run: `open(options, context)` gives a `Launcher`.

    `open` raises UsageError if an option is wrong or the place cannot be reached. An option
    `address` is the one that `seqzoo sweep --address` sets.
    """

    kind: ClassVar[str] = "launcher"
    functions: ClassVar[tuple[str, ...]] = ("open",)
    open: Callable[[Any, LauncherContext], Launcher]


def _refuse_options(spec: Spec, *keys: str) -> None:
    """Raises ValueError where an option is called like a key that recipes write beside it."""
    for key in keys:
        if key in spec.options.model_fields:
            raise ValueError(
                f"{spec.kind} '{spec.name}' cannot have an option '{key}': recipes have another "
                f"meaning for it"
            )
