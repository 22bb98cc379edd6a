"""Every hook a plugin can implement. Reading this file is reading the plugin documentation.

A plugin is a module that a package names under the entry-point group `seqzoo`:

    [project.entry-points.seqzoo]
    mamba = "seqzoo_mamba"

and that implements any of the functions below with `@seqzoo.hookimpl`. Hooks take nothing and
return declarations (see seqzoo/plugin/specs.py); none of them may import torch, because `seqzoo
list` calls them all. A recipe can also name a plugin file: `plugins: [./my_cell.py]`.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from seqzoo.plugin.check import Check
from seqzoo.plugin.specs import (
    ArchitectureSpec,
    BaselineSpec,
    CorpusSpec,
    SamplerSpec,
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
    """Sequence models that recipes can name under `architecture`."""


@hookspec
def register_tokenizers() -> Iterable[TokenizerSpec]:  # type: ignore[empty-body]
    """Tokenizers that recipes can name under `tokenizer`."""


@hookspec
def register_streams() -> Iterable[StreamSpec]:  # type: ignore[empty-body]
    """Orders of the training text that recipes can name under `train.stream`."""


@hookspec
def register_samplers() -> Iterable[SamplerSpec]:  # type: ignore[empty-body]
    """Links that recipes and `seqzoo sample` can put into a sampling chain."""


@hookspec
def register_corpora() -> Iterable[CorpusSpec]:  # type: ignore[empty-body]
    """Sources of bytes that recipes can name under `corpus`."""


@hookspec
def register_baselines() -> Iterable[BaselineSpec]:  # type: ignore[empty-body]
    """Classical predictors that every run is held against."""


@hookspec
def register_trackers() -> Iterable[TrackerSpec]:  # type: ignore[empty-body]
    """Sinks that recipes can name under `trackers`."""


@hookspec
def register_checks() -> Iterable[Check]:  # type: ignore[empty-body]
    """Further lines of `seqzoo doctor`."""
