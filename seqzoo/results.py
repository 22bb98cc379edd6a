"""What a run leaves behind: runs/NAME/result.json, one `Result`, checked when read.

Fields may be added within a format version, and readers ignore those that they do not know; a
change of meaning raises FORMAT_VERSION.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seqzoo.atomic import write_atomically
from seqzoo.errors import EnvironmentFault, UsageError
from seqzoo.ladder import Ladder, Rung

__all__ = [
    "FORMAT_VERSION",
    "CorpusRecord",
    "ProtocolRecord",
    "Result",
    "SplitScore",
    "read_result",
    "write_result",
]

FORMAT_VERSION = 1

Count = Annotated[int, Field(ge=0)]
Quantity = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class CorpusRecord(_Record):
    """Which bytes: sha256 is of the whole corpus, origin is for people."""

    name: str
    sha256: str
    bytes: Count
    origin: str


class ProtocolRecord(_Record):
    """How the splits were read; scores of different protocols are never ranked together.

    name: for people, e.g. "static, 1 lane".
    """

    name: str
    adaptive: bool = False
    lanes: Count = 1
    warmup_tokens: Count = 0


class SplitScore(_Record):
    """A model's score on one split.

    interval: 95 % bootstrap interval of bits_per_byte. blocks: bits of each block of about 1 kB,
    in file order. accuracy: share of tokens that the most probable guess hit.
    """

    bits_per_byte: Quantity
    nats: Quantity
    bytes: Annotated[int, Field(gt=0)]
    accuracy: Share
    interval: tuple[Quantity, Quantity]
    blocks: tuple[Quantity, ...] = ()


class Result(_Record):
    """One run, its scores, and all that they depend on.

    created: with time zone. split: the identity of how the corpus was cut. scores: by split.
    rungs, floor: the ladder on the same splits. placement: where the run stands on it, in words.
    step, weights_sha256: the checkpoint that was scored, and the hash of its weights' file.
    """

    format_version: int = FORMAT_VERSION
    run: str
    recipe: str
    created: datetime
    corpus: CorpusRecord
    split: str
    protocol: ProtocolRecord
    scores: dict[str, SplitScore]
    rungs: tuple[Rung, ...] = ()
    floor: dict[str, float] = {}
    placement: str = ""
    architecture: str
    tokenizer: str
    parameters: Count
    steps: Count
    step: Count = 0
    weights_sha256: str = ""
    training_bytes: Count
    training_seconds: Quantity
    peak_memory_bytes: Count
    seed: int
    versions: dict[str, str]
    device: str
    cpu: str
    threads: Count
    precision: str

    @property
    def ladder(self) -> Ladder:
        """The baselines that were scored beside this run."""
        return Ladder(self.rungs, self.floor)


def write_result(path: Path, result: Result) -> None:
    """Whole or not at all, and on disk when this returns. Raises EnvironmentFault."""
    try:
        write_atomically(path, result.model_dump_json(indent=1) + "\n")
    except OSError as error:
        raise EnvironmentFault(f"{path} cannot be written: {error.strerror}.") from error


def read_result(path: Path) -> Result:
    """A checked result. Raises UsageError, in one sentence, for what is none."""
    try:
        stored = json.loads(path.read_bytes(), parse_constant=_refuse)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise UsageError(
            f"{path} is damaged: it is not JSON ({error}); score the run again with 'seqzoo eval "
            f"{path.parent}'."
        ) from error
    version = stored.get("format_version") if isinstance(stored, dict) else None
    if type(version) is not int:
        raise UsageError(f"{path} is not a result of seqzoo: it has no format_version.")
    if version > FORMAT_VERSION:
        raise UsageError(
            f"{path} has format version {version}, and this seqzoo reads up to {FORMAT_VERSION}; "
            f"upgrade seqzoo."
        )
    try:
        return Result.model_validate_json(json.dumps(stored))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise UsageError(
            f"{path} is damaged: {where}: {first['msg']}{more}; score the run again with 'seqzoo "
            f"eval {path.parent}'."
        ) from error


def _refuse(constant: str) -> None:
    """Python's JSON has NaN and Infinity, JSON has not, and no score is either."""
    raise ValueError(f"{constant} is no number")
