"""What a run depends on: its settings, its environment, and the commands that repeat it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqzoo.comparison.finished import LoggedRun
from seqzoo.comparison.page import Table
from seqzoo.comparison.settings import changed_settings, differing_settings
from seqzoo.comparison.shown import ABSENT, setting_shown
from seqzoo.errors import SeqzooError
from seqzoo.recipes.load import load_recipe
from seqzoo.recipes.shipped import shipped_recipes
from seqzoo.recipes.yaml_reader import load_yaml
from seqzoo.results.result import Result
from seqzoo.runs.changes import read_changes
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.run import Run
from seqzoo.terminal.format import clock, file_size, quoted

__all__ = ["changes_of", "commands_for", "environment_of", "settings_of"]


def settings_of(run: Run, logged: LoggedRun) -> Table:
    """What differs from the shipped recipe of the same name; without one, from the defaults."""
    name = str(logged.recipe.get("name", ""))
    shipped = _shipped(name, run)
    if shipped is not None:
        caption = f"Settings that differ from the shipped recipe {name}"
        differing = differing_settings([shipped, logged.recipe], ["shipped", "this run"])
        rows = [
            [each.path, *(_value(each.values, key) for key in ("shipped", "this run"))]
            for each in differing
        ]
        return Table(caption, ["setting", "shipped", "this run"], rows, num_texts=3)
    rows = [
        [each.path, _value(each.values, "this run")]
        for each in changed_settings(logged.recipe, "this run")
    ]
    caption = "Settings that are not the default, and all options of plugins"
    return Table(caption, ["setting", "this run"], rows, num_texts=2)


def _shipped(name: str, run: Run) -> Any:
    """The shipped recipe of a name as plain data; None if there is none, or it cannot be read."""
    path = shipped_recipes().get(name)
    if path is None:
        return None
    try:
        text = load_recipe(path, registry=run.recipe.registry).to_yaml()
    except SeqzooError:  # the run's own plugins may be missing; its log is shown all the same
        return None
    return load_yaml(text.encode(), str(path))[0]


def _value(values: Any, key: str) -> str:
    return setting_shown(values[key]) if key in values else ABSENT


def environment_of(result: Result) -> Table:
    """Corpus, weights, machine and versions."""
    rows = [
        ["corpus", f"{result.corpus.name}, {result.corpus.bytes:,} bytes, from "
                   f"{result.corpus.origin}"],
        ["sha256 of the corpus", result.corpus.sha256],
        ["sha256 of the weights", result.weights_sha256],
        ["training", f"{result.steps:,} updates, {result.training_bytes:,} bytes, "
                     f"{clock(result.training_seconds)}"],
        ["parameters", f"{result.parameters:,}"],
        ["peak memory", file_size(result.peak_memory_bytes)],
        ["seed", str(result.seed)],
        ["device", " ".join(filter(None, (result.device, result.accelerator, f"({result.cpu})")))],
        ["threads", str(result.threads)],
        ["precision", result.precision],
        ["scored", f"{result.created:%Y-%m-%d %H:%M %Z}, {result.protocol.words}"],
        *([name, version] for name, version in result.versions.items()),
    ]  # fmt: skip
    return Table("What the scores depend on", ["what", "value"], rows, num_texts=2)


def changes_of(directory: RunDirectory) -> list[str]:
    """Settings that changed while the run was trained, a sentence for each time."""
    try:
        changes = read_changes(directory)
    except SeqzooError as error:
        return [str(error)]
    return [
        f"Changed at update {change.step:,}: "
        + ", ".join(f"{each.key} {each.before_and_after}" for each in change.settings)
        + "."
        for change in changes
    ]


def commands_for(run: LoggedRun, *, has_changed: bool) -> Iterator[tuple[str, str]]:
    """Commands with what they do. has_changed: whether its settings changed during training."""
    path = quoted(run.path)
    recipe = quoted(Path(run.path) / "recipe.yaml")
    again = "trains the same run again, in a new folder"
    if has_changed:
        again = "trains a new run with the settings as they are now, which gives another result"
    yield f"seqzoo run {recipe}", again
    yield f"seqzoo verify {path}", "checks that every file and every score of this run is whole"
    yield f"seqzoo doctor {path}", "examines it with all checks"
    yield f"seqzoo sample {path}", "writes more text"
