"""The line of an author's own code in which an error arose."""

from __future__ import annotations

import re
import sysconfig
import traceback
from pathlib import Path

__all__ = ["place_of"]

_HOST = Path(__file__).parents[1]
_LIBRARY = Path(sysconfig.get_path("stdlib"))
_INSTALLED = {"site-packages", "dist-packages"}
_PACKAGES = re.compile(r"(site|dist)-packages[/\\](torch|numpy|pydantic|jaxtyping)[/\\]|^<")


def place_of(error: BaseException) -> str:
    """The last line outside seqzoo, Python and the large packages: "file.py, line 3".

    They raise where somebody called them, so their own lines help nobody. It is the last line of
    all if no other code took part, and "" for an error that was never raised.
    """
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _is_foreign(frame.filename)]
    if not (chosen := own or list(frames)):
        return ""
    return f"{Path(chosen[-1].filename).name}, line {chosen[-1].lineno}"


def _is_foreign(filename: str) -> bool:
    file = Path(filename)
    of_python = _LIBRARY in file.parents and not _INSTALLED & set(file.parts)
    return of_python or _HOST in file.parents or bool(_PACKAGES.search(filename))
