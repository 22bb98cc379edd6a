"""The laws of a plugin as a whole: what loading it costs and changes."""

from __future__ import annotations

import contextlib
import functools
import io
import re
import sys
from dataclasses import dataclass
from typing import Any, ClassVar

from seqzoo.interpreter import in_another_process
from seqzoo.plugin.specs import Spec
from seqzoo.plugin.surroundings import Surroundings
from seqzoo.testing.given import Given, NotHere
from seqzoo.testing.home import Home
from seqzoo.testing.law import Law, law, require

__all__ = ["GIVEN", "LAWS", "PluginSpec"]


@dataclass(frozen=True, kw_only=True)
class PluginSpec(Spec):
    """A plugin in place of a declaration. error: why it could not be loaded, or ""."""

    kind: ClassVar[str] = "plugin"
    pattern: ClassVar[re.Pattern[str]] = re.compile(".*")
    error: str = ""


class GIVEN(Given[PluginSpec]):
    """A plugin; nothing is built."""

    def build(self) -> None:
        """Nothing to build."""

    def loaded(self) -> dict[str, Any]:
        """What is seen while another process loads it."""
        if self.home is None:
            raise NotHere("it exists only in this process; name its file, module or package")
        return _loaded_elsewhere(self.home)


@functools.lru_cache(maxsize=64)
def _loaded_elsewhere(home: Home) -> dict[str, Any]:
    found: dict[str, Any] = in_another_process(
        seen_while_loading, {"value": home.value, "is_file": home.is_file}
    )
    return found


def seen_while_loading(value: str, is_file: bool) -> dict[str, Any]:
    """Load a plugin and say what it did; for a process that has loaded nothing else."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), Surroundings() as surroundings:
        Home(value, is_file).declared()
        changed = surroundings.put_back()
    return {"changed": changed, "torch": "torch" in sys.modules, "printed": said.getvalue()}


@law(
    "plugin.loads",
    says="the plugin can be imported, and its hooks return declarations",
    cause="a missing package, a name that another version of seqzoo has, or a misspelt hook",
    is_gate=True,
)
def _loads(given: GIVEN) -> None:
    require(not given.spec.error, given.spec.error)


@law(
    "plugin.no_torch",
    says="declaring it does not import torch",
    cause="`import torch` at the top of the module; import it inside `build`, because every "
    "command loads every plugin",
)
def _no_torch(given: GIVEN) -> None:
    require(not given.loaded()["torch"], "torch was imported")


@law(
    "plugin.global_state",
    says="declaring it changes nothing that other plugins share",
    cause="`torch.set_default_dtype`, `set_num_threads`, a seed, a variable of the environment or "
    "a handler of signals at the top of the module",
)
def _global_state(given: GIVEN) -> None:
    changed = given.loaded()["changed"]
    require(not changed, f"loading it changed {', '.join(changed)}")


@law(
    "plugin.silent",
    says="declaring it prints nothing",
    cause="a print for debugging that was left in",
)
def _silent(given: GIVEN) -> None:
    printed = given.loaded()["printed"]
    require(not printed, f"loading it printed {printed[:60]!r}")


LAWS: tuple[Law, ...] = (_loads, _no_torch, _global_state, _silent)
