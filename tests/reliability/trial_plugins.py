"""Broken plugins beside ours: help, list, doctor and a run of another architecture still work.

Of each there is one warning, with its name, its distribution, its version and what to do.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from broken_plugins import ILL_BEHAVED, QUIET, UNUSABLE, install_all
from children import Ended, command, start
from outcome import Outcome
from tiny_runs import architectures, different, digest, run_once

__all__ = ["trial"]

FAULTS = (
    "import_error",
    "syntax",
    "exits",
    "raises",
    "signature",
    "wrong_type",
    "gru",
    "older",
    "prints",
    "sleeps",
    "missing",
    "stale",
)
"""ImportError, SyntaxError, exit at import, a hook that raises, a wrong signature, a wrong type, a
name that exists, an old API, prints to stdout, a slow import, a missing dependency, an entry point
without its module."""

REMEDIES = ("SEQZOO_DISABLE=", "try: pip ")


def trial(count: int, seed: int, folder: Path) -> Outcome:
    """Up to `count` pairs of a fault and a command; 48 are all. seed: decides where it begins."""
    found = Outcome()
    name = next(name for name in architectures() if name not in FAULTS)
    expected = digest(run_once(folder, name, name="alone"))
    plain = {words[0]: _beside(folder, None, *words) for words in _commands(name, "")[:3]}
    table: Mapping[str, str | None] = {**UNUSABLE, **ILL_BEHAVED, **QUIET}
    pairs = [(fault, place) for place in range(4) for fault in FAULTS]
    pairs = (pairs[seed % 4 :: 4] + pairs)[: min(count, 48)] if count < 48 else pairs
    for fault, place in pairs:
        plugins = folder / "plugins" / fault
        if not plugins.exists():
            plugins.mkdir(parents=True)
            install_all(plugins, {fault: table[fault]})
        run = f"beside_{fault}"
        words = _commands(name, run)[place]
        with found.case(f"{' '.join(words)} beside '{fault}'"):
            ended = _beside(folder, plugins, *words)
            finds = words[0] == "doctor" and fault not in QUIET
            found.require(ended.code == (6 if finds else 0), f"it {ended}")
            found.require(not ended.has_traceback, f"a traceback: it {ended}")
            if words[0] == "--help":
                found.require(ended.text == plain["--help"].text, "another help")
            elif words[0] == "run":
                differs = different(digest(folder / "runs" / run), expected)
                found.require(not differs, f"other bits in: {differs}")
            _require_one_warning(found, ended, fault, words[0])
    return found


def _commands(architecture: str, run: str) -> list[list[str]]:
    return [
        ["--help"],
        ["list", "--json"],
        ["doctor", "--json"],
        ["run", f"{architecture}.yaml", "--name", run],
    ]


def _require_one_warning(found: Outcome, ended: Ended, fault: str, command: str) -> None:
    warnings = [line for line in ended.text.splitlines() if "warning: plugin" in line]
    wanted = 0 if command == "--help" or fault in QUIET else 1
    found.require(len(warnings) == wanted, f"{len(warnings)} warnings: {warnings}")
    for warning in warnings:
        found.require(f"plugin '{fault}' (seqzoo-{fault} 1.2)" in warning, f"unnamed: {warning}")
        found.require(any(each in warning for each in REMEDIES), f"no remedy: {warning}")


def _beside(folder: Path, plugins: Path | None, *arguments: str) -> Ended:
    """A command in a child that finds the distributions of a folder."""
    go: Callable[[], int] = command(*arguments, folder=folder)

    def run() -> int:
        if plugins is not None:
            sys.path.insert(0, str(plugins))
        return go()

    output = folder / f"beside-{len(list(folder.iterdir()))}.txt"
    return start(run, output).wait()
