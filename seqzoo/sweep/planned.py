"""The plan that a grid file asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from seqzoo.recipes.load import Recipe
from seqzoo.sweep.asha import Halving, pauses_of
from seqzoo.sweep.by_optuna import ByOptuna, Settings, recorded_settings, require_optuna
from seqzoo.sweep.grid import GridSections
from seqzoo.sweep.plan import Finals, InOrder, Plan, grouped
from seqzoo.sweep.process import MemberRun

__all__ = ["asks", "decides", "first_settings", "plan_of", "require_plan"]


def asks(sections: GridSections) -> bool:
    """Whether settings are asked for while the sweep runs."""
    return sections.search is not None and sections.search.method == "optuna"


def decides(sections: GridSections) -> bool:
    """Whether what runs next depends on scores, so that decisions are recorded."""
    return asks(sections) or sections.asha is not None


def require_plan(sections: GridSections, recipes: Mapping[str, Recipe]) -> None:
    """Raises UsageError where members cannot be compared as the grid file wants it."""
    if sections.asha is not None:
        for name, recipe in recipes.items():
            pauses_of(name, recipe, sections.asha)


def first_settings(sections: GridSections, record: Path) -> list[Settings] | None:
    """The settings that were asked for before; None where a grid file says all of them.

    Raises UsageError where the record is another search's, EnvironmentFault without Optuna.
    """
    if sections.search is None or not asks(sections):
        return None
    require_optuna()
    return recorded_settings(record, sections.search)


def plan_of(
    sections: GridSections,
    runs: Sequence[MemberRun],
    record: Path,
    add: Callable[[Sequence[Settings]], MemberRun],
    *,
    jobs: int,
) -> Plan:
    """record: where decisions are kept. add: makes the members of a further setting."""
    firsts = [group[0] for group in grouped(runs)]
    searched = firsts if sections.finalists is not None else list(runs)
    search: Plan = InOrder(searched)
    if sections.asha is not None:
        search = Halving(searched, sections.asha, record, jobs=jobs)
    elif sections.search is not None and asks(sections):
        known = recorded_settings(record, sections.search)
        search = ByOptuna(sections.search, known, firsts, add, record, jobs=jobs)
    return search if sections.finalists is None else Finals(search, runs, sections.finalists)
