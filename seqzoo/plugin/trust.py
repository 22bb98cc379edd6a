"""Which plugin files and commands may run: they are code, and run with the rights of the user.

Code may run if the user named it in this command or call, allowed it with --trust (trust=True), or
trusted the same file with the same content, or the same command, before. The record is in no run:
~/.local/state/seqzoo/trusted.json, or below $XDG_STATE_HOME.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeAlias

from seqzoo.errors import PluginError, Problem, RecipeError
from seqzoo.plugin.command import CommandLine
from seqzoo.regular_files import read_bytes, read_json
from seqzoo.storage import write_whole
from seqzoo.terminal.format import quoted

__all__ = [
    "Code",
    "Decide",
    "PluginFile",
    "Trust",
    "Unknown",
    "UntrustedError",
    "allow",
    "record_path",
    "refuse",
]

MAX_BYTES = 1 << 24
"""Of a plugin file."""

_MOST_NAMED = 20
_LONGEST_LIST = 2_000


@dataclass(frozen=True)
class PluginFile:
    """A plugin file as it was read once: what is hashed is what runs.

    path: absolute, links followed, so that the code finds the files beside it and no others.
    """

    path: Path
    content: bytes
    noun = "Python code"

    @classmethod
    def read(cls, path: Path) -> PluginFile:
        """Read a file. Raises PluginError, naming the path that is given, if it is no Python file.

        Compiled code is none: nobody can read what it would do.
        """
        try:
            if path.suffix != ".py":
                raise OSError
            resolved = path.resolve(strict=True)
            return cls(resolved, read_bytes(resolved, limit=MAX_BYTES))
        except (OSError, ValueError, RuntimeError) as error:
            raise PluginError(
                f"plugin file {path} could not be loaded: no such Python file."
            ) from error

    @cached_property
    def sha256(self) -> str:
        """Of the content, as hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def key(self) -> str:
        """Its key in the record of what is trusted."""
        return str(self.path)

    def __str__(self) -> str:
        """Quoted, so that no name can look like two."""
        return quoted(self.path)


Code: TypeAlias = PluginFile | CommandLine
"""What a recipe can name, and what runs only if the user trusts it."""


class Unknown(NamedTuple):
    """Code that may not run yet. has_changed: it was trusted with other content."""

    code: Code
    has_changed: bool

    def __str__(self) -> str:
        return f"{self.code} (changed since you trusted it)" if self.has_changed else str(self.code)


class UntrustedError(RecipeError):
    """Plugin files or commands may not run. unknown: which."""

    def __init__(self, problem: Problem, unknown: Sequence[Unknown]) -> None:
        super().__init__([problem])
        self.unknown = tuple(unknown)


Decide: TypeAlias = Callable[[Sequence[Unknown]], bool]
"""Whether code may run."""


def allow(_: Sequence[Unknown]) -> bool:
    """What trust=True decides."""
    return True


def refuse(_: Sequence[Unknown]) -> bool:
    """What the library decides by itself; it never asks."""
    return False


@dataclass(frozen=True)
class Trust:
    """Decides which code may run in this process; all copies of a registry share it.

    decide: is asked about unknown code. remedy: what the user can do if it refuses.
    is_named: whether overrides and mappings are what the user typed, and not the text of a file.
    accepted: key -> sha256 of what may run in this process, recorded or not.
    """

    decide: Decide = refuse
    remedy: str = "pass trust=True."
    is_named: bool = True
    accepted: dict[str, str] = field(default_factory=dict, compare=False)

    def accept(self, codes: Iterable[Code]) -> None:
        """Let code run, from now on."""
        found = {code.key: code.sha256 for code in codes}
        self.accepted.update(found)
        trusted, _ = _read_record()
        if found.items() <= trusted.items():
            return
        record = {"format_version": 1, "files": {**trusted, **found}}
        # Where the home cannot be written, the user is asked again.
        with contextlib.suppress(OSError):
            if (path := record_path()) is not None:
                write_whole(path, json.dumps(record, indent=1) + "\n")

    def unknown(self, codes: Iterable[Code]) -> list[Unknown]:
        """Those that are not trusted with this content."""
        different = {code.key: code for code in codes}.values()
        trusted, _ = _read_record() if different else ({}, "")
        known = {**trusted, **self.accepted}
        found = [code for code in different if known.get(code.key) != code.sha256]
        # What was trusted before this process began may run in it, whatever it then records.
        self.accepted.update({code.key: code.sha256 for code in different if code not in found})
        return [Unknown(code, code.key in known) for code in found]

    def permits(self, unknown: Sequence[Unknown]) -> bool:
        """Decide on code; what may run is accepted."""
        if not self.decide(unknown):
            return False
        self.accept(each.code for each in unknown)
        return True

    def explain(self, unknown: Sequence[Unknown]) -> str:
        """Why the code does not run, and what to do: one sentence."""
        names = [str(each) for each in unknown[:_MOST_NAMED]]
        while len(names) > 1 and sum(map(len, names)) > _LONGEST_LIST:
            names.pop()
        if more := len(unknown) - len(names):
            names.append(f"{more} more")
        listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
        one = len(unknown) == 1
        damaged = _read_record()[1]
        return (
            f"{listed} {'is' if one else 'are'} {_noun(unknown)} that would run with your rights, "
            f"and you have not trusted {'it' if one else 'them'}"
            f"{f' ({damaged} is damaged and is not used)' if damaged else ''}; read "
            f"{'it' if one else 'them'}, then {self.remedy}"
        )


def _noun(unknown: Sequence[Unknown]) -> str:
    nouns = {each.code.noun for each in unknown}
    (noun,) = nouns if len(nouns) == 1 else ["code"]
    return noun if len(unknown) == 1 else noun.replace("a command", "commands")


def record_path() -> Path | None:
    """The file with what the user trusts; None if there is no home."""
    base = os.environ.get("XDG_STATE_HOME", "")
    try:
        # A relative path, which the standard forbids, could be a file of a stranger's folder.
        state = Path(base) if os.path.isabs(base) else Path.home() / ".local" / "state"
    except RuntimeError:
        return None
    return state / "seqzoo" / "trusted.json"


def _read_record() -> tuple[dict[str, str], str]:
    """Key -> sha256, and the path of the record if it is damaged: then nothing is trusted."""
    path = record_path()
    try:
        if path is None:
            return {}, ""
        files = read_json(path)["files"]
        if not all(isinstance(each, str) for pair in files.items() for each in pair):
            raise TypeError
        return dict(files), ""
    except FileNotFoundError:
        return {}, ""
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}, str(path)
