"""Where a sweep's members run: the launcher that the grid file or the command line chose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqzoo.errors import RecipeError, UsageError
from seqzoo.plugin.build import as_plugin_error, build
from seqzoo.plugin.contexts import LauncherContext
from seqzoo.plugin.launcher import Launcher
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.checking import problems_at
from seqzoo.recipes.choice_fields import Choice
from seqzoo.recipes.choices import NamedPlugin, check_options
from seqzoo.sweep.grid import Grid

__all__ = ["chosen_launcher", "opened_launcher"]


def chosen_launcher(
    grid: Grid, registry: Registry, *, given: Choice | None = None, address: str | None = None
) -> Choice:
    """The launcher with its options checked.

    given: a choice that replaces the one of the grid file; without options, it keeps those that the
    file gives the same launcher. address: of a cluster, for a launcher with such an option.
    Raises RecipeError for a mistake in the grid file, UsageError for one in what was given.
    """
    in_file = grid.sections.launcher
    chosen = given or in_file
    options = dict(in_file.options) if chosen.name == in_file.name else {}
    options |= chosen.options
    if address is not None:
        known = registry.get("launcher", chosen.name).options.model_fields
        if "address" not in known:
            raise UsageError(f"--address: launcher '{chosen.name}' has no address.")
        options["address"] = address
    path = ("launcher",)
    named = NamedPlugin("launcher", chosen.name, options, path, (*path, "name"), (*path, "options"))
    checked, mistakes = check_options(named, registry)
    if checked is None:
        if given is not None or address is not None:
            raise UsageError(" ".join(mistake.message for mistake in mistakes))
        raise RecipeError(problems_at(mistakes, grid.marks))
    return Choice(name=chosen.name, options=checked)


@contextmanager
def opened_launcher(choice: Choice, registry: Registry, directory: Path) -> Iterator[Launcher]:
    """The launcher, until the sweep ends. directory: of the sweep."""
    launcher = build(
        registry, "launcher", choice, LauncherContext(sweep_directory=directory.resolve())
    )
    try:
        yield launcher
    finally:
        with as_plugin_error(registry, "launcher", choice.name):
            launcher.close()
