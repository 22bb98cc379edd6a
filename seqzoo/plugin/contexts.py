"""What a plugin's function receives beside its options: one frozen object for each kind of plugin.

`build(options, context)` takes from the context what it needs. A later version may add fields, so
that plugins written for this one continue to work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias, TypeVar

from seqzoo.errors import UsageError
from seqzoo.plugin.choice import Choice

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import nn

    from seqzoo.plugin.contracts import (
        Tokenizer,
    )
    from seqzoo.plugin.roles import ParameterRole
    from seqzoo.plugin.span import Span

__all__ = [
    "ArchitectureContext",
    "BaselineContext",
    "Context",
    "CorpusContext",
    "DecoderContext",
    "LauncherContext",
    "NamedParameter",
    "OptimizerContext",
    "SamplerContext",
    "ScheduleContext",
    "StreamContext",
    "TokenizerContext",
    "TrackerContext",
]


Built = TypeVar("Built")
"""What plugins of a kind build."""

Builder: TypeAlias = Callable[[str, Choice, "Context[Any]"], Any]


@dataclass(frozen=True, kw_only=True)
class Context(Generic[Built]):
    """What every kind of plugin receives.

    base: the folder that relative paths in the options start from: the recipe's, or the working
    directory for options of the command line.
    builder: makes what `build` returns, from a kind, a choice and a context; the core sets it.
    """

    kind: ClassVar[str]
    base: Path = field(default_factory=Path)
    builder: Builder | None = field(default=None, repr=False, compare=False)

    def build(self, choice: Choice, **changes: Any) -> Built:
        """What a choice in the options names: a plugin of the same kind as this one.

        changes: fields in which its context differs from this one. Raises PluginError, which names
        the chosen plugin, where that fails.
        """
        if self.builder is None:
            raise UsageError(
                f"{self.kind} '{choice.name}' cannot be built: this {type(self).__name__} was made "
                f"by hand, and only the core knows the installed plugins."
            )
        built: Built = self.builder(self.kind, choice, replace(self, **changes))
        return built


@dataclass(frozen=True, kw_only=True)
class ArchitectureContext(Context["SequenceModel"]):
    """For a `SequenceModel`. vocab_size: V, the number of token ids.

    tokenizer: it has learnt, and says which bytes an id is; None where ids have no meaning, as in
    `seqzoo bench`.
    """

    kind: ClassVar[str] = "architecture"
    vocab_size: int
    tokenizer: Tokenizer | None = None


@dataclass(frozen=True, kw_only=True)
class TokenizerContext(Context["Tokenizer"]):
    """For a `Tokenizer`."""

    kind: ClassVar[str] = "tokenizer"


@dataclass(frozen=True, kw_only=True)
class StreamContext(Context["Stream"]):
    """For a `Stream`.

    tokens: (N,) unsigned integers, the training part; a stream only indexes them.
    batch_size: B, the rows of every batch.
    documents: the index in `tokens` of the first token of each document, (K,) int64, ascending;
    None if the corpus has no documents.
    seed: the recipe's `train.seed`, for streams with a random order.
    """

    kind: ClassVar[str] = "stream"
    tokens: npt.NDArray[np.unsignedinteger[Any]]
    batch_size: int
    documents: npt.NDArray[np.int64] | None = None
    seed: int = 1


@dataclass(frozen=True, kw_only=True)
class NamedParameter:
    """A parameter that is trained, its name in the model, and what it is for."""

    name: str
    parameter: nn.Parameter
    role: ParameterRole


@dataclass(frozen=True, kw_only=True)
class OptimizerContext(Context[Any]):
    """For a torch optimizer. parameters: all that are trained, in the order of the model."""

    kind: ClassVar[str] = "optimizer"
    parameters: tuple[NamedParameter, ...]

    def groups(
        self,
        *,
        learning_rate: float,
        weight_decay: float,
        parameters: Iterable[NamedParameter] | None = None,
    ) -> list[dict[str, Any]]:
        """Groups for a torch optimizer: `params`, `lr` and `weight_decay` as the roles say.

        parameters: some of this context's; None for all. Those that decay come first; without
        parameters there are no groups.
        """
        chosen = self.parameters if parameters is None else tuple(parameters)
        groups: dict[tuple[bool, float], list[nn.Parameter]] = {}
        for each in sorted(chosen, key=lambda each: not each.role.decay):
            groups.setdefault((each.role.decay, each.role.rate), []).append(each.parameter)
        return [
            {
                "params": members,
                "lr": learning_rate * rate,
                "weight_decay": weight_decay if decays else 0.0,
            }
            for (decays, rate), members in groups.items()
        ]


@dataclass(frozen=True, kw_only=True)
class ScheduleContext(Context["Schedule"]):
    """For a `Schedule`. warmup_steps: updates of the linear warm-up, which the core applies."""

    kind: ClassVar[str] = "schedule"
    warmup_steps: int = 0


@dataclass(frozen=True, kw_only=True)
class SamplerContext(Context["Sampler"]):
    """For a `Sampler`. vocab_size: V. tokenizer: it has learnt, and says which bytes an id is."""

    kind: ClassVar[str] = "sampler"
    vocab_size: int
    tokenizer: Tokenizer


@dataclass(frozen=True, kw_only=True)
class DecoderContext(Context["Decoder"]):
    """For a `Decoder`. vocab_size: V. tokenizer: it has learnt, and says which bytes an id is."""

    kind: ClassVar[str] = "decoder"
    vocab_size: int
    tokenizer: Tokenizer


@dataclass(frozen=True, kw_only=True)
class CorpusContext(Context["Corpus"]):
    """For a `Corpus`."""

    kind: ClassVar[str] = "corpus"


@dataclass(frozen=True, kw_only=True)
class BaselineContext(Context[Any]):
    """For the scores of a baseline.

    training: (N,) uint8, all that it may learn from.
    splits: name -> `Span`; each is scored alone, every byte once, independent of other splits.
    label: what the recipe calls a baseline that it adds; the baseline's name by default.
    """

    kind: ClassVar[str] = "baseline"
    training: npt.NDArray[np.uint8]
    splits: Mapping[str, Span]
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class TrackerContext(Context["Tracker"]):
    """For a `Tracker`.

    run_directory: the folder of the run, where files of a tracker belong.
    run_id: 16 letters and digits that no other run has, for services that need a name of their own.
    It stays the same when the run resumes or its folder is renamed.
    recipe: the checked recipe with all defaults, as plain data.
    resumed_from: this tracker, with the same options, received all lines up to this step in an
    earlier process, and receives the later ones now. None if it receives all lines.
    """

    kind: ClassVar[str] = "tracker"
    run_directory: Path
    run_id: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    resumed_from: int | None = None

    @property
    def run_name(self) -> str:
        """The name of the run."""
        return self.run_directory.name


@dataclass(frozen=True, kw_only=True)
class LauncherContext(Context["Launcher"]):
    """For a `Launcher`.

    sweep_directory: the folder of the sweep, absolute; its runs and logs are inside. It exists.
    """

    kind: ClassVar[str] = "launcher"
    sweep_directory: Path
