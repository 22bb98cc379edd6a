"""How a process of ours starts another Python, and what a function returns in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["in_another_process", "python"]

_LONGEST_S = 300


def python() -> list[str]:
    """The command of this Python, with which modules are found where this process finds them.

    `python -m` and `python -c` also look in the working directory, before all other places. That
    may be the folder of somebody else: a file `json.py` in it would run.
    """
    looks_there = any(path == "" or _is_here(path) for path in sys.path)
    return [sys.executable or "python3", *([] if looks_there else ["-P"])]


def _is_here(path: str) -> bool:
    try:
        return os.path.samefile(path, os.curdir)
    except OSError:
        return False


def in_another_process(
    function: Callable[..., Any], argument: Mapping[str, Any], *, hash_seed: int = 7
) -> Any:
    """What a function returns in a new process, both as plain JSON data.

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
