"""Optimizers and the learning rate schedule, as recipes describe them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from seqzoo.plugin.contracts import SequenceModel
from seqzoo.recipes.sections import OptimizerSection, ScheduleSection
from seqzoo.training.muon import make_muon

__all__ = ["Optimizer", "learning_rate_factor"]


class Optimizer:
    """One or two torch optimizers that step together under one learning-rate factor.

    adamw: Loshchilov and Hutter 2019, arXiv:1711.05101, for every parameter.
    muon: Jordan 2024, https://kellerjordan.github.io/posts/muon, for the model's hidden matrices
    (`SequenceModel.hidden_matrices`), and AdamW for embeddings, head, gains and biases.
    Weight decay applies to matrices only.
    """

    def __init__(self, model: SequenceModel, section: OptimizerSection) -> None:
        parameters = [p for p in model.parameters() if p.requires_grad]
        hidden: list[nn.Parameter] = []
        self._parts: list[torch.optim.Optimizer] = []
        if section.name == "muon":
            hidden = [p for p in model.hidden_matrices() if p.requires_grad]
        if hidden:
            self._parts.append(
                make_muon(
                    hidden,
                    learning_rate=section.matrix_learning_rate,
                    weight_decay=section.weight_decay,
                    momentum=section.momentum,
                )
            )
        taken = {id(p) for p in hidden}
        others = [p for p in parameters if id(p) not in taken]
        groups = [
            {"params": [p for p in others if p.ndim >= 2], "weight_decay": section.weight_decay},
            {"params": [p for p in others if p.ndim < 2], "weight_decay": 0.0},
        ]
        if others:
            self._parts.append(
                torch.optim.AdamW(
                    [group for group in groups if group["params"]],
                    lr=section.learning_rate,
                    betas=section.betas,
                    eps=section.epsilon,
                    fused=True,
                )
            )
        self._base_rates = [[group["lr"] for group in part.param_groups] for part in self._parts]

    def zero_grad(self) -> None:
        """Clear the gradients."""
        for part in self._parts:
            part.zero_grad(set_to_none=True)

    def step(self, factor: float) -> None:
        """Update the parameters, every learning rate multiplied by `factor`."""
        for part, rates in zip(self._parts, self._base_rates, strict=True):
            for group, rate in zip(part.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            part.step()

    def tensors(self) -> dict[str, Tensor]:
        """The moments by part, parameter and name: everything that a resumed run needs."""
        return {
            f"{number}.{index}.{key}": value
            for number, part in enumerate(self._parts)
            for index, entries in part.state_dict()["state"].items()
            for key, value in entries.items()
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Restore what `tensors` returned."""
        for number, part in enumerate(self._parts):
            state: dict[int, dict[str, Tensor]] = {}
            for name, value in tensors.items():
                owner, index, key = name.split(".", 2)
                if int(owner) == number:
                    state.setdefault(int(index), {})[key] = value
            part.load_state_dict(
                {"state": state, "param_groups": part.state_dict()["param_groups"]}
            )


def learning_rate_factor(schedule: ScheduleSection, *, step: int, progress: float) -> float:
    """The factor of all learning rates at update `step`, counted from 0.

    progress: the share of the budget that is spent, 0 to 1. The factor is a linear warm-up over
    `warmup_steps` updates times a decay from 1 to `final_fraction`.
    """
    warmup = min(1.0, (step + 1) / schedule.warmup_steps) if schedule.warmup_steps else 1.0
    share = min(max(progress, 0.0), 1.0)
    remaining = {
        "constant": 1.0,
        "linear": 1.0 - share,
        "cosine": 0.5 * (1.0 + math.cos(math.pi * share)),
    }[schedule.decay]
    return warmup * (schedule.final_fraction + (1.0 - schedule.final_fraction) * remaining)
