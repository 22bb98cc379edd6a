"""Sections, optimizers and schedules as recipes give them, for tests that make no recipe."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from seqzoo.plugin.contracts import SequenceModel
from seqzoo.plugin.registry import Registry, load_registry
from seqzoo.recipes.choices import check_with_choices
from seqzoo.recipes.sections import TrainSection
from seqzoo.runs.build import build_optimizer, build_schedule
from seqzoo.training.optimizers import Optimizer

installed = functools.cache(load_registry)


def train_section(data: Mapping[str, Any]) -> TrainSection:
    """The section `train` of a recipe, with the options of its optimizer and its schedule."""
    section, mistakes = check_with_choices(TrainSection, dict(data), installed())
    assert section is not None, mistakes
    return section


def made_optimizer(
    model: SequenceModel, name: str, registry: Registry | None = None, **options: Any
) -> Optimizer:
    """An installed optimizer, with all parameters of the model."""
    section = train_section({"budget": {"steps": 1}, "optimizer": {"name": name, **options}})
    optimizer: Optimizer = parts_of(model, section, registry)["optimizer"]
    return optimizer


def parts_of(
    model: SequenceModel, section: TrainSection, registry: Registry | None = None
) -> dict[str, Any]:
    """The optimizer and the schedule that a section names, as arguments of `Training`."""
    recipe: Any = SimpleNamespace(
        registry=registry or installed(),
        base=Path(),
        train=section,
        architecture=SimpleNamespace(name="rnn"),
    )
    return {"optimizer": build_optimizer(recipe, model), "schedule": build_schedule(recipe)}
