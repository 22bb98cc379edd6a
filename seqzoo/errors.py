"""All errors that seqzoo raises for users.

    SeqzooError                  exit code 1
    ├── UsageError               2   a wrong argument, name or value
    │   ├── RecipeError          2   all problems of a recipe at once
    │   └── NewerFormatError     2   a file of a newer seqzoo
    ├── EnvironmentFault         3   disk, device, lock
    │   ├── PluginError          3   a plugin is broken, or two declare one name
    │   ├── LockedError          3   another process is using the run
    │   ├── DiskFault            3   a file could not be written
    │   ├── NotEnoughMemory      3   the device has less free memory than the work needs
    │   └── CorpusUnavailable    3   the bytes are not on disk and cannot be downloaded
    ├── CheckpointError          4   damaged, incomplete, or of another run
    ├── CompressedFileError      4   damaged, or made with another model
    ├── DivergedError            5   a loss or gradient that is not finite
    └── FindingsError            6   a check found something

A message is one sentence: where, what was found, what was expected, what to do. Exceptions have the
same data in attributes, for programs.
"""

from __future__ import annotations

import codecs
import difflib
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

__all__ = [
    "CheckpointError",
    "CompressedFileError",
    "CorpusUnavailable",
    "DiskFault",
    "DivergedError",
    "EnvironmentFault",
    "FindingsError",
    "LockedError",
    "NewerFormatError",
    "NotEnoughMemory",
    "PluginError",
    "Problem",
    "RecipeError",
    "SeqzooError",
    "UsageError",
    "did_you_mean",
    "error_of_encoding",
    "require_known_format",
    "require_type",
    "shortened",
]


class SeqzooError(Exception):
    """Base of all errors that a user can cause or fix; `exit_code` is that of the process."""

    exit_code = 1


class UsageError(SeqzooError):
    """A wrong argument, name or value."""

    exit_code = 2


_LONGEST_OVERRIDE = 300


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake in a recipe.

    source: file name, the override as it was typed, or a dotted path in a recipe without a file.
    line, column: counted from 1; 0 where there is none.
    """

    source: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        # The message of a wrong value begins with its dotted path, or quotes it.
        if not self.line and (
            self.message.startswith(self.source) or f"'{self.source}'" in self.message
        ):
            return self.message
        typed = shortened(self.source, _LONGEST_OVERRIDE)
        where = f"{self.source}:{self.line}:{self.column}" if self.line else typed
        return f"{where}: {self.message}"


class RecipeError(UsageError):
    """All problems of a recipe at once, in the order of the file.

    problems: all of them; the message has the first.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(_first_lines(self.problems)))


_MOST_LINES = 20
_MOST_CHARACTERS = 4_000
"""Of a message; a file that is no recipe can have thousands of problems, each of any length."""


def _first_lines(problems: Sequence[Problem]) -> Iterator[str]:
    left = _MOST_CHARACTERS
    for number, problem in enumerate(problems):
        line = shortened(str(problem), _MOST_CHARACTERS)
        if number == _MOST_LINES or left < len(line):
            more = len(problems) - number
            yield f"and {more:,} more problem{'s' if more > 1 else ''}."
            return
        yield line
        left -= len(line)


def shortened(text: str, length: int) -> str:
    """The text, or its beginning and an ellipsis if it is longer than `length`."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


class NewerFormatError(UsageError):
    """A file was written by a newer seqzoo; this one can neither use nor replace it."""


class EnvironmentFault(SeqzooError):  # noqa: N818 (the machine causes it, not the user)
    """A problem of the machine, not of the recipe: disk, device, lock, plugin."""

    exit_code = 3


class PluginError(EnvironmentFault):
    """A plugin could not be loaded, failed, or declares a name that is in use."""


class LockedError(EnvironmentFault):
    """Another process is using the run directory."""


class DiskFault(EnvironmentFault):
    """A file could not be written.

    problem: which, and why. saved: what is kept, or "". remedy: what to do, or "".
    """

    def __init__(self, problem: str, *, is_full: bool, saved: str = "") -> None:
        self.problem = problem
        self.is_full = is_full
        self.saved = saved
        self.remedy = "make room and run the command again" if is_full else ""
        super().__init__(problem)

    def __str__(self) -> str:
        text = "; ".join(filter(None, (self.problem, self.saved, self.remedy)))
        # A full stop would be copied with the command.
        return text if ": seqzoo " in self.remedy else f"{text}."


class NotEnoughMemory(EnvironmentFault):
    """The device has less free memory than the work needs.

    problem: what needs it and what to lower. saved: what is kept and how to continue, or "".
    """

    def __init__(self, problem: str, saved: str = "") -> None:
        self.problem = problem
        self.saved = saved
        super().__init__("; ".join(filter(None, (problem, saved))) + ".")


class CorpusUnavailable(EnvironmentFault):
    """The corpus is not on disk and cannot be downloaded."""


class CheckpointError(SeqzooError):
    """A checkpoint is damaged, incomplete, or belongs to another run."""

    exit_code = 4


class CompressedFileError(SeqzooError):
    """A compressed file is damaged, or was made with another model or on another machine."""

    exit_code = 4


class DivergedError(SeqzooError):
    """A loss or gradient stopped being finite; the update was not applied."""

    exit_code = 5


class FindingsError(SeqzooError):
    """A check found something."""

    exit_code = 6


def error_of_encoding(error: UnicodeEncodeError) -> SeqzooError | None:
    """The error for a user if a name or an argument is at fault; None for any other cause.

    It is at fault if it was not UTF-8, or has a character that the locale does not know.
    """
    encoding = codecs.lookup(sys.getfilesystemencoding()).name
    text = " ".join(error.object.split())
    has_bytes = any("\udc80" <= each <= "\udcff" for each in text)  # as Python keeps them
    if encoding != "utf-8" and (has_bytes or codecs.lookup(error.encoding).name == encoding):
        return EnvironmentFault(
            f"the encoding of the locale is {encoding.upper()}, in which '{text:.80}' cannot be "
            f"written; run again with LC_ALL=C.UTF-8."
        )
    if has_bytes:
        return UsageError(f"'{text:.80}' is not UTF-8; type it again, in a terminal with UTF-8.")
    return None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint for the end of a message: the closest known name, or all names if they are few."""
    choices = sorted(known)
    # A name in capitals is close to the same name in lower case.
    folded = {choice.lower(): choice for choice in reversed(choices)}
    close = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    if close:
        return f" Did you mean '{folded[close[0]]}'?"
    if 0 < len(choices) <= 24:
        return f" Choose from: {', '.join(choices)}."
    return ""


def require_type(
    name: str, value: object, types: type | tuple[type, ...], *, expected: str
) -> None:
    """Raises UsageError, with what was found, if an argument of the Python API has another type."""
    if not isinstance(value, types):
        raise UsageError(f"{name} is {value!r:.60}, expected {expected}.")


def require_known_format(stored: object, source: object, *, newest: int = 1) -> None:
    """Raises NewerFormatError if a stored mapping has a format version above `newest`.

    source: its file, for the message. Without a version, it has the first format.
    """
    version = stored.get("format_version") if isinstance(stored, dict) else None
    if isinstance(version, int) and version > newest:
        raise NewerFormatError(
            f"{source} has format version {version}, and this seqzoo reads up to {newest}; it was "
            f"written by a newer seqzoo and is left as it is: upgrade seqzoo."
        )
