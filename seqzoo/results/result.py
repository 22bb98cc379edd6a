"""The result of a run: runs/NAME/result.json, one `Result`, checked when it is read.

Fields may be added within a format version, and readers ignore those that they do not know; a
change of meaning raises FORMAT_VERSION. docs/result.schema.json is made from these models.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from seqzoo.errors import DiskFault, NewerFormatError, UsageError, require_known_format
from seqzoo.regular_files import MAX_JSON_BYTES, parse_json, read_bytes
from seqzoo.results.damage import problem_of
from seqzoo.results.ladder import Ladder, LeftOut, Rung
from seqzoo.results.proof import proves
from seqzoo.storage import is_full, write_whole
from seqzoo.terminal.format import quoted

__all__ = [
    "FORMAT_VERSION",
    "AdaptiveRecord",
    "AdaptiveSettings",
    "ChangeRecord",
    "CorpusRecord",
    "MemberRecord",
    "PartScore",
    "PluginRecord",
    "ProtocolRecord",
    "Result",
    "SplitScore",
    "StartRecord",
    "read_result",
    "require_replaceable",
    "result_schema",
    "write_result",
]

FORMAT_VERSION = 1

Count = Annotated[int, Field(ge=0)]
NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class CorpusRecord(_Record):
    """Which bytes, by the hash of the whole corpus."""

    name: str
    sha256: str
    bytes: Count
    origin: str = Field(description="where the bytes came from, for people")


class ProtocolRecord(_Record):
    """How the splits were read; scores of different protocols are never ranked together."""

    name: str = Field(description='for people, e.g. "static, 1 lane"')
    adaptive: bool = Field(default=False, description="learns from the bytes it has been scored on")
    lanes: Count = Field(default=1, description="parts of the split that are read side by side")
    warmup_tokens: Count = Field(default=0, description="unscored tokens before each further lane")
    max_bytes: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="only so many bytes of each split were read; null: all"
    )

    @property
    def fields(self) -> tuple[bool, int, int, int | None]:
        """All but the name: protocols that share them read a split in the same way."""
        return self.adaptive, self.lanes, self.warmup_tokens, self.max_bytes

    @property
    def reading(self) -> str:
        """How many lanes, warm-up tokens and bytes, e.g. "8 lanes, 100 tokens of warm-up"."""
        parts = [f"{self.lanes} lane{'' if self.lanes == 1 else 's'}"]
        if self.warmup_tokens:
            parts.append(f"{self.warmup_tokens} tokens of warm-up")
        if self.max_bytes is not None:
            parts.append(f"the first {self.max_bytes:,} bytes of each split")
        return ", ".join(parts)

    @property
    def words(self) -> str:
        """The whole protocol in words, made from its fields."""
        return f"{'adaptive' if self.adaptive else 'static'}, {self.reading}"


class PartScore(_Record):
    """Some of a split's bytes."""

    name: str
    bits: NonNegative = Field(description="of all these bytes together")
    bytes: Count


class SplitScore(_Record):
    """A model's score on one split."""

    bits_per_byte: NonNegative
    nats: NonNegative = Field(description="summed over the split")
    bytes: Annotated[int, Field(gt=0)]
    accuracy: Share = Field(description="share of tokens whose most probable guess was right")
    tokens: Annotated[int, Field(gt=0)] | None = Field(
        default=None, description="null in results of seqzoo before it was stored"
    )
    interval: tuple[NonNegative, NonNegative] | None = Field(
        description="95 % bootstrap interval of bits_per_byte, over blocks; null for a text of "
        "less than ten blocks, which is too short for one"
    )
    blocks: tuple[NonNegative, ...] = Field(
        default=(),
        description="bits of each block of block_bytes bytes, in file order; the last is shorter",
    )
    block_bytes: Annotated[int, Field(gt=0)] = 1000
    proven_bytes: Count | None = Field(
        default=None,
        description="size of the split as a compressed file, from which it was restored; null: "
        "not tried",
    )
    by_class: tuple[PartScore, ...] = Field(default=(), description="by class of byte")
    by_distance: tuple[PartScore, ...] = Field(
        default=(),
        description="by bytes read before, in doublings named by their first: 0, 1, 2, 4, 8, ...",
    )

    @property
    def counts_bytes(self) -> bool:
        """Whether the accuracy is that of bytes, as far as is known: of tokens of one byte each."""
        return self.tokens in (None, self.bytes)

    @property
    def bits(self) -> float:
        """Of the whole split."""
        return self.bits_per_byte * self.bytes

    @property
    def block_sizes(self) -> tuple[int, ...]:
        """Raw bytes of each block."""
        whole, rest = divmod(self.bytes, self.block_bytes)
        return (self.block_bytes,) * whole + ((rest,) if rest else ())

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if not _is_close(self.nats, self.bits * math.log(2)):
            raise ValueError("nats and bits_per_byte are not the same score")
        if self.blocks and len(self.blocks) != len(self.block_sizes):
            raise ValueError(f"{len(self.blocks)} blocks, expected {len(self.block_sizes)}")
        if self.blocks and not _is_close(math.fsum(self.blocks), self.bits):
            raise ValueError("the blocks do not add up to the score")
        if self.interval is not None and self.interval[0] > self.interval[1]:
            raise ValueError("the interval ends before it starts")
        if self.proven_bytes is not None and not proves(self.proven_bytes, self.bits):
            raise ValueError("proven_bytes is not the size that the score says")
        return self


