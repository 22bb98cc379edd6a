"""Where a declaration comes from, so that another process can load it and run a function on it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from seqzoo.plugin.declarations import declarations, hook_manager
from seqzoo.plugin.discovery import import_file, import_plugin
from seqzoo.plugin.hooks import ENTRY_POINT_GROUP
from seqzoo.plugin.specs import Spec
from seqzoo.plugin.trust import PluginFile

__all__ = ["Home"]


@dataclass(frozen=True)
class Home:
    """value: an entry point's `package.module` or `module:object`, or the path of a plugin file."""

    value: str
    is_file: bool = False

    def load(self) -> Any:
        """The plugin. Raises what its import raises."""
        if self.is_file:
            return import_file(PluginFile.read(Path(self.value)))
        return import_plugin(metadata.EntryPoint("plugin", self.value, ENTRY_POINT_GROUP))

    def declared(self) -> list[Spec]:
        """Its declarations. Raises what loading it raises."""
        return declarations(self.load(), hook_manager())

    def spec(self, kind: str, name: str) -> Spec:
        """One of its declarations."""
        (found,) = [each for each in self.declared() if (each.kind, each.name) == (kind, name)]
        return found
