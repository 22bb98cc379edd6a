"""The learning rate that an optimizer has if nobody sets one."""

from __future__ import annotations

import inspect
from typing import NamedTuple

import torch

from seqzoo.doctor.subject import Subject

__all__ = ["Default", "default_rate"]


class Default(NamedTuple):
    """name: of the optimizer. factor: its default rate by the rate that was set. changes: of a
    recipe.
    """

    name: str
    rate: float
    factor: float
    changes: tuple[str, ...] = ()


def default_rate(subject: Subject) -> Default | None:
    """None if the optimizer has no default, or no rate was set."""
    if subject.has("recipe"):
        return _of_recipe(subject)
    optimizer = subject.pipeline.trainer(subject.network.copied(), steps=1).optimizer
    if optimizer is None:
        return None
    known = inspect.signature(type(optimizer)).parameters.get("lr")
    rate = _number(None if known is None else known.default)
    own = max(float(group["lr"]) for group in optimizer.param_groups)
    if not rate or not own:
        return None
    return Default(type(optimizer).__name__, rate, rate / own)


def _of_recipe(subject: Subject) -> Default | None:
    section = subject.recipe.train.optimizer
    try:
        defaults = type(section.options)()
    except Exception:  # an option without a default
        return None
    names = section.options.learning_rates
    pairs = [(_number(getattr(defaults, n)), _number(getattr(section.options, n))) for n in names]
    if not pairs or not all(rate and own for rate, own in pairs):
        return None
    # The rates of several groups are multiplied by one factor.
    factor = min(rate / own for rate, own in pairs)
    changes = tuple(
        f"train.optimizer.{name}={rate:g}" for name, (rate, _) in zip(names, pairs, strict=True)
    )
    return Default(section.name, pairs[0][0], factor, changes)


def _number(value: object) -> float:
    """0 for what is no number."""
    if isinstance(value, torch.Tensor):
        value = value.item()
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number else 0.0  # type: ignore[arg-type]
