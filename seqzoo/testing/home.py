"""Where a declaration comes from, so that another process can load it and run a function on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from seqzoo.interpreter import python
from seqzoo.plugin.declarations import declarations, hook_manager
from seqzoo.plugin.discovery import import_file, import_plugin
from seqzoo.plugin.hooks import ENTRY_POINT_GROUP
from seqzoo.plugin.specs import Spec
from seqzoo.plugin.trust import PluginFile

__all__ = ["Home", "in_another_process"]

_LONGEST_S = 300


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


def in_another_process(
    function: Callable[..., Any], argument: Mapping[str, Any], *, hash_seed: int = 7
) -> Any:
    """What a function of the kit returns in a new process, both as plain JSON data.

    function: module-level; called with the argument's entries by name. hash_seed: of the new
    process, so that the order of sets of texts differs. Raises RuntimeError with the last line of
    its error where it fails.
    """
    program = (
        "import contextlib, importlib, json, sys\n"
        "module, name = sys.argv[1:]\n"
        "with contextlib.redirect_stdout(sys.stderr):\n"
        "    function = getattr(importlib.import_module(module), name)\n"
        "    returned = function(**json.load(sys.stdin))\n"
        "json.dump(returned, sys.stdout)\n"
    )
    done = subprocess.run(
        [*python(), "-c", program, function.__module__, function.__qualname__],
        input=json.dumps(dict(argument)),
        env={
            **os.environ,
            "PYTHONHASHSEED": str(hash_seed),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "PYTHONIOENCODING": "utf-8",
        },
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=_LONGEST_S,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise RuntimeError(f"in another process: {lines[-1]}")
    return json.loads(done.stdout)
