"""The sections of a recipe: every field with its default, its limits and what it means.

Messages, the JSON Schema and the reference in docs/ are made from these. Limits refuse what
cannot be meant; what is merely unwise is the user's affair.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

__all__ = [
    "AdaptiveSection",
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
    "run_name",
]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def run_name(name: str) -> str:
    """The name, if it can name a run; raises ValueError where it cannot."""
    # It becomes a folder's name and stands on command lines: no path parts, no leading '.' or '-'.
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name[:40]!r} cannot name a run; use up to 100 letters, digits, '_', '.' and '-', "
            f"beginning with no '.' or '-'"
        )
    return name


def _or_text(schema: dict[str, Any]) -> None:
    schema["anyOf"].insert(0, {"type": "string"})


class Section(BaseModel):
    """Frozen, and nothing in it but its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Choice(Section):
    """A plugin by name and its options."""

    name: str = Field(description="which plugin, as `seqzoo list` shows it")
    options: Any = Field(
        default={},
        description="the plugin's own options, as `seqzoo show` lists them",
        json_schema_extra={"type": "object"},
    )
    """After loading an instance of the plugin's Options."""

    @field_validator("options")
    @classmethod
    def _is_mapping(cls, options: Any) -> Any:
        if not isinstance(options, (dict, BaseModel)):
            raise PydanticCustomError("dict_type", "expected a mapping")
        return options


class SplitSection(Section):
    """Shares of a corpus, contiguous and in this order."""

    train: float = Field(default=0.9, gt=0, lt=1, description="share to learn from")
    validation: float = Field(
        default=0.05, gt=0, lt=1, description="share that choices are made on"
    )
    test: float = Field(default=0.05, gt=0, lt=1, description="share that the leaderboard shows")

    @model_validator(mode="after")
    def _is_whole(self) -> SplitSection:
        total = math.fsum((self.train, self.validation, self.test))
        if not math.isclose(total, 1.0, abs_tol=1e-9):
            raise ValueError(f"train, validation and test add up to {total:g}, expected 1")
        return self


class CorpusSection(Choice):
    """The bytes to learn from."""

    fallback: Choice | None = Field(
        default=None,
        description="the corpus to take, announced, where the first cannot be had: a name, or a "
        "mapping of name and options",
        json_schema_extra=_or_text,
    )
    split: SplitSection = Field(default=SplitSection(), description="how the corpus is cut")

    @field_validator("fallback", mode="before")
    @classmethod
    def _by_name(cls, fallback: Any) -> Any:
        return {"name": fallback} if isinstance(fallback, str) else fallback


class Stage(Section):
    """A length that holds from some share of the budget on."""

    start: float = Field(
        alias="from", ge=0, lt=1, description="share of the budget at which it begins"
    )
    length: int = Field(ge=1, description="tokens")


class OptimizerSection(Section):
    """AdamW for every parameter; or Muon for hidden matrices and AdamW for the others."""

    name: Literal["adamw", "muon"] = Field(
        default="adamw", description="adamw, or muon for hidden matrices and adamw for the rest"
    )
    learning_rate: float = Field(default=3e-3, gt=0, description="of AdamW, before the schedule")
    weight_decay: float = Field(default=0.01, ge=0, description="decoupled, on matrices only")
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = Field(
        default=(0.9, 0.99), description="decay of AdamW's first and second moment"
    )
    epsilon: float = Field(default=1e-8, gt=0, description="added to AdamW's denominator")
    matrix_learning_rate: float = Field(
        default=0.02, gt=0, description="of muon, before the schedule"
    )
    momentum: float = Field(default=0.95, ge=0, lt=1, description="of muon")


class ScheduleSection(Section):
    """The learning rate's course."""

    warmup_steps: int = Field(default=0, ge=0, description="updates of linear warm-up")
    decay: Literal["cosine", "linear", "constant"] = Field(
        default="cosine", description="how it falls over the whole budget"
    )
    final_fraction: float = Field(
        default=0.0, ge=0, le=1, description="of the learning rate, left at the budget's end"
    )


