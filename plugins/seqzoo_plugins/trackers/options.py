"""The options of the trackers."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from seqzoo import Options

__all__ = ["CsvOptions", "TensorboardOptions", "WandbOptions"]


class CsvOptions(Options):
    shorthand: ClassVar[str | None] = "path"
    path: Path | None = Field(
        default=None, description="the table to write; null for metrics.csv in the run's folder"
    )


class TensorboardOptions(Options):
    shorthand: ClassVar[str | None] = "folder"
    folder: Path | None = Field(
        default=None,
        description="the folder that gets a folder for the run; null for tensorboard/ in the run's",
    )


class WandbOptions(Options):
    shorthand: ClassVar[str | None] = "project"
    project: str = Field(default="seqzoo", min_length=1, description="the project of the run")
    module: Literal["wandb", "trackio", "swanlab"] = Field(
        default="wandb", description="the Python module that receives the metrics"
    )
    mode: Literal["online", "offline"] = Field(
        default="online", description="offline: only files in the run's folder, to send later"
    )
    entity: str | None = Field(
        default=None, description="the user or team, which swanlab calls workspace; null: your own"
    )
    group: str | None = Field(default=None, description="the name of a group of runs")
    tags: tuple[str, ...] = Field(default=(), description="words to find the run by")
