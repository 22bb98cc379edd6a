"""Optimizers and schedules with one fault each, and the law that each breaks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
from planted_architectures import Planted

from seqzoo import OptimizerContext, OptimizerSpec, Schedule, ScheduleContext, ScheduleSpec

__all__ = ["OPTIMIZERS", "SCHEDULES", "healthy_training"]


def groups(options: Any, context: OptimizerContext) -> list[dict[str, Any]]:
    return context.groups(learning_rate=options.learning_rate, weight_decay=options.weight_decay)


def healthy(options: Any, context: OptimizerContext) -> Any:
    return torch.optim.Adam(groups(options, context))


def without_roles(options: Any, context: OptimizerContext) -> Any:
    return torch.optim.Adam([each.parameter for each in context.parameters], lr=0.01)


def matrices_only(options: Any, context: OptimizerContext) -> Any:
    matrices = [each.parameter for each in context.parameters if each.role.use == "matrix"]
    return torch.optim.Adam(matrices, lr=0.01)


def twice(options: Any, context: OptimizerContext) -> Any:
    return healthy(options, context), healthy(options, context)


def none(options: Any, context: OptimizerContext) -> Any:
    return None


class OwnSteps(torch.optim.SGD):
    """Its steps become shorter by a counter that is not in its state."""

    count = 0

    def step(self, closure: Any = None) -> Any:
        self.count += 1
        for group in self.param_groups:
            group["lr"] /= self.count
        found = super().step(closure)
        for group in self.param_groups:
            group["lr"] *= self.count
        return found


class Uphill(torch.optim.SGD):
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for each in group["params"]:
                if each.grad is not None:
                    each.grad.neg_()
        return super().step(closure)


class TextInState(torch.optim.SGD):
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for each in group["params"]:
                self.state[each]["note"] = "seen"
        return super().step(closure)


def of(kind: type[torch.optim.Optimizer]) -> Callable[[Any, OptimizerContext], Any]:
    return lambda options, context: kind(groups(options, context))  # type: ignore[call-arg]


def optimizer(build: Callable[[Any, OptimizerContext], Any]) -> OptimizerSpec:
    return OptimizerSpec(name="mine", summary="steps", build=build)


OPTIMIZERS: dict[str, Planted] = {
    "roles are ignored": Planted(optimizer(without_roles), "rate"),
    "matrices only": Planted(optimizer(matrices_only), "calls"),
    "in two optimizers": Planted(optimizer(twice), "calls"),
    "no optimizer": Planted(optimizer(none), "calls"),
    "a counter of its own": Planted(optimizer(of(OwnSteps)), "restored"),
    "a text in the state": Planted(optimizer(of(TextInState)), "restored"),
    "steps uphill": Planted(optimizer(of(Uphill)), "learns"),
}


class Linear(Schedule):
    def factor(self, step: int, progress: float) -> float:
        return 1 - progress


class Negative(Schedule):
    def factor(self, step: int, progress: float) -> float:
        return 1 - 2 * progress


class Infinite(Schedule):
    def factor(self, step: int, progress: float) -> float:
        return math.inf if progress == 1 else 1 / (1 - progress)


class Counts(Schedule):
    def __init__(self) -> None:
        self.calls = itertools.count(1)

    def factor(self, step: int, progress: float) -> float:
        return 1 / next(self.calls)


def schedule(kind: type[Schedule]) -> ScheduleSpec:
    def build(options: Any, context: ScheduleContext) -> Schedule:
        return kind()

    return ScheduleSpec(name="mine", summary="goes down", build=build)


SCHEDULES: dict[str, Planted] = {
    "below zero": Planted(schedule(Negative), "calls"),
    "infinite at the end": Planted(schedule(Infinite), "calls"),
    "counts its calls": Planted(schedule(Counts), "arguments_alone"),
}

healthy_training: dict[str, Callable[[], Any]] = {
    "optimizer": lambda: optimizer(healthy),
    "schedule": lambda: schedule(Linear),
}
