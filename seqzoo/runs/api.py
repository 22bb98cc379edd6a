"""The Python API of a run: `seqzoo.run`, `seqzoo.resume` and `seqzoo.open_run` return a `Run`.

    run = seqzoo.run("quick", {"train.budget.steps": 200})
    run.score(b"To be, or not to be").bits_per_byte

Nothing is printed without `show_progress`; warnings go through `warnings`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from seqzoo.errors import NewerFormatError, UsageError, require_type
from seqzoo.plugin.registry import Registry, installed_or
from seqzoo.recipes.load import Recipe
from seqzoo.recipes.own_text import Texts
from seqzoo.runs.arguments import path_of
from seqzoo.runs.exported_run import open_model
from seqzoo.runs.interruption import stopping
from seqzoo.runs.listing import require_one_run
from seqzoo.runs.run import Run
from seqzoo.terminal.display import Display, TerminalDisplay

__all__ = ["open_run", "resume", "run"]

_RUN = "the folder of a run"


def run(
    recipe: str | os.PathLike[str] | Mapping[str, Any] | Recipe,
    overrides: Mapping[str, Any] | Sequence[str] = (),
    *,
    text: Texts | None = None,
    root: str | os.PathLike[str] = "runs",
    name: str | None = None,
    device: str | None = None,
    show_progress: bool = False,
    skip_scoring: bool = False,
    trust: bool = False,
) -> Run:
    """Train, score and sample a recipe, as `seqzoo run` does; returns the finished run.

    recipe: a file, a name such as "quick", a dict, or a `Recipe`. overrides: dotted path -> value.
    text: your own text instead of the recipe's: a file, a folder, a pattern, or a list of them.
    root: the folder that the new run's folder is made in. name: of the run's folder, which must not
    exist; None means the recipe's name, with a number if it exists. device: overrides the recipe's.
    show_progress: report on stderr, as the command line does. skip_scoring: end after training;
    the run then has no result. trust: let the plugin files run that a recipe file or the run in
    `train.start_from` names; they are trusted from then on.

    Sets torch's number of threads, as the recipe says. Ctrl-C stops after the current update with
    everything saved, and raises Interrupted. Raises RecipeError, PluginError, CorpusUnavailable,
    DivergedError and the other errors of seqzoo.errors.
    """
    from seqzoo.recipes.load import recipe as make_recipe
    from seqzoo.recipes.sections import run_name
    from seqzoo.runs.prepare import prepare

    root = path_of("root", root, expected="the folder for the run's folder")
    _require_device(device)
    if name is not None:
        require_type("name", name, str, expected="text or None")
        try:
            run_name(name)
        except ValueError as error:
            raise UsageError(f"name: {error}.") from None
    checked = make_recipe(recipe, overrides, text=text, trust=trust)
    display = _display(show_progress)
    checked, data = prepare(checked, root=root, name=name, display=display)
    if "torch" not in sys.modules:
        model, corpus = checked.architecture.name, data.corpus.name
        display.note(f"{checked.name}: {model} on {corpus}; loading torch")
    from seqzoo.runs.runner import run_recipe  # imports torch: only now

    directory, _ = run_recipe(
        checked,
        root=root,
        name=name,
        device=device,
        data=data,
        display=display,
        score=not skip_scoring,
    )
    return Run(directory, registry=checked.registry, device=device, display=display)


def resume(
    path: str | os.PathLike[str],
    overrides: Mapping[str, Any] | Sequence[str] = (),
    *,
    device: str | None = None,
    registry: Registry | None = None,
    show_progress: bool = False,
    trust: bool = False,
) -> Run:
    """Continue a stopped or killed run, or train a finished one longer; returns the finished run.

    overrides: settings to change, dotted path -> value, such as {"train.budget.steps": 800}. Only
    settings that do not change what has been trained can change; the run and its result record the
    change. registry: the plugins that it can use; None for all that are installed. trust: let the
    plugin files run that the run names; they are trusted from then on.

    Without overrides the result is bit-for-bit the same as that of an uninterrupted run, and a
    finished run is returned as it is. Raises UsageError if there is no run, its corpus has changed
    or a setting cannot change, NewerFormatError if a newer seqzoo has written a file of it,
    CheckpointError if no checkpoint is complete, LockedError if another process works on it.
    """
    from seqzoo.runs.changed_recipe import changed_recipe
    from seqzoo.runs.status import (
        RunState,
        finished_sentence,
        is_complete,
        newest_state,
        status_of,
    )

    folder = path_of("path", path, expected=_RUN)
    _require_device(device)
    registry, display = installed_or(registry, trust=trust), _display(show_progress)
    directory = require_one_run(folder)
    overrides = (overrides,) if isinstance(overrides, str) else overrides
    recipe, settings = changed_recipe(directory, registry, overrides, state=newest_state(directory))
    status = status_of(directory)
    if status.state is RunState.NEWER:
        raise NewerFormatError(status.reason)
    if not settings and is_complete(status, recipe.sample):
        display.note(finished_sentence(status))
        return Run(directory, registry=registry, device=device, display=display)
    with stopping("Stopped; the run is as it was. Continue it with", command=directory.to_continue):
        from seqzoo.runs.resume import resume_run

        resume_run(directory.path, registry, overrides, device=device, display=display)
    return Run(directory, registry=registry, device=device, display=display)


def open_run(
    path: str | os.PathLike[str],
    *,
    device: str | None = None,
    show_progress: bool = False,
    trust: bool = False,
) -> Run:
    """An existing run, finished or not, or an exported folder. Nothing heavy is loaded before it is
    used.

    trust: let the plugin files run that it names; they are trusted from then on.
    Raises UsageError, with the nearest name, if there is no run.
    """
    _require_device(device)
    folder = path_of("path", path, expected=_RUN)
    return open_model(folder, device=device, display=_display(show_progress), trust=trust)


def _require_device(device: str | None) -> None:
    require_type("device", device, (str, type(None)), expected="a name such as 'cpu', or None")


def _display(show_progress: bool) -> Display:
    return TerminalDisplay() if show_progress else Display()
