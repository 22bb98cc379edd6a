"""The command line of a program, as an option of a plugin: words, and whether they may run.

Such a program runs with the rights of the user, as a plugin file does, so a recipe can name one
only if the user trusts it (seqzoo/plugin/trust.py).
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from seqzoo.terminal.format import quoted

__all__ = ["COMMAND_FORMAT", "Command", "CommandLine", "program_sha256"]

COMMAND_FORMAT = "command"
"""The format of a `Command` in the JSON Schema of options."""

_NOT_A_COMMAND = "the words of a command, as a list or as one text"


def _words(given: Any) -> tuple[str, ...]:
    """The words of a command line. A text is split as a shell does it; no shell ever reads it."""
    if isinstance(given, str):
        try:
            given = shlex.split(given)
        except ValueError as error:
            raise PydanticCustomError(
                "command",
                "{given} is not {wanted} ({cause})",
                {"given": repr(given), "wanted": _NOT_A_COMMAND, "cause": str(error)},
            ) from error
    words = tuple(given) if isinstance(given, (list, tuple)) else ()
    if not words or not all(isinstance(word, str) and "\0" not in word for word in words):
        raise PydanticCustomError("command", "expected {wanted}", {"wanted": _NOT_A_COMMAND})
    program = words[0]
    if not program or (os.path.dirname(program) and not os.path.isabs(program)):
        raise PydanticCustomError(
            "command",
            "the program is {program}, expected the name of an installed program, or a path that "
            "begins with '/'",
            {"program": repr(program)},
        )
    return words


Command: TypeAlias = Annotated[
    tuple[str, ...],
    BeforeValidator(_words),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
            "format": COMMAND_FORMAT,
        }
    ),
]
"""The type of an option that is a command line: a tuple of words, the first of them the program.

A recipe writes a list, or a text that is split as a shell does it, without any other meaning of a
shell: no pipes, variables or patterns. The program is a name, found in PATH, or an absolute path.
A recipe that gives such an option is used only if the user trusts the command.
"""


@dataclass(frozen=True)
class CommandLine:
    """A command that a recipe names, as something that the user can trust. words: never empty."""

    words: tuple[str, ...]
    noun = "a command"

    @property
    def key(self) -> str:
        """Its key in the record of what is trusted; that of a file begins with '/'."""
        return f"command: {shlex.join(self.words)}"

    @cached_property
    def sha256(self) -> str:
        """Of the words, as hexadecimal digits."""
        return hashlib.sha256("\0".join(self.words).encode("utf-8", "surrogatepass")).hexdigest()

    def __str__(self) -> str:
        """As it can be pasted into a shell."""
        return " ".join(map(quoted, self.words))


def program_sha256(command: tuple[str, ...]) -> str:
    """The hash of the file of a command's program; "" if there is none that can be read."""
    found = shutil.which(command[0])
    try:
        with Path(found or "").open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
