"""A small registry of plugins that only declare, and a recipe that names them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from seqzoo.errors import Problem, RecipeError
from seqzoo.plugin.hooks import hookimpl
from seqzoo.plugin.registry import Owner, Registry
from seqzoo.plugin.specs import (
    ArchitectureSpec,
    CorpusSpec,
    OptimizerOptions,
    OptimizerSpec,
    Options,
    SamplerSpec,
    ScheduleSpec,
    Spec,
    TokenizerSpec,
    TrackerSpec,
)
from seqzoo.recipes.load import Recipe, parse_recipe

Rate = Annotated[float, Field(ge=0, lt=1)]


class LSTMOptions(Options):
    hidden_size: int = Field(default=128, ge=1, le=65536)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    tie: bool = False


class TransformerOptions(Options):
    hidden_size: int = Field(default=128, ge=1, le=65536)
    heads: int = Field(default=4, ge=1)
    positions: Literal["rotary", "learned"] = "rotary"
    window: int | Literal["all"] = 128

    @model_validator(mode="after")
    def _divides(self) -> TransformerOptions:
        if self.hidden_size % self.heads:
            raise ValueError(f"hidden_size {self.hidden_size} is not divisible by {self.heads}")
        return self


class MomentsOptions(OptimizerOptions):
    betas: tuple[Rate, Rate] = (0.9, 0.99)
    epsilon: float = Field(default=1e-8, gt=0)


class AdamWOptions(MomentsOptions):
    momentum: float | None = Field(default=None, exclude=True)


class MuonOptions(MomentsOptions):
    learning_rates = ("learning_rate", "matrix_learning_rate")
    matrix_learning_rate: float = Field(default=0.02, gt=0)
    momentum: Rate = 0.95


class DecayOptions(Options):
    final_fraction: float = Field(default=0.0, ge=0, le=1)


class FragileOptions(Options):
    size: int = 1

    @field_validator("size")
    @classmethod
    def _breaks(cls, size: int) -> int:
        if size == 13:
            raise PydanticCustomError("unlucky", "another number than 13 is needed")
        return 1 // size


class FileOptions(Options):
    path: str = Field(default="", description="where the bytes are")


class TemperatureOptions(Options):
    shorthand: ClassVar[str | None] = "value"
    value: float = Field(default=1.0, ge=0)


class TopKOptions(Options):
    shorthand: ClassVar[str | None] = "k"
    k: int = Field(default=40, ge=1)


class StopOptions(Options):
    shorthand: ClassVar[str | None] = "text"
    text: str = "\n"


def unused(*_: Any, **__: Any) -> Any:
    raise AssertionError("recipes are checked without building anything")


SPECS: list[Spec] = [
    ArchitectureSpec(name="lstm", summary="gates", options=LSTMOptions, build=unused),
    ArchitectureSpec(name="gru", summary="fewer gates", options=LSTMOptions, build=unused),
    ArchitectureSpec(name="former", summary="attends", options=TransformerOptions, build=unused),
    ArchitectureSpec(name="fragile", summary="breaks", options=FragileOptions, build=unused),
    TokenizerSpec(name="bytes", summary="256 ids", build=unused),
    CorpusSpec(name="file", summary="a file", options=FileOptions, open=unused),
    CorpusSpec(name="plays", summary="generated", open=unused),
    OptimizerSpec(name="adamw", summary="moments", options=AdamWOptions, build=unused),
    OptimizerSpec(name="muon", summary="matrices", options=MuonOptions, build=unused),
    OptimizerSpec(name="descent", summary="no more than a rate", build=unused),
    ScheduleSpec(name="cosine", summary="half a wave", options=DecayOptions, build=unused),
    ScheduleSpec(name="linear", summary="a line", options=DecayOptions, build=unused),
    ScheduleSpec(name="flat", summary="stays", build=unused),
    SamplerSpec(name="greedy", summary="the most probable", build=unused),
    SamplerSpec(name="temperature", summary="flat", options=TemperatureOptions, build=unused),
    SamplerSpec(name="top_k", summary="few", options=TopKOptions, build=unused),
    SamplerSpec(name="stop", summary="ends", options=StopOptions, build=unused),
    TrackerSpec(name="lines", summary="a file of lines", options=FileOptions, open=unused),
]


def small_registry() -> Registry:
    """Every spec above, declared through the hooks as a plugin does."""

    def of(kind: type[Spec]) -> Any:
        return hookimpl(lambda: [spec for spec in SPECS if isinstance(spec, kind)])

    registry = Registry().trusting()
    hooks: dict[str, type[Spec]] = {
        "register_architectures": ArchitectureSpec,
        "register_tokenizers": TokenizerSpec,
        "register_corpora": CorpusSpec,
        "register_optimizers": OptimizerSpec,
        "register_schedules": ScheduleSpec,
        "register_samplers": SamplerSpec,
        "register_trackers": TrackerSpec,
    }
    plugin = SimpleNamespace(**{name: of(kind) for name, kind in hooks.items()})
    registry.add(plugin, Owner("small"))
    return registry


GOOD = """\
# Like a recipe that is part of seqzoo.
name: tiny
description: "for tests: small"
corpus: {name: file, options: {path: ../text.txt}, fallback: plays}
tokenizer: {name: bytes}
architecture:
  name: lstm
  options:
    hidden_size: 64
    dropout: 0.1
train:
  batch_size: 16
  bptt_length: [{from: 0.0, length: 32}, {from: 0.5, length: 64}]
  optimizer: {name: muon, learning_rate: 3e-3, betas: [0.9, 0.95]}
  schedule: {warmup_steps: 50, decay: linear}
  clip_norm: null
  budget: {steps: 1e3}
sample:
  prompt: "ROMEO:"
  chain: [greedy, {temperature: 0.8}, {top_k: {k: 5}}, {stop: END}]
trackers:
  - name: lines
    options: {path: x.jsonl}
"""


def parse(text: str | bytes = GOOD, *overrides: str, base: Path = Path()) -> Recipe:
    return parse_recipe(text, small_registry(), source="tiny.yaml", base=base, overrides=overrides)


def problems_of(text: str | bytes = GOOD, overrides: Iterable[str] = ()) -> tuple[Problem, ...]:
    """The problems of a recipe; none if it is correct."""
    try:
        parse(text, *overrides)
    except RecipeError as error:
        return error.problems
    return ()
