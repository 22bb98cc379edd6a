"""The section `train` of a recipe, and the sections inside it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, SerializeAsAny, field_validator, model_validator

from seqzoo.plugin.choice import Choice, Kind, Section
from seqzoo.plugin.specs import OptimizerOptions

__all__ = [
    "AverageSection",
    "BudgetSection",
    "CheckpointSection",
    "EmaSection",
    "LastKSection",
    "OptimizerSection",
    "ScheduleSection",
    "Stage",
    "TrainSection",
    "ValidationSection",
]


class Stage(Section):
    """A length that is used from some share of the budget on."""

    start: float = Field(
        alias="from", ge=0, lt=1, description="share of the budget at which the stage begins"
    )
    length: int = Field(ge=1, description="tokens between cuts of the gradient")


class OptimizerSection(Choice):
    """An optimizer by name, with its options beside the name."""

    # What a recipe without a name has meant from the first version on: part of the format.
    name: str = Field(
        default="adamw",
        description="name of the optimizer; `seqzoo list optimizer` shows all, `seqzoo show NAME` "
        "the options, which are written beside the name",
    )
    options: SerializeAsAny[OptimizerOptions] = OptimizerOptions()


class ScheduleSection(Choice):
    """How the learning rate changes: warm-up, and a schedule with its options beside its name."""

    warmup_steps: int = Field(
        default=0, ge=0, description="updates over which the learning rate rises linearly from 0"
    )
    name: str = Field(
        default="cosine",
        alias="decay",
        description="how the learning rate changes over the budget; `seqzoo list schedule` shows "
        "all names, `seqzoo show NAME` the options, which are written beside it",
    )


class BudgetSection(Section):
    """How long to train: training ends when the first of the given limits is reached."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    steps: int | None = Field(default=None, ge=1, description="updates of the weights")
    bytes: int | None = Field(
        default=None, ge=1, description="raw bytes that are trained on, repeats included"
    )
    epochs: float | None = Field(default=None, gt=0, description="passes over the training part")
    seconds: float | None = Field(
        default=None, gt=0, description="seconds of training, by the clock"
    )

    @model_validator(mode="after")
    def _is_some(self) -> BudgetSection:
        if all(getattr(self, unit) is None for unit in type(self).model_fields):
            raise ValueError("give one or more of steps, bytes, epochs and seconds; found none")
        return self

    @classmethod
    def alternatives(cls) -> tuple[str, ...]:
        """The units that replace each other in overrides; epochs is a limit beside any of them."""
        return tuple(unit for unit in cls.model_fields if unit != "epochs")

    def share(self, *, steps: float, bytes: float, epochs: float, seconds: float) -> float:
        """The share of the budget that this much training has used; above 1 past its end."""
        pairs = (
            (steps, self.steps),
            (bytes, self.bytes),
            (epochs, self.epochs),
            (seconds, self.seconds),
        )
        return max(spent / total for spent, total in pairs if total is not None)


class ValidationSection(Section):
    """Scores on the validation split during training."""

    every_steps: int = Field(
        default=500, ge=0, description="updates between scores on the validation split; 0 for none"
    )
    lanes: int = Field(default=32, ge=1, description="parts of the split that are read in parallel")
    max_bytes: int = Field(
        default=500_000,
        ge=1,
        description="bytes to score, from the start of the split; the whole split is scored after "
        "training",
    )


class CheckpointSection(Section):
    """The saved states that an interrupted run can resume from."""

    every_steps: int = Field(default=500, ge=1, description="updates between checkpoints")
    keep: int = Field(
        default=2,
        ge=1,
        description="number of newest checkpoints that are kept; the best is always kept",
    )


class EmaSection(Section):
    """A moving average over all updates, in which later ones count more."""

    share: float = Field(
        default=0.1,
        gt=0,
        le=0.5,
        description="mean age of the averaged weights, as a share of the updates so far; with 0.5 "
        "all updates count equally",
    )


class LastKSection(Section):
    """The mean of the last copies of the weights."""

    k: int = Field(default=5, ge=2, le=1000, description="number of copies, all held in memory")
    every_steps: int = Field(default=100, ge=1, description="updates between two copies")


