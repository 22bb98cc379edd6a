"""What can be checked and done for a new run before torch is imported, which takes seconds.

A wrong path is reported at once, and so is a text that a model would learn badly.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from seqzoo.data.corpus import Data, open_data
from seqzoo.data.prompt import prompt_from
from seqzoo.data.text_warnings import text_warnings
from seqzoo.errors import UsageError
from seqzoo.recipes.load import Recipe
from seqzoo.recipes.resolved import require_readable
from seqzoo.recipes.train_section import TrainSection
from seqzoo.runs.directory import require_free
from seqzoo.runs.exported import require_model
from seqzoo.terminal.display import Display

__all__ = ["OTHER_CORPUS", "Prepared", "prepare", "with_own_prompt"]

OTHER_CORPUS = "another corpus"
"""The title of the message that the fallback is used."""


class Prepared(NamedTuple):
    """recipe: with a prompt that fits its text. data: its open corpus."""

    recipe: Recipe
    data: Data


def prepare(recipe: Recipe, *, root: Path, name: str | None, display: Display) -> Prepared:
    """Check everything that needs no torch, open the corpus, and warn about the text.

    root, name: see `run_recipe`. Raises RecipeError if the run could not be opened again,
    UsageError if the run exists, if the run to start from does
    not, or if the corpus cannot be read; CorpusUnavailable if it is missing.
    """
    require_readable(recipe)
    if name is not None:
        require_free(root / name)
    if recipe.train.start_from is not None:
        try:
            require_model((recipe.base / recipe.train.start_from).absolute())
        except UsageError as error:
            raise UsageError(f"train.start_from: {error}") from error
    for sentence in recipe.registry.remarks_on_files:
        display.warn(sentence)
    data = open_data(recipe, announce=lambda text: display.panel(text, title=OTHER_CORPUS))
    for sentence in text_warnings(data.corpus, data.splits, batch_tokens=_batch(recipe.train)):
        display.warn(sentence)
    return Prepared(with_own_prompt(recipe, data, display=display), data)


def with_own_prompt(recipe: Recipe, data: Data, *, display: Display) -> Recipe:
    """The recipe; if its prompt was made for another text, with one from its own text."""
    if not (recipe.is_own_text and recipe.sample.prompt):
        return recipe
    prompt = prompt_from(data.splits.validation.bytes)
    if prompt:
        display.note(f"Samples start with {prompt!r}, a line of the validation text.")
    else:
        display.note("Samples start without a prompt: the validation text has no printable line.")
    sample = recipe.sample.model_copy(update={"prompt": prompt})
    return recipe.model_copy(update={"sample": sample, "is_own_text": False})


def _batch(section: TrainSection) -> int:
    """Tokens that one batch has at most."""
    stages = section.bptt_length
    longest = stages if isinstance(stages, int) else max(stage.length for stage in stages)
    return section.batch_size * longest
