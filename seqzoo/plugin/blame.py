"""Which plugin an unexpected error comes from, by the code that raised it."""

from __future__ import annotations

import traceback
from pathlib import Path

from seqzoo.plugin.discovery import PLUGIN_FILE_PREFIX, Owner, find_plugins

__all__ = ["plugin_of"]

_OWN = ("seqzoo", "seqzoo_plugins")


def plugin_of(error: BaseException) -> tuple[Owner, str] | None:
    """The third-party plugin in whose code an error arose, and the place there: "file.py, line 3".

    The innermost code of a plugin counts, whatever it called. None if there is none.
    """
    owners: dict[str, Owner] | None = None
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        module = str(frame.f_globals.get("__name__", ""))
        package = module.partition(".")[0]
        if package in _OWN or not package:
            continue
        file = Path(frame.f_code.co_filename)
        place = f"{file.name}, line {line}"
        if package.startswith(PLUGIN_FILE_PREFIX):
            return Owner(file.name, str(file)), place
        if owners is None:
            owners = {
                entry_point.value.partition(":")[0].partition(".")[0]: owner
                for entry_point, owner in find_plugins()[0]
            }
        if package in owners:
            return owners[package], place
    return None
