"""Trackers `csv`, `tensorboard` and `wandb`: the metrics of a run as files, or in a service."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from seqzoo import TrackerSpec, hookimpl
from seqzoo_plugins.trackers.options import CsvOptions, TensorboardOptions, WandbOptions

if TYPE_CHECKING:
    from seqzoo import Tracker, TrackerContext


@hookimpl
def register_trackers() -> Iterable[TrackerSpec]:
    yield TrackerSpec(
        name="csv",
        summary="a table with a line for each logged step",
        options=CsvOptions,
        open=_open_csv,
        source="RFC 4180",
    )
    yield TrackerSpec(
        name="tensorboard",
        summary="event files for TensorBoard",
        options=TensorboardOptions,
        open=_open_tensorboard,
        source="github.com/tensorflow/tensorboard",
    )
    yield TrackerSpec(
        name="wandb",
        summary="Weights & Biases, or a module with the same functions: trackio, swanlab",
        options=WandbOptions,
        open=_open_wandb,
        source="docs.wandb.ai, huggingface.co/docs/trackio, docs.swanlab.cn",
    )


def _open_csv(options: CsvOptions, context: TrackerContext) -> Tracker:
    from seqzoo_plugins.trackers.table import TableTracker

    path = None if options.path is None else context.base / options.path
    return TableTracker(path, context.run_directory, resumed_from=context.resumed_from)


def _open_tensorboard(options: TensorboardOptions, context: TrackerContext) -> Tracker:
    from seqzoo_plugins.trackers.event_tracker import EventTracker

    folder = context.run_directory / "tensorboard"
    if options.folder is not None:
        folder = context.base / options.folder / context.run_name
    return EventTracker(folder, context)


def _open_wandb(options: WandbOptions, context: TrackerContext) -> Tracker:
    from seqzoo_plugins.trackers.service import ServiceTracker

    return ServiceTracker(options, context)