def _is_close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-6)


class AdaptiveSettings(_Record):
    """How a model learns while it is scored; None for what its method does not use."""

    method: Literal["dynamic_evaluation", "own_adaptation"] = Field(
        description="gradient steps on what was scored, or only what the architecture itself adapts"
    )
    learning_rate: NonNegative | None = None
    decay: Share | None = Field(
        default=None, description="share of the way back to the trained weights"
    )
    damping: NonNegative | None = Field(
        default=None, description="added to each gradient scale, as a share of the mean scale"
    )
    segment_length: Count | None = Field(default=None, description="tokens between updates")


class AdaptiveRecord(_Record):
    """The same weights, learning from each byte after it was scored."""

    protocol: ProtocolRecord
    method: str = Field(description="how it learns, with its settings, for people")
    settings: AdaptiveSettings | None = Field(
        default=None, description="the same as data; null in results of older versions"
    )
    scores: dict[str, SplitScore]


class PluginRecord(_Record):
    """Which plugin provided a part of the run, and the installed package that brought it."""

    plugin: str
    distribution: str = ""
    version: str = ""


class StartRecord(_Record):
    """The weights that training started from."""

    path: str = Field(description="folder of the run, as it was given")
    step: Count | None = Field(default=None, description="the update that the weights are of")
    weights_sha256: str


class MemberRecord(_Record):
    """A run whose probabilities an ensemble mixes with those of others."""

    run: str = Field(description="name of its folder")
    step: Count = Field(description="the update that its weights are of")
    weights_sha256: str
    weight: Share = Field(description="its share of the mixture, fitted on validation")
    started_from: StartRecord | None = Field(
        default=None, description="null where its training started from new weights"
    )


class ChangeRecord(_Record):
    """A setting that changed while the run was trained, and that decides its weights."""

    step: Count = Field(description="updates that were made before the change")
    key: str = Field(description="dotted path in the recipe")
    before: Any = Field(default=None, description="null where it had no value")
    after: Any = Field(default=None, description="null where it has no value any more")


