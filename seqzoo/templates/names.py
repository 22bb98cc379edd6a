"""The name of a package of plugins: of its distribution, its module, and in recipes."""

from __future__ import annotations

import keyword
import re
import sys
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from seqzoo.errors import UsageError

__all__ = ["MOST_LETTERS", "PackageName", "package_name"]

MOST_LETTERS = 40

_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


@dataclass(frozen=True)
class PackageName:
    """One name in its forms.

    plugin: in recipes, and of the entry point: `my_cell`.
    """

    plugin: str

    @property
    def distribution(self) -> str:
        """For pip, normalised as PEP 503 says: `seqzoo-my-cell`."""
        return f"seqzoo-{self.plugin.replace('_', '-')}"

    @property
    def module(self) -> str:
        """For `import`: `seqzoo_my_cell`."""
        return f"seqzoo_{self.plugin}"


def package_name(typed: str, taken: Mapping[str, str]) -> PackageName:
    """The name that was typed, with or without `seqzoo-` before it.

    taken: names that are in use, and by whom.
    Raises UsageError, with a name that would do, if it cannot be the name of a plugin.
    """
    name = re.sub("^seqzoo[-_]", "", typed)
    if fault := _fault(name, taken):
        raise UsageError(
            f"'{typed}' cannot be the name of a plugin, because {fault}; try {_other(name, taken)}."
        )
    return PackageName(name.replace("-", "_"))


def _fault(name: str, taken: Mapping[str, str]) -> str:
    """Why a name cannot be used; "" if it can."""
    plugin = name.replace("-", "_")
    if not _NAME.fullmatch(name):
        return "it is not lower-case letters and digits, with '-' between words"
    if len(name) > MOST_LETTERS:
        return f"it has {len(name)} letters, and the most are {MOST_LETTERS}"
    if plugin in taken:
        return f"{taken[plugin]} has this name"
    if keyword.iskeyword(plugin):
        return "Python has a keyword of this name"
    if plugin in sys.stdlib_module_names or plugin == "seqzoo":
        return (
            "a module that comes with Python has this name"
            if plugin != "seqzoo"
            else "it is this program's"
        )
    if yaml.safe_load(plugin) != plugin:
        return "YAML reads it as a value"
    return ""


def _other(name: str, taken: Mapping[str, str]) -> str:
    """A name like this one that can be used."""
    spaced = re.sub("(?<=[a-z0-9])(?=[A-Z])", "-", name)
    plain = unicodedata.normalize("NFKD", spaced).encode("ascii", "ignore").decode().lower()
    words = re.findall("[a-z0-9]+", plain)
    short = "-".join(words)[: MOST_LETTERS - 3].strip("-") or "cell"
    # "my-" before it helps where it is taken or begins with a digit.
    found = short if not _fault(short, taken) else f"my-{short}"
    number = 2
    while _fault(found, taken):
        found = f"my-{short}-{number}"
        number += 1
    return found
