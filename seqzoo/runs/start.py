"""Training that starts from the weights of another run (`train.start_from`)."""

from __future__ import annotations

from seqzoo.errors import UsageError
from seqzoo.export.config import is_export, read_config
from seqzoo.recipes.load import Recipe
from seqzoo.recipes.sections import SplitSection
from seqzoo.results.result import StartRecord
from seqzoo.runs.experiment import Experiment, Start
from seqzoo.runs.load_exported import load_exported
from seqzoo.runs.origin import read_origin
from seqzoo.runs.reopen import load_trained
from seqzoo.terminal.display import Display
from seqzoo.training import checkpoint as checkpoints

__all__ = ["load_start", "warn_of_other_text"]


def load_start(recipe: Recipe, *, display: Display) -> Start | None:
    """The best weights of the run or exported folder that the recipe names; None if it names none.

    Only weights and tokenizer are used, not the optimizer and not the step. Raises UsageError if
    there is no such run, or if its architecture or tokenizer differs from the recipe's, options
    included.
    """
    given = recipe.train.start_from
    if given is None:
        return None
    path = (recipe.base / given).absolute()
    try:
        load = load_exported if is_export(path) else load_trained
        source = load(path, recipe.registry, display=display)
    except UsageError as error:
        raise UsageError(f"train.start_from: {error}") from error
    theirs = source.experiment.recipe
    for part in ("architecture", "tokenizer"):
        own, other = getattr(recipe, part), getattr(theirs, part)
        if own != other:
            raise UsageError(
                f"train.start_from: the {part} of {source.directory.path} is {_describe(other)}, "
                f"and that of the recipe is {_describe(own)}; they must be equal, options included."
            )
    weights = source.experiment.weights
    assert weights is not None
    if is_export(path):
        config = read_config(path)
        sha256, corpus_sha256 = config.weights_sha256, config.corpus.sha256
    else:
        sha256 = checkpoints.weights_sha256(source.directory.checkpoints, source.step)
        corpus_sha256 = read_origin(source.directory).sha256
    return Start(
        weights,
        StartRecord(path=str(given), step=source.step, weights_sha256=sha256),
        corpus_sha256=corpus_sha256,
        split=theirs.corpus.split,
    )


def warn_of_other_text(start: Start, experiment: Experiment) -> None:
    """Warn if the source of the weights was trained on another text, or on another part of it.

    Then the test part may hold text that the weights have been trained on.
    """
    is_same_text = start.corpus_sha256 == experiment.data.sha256
    if not is_same_text or _shares(start.split) != _shares(experiment.recipe.corpus.split):
        experiment.display.warn(
            f"{start.record.path} was trained on another corpus or split than this run: its "
            f"training part may hold text of this run's validation and test parts, and the scores "
            f"would then be too good."
        )


def _shares(split: SplitSection | None) -> SplitSection:
    # Of one text: a corpus that comes divided is the same division again.
    return split or SplitSection()


def _describe(choice: object) -> str:
    name, options = getattr(choice, "name", ""), getattr(choice, "options", None)
    plain = options.model_dump(mode="json") if options is not None else {}
    listed = ", ".join(f"{key}={value}" for key, value in plain.items())
    return f"'{name}' ({listed})" if listed else f"'{name}'"
