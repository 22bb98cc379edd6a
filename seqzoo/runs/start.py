"""Training that starts from the weights of another run (`train.start_from`)."""

from __future__ import annotations

from pathlib import Path

from seqzoo.errors import UsageError
from seqzoo.recipes.load import Recipe
from seqzoo.results.result import StartRecord
from seqzoo.runs.experiment import Start
from seqzoo.runs.reopen import load_trained
from seqzoo.terminal.display import Display
from seqzoo.training import checkpoint as checkpoints

__all__ = ["start_of"]


def start_of(recipe: Recipe, *, display: Display) -> Start | None:
    """The best weights of the run that the recipe names; None if it names no run.

    Only weights and tokenizer are used, not the optimizer and not the step. Raises UsageError if
    there is no such run, or if its architecture or tokenizer differs from the recipe's, options
    included.
    """
    given = recipe.train.start_from
    if given is None:
        return None
    source = load_trained(recipe.base / Path(given).expanduser(), recipe.registry, display=display)
    theirs = source.experiment.recipe
    for part in ("architecture", "tokenizer"):
        own, other = getattr(recipe, part), getattr(theirs, part)
        if own != other:
            raise UsageError(
                f"train.start_from: the {part} of {source.directory.path} is {_words(other)}, and "
                f"that of the recipe is {_words(own)}; they must be equal, options included."
            )
    weights = source.experiment.weights
    assert weights is not None
    sha256 = checkpoints.weights_sha256(source.directory.checkpoints, source.step)
    return Start(weights, StartRecord(path=given, step=source.step, weights_sha256=sha256))


def _words(choice: object) -> str:
    name, options = getattr(choice, "name", ""), getattr(choice, "options", None)
    plain = options.model_dump(mode="json") if options is not None else {}
    listed = ", ".join(f"{key}={value}" for key, value in plain.items())
    return f"'{name}' ({listed})" if listed else f"'{name}'"
