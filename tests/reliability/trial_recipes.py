"""Fuzzed and hostile recipes: read, or refused with file, line and column, in a second each.

The fuzzed ones are the shipped recipes with a few words and lines changed; the hostile ones were
written by hand. Reading one imports nothing that it names and makes no file.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

from hostile_recipes import GOOD, HOSTILE
from mutated_recipes import mutated
from outcome import Outcome
from tiny_runs import installed

from seqzoo.errors import RecipeError, UsageError
from seqzoo.recipes.load import load_recipe

__all__ = ["trial"]

LIMIT_S = 1.0
"""Of processor time; more where every line is traced."""

RECIPES = Path(__file__).parents[2] / "recipes"


def trial(count: int, seed: int, folder: Path) -> Outcome:
    """`count` fuzzed recipes, and every hostile one: at most one for four fuzzed ones."""
    found, draw = Outcome(), random.Random(seed)
    shipped = sorted([*RECIPES.glob("*.yaml"), *(RECIPES / "clinic").glob("*.yaml")])
    texts = [GOOD, *(path.read_text(encoding="utf-8") for path in shipped)]
    # One that another changed could name a file of ours as a plugin; it would run.
    here = folder / "recipes"
    here.mkdir()
    path, valid, slowest = here / "recipe.yaml", 0, (0.0, "")
    hostile = list(HOSTILE)
    draw.shuffle(hostile)
    for name in hostile[: max(10, count // 4)]:
        content = HOSTILE[name]
        path.write_bytes(content if isinstance(content, bytes) else _encoded(content))
        with found.case(f"hostile recipe '{name}'"):
            is_valid, seconds = _read(found, path)
            valid, slowest = valid + is_valid, max(slowest, (seconds, name))
    for number in range(count):
        place, case_seed = number % len(texts), draw.randrange(2**32)
        text = mutated(texts[place], case_seed)
        path.write_bytes(_encoded(text))
        name = shipped[place - 1].name if place else "a small recipe"
        with found.case(f"mutated({name}, {case_seed})"):
            is_valid, seconds = _read(found, path)
            valid, slowest = valid + is_valid, max(slowest, (seconds, f"{name}, {case_seed}"))
    left = sorted(each.name for each in here.iterdir() if each != path)
    found.require(not left, f"reading made files: {left}")
    found.notes.append(f"{valid} are valid; the slowest took {slowest[0]:.2f} s ({slowest[1]})")
    return found


def _read(found: Outcome, path: Path) -> tuple[bool, float]:
    """Whether it is valid, and the processor time."""
    begun = time.process_time()
    try:
        load_recipe(path, installed())
        is_valid = True
    except RecipeError as error:
        is_valid = False
        for problem in error.problems:
            _judge(found, str(problem), path, problem.line, problem.column)
    except UsageError as error:
        is_valid = False
        found.require(path.name in str(error), f"the error names no file: {error!s:.200}")
        _require_plain(found, str(error))
    seconds = time.process_time() - begun
    found.require(seconds < LIMIT_S, f"it took {seconds:.2f} s")
    return is_valid, seconds


def _judge(found: Outcome, said: str, path: Path, line: int, column: int) -> None:
    place = f"{path}:{line}:{column}: "
    found.require(line >= 1 and column >= 1, f"no line and column: {said[:200]}")
    found.require(said.startswith(place), f"it does not begin with {place!r}: {said[:200]}")
    _require_plain(found, said)


def _require_plain(found: Outcome, said: str) -> None:
    found.require("Traceback" not in said, f"a traceback: {said[:200]}")
    found.require(len(said) < 2_000, f"a message of {len(said):,} characters: {said[:100]}")
    found.require("\n" not in said, f"more than one line: {said[:200]!r}")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
