"""What a checkpoint says about itself, read without torch: its manifest, and its state.json.

The manifest has the size and the sha256 of every file, and the id of the run. It is compared with
the one form that seqzoo writes, so that a change of any byte of it is noticed too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from seqzoo.errors import CheckpointError, require_known_format
from seqzoo.regular_files import parse_json, read_bytes
from seqzoo.results.damage import problem_of

__all__ = [
    "ALL_PARTS",
    "FORMAT_VERSION",
    "MANIFEST",
    "PARTS",
    "STATE",
    "WEIGHTS",
    "FileRecord",
    "Manifest",
    "as_json",
    "parse_state",
    "read_manifest",
    "reason_of",
]

FORMAT_VERSION = 1

MANIFEST = "MANIFEST.json"
STATE = "state.json"
WEIGHTS = "model.safetensors"
PARTS = {
    "model": WEIGHTS,
    "optimizer": "optimizer.safetensors",
    "carried": "carried.safetensors",
    "generators": "generators.safetensors",
}
"""The file of each group of tensors."""

ALL_PARTS = {**PARTS, "average": "average.safetensors"}
"""Those, and that of the averaged weights, which most runs do not have."""

_SETS_OF_FILES = tuple(
    frozenset({*names, STATE}) for names in (PARTS.values(), ALL_PARTS.values(), [WEIGHTS])
)
"""Of a whole checkpoint, without and with averages, and of one that has only its weights."""

_MAX_MANIFEST_BYTES = 100_000

_STRICT = ConfigDict(strict=True, frozen=True)


class FileRecord(BaseModel):
    """Size and hash of a file."""

    model_config = _STRICT

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Manifest(BaseModel):
    """The files of a checkpoint. run: the id of the run; "" for runs of older versions."""

    model_config = _STRICT

    format_version: int
    step: int = Field(ge=0)
    run: str = ""
    files: dict[str, FileRecord]

    @property
    def is_whole(self) -> bool:
        """Whether training can continue from it."""
        return self.files.keys() >= set(PARTS.values())

    def content(self) -> bytes:
        """The file as seqzoo writes it."""
        return as_json(self.model_dump(exclude={"run"} if not self.run else None))


class _Spent(BaseModel):
    model_config = _STRICT

    steps: int = Field(ge=0)
    bytes: int = Field(ge=0)
    seconds: FiniteFloat = Field(ge=0)
    peak_memory_bytes: int = Field(ge=0)


class _Runtime(BaseModel):
    model_config = _STRICT

    device: str
    threads: int = Field(ge=1)
    cpu: str
    accelerator: str = ""
    precision: str
    versions: dict[str, str]


class _Lengths(BaseModel):
    model_config = _STRICT

    metrics: int = Field(ge=0)
    timing: int = Field(ge=0)


class _State(BaseModel):
    """What state.json must have. Other keys are allowed: they may be of a newer seqzoo.

    tokenizer, stream: what these plugins returned. best: step and bits per byte. averaged: whether
    the weights are the averaged ones. interval: sums since the last logged line. logs: lengths of
    the files. origin: the fingerprint of origin.json. metrics_sha256: of the file up to this step.
    epochs and what follows are missing in older runs.
    """

    model_config = _STRICT

    step: int = Field(ge=0)
    stream: dict[str, Any]
    tokens_seen: int = Field(ge=0)
    spent: _Spent
    best: tuple[int, FiniteFloat] | None
    interval: tuple[FiniteFloat, FiniteFloat, int]
    runtime: _Runtime
    tokenizer: dict[str, Any]
    logs: _Lengths
    epochs: FiniteFloat | None = Field(default=None, ge=0)
    recipe: str = ""
    origin: str = ""
    averaged: bool = False
    metrics_sha256: str = ""


def as_json(data: Any) -> bytes:
    """The form of the JSON files of a checkpoint."""
    return (json.dumps(data, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def read_manifest(directory: Path, step: int, *, run: str = "") -> Manifest:
    """The manifest of a checkpoint. run: the id that it must have; "" to accept any.

    Raises CheckpointError for one that is missing, damaged, or of another run or step,
    NewerFormatError for one of a newer seqzoo.
    """
    path = directory / MANIFEST
    try:
        content = read_bytes(path, limit=_MAX_MANIFEST_BYTES)
        stored = parse_json(content)
        require_known_format(stored, path, newest=FORMAT_VERSION)
        manifest = Manifest.model_validate(stored)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is missing or damaged ({reason_of(error)}).") from error
    if manifest.format_version != FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has format {manifest.format_version}, this seqzoo reads {FORMAT_VERSION}; use "
            f"the version that wrote it."
        )
    if as_json(stored) != content:
        raise CheckpointError(f"{path} is damaged: it is not as seqzoo writes it.")
    if manifest.step != step or frozenset(manifest.files) not in _SETS_OF_FILES:
        raise CheckpointError(f"{path} is not the manifest of step {step}.")
    if run and manifest.run != run:
        raise CheckpointError(f"{directory} is a checkpoint of another run.")
    return manifest


def parse_state(content: bytes, path: Path, *, step: int) -> dict[str, Any]:
    """The content of state.json. Raises CheckpointError if it is not that of a checkpoint."""
    try:
        state = parse_json(content)
        _State.model_validate_json(content)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise CheckpointError(
            f"{path} is not the state of a checkpoint: {where or 'the file'}: {problem_of(error)}."
        ) from error
    except ValueError as error:
        raise CheckpointError(f"{path} is not the state of a checkpoint: {error}.") from error
    if state["step"] != step:
        raise CheckpointError(f"{path} says step {state['step']}, not {step}.")
    return dict(state)


def reason_of(error: Exception) -> str:
    """What is wrong with a file, in a few words."""
    if isinstance(error, ValidationError):
        return f"{'.'.join(map(str, error.errors()[0]['loc']))}: {problem_of(error)}"
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
