"""Whether the tokenizer gives the same ids in another process.

Method: a new tokenizer is restored from `state()`, as plain JSON, and one learns again in another
process with another hash seed (PYTHONHASHSEED); their ids of a piece of the training part are
compared with those of this process. A tokenizer that learns nothing and has no state is not tried.
Cost: a Python that starts, and learning once more. Pass rule: all ids are equal. Source: the order
of a set of texts follows `hash()`, which differs in every process (Python's object.__hash__).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqzoo.doctor.subject import Missing, Subject, cause_of
from seqzoo.interpreter import in_another_process
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.contracts import Tokenizer
from seqzoo.plugin.registry import load_registry
from seqzoo.recipes.load import parse_recipe
from seqzoo.runs.build import build_tokenizer

__all__ = ["examine"]

_PIECE = 4096
_MOST_LEARNT = 1 << 16
_WHY = (
    "A checkpoint stores weights for ids. In the next process the same id is another text: resume, "
    "eval and sample read nonsense, although the loss of this process looks right."
)


def examine(subject: Subject) -> Outcome:
    recipe, tokenizer = subject.recipe, subject.tokenizer
    training = subject.data.splits.training.bytes[:_MOST_LEARNT]
    piece = np.array(training[:_PIECE])
    expected = tokenizer.encode(piece)
    stored = _plain(tokenizer)
    try:
        restored = build_tokenizer(recipe)
        restored.restore(json.loads(stored))
        again = restored.encode(piece)
    except Exception as error:
        return _not_restored(f"restoring it raises {cause_of(error)}")
    if place := _first_difference(expected, again):
        return _not_restored(f"restored from its own state(), {place}")
    if type(tokenizer).learn is Tokenizer.learn and stored == "{}":
        return Outcome.passed("the tokenizer learns nothing, and a new one gives the same ids")
    here = build_tokenizer(recipe)
    here.learn(training)
    try:
        found = in_another_process(
            ids_of_a_second_process,
            {
                "recipe": recipe.to_yaml(),
                "base": str(recipe.base),
                "training": training.tobytes().decode("latin-1"),
                "length": len(piece),
            },
        )
    except RuntimeError as error:
        raise Missing(f"another process cannot build this tokenizer: {error}") from error
    if place := _first_difference(here.encode(piece), np.array(found)):
        return Outcome.failed(
            f"learnt in another process, {place}",
            why=_WHY,
            remedy="Sort before numbering, sorted(set(...)) and not set(...), and use neither "
            "hash() nor a random number for ids.",
        )
    return Outcome.passed(
        f"another process with another hash seed gives the same {len(expected)} ids"
    )


def ids_of_a_second_process(recipe: str, base: str, training: str, length: int) -> list[int]:
    """The ids of the first `length` bytes, by a tokenizer that learns in this process."""
    checked = parse_recipe(recipe, load_registry(), source="the recipe", base=Path(base))
    tokenizer = build_tokenizer(checked)
    text = np.frombuffer(training.encode("latin-1"), dtype=np.uint8)
    tokenizer.learn(text)
    ids: list[int] = tokenizer.encode(text[:length]).tolist()
    return ids


def _plain(tokenizer: Tokenizer) -> str:
    try:
        return json.dumps(dict(tokenizer.state()))
    except TypeError as error:
        raise Missing(f"state() is no plain JSON data: {error}") from error


def _first_difference(expected: npt.NDArray[Any], found: npt.NDArray[Any]) -> str:
    """Where the ids differ first; empty if they are equal."""
    if np.array_equal(expected, found):
        return ""
    both = min(len(expected), len(found))
    different = np.flatnonzero(expected[:both] != found[:both])
    if not len(different):
        return f"the text has {len(found)} tokens and not {len(expected)}"
    place = int(different[0])
    return f"token {place} is {int(found[place])} and not {int(expected[place])}"


def _not_restored(seen: str) -> Outcome:
    return Outcome.failed(
        f"{seen}: state() does not have all that was learnt",
        why=_WHY,
        remedy="Return everything that learn() finds from state(), as plain JSON data, and set all "
        "of it in restore().",
    )
