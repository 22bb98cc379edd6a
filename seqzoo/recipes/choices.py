"""The plugins that a recipe's data names, and their options checked against what is installed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from seqzoo.plugin.registry import Registry
from seqzoo.plugin.specs import Options
from seqzoo.recipes.validation import Fault, check, dotted, shown
from seqzoo.recipes.yaml_reader import Path

__all__ = ["Named", "check_options", "named_plugins"]


@dataclass(frozen=True)
class Named:
    """A plugin that the recipe names, and the options it is given.

    path: of the choice. name_path: of the name, which in `{name: value}` is a key.
    options: a mapping, or the value of the plugin's shorthand option.
    """

    kind: str
    name: str
    options: Any
    path: Path
    name_path: Path
    options_path: Path
    name_is_key: bool = False


def named_plugins(data: dict[str, Any]) -> Iterator[Named | Fault]:
    """Every plugin that `data` names; what has not even the form of a choice the core refuses."""
    for section in ("corpus", "tokenizer", "architecture"):
        choice = data.get(section)
        yield from _choice(section, choice, (section,))
        if section == "corpus" and isinstance(choice, dict):
            yield from _choice("corpus", choice.get("fallback"), (section, "fallback"))
    if isinstance(data.get("train"), dict):
        yield from _choice("stream", data["train"].get("stream"), ("train", "stream"))
    if isinstance(data.get("trackers"), list):
        for index, choice in enumerate(data["trackers"]):
            yield from _choice("tracker", choice, ("trackers", index))
    sample = data.get("sample")
    if isinstance(sample, dict) and isinstance(sample.get("chain"), list):
        for index, link in enumerate(sample["chain"]):
            yield _link(link, ("sample", "chain", index))


def check_options(named: Named, registry: Registry) -> tuple[Options | None, list[Fault]]:
    """The options as an instance of the plugin's Options, or None and every fault.

    Where the name is wrong its options cannot be judged, so only the name is told.
    """
    if named.name not in registry.names(named.kind):
        message = registry.explain_missing(named.kind, dotted((named.name,)))
        return None, [Fault(named.name_path, message, at_key=named.name_is_key)]
    model: type[Options] = registry.get(named.kind, named.name).options
    options, implied = named.options, None
    if options is None:
        options = {}
    elif not isinstance(options, dict):
        if model.shorthand is None:
            where, found = dotted(named.options_path), shown(options)
            message = f"{where} is {found}, expected a mapping of options."
            return None, [Fault(named.options_path, message)]
        implied = model.shorthand
        options = {implied: options}
    return check(model, options, prefix=named.options_path, implied=implied)


def _choice(kind: str, choice: Any, path: Path) -> Iterator[Named]:
    if isinstance(choice, str) and len(path) > 1:  # a fallback by its name alone
        yield Named(kind, choice, {}, path, path, path)
    elif isinstance(choice, dict) and isinstance(choice.get("name"), str):
        given = choice.get("options", {})
        options = given if isinstance(given, dict) else {}  # the core tells what else it is
        yield Named(kind, choice["name"], options, path, (*path, "name"), (*path, "options"))


def _link(link: Any, path: Path) -> Named | Fault:
    """A link of the chain: a name, or one name with its options."""
    if isinstance(link, str):
        return Named("sampler", link, {}, path, path, path)
    if isinstance(link, dict) and len(link) == 1:
        [(name, options)] = link.items()
        inner = (*path, name)
        return Named("sampler", name, options, path, inner, inner, name_is_key=True)
    found = f"a mapping of {len(link)} keys" if isinstance(link, dict) else shown(link)
    return Fault(
        path, f"{dotted(path)} is {found}, expected a sampler's name, or one with its options."
    )
