"""The sections of a recipe: every field with its default, its limits and what it means.

Messages, the JSON Schema and the reference in docs/ are made from these. Limits refuse what
cannot be meant; what is merely unwise is the user's affair.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from seqzoo.recipes.choice_fields import Choice, Kind, Section
from seqzoo.recipes.train_section import (
    BudgetSection,
    CheckpointSection,
    OptimizerSection,
    ScheduleSection,
    Stage,
    TrainSection,
    ValidationSection,
)

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

    fallback: Annotated[Choice | None, Kind("corpus", form="mapping or name")] = Field(
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
    chain: Annotated[tuple[Choice, ...], Kind("sampler", form="link")] = Field(
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
    corpus: Annotated[CorpusSection, Kind("corpus")] = Field(description="the bytes to learn from")
    tokenizer: Annotated[Choice, Kind("tokenizer")] = Field(
        description="bytes to token ids and back"
    )
    architecture: Annotated[Choice, Kind("architecture")] = Field(description="the sequence model")
    train: TrainSection = Field(description="truncated backpropagation through time")
    evaluate: EvaluateSection = Field(
        default=EvaluateSection(), description="how the model is scored"
    )
    sample: SampleSection = Field(
        default=SampleSection(), description="text that a finished run writes"
    )
    trackers: Annotated[tuple[Choice, ...], Kind("tracker")] = Field(
        default=(), description="further sinks for metrics"
    )
    runtime: RuntimeSection = Field(
        default=RuntimeSection(), description="where and how the model runs"
    )
