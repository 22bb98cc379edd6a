"""One run in a few lines: state, recipe in short, changes, checkpoints and scores."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from rich.text import Text

from seqzoo.cli.result import print_scores
from seqzoo.cli.runs_table import age, plain, runs_as_json
from seqzoo.errors import SeqzooError
from seqzoo.recipes.yaml_reader import MAX_BYTES, load_yaml
from seqzoo.regular_files import read_bytes
from seqzoo.runs.changes import read_changes
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.status import Status
from seqzoo.terminal.console import results
from seqzoo.terminal.format import file_size
from seqzoo.training.checkpoint_files import checkpoint_steps

__all__ = ["print_run", "run_as_json"]


def print_run(status: Status) -> None:
    """Print what can be read of a run, also of a damaged one."""
    console = results()
    for title, text in _facts(status):
        console.print(Text.assemble((f"{title:14}", "bold"), plain(text)), soft_wrap=True)
    if status.result is not None:
        console.print()
        if status.is_unfinished:
            words = f"The scores are of step {status.result.steps}, and the run is not finished."
            console.print(Text(words), soft_wrap=True)
        print_scores(status.result.scores)


def run_as_json(status: Status) -> dict[str, Any]:
    """What `seqzoo runs --json` has, with the recipe, the changes, and the steps of checkpoints.

    The recipe and the changes are null where they cannot be read.
    """
    directory = status.directory
    recipe, changes = None, None
    with suppress(OSError, SeqzooError):
        recipe = _recipe(directory)
    with suppress(SeqzooError):
        changes = [each.model_dump(mode="json") for each in read_changes(directory)]
    return {
        **runs_as_json([status], directory.path.parent)[0],
        "recipe": recipe,
        "changes": changes,
        "checkpoints": checkpoint_steps(directory.checkpoints),
    }


def _facts(status: Status) -> Iterator[tuple[str, str]]:
    directory = status.directory
    yield "run", str(directory.path)
    yield "state", f"{status.state}{f' ({status.reason})' if status.reason else ''}"
    if status.step is not None:
        yield "step", status.progress
    yield "changed", f"{age(time.time() - status.changed)} ago"
    yield "size", file_size(status.size_bytes)
    if status.is_pruned:
        yield "pruned", "only its weights are left, so its training cannot continue"
    if status.note:
        yield "note", status.note
    for member in status.result.members if status.result is not None else ():
        yield "mixes", f"{member.run}, step {member.step}, weight {member.weight:.3f}"
    yield from _recipe_in_short(directory)
    try:
        changes = read_changes(directory)
    except SeqzooError as error:
        yield "changes", str(error)
    else:
        for change in changes:
            for setting in change.settings:
                yield f"at {change.step}", f"{setting.key}: {setting.before_and_after}"
    if steps := checkpoint_steps(directory.checkpoints):
        yield "checkpoints", ", ".join(map(str, steps))


def _recipe_in_short(directory: RunDirectory) -> Iterator[tuple[str, str]]:
    """The plugins of the recipe with their options, where the file can be read."""
    try:
        recipe = _recipe(directory)
        for part in ("architecture", "tokenizer", "corpus"):
            yield part, _choice(recipe[part])
        yield "seed", str(recipe["train"].get("seed", ""))
        yield "recipe", str(directory.recipe)
    except (OSError, SeqzooError, KeyError, TypeError, AttributeError):
        return


def _recipe(directory: RunDirectory) -> Any:
    content = read_bytes(directory.recipe, limit=MAX_BYTES)
    return load_yaml(content, str(directory.recipe))[0]


def _choice(choice: dict[str, Any]) -> str:
    """Its name and options, with the values as a recipe writes them."""
    options = choice.get("options") or {}
    listed = ", ".join(
        f"{key}={value if isinstance(value, str) else json.dumps(value)}"
        for key, value in options.items()
    )
    return f"{choice['name']} ({listed})" if listed else str(choice["name"])
