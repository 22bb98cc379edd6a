"""A card: all that is needed to repeat a training and to say whether the result came out again.

docs/cards.md says what it is for. docs/card.schema.json is made from these models. As in results,
fields may be added within a format version, and a change of meaning raises FORMAT_VERSION.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from seqzoo.errors import UsageError, require_known_format
from seqzoo.regular_files import MAX_JSON_BYTES, parse_json, read_bytes
from seqzoo.results.damage import problem_of
from seqzoo.results.result import FORMAT_VERSION as RESULT_VERSION
from seqzoo.results.result import PluginRecord, Result, SplitScore

__all__ = ["FORMAT_VERSION", "Card", "Need", "SeedRecord", "card_schema", "card_text", "read_card"]

FORMAT_VERSION = 1

_STRICT_INT = Annotated[int, Field(strict=True)]
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = Annotated[str, Field(pattern=r"^[^/\\\x00]{1,255}$")]
"""Of one file: the card of a stranger names nothing outside its folder."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Need(_Record):
    """Something that is not in the card and that the reader must have."""

    kind: Literal["text", "plugin file", "weights"]
    name: _NAME = Field(description="of the file or folder; it is looked for beside the card")
    sha256: str = Field(description="of all bytes of the text, of the file, or of the weights")

    @model_validator(mode="after")
    def _is_inside(self) -> Self:
        if self.name == "..":
            raise ValueError("'..' is not beside the card")
        return self


class SeedRecord(_Record):
    """The same recipe trained with another seed: it shows how much trainings differ by chance."""

    seed: int
    weights_sha256: str
    test: SplitScore


class Card(_Record):
    """A training, its environment and its scores, without anything of the machine's folders."""

    format_version: _STRICT_INT = FORMAT_VERSION
    recipe: dict[str, Any] = Field(
        description="every setting of the training, in the form of a recipe; without trackers"
    )
    budget_by_clock: bool = Field(
        description="the budget is in seconds, so the learning rate of each update followed the "
        "clock: the same bits cannot be expected, and a repetition trains `result.steps` updates"
    )
    needs: tuple[Need, ...] = Field(default=(), description="files that the reader must have")
    plugins: dict[str, PluginRecord] = Field(
        description="every plugin of the training and the scores, by kind and name"
    )
    kernels: dict[str, str] = Field(
        default={}, description="which kernels of torch and NumPy were used"
    )
    result: Result = Field(
        description="the run's result without baselines: corpus, versions, machine, steps, hash "
        "of the weights, and all scores with their blocks"
    )
    seeds: tuple[SeedRecord, ...] = Field(
        default=(), description="further runs of the recipe that differ only in their seed"
    )

    @model_validator(mode="after")
    def _can_be_compared(self) -> Self:
        if not _SHA256.fullmatch(self.result.weights_sha256):
            raise ValueError("the weights have no sha256")
        test = self.result.scores.get("test")
        if test is None or not test.blocks:
            raise ValueError("there is no score on test with its blocks")
        known = [self.result.seed, *(each.seed for each in self.seeds)]
        if len(set(known)) < len(known):
            raise ValueError("it has two scores of one seed")
        for each in self.seeds:
            if each.test.block_sizes != test.block_sizes or not each.test.blocks:
                raise ValueError(f"the score of seed {each.seed} is of other bytes")
        return self

    @property
    def tests(self) -> tuple[SplitScore, ...]:
        """The scores on test of all seeds, that of `result` first."""
        return (self.result.scores["test"], *(each.test for each in self.seeds))


def card_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a card in this format version."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Card.model_json_schema(mode="serialization"),
        "title": f"A seqzoo card, format version {FORMAT_VERSION}",
    }


def card_text(card: Card) -> str:
    """The card as its file has it: JSON with each list of numbers in one line."""
    data = card.model_dump(mode="json")
    for left_out in ("rungs", "left_out", "floor", "placement"):
        del data["result"][left_out]
    text = json.dumps(data, indent=1, allow_nan=False)
    return _NUMBERS.sub(lambda found: " ".join(found[0].split()), text) + "\n"


_NUMBERS = re.compile(r"\[\s+-?[0-9][0-9eE.,+\-\s]*\]")


def read_card(path: Path) -> Card:
    """A checked card. Raises UsageError, in one sentence, for what is none.

    One of a newer format is a NewerFormatError.
    """
    try:
        content = read_bytes(path, limit=MAX_JSON_BYTES)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}; a card is written by: seqzoo card RUN"
        ) from error
    try:
        stored = parse_json(content)
    except ValueError as error:
        raise UsageError(
            f"{path} is not a card: it is not JSON ({error}); seqzoo card RUN writes one."
        ) from error
    fields = stored if isinstance(stored, dict) else {}
    require_known_format(fields, path, newest=FORMAT_VERSION)
    require_known_format(fields.get("result"), path, newest=RESULT_VERSION)
    if "recipe" not in fields or "result" not in fields:
        raise UsageError(
            f"{path} is not a card: it has no recipe with a result; seqzoo card RUN writes one."
        )
    try:
        return Card.model_validate_json(content)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "the card"
        raise UsageError(
            f"{path} is damaged: {where}: {problem_of(error)}; get another copy of it, or make it "
            f"again with: seqzoo card RUN"
        ) from error