class AverageSection(Section):
    """An average of the weights, which is used where it is better on validation."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    ema: EmaSection | None = Field(
        default=None, description="a moving average over all updates; `{}` for the defaults"
    )
    last_k: LastKSection | None = Field(
        default=None,
        description="the mean of the last copies of the weights; `{}` for the defaults",
    )

    @model_validator(mode="after")
    def _is_one(self) -> AverageSection:
        found = [each for each in self.alternatives() if getattr(self, each) is not None]
        if len(found) != 1:
            raise ValueError(f"give one of ema and last_k; found {'both' if found else 'none'}")
        return self

    @classmethod
    def alternatives(cls) -> tuple[str, ...]:
        """The averages, which replace each other in overrides."""
        return tuple(cls.model_fields)


class TrainSection(Section):
    """Training by truncated backpropagation through time; the state is carried between batches."""

    batch_size: int = Field(default=32, ge=1, description="sequences in a batch (lanes)")
    stream: Annotated[Choice | None, Kind("stream", form="mapping")] = Field(
        default=None,
        description="a plugin that decides the order of the training text; null for contiguous "
        "lanes, which carry the state from batch to batch",
    )
    start_from: Path | None = Field(
        default=None,
        description="folder of a run, or exported folder, whose weights training starts from, of a "
        "run the best; null for new weights",
    )
    bptt_length: Annotated[int, Field(ge=1)] | Annotated[tuple[Stage, ...], Field(min_length=1)] = (
        Field(
            default=64,
            description="tokens per lane between cuts of the gradient; or a list of stages "
            "`{from: share of the budget, length: tokens}`, of which the first begins at 0",
        )
    )
    optimizer: Annotated[OptimizerSection, Kind("optimizer", form="flat")] = Field(
        default=OptimizerSection(), description="how gradients change the weights"
    )
    schedule: Annotated[ScheduleSection, Kind("schedule", form="flat")] = Field(
        default=ScheduleSection(), description="how the learning rate changes"
    )
    clip_norm: Annotated[float, Field(gt=0)] | None = Field(
        default=1.0, description="largest allowed norm of the whole gradient; null for no clipping"
    )
    accumulation_steps: int = Field(
        default=1, ge=1, le=10_000, description="batches per update; their gradients are averaged"
    )
    average: AverageSection | None = Field(
        default=None,
        description="an average of the weights beside the trained ones; validation scores both, "
        "and the run uses the better ones. null for none",
    )
    budget: BudgetSection = Field(
        description="how long to train: one or more of steps, bytes, epochs and seconds"
    )
    seed: int = Field(default=1, ge=0, description="seed of the initial weights and of dropout")
    validation: ValidationSection = Field(
        default=ValidationSection(), description="scores on the validation split during training"
    )
    checkpoint: CheckpointSection = Field(
        default=CheckpointSection(),
        description="saved states that an interrupted run can resume from",
    )
    log_every_steps: int = Field(
        default=20, ge=1, description="updates between two lines of metrics"
    )

    @field_validator("bptt_length")
    @classmethod
    def _stages_rise(cls, bptt_length: int | tuple[Stage, ...]) -> int | tuple[Stage, ...]:
        if isinstance(bptt_length, tuple):
            starts = [stage.start for stage in bptt_length]
            if starts[0] != 0 or any(a >= b for a, b in pairwise(starts)):
                found = ", ".join(f"{start:g}" for start in starts[:8])
                raise ValueError(f"stages must begin at 0 and increase; found from: {found}")
        return bptt_length

    @model_validator(mode="after")
    def _average_is_validated(self) -> TrainSection:
        if self.average is not None and self.validation.every_steps == 0:
            raise ValueError(
                "average needs validation, which chooses between the averaged and the trained "
                "weights; found validation.every_steps of 0"
            )
        return self

    def bptt_length_at(self, progress: float) -> int:
        """Tokens between cuts of the gradient when the share `progress` of the budget is used."""
        if isinstance(self.bptt_length, int):
            return self.bptt_length
        return next(s.length for s in reversed(self.bptt_length) if s.start <= max(progress, 0.0))
