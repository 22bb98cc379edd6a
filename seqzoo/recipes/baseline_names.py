"""The names of baselines in a recipe: installed, not used twice, and with the options they need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from seqzoo.plugin.registry import Registry
from seqzoo.recipes.sections import BaselinesSection
from seqzoo.recipes.validation import Mistake, dotted

__all__ = ["wrong_baselines"]


def wrong_baselines(section: BaselinesSection, registry: Registry) -> Iterator[Mistake]:
    """A mistake for each name that no baseline has, and for each label that another one has."""
    known = set(registry.names("baseline"))
    alone = {name for name in known if not registry.get("baseline", name).needs_options}
    lists: dict[str, Iterable[str]] = {"include": section.include or (), "exclude": section.exclude}
    added = {each.called for each in section.add}
    for field, names in lists.items():
        for index, name in enumerate(names):
            if name in alone | added:
                continue
            message = (
                f"baseline '{name}' has options without a default; name it with its options under "
                f"baselines.add."
                if name in known
                else registry.explain_missing("baseline", dotted((name,)))
            )
            yield Mistake(("baselines", field, index), message)
    taken = set(alone)
    for index, each in enumerate(section.add):
        if each.called in taken:
            field = "name" if each.label is None else "label"
            yield Mistake(
                ("baselines", "add", index, field),
                f"baselines.add has '{each.called}', which is the name of another baseline; give "
                f"it another label.",
            )
        taken.add(each.called)
