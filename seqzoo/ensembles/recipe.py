"""The recipe of an ensemble: that of its first run, with an architecture that mixes them all."""

from __future__ import annotations

from collections.abc import Sequence

from seqzoo.ensembles.members import Member
from seqzoo.errors import UsageError
from seqzoo.plugin.build import as_plugin_error
from seqzoo.plugin.choice import Choice
from seqzoo.plugin.registry import Registry
from seqzoo.plugin.specs import Combination
from seqzoo.recipes.load import Recipe
from seqzoo.recipes.load import recipe as checked_recipe
from seqzoo.recipes.resolved import require_readable
from seqzoo.recipes.sections import BudgetSection

__all__ = ["combining_architecture", "ensemble_recipe"]


def combining_architecture(registry: Registry) -> tuple[str, Combination]:
    """The installed architecture that can mix trained runs. Raises UsageError unless it is one."""
    found = {
        name: combination
        for name in sorted(registry.names("architecture"))
        if (combination := registry.get("architecture", name).combination) is not None
    }
    if len(found) != 1:
        names = ", ".join(found) or "none"
        raise UsageError(
            f"an ensemble needs one installed architecture that mixes trained runs, and there are "
            f"{len(found)}: {names}; install or disable plugins so that there is one "
            f"('seqzoo plugins' lists them)."
        )
    [(name, combination)] = found.items()
    return name, combination


def ensemble_recipe(
    members: Sequence[Member],
    architecture: str,
    combination: Combination,
    *,
    name: str,
    registry: Registry,
) -> Recipe:
    """The checked recipe. Its budget is what all members were trained, so that none is left."""
    recipes = [member.experiment.recipe for member in members]
    first = recipes[0]
    with as_plugin_error(registry, "architecture", architecture):
        options = combination.options(tuple(each.architecture for each in recipes))
    steps = sum(member.trained.effort.steps for member in members)
    changed = first.model_copy(
        update={
            "description": f"An ensemble of {', '.join(member.name for member in members)}.",
            "plugins": tuple(dict.fromkeys(file for each in recipes for file in each.plugins)),
            "architecture": Choice(name=architecture, options=options),
            "train": first.train.model_copy(
                update={"start_from": None, "budget": BudgetSection(steps=steps)}
            ),
            "trackers": (),
        }
    )
    found = checked_recipe(changed, {"name": name}, registry=registry)
    require_readable(found)
    return found
