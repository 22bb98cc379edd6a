"""The usual optimizers, each with its options and its paper."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import seqzoo
from seqzoo_plugins.optimizers.options import (
    AdamWOptions,
    MuonOptions,
    RMSpropOptions,
    SGDOptions,
)

if TYPE_CHECKING:
    import torch


def build_adamw(options: AdamWOptions, context: seqzoo.OptimizerContext) -> torch.optim.Optimizer:
    from seqzoo_plugins.optimizers.adamw import make_adamw

    return make_adamw(options, context, context.parameters)


def build_muon(
    options: MuonOptions, context: seqzoo.OptimizerContext
) -> tuple[torch.optim.Optimizer, ...]:
    from seqzoo_plugins.optimizers.adamw import make_adamw
    from seqzoo_plugins.optimizers.muon import make_muon

    matrices = [each for each in context.parameters if each.role.use == "matrix"]
    others = [each for each in context.parameters if each.role.use != "matrix"]
    parts = []
    if matrices:
        groups = context.groups(
            learning_rate=options.matrix_learning_rate,
            weight_decay=options.weight_decay,
            parameters=matrices,
        )
        parts.append(make_muon(groups, momentum=options.momentum))
    if others:
        parts.append(make_adamw(options, context, others))
    return tuple(parts)


def build_sgd(options: SGDOptions, context: seqzoo.OptimizerContext) -> torch.optim.Optimizer:
    import torch

    groups = context.groups(learning_rate=options.learning_rate, weight_decay=options.weight_decay)
    return torch.optim.SGD(groups, momentum=options.momentum, nesterov=options.nesterov)


def build_rmsprop(
    options: RMSpropOptions, context: seqzoo.OptimizerContext
) -> torch.optim.Optimizer:
    import torch

    groups = context.groups(learning_rate=options.learning_rate, weight_decay=options.weight_decay)
    return torch.optim.RMSprop(
        groups, alpha=options.smoothing, eps=options.epsilon, momentum=options.momentum
    )


@seqzoo.hookimpl
def register_optimizers() -> Iterable[seqzoo.OptimizerSpec]:
    return [
        seqzoo.OptimizerSpec(
            name="adamw",
            summary="Adam with decoupled weight decay",
            options=AdamWOptions,
            source="Loshchilov and Hutter 2019, arXiv:1711.05101",
            build=build_adamw,
        ),
        seqzoo.OptimizerSpec(
            name="muon",
            summary="orthogonalised momentum for hidden matrices, AdamW for the other parameters",
            options=MuonOptions,
            source="Jordan 2024, https://kellerjordan.github.io/posts/muon",
            build=build_muon,
        ),
        seqzoo.OptimizerSpec(
            name="sgd",
            summary="stochastic gradient descent with momentum",
            options=SGDOptions,
            source="Sutskever et al. 2013, https://proceedings.mlr.press/v28/sutskever13.html",
            build=build_sgd,
        ),
        seqzoo.OptimizerSpec(
            name="rmsprop",
            summary="gradients divided by the root of their mean square",
            options=RMSpropOptions,
            source="Graves 2013, arXiv:1308.0850; Tieleman and Hinton 2012, lecture 6.5",
            build=build_rmsprop,
        ),
    ]
