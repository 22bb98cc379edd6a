"""config.json of an exported folder: what the model is, how it was made, and what it scores."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seqzoo.errors import CheckpointError, require_known_format
from seqzoo.regular_files import MAX_JSON_BYTES, parse_json, read_bytes
from seqzoo.results.damage import problem_of
from seqzoo.results.result import CorpusRecord, PluginRecord, Result

__all__ = [
    "CONFIG",
    "FORMATS",
    "FORMAT_VERSION",
    "INITIAL_STATE",
    "WEIGHTS",
    "ExportConfig",
    "FileRecord",
    "Format",
    "LeafRecord",
    "NamedOptions",
    "ProofRecord",
    "TokenizerRecord",
    "is_export",
    "read_config",
    "verified_weights",
]

FORMAT_VERSION = 1
CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INITIAL_STATE = "initial_state.safetensors"

Format: TypeAlias = Literal["folder", "onnx", "torch"]
FORMATS: tuple[Format, ...] = get_args(Format)

Count = Annotated[int, Field(ge=0)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class FileRecord(_Record):
    """A file of the folder that holds numbers, by its size and its hash."""

    bytes: Count
    sha256: str


class LeafRecord(_Record):
    """A leaf of the state of one row; in arrays the batch comes before this shape."""

    shape: tuple[int, ...]
    dtype: str


class NamedOptions(_Record):
    """An architecture by its name, with all its options."""

    name: str
    options: dict[str, Any]


class TokenizerRecord(NamedOptions):
    """A tokenizer, and what it learnt."""

    state: dict[str, Any]


class ProofRecord(_Record):
    """How the folder was compared with seqzoo, in a process without seqzoo.

    steps: of two rows with different texts, whose logits and states agreed too.
    """

    bytes: Count = Field(description="of the text that both scored")
    text: str = Field(description="where these bytes are from")
    bits_per_byte: float
    bits_per_byte_in_seqzoo: float
    steps: Count


class ExportConfig(_Record):
    """Everything in an exported folder but the weights, as plain data."""

    format_version: Annotated[int, Field(strict=True)] = FORMAT_VERSION
    library: Literal["seqzoo"] = "seqzoo"
    format: Format
    run: str
    architecture: NamedOptions
    tokenizer: TokenizerRecord
    vocab_size: Annotated[int, Field(ge=1)]
    state: dict[str, LeafRecord]
    parameters: Count
    step: Count = Field(description="the update whose weights these are")
    weights_sha256: str = Field(description="of the weights as a checkpoint stores them")
    files: dict[str, FileRecord]
    recipe: dict[str, Any] = Field(description="of paths only the last part is kept")
    corpus: CorpusRecord
    split: str
    result: Result | None = Field(description="null where these weights were not scored")
    plugins: dict[str, PluginRecord]
    versions: dict[str, str]
    probe: dict[str, Any] = Field(
        default={}, description="answers to a short text, see seqzoo/runs/probe.py"
    )
    proof: ProofRecord | None = None


def is_export(path: Path) -> bool:
    """Whether a folder is an exported model and not a run."""
    return (path / CONFIG).is_file() and not (path / "recipe.yaml").exists()


def read_config(folder: Path) -> ExportConfig:
    """A checked config.json.

    Raises CheckpointError, in one sentence, for one that is damaged or of something else, and
    NewerFormatError for one of a newer seqzoo.
    """
    path = folder / CONFIG
    try:
        stored = parse_json(read_bytes(path, limit=MAX_JSON_BYTES))
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: it is not JSON ({error}).") from error
    if not isinstance(stored, dict) or stored.get("library") != "seqzoo":
        raise CheckpointError(
            f"{path} was not written by seqzoo export: it has no 'library': 'seqzoo'."
        )
    require_known_format(stored, path, newest=FORMAT_VERSION)
    try:
        return ExportConfig.model_validate(stored)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise CheckpointError(
            f"{path} is damaged: {where}: {problem_of(error)}; export the model again."
        ) from error


def verified_weights(folder: Path, config: ExportConfig) -> bytes:
    """The bytes of model.safetensors. Raises CheckpointError if they are not the recorded ones."""
    path, recorded = folder / WEIGHTS, config.files.get(WEIGHTS)
    if recorded is None:
        raise CheckpointError(
            f"{folder} was exported with --format {config.format}, whose weights seqzoo cannot "
            f"read back; export the model with --format folder."
        )
    try:
        content = read_bytes(path, limit=recorded.bytes)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
    if hashlib.sha256(content).hexdigest() != recorded.sha256:
        raise CheckpointError(
            f"{path} is damaged: its sha256 is not the one in {CONFIG}; export the model again."
        )
    return content
