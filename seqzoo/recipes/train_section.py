"""The section `train` of a recipe, and the sections inside it."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from seqzoo.recipes.choice_fields import Choice, Kind, Section

__all__ = [
    "BudgetSection",
    "CheckpointSection",
    "OptimizerSection",
    "ScheduleSection",
    "Stage",
    "TrainSection",
    "ValidationSection",
]


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

    @classmethod
    def alternatives(cls) -> tuple[str, ...]:
        """The units of which an override replaces the others; epochs limit any of them."""
        return tuple(unit for unit in cls.model_fields if unit != "epochs")

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
    stream: Annotated[Choice | None, Kind("stream")] = Field(
        default=None,
        description="a plugin that orders the training text; null for contiguous lanes, which "
        "carry the state from batch to batch",
    )
    start_from: str | None = Field(
        default=None,
        description="a run folder or an exported folder whose weights training starts from, "
        "relative to the recipe's folder; null to start from new weights",
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
