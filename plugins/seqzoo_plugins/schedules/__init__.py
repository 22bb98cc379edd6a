"""The usual schedules of the learning rate, each with its options and its paper."""

from __future__ import annotations

from collections.abc import Iterable

import seqzoo
from seqzoo_plugins.schedules.options import (
    ConstantOptions,
    DecayOptions,
    InverseSquareRootOptions,
    WarmupStableDecayOptions,
)


def build_cosine(options: DecayOptions, context: seqzoo.ScheduleContext) -> seqzoo.Schedule:
    from seqzoo_plugins.schedules.curves import Curve, cosine

    return Curve(cosine, final_fraction=options.final_fraction)


def build_linear(options: DecayOptions, context: seqzoo.ScheduleContext) -> seqzoo.Schedule:
    from seqzoo_plugins.schedules.curves import Curve, linear

    return Curve(linear, final_fraction=options.final_fraction)


def build_constant(options: ConstantOptions, context: seqzoo.ScheduleContext) -> seqzoo.Schedule:
    from seqzoo_plugins.schedules.curves import Curve

    return Curve(lambda progress: 1.0, final_fraction=1.0)


def build_inverse_square_root(
    options: InverseSquareRootOptions, context: seqzoo.ScheduleContext
) -> seqzoo.Schedule:
    from seqzoo_plugins.schedules.curves import InverseSquareRoot

    return InverseSquareRoot(timescale=options.timescale, warmup_steps=context.warmup_steps)


def build_warmup_stable_decay(
    options: WarmupStableDecayOptions, context: seqzoo.ScheduleContext
) -> seqzoo.Schedule:
    from seqzoo_plugins.schedules.curves import Curve, stable_then

    remaining = stable_then(decay_share=options.decay_share, shape=options.shape)
    return Curve(remaining, final_fraction=options.final_fraction)


@seqzoo.hookimpl
def register_schedules() -> Iterable[seqzoo.ScheduleSpec]:
    return [
        seqzoo.ScheduleSpec(
            name="cosine",
            summary="falls along half a cosine over the budget",
            options=DecayOptions,
            source="Loshchilov and Hutter 2017, arXiv:1608.03983",
            build=build_cosine,
        ),
        seqzoo.ScheduleSpec(
            name="linear",
            summary="falls linearly over the budget",
            options=DecayOptions,
            build=build_linear,
        ),
        seqzoo.ScheduleSpec(
            name="constant",
            summary="stays as it is after the warm-up",
            options=ConstantOptions,
            build=build_constant,
        ),
        seqzoo.ScheduleSpec(
            name="inverse_square_root",
            summary="falls with the root of the number of updates, whatever the budget",
            options=InverseSquareRootOptions,
            source="Vaswani et al. 2017, arXiv:1706.03762, section 5.3",
            build=build_inverse_square_root,
        ),
        seqzoo.ScheduleSpec(
            name="warmup_stable_decay",
            summary="stays, then falls in the last part of the budget",
            options=WarmupStableDecayOptions,
            source="Hu et al. 2024, arXiv:2404.06395; Hägele et al. 2024, arXiv:2405.18392",
            build=build_warmup_stable_decay,
        ),
    ]
