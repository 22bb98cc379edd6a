"""The sections of a recipe: every field with its default, its limits and what it means.

Messages, the JSON Schema and the reference in docs/ are made from these. Limits refuse only values
that cannot work; a value that works badly is the user's decision.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from seqzoo.plugin.choice import Choice, Kind, Section
from seqzoo.recipes.train_section import (
    BudgetSection,
    CheckpointSection,
    OptimizerSection,
    ScheduleSection,
    Stage,
    TrainSection,
    ValidationSection,
)

if TYPE_CHECKING:
    from seqzoo.results.result import AdaptiveSettings

__all__ = [
    "AdaptiveSection",
    "AddedBaseline",
    "BaselinesSection",
    "BudgetSection",
    "CheckpointSection",
    "Choice",
    "CorpusSection",
    "EvaluateSection",
    "OptimizerSection",
    "RecipeSections",
    "RuntimeSection",
    "SampleSection",
    "ScheduleSection",
    "Section",
    "SplitSection",
    "Stage",
    "TrainSection",
    "ValidationSection",
    "can_name_run",
    "run_name",
]

_ALWAYS_SECONDS = 30.0
"""Baselines that take less all together are never left out."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def can_name_run(name: str) -> bool:
    """Whether a run can have this name."""
    # It becomes the name of a folder and an argument of commands: no '/', no leading '.' or '-'.
    return _NAME.fullmatch(name) is not None


def run_name(name: str) -> str:
    """The name, if it can name a run. Raises ValueError where it cannot."""
    if not can_name_run(name):
        raise ValueError(
            f"{name[:40]!r} cannot name a run; use up to 100 letters, digits, '_', '.' and "
            f"'-', and do not begin with '.' or '-'"
        )
    return name


def _or_text(schema: dict[str, Any]) -> None:
    schema["anyOf"].insert(0, {"type": "string"})


class SplitSection(Section):
    """The shares of a corpus that are for training, validation and test, in this order."""

    train: float = Field(default=0.9, gt=0, lt=1, description="share that the model is trained on")
    validation: float = Field(
        default=0.05, gt=0, lt=1, description="share that settings and checkpoints are chosen by"
    )
    test: float = Field(
        default=0.05, gt=0, lt=1, description="share that the leaderboard is ranked by"
    )

    @model_validator(mode="after")
    def _is_whole(self) -> SplitSection:
        total = math.fsum((self.train, self.validation, self.test))
        if not math.isclose(total, 1.0, abs_tol=1e-9):
            raise ValueError(f"train, validation and test add up to {total:g}, expected 1")
        return self


class CorpusSection(Choice):
    """The bytes that the model is trained and scored on."""

    fallback: Annotated[Choice | None, Kind("corpus", form="mapping or name")] = Field(
        default=None,
        description="the corpus to use, with a message, when this one is not available: a name, "
        "or a mapping of name and options",
        json_schema_extra=_or_text,
    )
    split: SplitSection | None = Field(
        default=None,
        description="how the corpus is divided; null: as the corpus itself is, or if it has no "
        "division of its own, 0.9, 0.05 and 0.05 of its bytes",
    )


class AdaptiveSection(Section):
    """Scores of a model that continues to learn; each byte is scored before it is learnt from."""

    learning_rate: float = Field(
        default=3e-4,
        ge=0,
        description="learning rate of the updates while scoring (dynamic evaluation); 0 leaves "
        "the weights unchanged, so that only the architecture's own counts learn",
    )
    decay: float = Field(
        default=0.002,
        ge=0,
        le=1,
        description="share by which each update moves the weights back to the trained ones",
    )
    damping: float = Field(
        default=0.1,
        gt=0,
        description="added to the gradient scale of each parameter, as a share of the mean scale",
    )
    segment_length: int = Field(default=64, ge=1, description="tokens between updates")

    @classmethod
    def of(cls, settings: AdaptiveSettings) -> AdaptiveSection:
        """The section that a stored adaptive score was made with. Raises ValidationError."""
        # A method has no value for the settings that it does not use.
        given = settings.model_dump(exclude={"method"}, exclude_none=True)
        return cls(**({"learning_rate": 0.0} | given))


class EvaluateSection(Section):
    """How the finished model is scored."""

    lanes: int = Field(
        default=1,
        ge=1,
        description="parts of the split that are read in parallel; 1 carries the state through "
        "the whole split",
    )
    warmup_tokens: int = Field(
        default=256,
        ge=0,
        description="tokens that each lane reads before it is scored; used only with lanes > 1",
    )
    chunk_length: int = Field(
        default=1024, ge=1, description="tokens per forward pass; no effect on the score"
    )
    max_bytes: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="score only the first bytes of each split, at most this many; null for all. "
        "Such scores are not ranked with those of whole splits",
    )
    adaptive: AdaptiveSection | None = Field(
        default=None,
        description="a second score, of the model while it continues to learn; `{}` for the "
        "defaults, null for none",
    )