class BudgetSection(Section):
    """How long to train: until the first of the given is spent."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    steps: int | None = Field(default=None, ge=1, description="updates")
    bytes: int | None = Field(
        default=None, ge=1, description="raw bytes trained on, repeats counted"
    )
    epochs: float | None = Field(
        default=None, gt=0, description="readings of the training part; few, where a text is short"
    )
    seconds: float | None = Field(default=None, gt=0, description="wall-clock seconds of training")

    @model_validator(mode="after")
    def _is_some(self) -> BudgetSection:
        if all(getattr(self, unit) is None for unit in type(self).model_fields):
            raise ValueError("give one of steps, bytes, epochs and seconds, or more; found none")
        return self

    def share(self, *, steps: float, bytes: float, epochs: float, seconds: float) -> float:
        """How much of it so much training has spent: from 0 to 1, and beyond."""
        pairs = (
            (steps, self.steps),
            (bytes, self.bytes),
            (epochs, self.epochs),
            (seconds, self.seconds),
        )
        return max(spent / total for spent, total in pairs if total is not None)


class ValidationSection(Section):
    """Scores during training, on the validation split."""

    every_steps: int = Field(
        default=500, ge=0, description="updates between validations; 0 for never"
    )
    lanes: int = Field(
        default=32, ge=1, description="stretches of the split that are read side by side"
    )
    max_bytes: int = Field(
        default=500_000,
        ge=1,
        description="of the split's beginning; a large corpus is scored whole only afterwards",
    )


class CheckpointSection(Section):
    """What a killed run can go on from."""

    every_steps: int = Field(default=500, ge=1, description="updates between checkpoints")
    keep: int = Field(default=2, ge=1, description="newest checkpoints that stay, beside the best")


class TrainSection(Section):
    """Truncated backpropagation through time over contiguous lanes, state carried."""

    batch_size: int = Field(default=32, ge=1, description="lanes")
    stream: Choice | None = Field(
        default=None,
        description="a plugin that orders the training text; null for contiguous lanes, which "
        "carry the state from batch to batch",
    )
    bptt_length: Annotated[int, Field(ge=1)] | Annotated[tuple[Stage, ...], Field(min_length=1)] = (
        Field(
            default=64,
            description="tokens per lane between cuts of the gradient; or a list of stages "
            "`{from: share of the budget, length: tokens}`, the first from 0",
        )
    )
    optimizer: OptimizerSection = Field(
        default=OptimizerSection(), description="how gradients are used"
    )
    schedule: ScheduleSection = Field(
        default=ScheduleSection(), description="the learning rate's course"
    )
    clip_norm: Annotated[float, Field(gt=0)] | None = Field(
        default=1.0, description="largest norm of the whole gradient; null for no clipping"
    )
    accumulation_steps: int = Field(default=1, ge=1, description="batches per update")
    budget: BudgetSection = Field(description="how long to train: one of steps, bytes, seconds")
    seed: int = Field(default=1, ge=0, description="of initialisation and dropout")
    validation: ValidationSection = Field(
        default=ValidationSection(), description="scores during training"
    )
    checkpoint: CheckpointSection = Field(
        default=CheckpointSection(), description="what a killed run can go on from"
    )
    log_every_steps: int = Field(default=20, ge=1, description="updates between lines of metrics")

    @field_validator("bptt_length")
    @classmethod
    def _stages_rise(cls, bptt_length: int | tuple[Stage, ...]) -> int | tuple[Stage, ...]:
        if isinstance(bptt_length, tuple):
            starts = [stage.start for stage in bptt_length]
            if starts[0] != 0 or any(a >= b for a, b in pairwise(starts)):
                found = ", ".join(f"{start:g}" for start in starts[:8])
                raise ValueError(f"stages must begin at 0 and rise; found from: {found}")
        return bptt_length

    def bptt_length_at(self, progress: float) -> int:
        """Tokens between cuts when a share `progress` of the budget is spent."""
        if isinstance(self.bptt_length, int):
            return self.bptt_length
        return next(s.length for s in reversed(self.bptt_length) if s.start <= max(progress, 0.0))


class AdaptiveSection(Section):
    """Scores of a model that goes on learning, each byte scored before it is learnt from."""

    learning_rate: float = Field(
        default=3e-4,
        ge=0,
        description="of dynamic evaluation; 0 leaves the weights alone, and only what the "
        "architecture itself adapts (counts) learns",
    )
    decay: float = Field(
        default=0.002, ge=0, le=1, description="share of the way back to the trained weights"
    )
    damping: float = Field(
        default=0.1,
        gt=0,
        description="added to each parameter's gradient scale, as a share of the mean scale",
    )
    segment_length: int = Field(default=64, ge=1, description="tokens between updates")


class EvaluateSection(Section):
    """How the finished model is scored."""

    lanes: int = Field(
        default=1,
        ge=1,
        description="stretches read side by side; 1 carries the state through the split",
    )
    warmup_tokens: int = Field(
        default=256, ge=0, description="unscored context of each lane; used only where lanes > 1"
    )
    chunk_length: int = Field(
        default=1024, ge=1, description="tokens per forward pass; not in the score"
    )
    adaptive: AdaptiveSection | None = Field(
        default=None,
        description="score a second time while learning; a mapping, `{}` for its defaults",
    )


class SampleSection(Section):
    """The text that a finished run writes."""

    prompt: str = Field(default="", description="what to go on from")
    length: int = Field(default=400, ge=1, le=10**9, description="tokens")
    seed: int = Field(default=1, ge=0, description="of the draws")
    count: int = Field(default=1, ge=1, le=10_000, description="samples")
    chain: tuple[Choice, ...] = Field(
        default=(),
        description="samplers in order: `name`, `{name: {option: value}}`, or `{name: value}` for "
        "a sampler with one obvious option",
    )


class RuntimeSection(Section):
    """Where and how the model runs."""

    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|mps|cuda(:[0-9]{1,3})?)$",
        description="where to compute; auto takes an accelerator where there is one",
        examples=["auto", "cpu", "cuda", "cuda:1", "mps"],
    )
    threads: Annotated[int, Field(ge=1, le=4096)] | None = Field(
        default=None, description="CPU threads; null for all cores"
    )
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="of the forward pass; parameters stay float32"
    )
    compile: bool = Field(default=False, description="whether torch compiles the model first")


class RecipeSections(Section):
    """A whole recipe."""

    name: Annotated[str, AfterValidator(run_name)] = Field(
        description="of the run and its folder: letters, digits, `_`, `.` and `-`",
        examples=["my_run"],
        json_schema_extra={"pattern": f"^{_NAME.pattern}$"},
    )
    description: str = Field(default="", description="for people")
    plugins: tuple[str, ...] = Field(
        default=(), description="plugin files to load, relative to the recipe's folder"
    )
    corpus: CorpusSection = Field(description="the bytes to learn from")
    tokenizer: Choice = Field(description="bytes to token ids and back")
    architecture: Choice = Field(description="the sequence model")
    train: TrainSection = Field(description="truncated backpropagation through time")
    evaluate: EvaluateSection = Field(
        default=EvaluateSection(), description="how the model is scored"
    )
    sample: SampleSection = Field(
        default=SampleSection(), description="text that a finished run writes"
    )
    trackers: tuple[Choice, ...] = Field(default=(), description="further sinks for metrics")
    runtime: RuntimeSection = Field(
        default=RuntimeSection(), description="where and how the model runs"
    )
