"""The Python API: `seqzoo.ensemble` mixes the probabilities of runs, and returns a `Run`.

run = seqzoo.ensemble(["runs/quick", "runs/other"])
run.result.scores["test"].bits_per_byte
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from seqzoo.errors import UsageError, require_type
from seqzoo.plugin.registry import Registry, installed_or
from seqzoo.recipes.sections import run_name
from seqzoo.runs.arguments import path_of
from seqzoo.runs.directory import open_run_directory
from seqzoo.runs.run import Run
from seqzoo.terminal.display import Display, TerminalDisplay

__all__ = ["ensemble"]


def ensemble(
    runs: Iterable[str | os.PathLike[str] | Run],
    *,
    root: str | os.PathLike[str] = "runs",
    name: str | None = None,
    device: str | None = None,
    registry: Registry | None = None,
    show_progress: bool = False,
    trust: bool = False,
) -> Run:
    """Mix the probabilities of trained runs, as `seqzoo ensemble` does; returns the new run.

    runs: two or more runs on the same text, with the same tokenizer, or their folders. Each
    predicts with its best weights on validation; its share is fitted on the validation part.
    root: the folder that the new run's folder is made in. name: of the new folder, which must not
    exist; None means `ensemble`, with a number if it exists. device: overrides that of the first
    run. registry: the plugins that it can use; None for all that are installed. show_progress:
    report on stderr. trust: let the plugin files run that the runs name.

    Raises UsageError where the runs cannot be mixed, with what differs, and what `open_run` raises.
    """
    expected = "a list of folders of runs"
    if isinstance(runs, (str, os.PathLike)):
        raise UsageError(f"runs is {os.fspath(runs)!r}, expected {expected}.")
    given = [run.path if isinstance(run, Run) else run for run in runs]
    paths = [path_of("runs", path, expected=expected) for path in given]
    folder = path_of("root", root, expected="the folder for the run's folder")
    require_type("device", device, (str, type(None)), expected="a name such as 'cpu', or None")
    if name is not None:
        require_type("name", name, str, expected="text or None")
        try:
            run_name(name)
        except ValueError as error:
            raise UsageError(f"name: {error}.") from None
    for path in paths:  # a mistyped name is reported before torch is imported
        open_run_directory(path)
    display = TerminalDisplay() if show_progress else Display()
    registry = installed_or(registry, trust=trust)
    from seqzoo.ensembles.ensemble import make_ensemble  # imports torch: only now

    directory, _ = make_ensemble(
        paths, registry, root=folder, name=name, device=device, display=display
    )
    return Run(directory, registry=registry, device=device, display=display)