class AddedBaseline(Choice):
    """A baseline with options, which a recipe adds to the installed ones."""

    label: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,39}$")] | None = Field(
        default=None,
        description="what tables and messages call it, different from the names of all other "
        "baselines; null for its name",
    )

    @property
    def called(self) -> str:
        """Its label, or its name."""
        return self.label or self.name


class BaselinesSection(Section):
    """The baselines that a finished run is compared with."""

    include: tuple[str, ...] | None = Field(
        default=None,
        description="the installed baselines to score; null for all of them, `[]` for none. "
        "`seqzoo list baseline` shows their names",
    )
    exclude: tuple[str, ...] = Field(default=(), description="baselines that are not scored")
    add: Annotated[tuple[AddedBaseline, ...], Kind("baseline", form="mapping")] = Field(
        default=(), description="further baselines, with their options"
    )
    max_seconds: Annotated[float, Field(ge=0)] | Literal["unlimited"] | None = Field(
        default=None,
        description="time for all baselines that are not cached; what would take longer is left "
        "out. null: as long as the training took, and at least 30 s; no limit for baselines that "
        "`include` names",
    )

    def chooses(self, name: str) -> bool:
        """Whether a baseline is to be scored if there is time for it."""
        added = (each.called for each in self.add)
        included = self.include is None or name in self.include or name in added
        return included and name not in self.exclude

    def limit(self, training_seconds: float) -> float:
        """Seconds that the baselines may take after a training that took so long."""
        if self.max_seconds == "unlimited":
            return math.inf
        if self.max_seconds is not None:
            return float(self.max_seconds)
        return max(_ALWAYS_SECONDS, training_seconds) if self.include is None else math.inf


class SampleSection(Section):
    """The text that is generated during training and at the end of a run."""

    prompt: str = Field(default="", description="text that the sample continues")
    length: int = Field(default=400, ge=1, le=10**9, description="tokens to generate")
    seed: int = Field(default=1, ge=0, description="seed of the random draws")
    count: int = Field(
        default=1, ge=1, le=10_000, description="number of samples at the end of the run"
    )
    every_steps: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="updates between samples during training, of up to 1,000 tokens each; 0 for "
        "none, null for one at every validation",
    )
    decoder: Annotated[Choice | None, Kind("decoder", form="mapping or name")] = Field(
        default=None,
        description="a plugin that chooses the whole text, in place of `chain`, such as `beam`: a "
        "name, or a mapping of name and options",
        json_schema_extra=_or_text,
    )
    chain: Annotated[tuple[Choice, ...], Kind("sampler", form="link")] = Field(
        default=(),
        description="samplers, applied in order: `name`, `{name: {option: value}}`, or "
        "`{name: value}` for a sampler with one main option",
    )


class RuntimeSection(Section):
    """Device, threads and precision of the computation."""

    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|mps|cuda(:[0-9]{1,3})?)$",
        description="device to compute on; auto takes cuda, then mps, then the CPU",
        examples=["auto", "cpu", "cuda", "cuda:1", "mps"],
    )
    threads: Annotated[int, Field(ge=1, le=4096)] | None = Field(
        default=None, description="CPU threads; null for the cores that other processes leave free"
    )
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="number format of the forward pass; parameters stay float32"
    )
    compile: bool = Field(
        default=False, description="whether torch compiles the model before training"
    )
    gradient_sum: Literal["in_order", "fast"] = Field(
        default="in_order",
        description="how several processes of torchrun add up their gradients: in the order of "
        "their ranks, or as is fastest, which can have other last bits in another run",
    )


class RecipeSections(Section):
    """A whole recipe."""

    name: Annotated[str, AfterValidator(run_name)] = Field(
        description="name of the run and of its folder: letters, digits, `_`, `.` and `-`",
        examples=["my_run"],
        json_schema_extra={"pattern": f"^{_NAME.pattern}$"},
    )
    description: str = Field(default="", description="free text; has no effect")
    plugins: tuple[Path, ...] = Field(default=(), description="plugin files to load")
    corpus: Annotated[CorpusSection, Kind("corpus", form="mapping")] = Field(
        description="the bytes that the model is trained and scored on"
    )
    tokenizer: Annotated[Choice, Kind("tokenizer", form="mapping")] = Field(
        description="converts bytes to token ids and back"
    )
    architecture: Annotated[Choice, Kind("architecture", form="mapping")] = Field(
        description="the model"
    )
    train: TrainSection = Field(description="truncated backpropagation through time")
    evaluate: EvaluateSection = Field(
        default=EvaluateSection(), description="how the trained model is scored"
    )
    baselines: BaselinesSection = Field(
        default=BaselinesSection(), description="what a finished run is compared with"
    )
    sample: SampleSection = Field(
        default=SampleSection(),
        description="the text that is generated during training and after it",
    )
    trackers: Annotated[tuple[Choice, ...], Kind("tracker", form="mapping")] = Field(
        default=(), description="additional outputs for the metrics, such as other tools"
    )
    runtime: RuntimeSection = Field(
        default=RuntimeSection(), description="device, threads and precision"
    )
