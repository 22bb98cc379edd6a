"""Which of the plugins that were found are loaded, as the user's environment says.

    SEQZOO_DISABLE=a,b        all but these
    SEQZOO_LOAD_PLUGINS=a,b   the built-in plugins and these; with nothing after `=`, no others

A name is that of a plugin, or of a distribution for all of its plugins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from seqzoo.errors import did_you_mean
from seqzoo.plugin.discovery import Candidate, Owner

__all__ = ["DISABLED", "Selection"]

_DISABLE, _ONLY = "SEQZOO_DISABLE", "SEQZOO_LOAD_PLUGINS"

DISABLED = f"disabled by {_DISABLE} or {_ONLY}"
"""What is said of a plugin that was not loaded."""


class Selection:
    """What the environment says of the plugins that were found.

    unknown: a sentence for each name that fits none of them.
    """

    def __init__(self, environment: Mapping[str, str], found: Sequence[Candidate]) -> None:
        self._found = [candidate.owner for candidate in found]
        self._disabled = _names(environment.get(_DISABLE, ""))
        only = environment.get(_ONLY)
        self._only = None if only is None else _names(only)
        self.unknown = [
            *self._unknown(_DISABLE, self._disabled),
            *self._unknown(_ONLY, self._only or ()),
        ]

    def excludes(self, owner: Owner) -> bool:
        """Whether the plugin is not loaded."""
        names = {owner.plugin, owner.distribution}
        is_left_out = self._only is not None and not owner.is_built_in and not names & {*self._only}
        return bool(names & {*self._disabled}) or is_left_out

    def disabling(self, owner: Owner) -> str:
        """The value of SEQZOO_DISABLE that leaves out this plugin and no built-in one."""
        is_shared = any(
            each.is_built_in and each.plugin == owner.plugin and each != owner
            for each in self._found
        )
        name = owner.distribution if is_shared else owner.plugin
        return "" if "," in name else name

    def _unknown(self, variable: str, names: Iterable[str]) -> list[str]:
        known = {name for each in self._found for name in (each.plugin, each.distribution)}
        return [
            f"{variable} names '{name}', and there is no such plugin.{_hint(name, known)}"
            for name in names
            if name not in known
        ]


def _hint(name: str, known: Iterable[str]) -> str:
    hint = did_you_mean(name, known)
    return hint if "Did you mean" in hint else " 'seqzoo plugins' lists all plugins."


def _names(value: str) -> list[str]:
    return list(dict.fromkeys(name for each in value.split(",") if (name := each.strip())))
