"""Every hook that a plugin can implement. This file is the documentation of the hooks.

A plugin is a module that a package names under the entry-point group `seqzoo`:

    [project.entry-points.seqzoo]
    mamba = "seqzoo_mamba"

and that implements any of the functions below with `@seqzoo.hookimpl`. Hooks have no arguments and
return declarations (see seqzoo/plugin/specs.py). They must not import torch, because `seqzoo list`
calls all of them. A recipe can also name a plugin file: `plugins: [./my_cell.py]`.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from seqzoo.plugin.check import Check
from seqzoo.plugin.specs import (
    ArchitectureSpec,
    BaselineSpec,
    CorpusSpec,
    DecoderSpec,
    LauncherSpec,
    OptimizerSpec,
    SamplerSpec,
    ScheduleSpec,
    StreamSpec,
    TokenizerSpec,
    TrackerSpec,
)

__all__ = ["ENTRY_POINT_GROUP", "hookimpl"]

ENTRY_POINT_GROUP = "seqzoo"

hookspec = pluggy.HookspecMarker(ENTRY_POINT_GROUP)
hookimpl = pluggy.HookimplMarker(ENTRY_POINT_GROUP)


@hookspec
def register_architectures() -> Iterable[ArchitectureSpec]:  # type: ignore[empty-body]
    """Sequence models, which recipes name under `architecture`."""


@hookspec
def register_tokenizers() -> Iterable[TokenizerSpec]:  # type: ignore[empty-body]
    """Tokenizers, which recipes name under `tokenizer`."""


@hookspec
def register_streams() -> Iterable[StreamSpec]:  # type: ignore[empty-body]
    """Orders of the training text, which recipes name under `train.stream`."""


@hookspec
def register_optimizers() -> Iterable[OptimizerSpec]:  # type: ignore[empty-body]
    """Optimizers, which recipes name under `train.optimizer`."""


@hookspec
def register_schedules() -> Iterable[ScheduleSpec]:  # type: ignore[empty-body]
    """Schedules of the learning rate, which recipes name under `train.schedule.decay`."""


@hookspec
def register_samplers() -> Iterable[SamplerSpec]:  # type: ignore[empty-body]
    """Links of the sampling chain, for recipes and `seqzoo sample`."""


@hookspec
def register_decoders() -> Iterable[DecoderSpec]:  # type: ignore[empty-body]
    """Ways to choose a whole text, which recipes name under `sample.decoder`."""


@hookspec
def register_corpora() -> Iterable[CorpusSpec]:  # type: ignore[empty-body]
    """Sources of bytes, which recipes name under `corpus`."""


@hookspec
def register_baselines() -> Iterable[BaselineSpec]:  # type: ignore[empty-body]
    """Classical predictors that every run is compared with."""


@hookspec
def register_trackers() -> Iterable[TrackerSpec]:  # type: ignore[empty-body]
    """Outputs for metrics, which recipes name under `trackers`."""


@hookspec
def register_launchers() -> Iterable[LauncherSpec]:  # type: ignore[empty-body]
    """Places where the members of a sweep run, for `seqzoo sweep --launcher` and grid files."""


@hookspec
def register_checks() -> Iterable[Check]:  # type: ignore[empty-body]
    """Additional checks of `seqzoo doctor`."""