class Result(_Record):
    """One run, its scores, and everything that they depend on."""

    format_version: Annotated[int, Field(strict=True)] = FORMAT_VERSION
    run: str
    recipe: str = Field(description="its name")
    fingerprint: str = Field(
        default="",
        description="hash of the recipe without its seed, and of `changes`: runs that share it "
        "differ by chance",
    )
    created: AwareDatetime = Field(description="when it was scored, with time zone")
    corpus: CorpusRecord
    split: str = Field(description='how the corpus was cut, e.g. "0.9/0.05/0.05"')
    protocol: ProtocolRecord
    scores: dict[str, SplitScore] = Field(description="of the frozen model, by split")
    adaptive: AdaptiveRecord | None = None
    rungs: tuple[Rung, ...] = Field(default=(), description="the baselines on the same splits")
    left_out: tuple[LeftOut, ...] = Field(
        default=(), description="installed baselines that were not scored, or not to their end"
    )
    floor: dict[str, float] = Field(
        default={}, description="the true source's bits per byte by split, where it is known"
    )
    placement: str = Field(
        default="", description="between which baselines the score on test is, in words"
    )
    architecture: str
    tokenizer: str
    parameters: Count
    steps: Count = Field(description="number of updates in training")
    step: Count = Field(default=0, description="the update whose weights were scored")
    averaged: bool = Field(
        default=False,
        description="whether these weights are an average over the updates so far "
        "(`train.average`), because that was better on validation than the trained ones",
    )
    weights_sha256: str = ""
    started_from: StartRecord | None = Field(
        default=None, description="null where training started from new weights"
    )
    members: tuple[MemberRecord, ...] = Field(
        default=(),
        description="of an ensemble: the runs that it is made of, whose costs are added up in the "
        "fields about training; empty for a run that was trained",
    )
    changes: tuple[ChangeRecord, ...] = Field(
        default=(), description="settings that changed during training, oldest first"
    )
    plugins: dict[str, PluginRecord] = Field(
        default={}, description="what provided the architecture, the tokenizer and the stream"
    )
    training_bytes: Count = Field(description="raw bytes trained on, repeats counted")
    training_seconds: NonNegative = Field(description="with validation")
    peak_memory_bytes: Count = Field(description="of the training process, or its accelerator")
    seed: int
    versions: dict[str, str] = Field(
        description="of packages in training; the fields below are also of training"
    )
    device: str
    accelerator: str = Field(default="", description='name of the GPU; "" on a CPU')
    cpu: str
    threads: Count
    ranks: Count = Field(default=1, description="processes that trained together, by torchrun")
    precision: str

    @model_validator(mode="after")
    def _scores_are_of_one_split(self) -> Self:
        for split, learnt in (self.adaptive.scores if self.adaptive else {}).items():
            static = self.scores.get(split)
            if static is None or static.block_sizes != learnt.block_sizes:
                raise ValueError(f"the adaptive score on {split} is of other bytes")
        return self

    def has_version(self, version: int) -> bool:
        """Whether the format version was given, and is this one."""
        return self.format_version == version and "format_version" in self.model_fields_set

    @property
    def ladder(self) -> Ladder:
        """The baselines that were scored beside this run."""
        return Ladder(self.rungs, self.floor, self.left_out)


def result_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of result.json in this format version."""
    schema = Result.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": f"A seqzoo result, format version {FORMAT_VERSION}",
    }


class UnsavedResult(DiskFault):
    """A result that could not be written to `path`; `result` has the scores."""

    def __init__(self, path: Path, result: Result, error: OSError) -> None:
        problem = f"{path} cannot be written: {error.strerror}"
        super().__init__(problem, is_full=is_full(error))
        self.path, self.result = path, result


def write_result(path: Path, result: Result) -> None:
    """Write all of it or nothing; it is on disk when this returns.

    Raises UnsavedResult, and NewerFormatError where the result of a newer seqzoo would be lost.
    """
    require_replaceable(path)
    try:
        write_whole(path, result.model_dump_json(indent=1) + "\n")
    except OSError as error:
        raise UnsavedResult(path, result, error) from error


def require_replaceable(path: Path) -> None:
    """Raises NewerFormatError if there is a result that a newer seqzoo has written."""
    try:
        read_result(path)
    except NewerFormatError:
        raise
    except UsageError:  # missing, damaged or older: it can be made again
        pass


def read_result(path: Path) -> Result:
    """A checked result. Raises UsageError, in one sentence, for what is none.

    One of a newer format is a NewerFormatError.
    """
    try:
        content = read_bytes(path, limit=MAX_JSON_BYTES)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    damage: ValidationError | None = None
    try:
        result = Result.model_validate_json(content)
    except ValidationError as error:
        damage = error
    else:
        if result.has_version(FORMAT_VERSION):
            return result
    # Only what is wrong is parsed twice: a leaderboard reads thousands of results.
    _require_version(path, content)
    assert damage is not None
    first = damage.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    more = f" (and {damage.error_count() - 1} more)" if damage.error_count() > 1 else ""
    raise UsageError(
        f"{path} is damaged: {where}: {problem_of(damage)}{more}; {_score_again(path)}"
    ) from damage


def _require_version(path: Path, content: bytes) -> None:
    """Raises UsageError for what is not JSON, or no result of this format version."""
    try:
        stored = parse_json(content)
    except ValueError as error:
        raise UsageError(
            f"{path} is damaged: it is not JSON ({error}); {_score_again(path)}"
        ) from error
    version = stored.get("format_version") if isinstance(stored, dict) else None
    if type(version) is not int:
        raise UsageError(f"{path} is not a result of seqzoo: it has no format_version.")
    require_known_format(stored, path, newest=FORMAT_VERSION)
    if version < FORMAT_VERSION:
        raise UsageError(
            f"{path} has format version {version}, and this seqzoo reads {FORMAT_VERSION}; "
            f"{_score_again(path)}"
        )


def _score_again(path: Path) -> str:
    return f"score the run again with: seqzoo eval {quoted(path.parent)}"
