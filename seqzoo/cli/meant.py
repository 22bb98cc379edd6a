"""What to type instead of an argument or an option that a command does not take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["OPTIONS", "instead_of_arguments", "option_meant"]

OPTIONS = {
    ("eval", "--text"): "--file",
    ("run", "--out"): "--runs",
    ("run", "--output"): "--runs",
    ("sample", "--file"): "--prompt-file",
    ("sample", "--text"): "--prompt",
}
"""Options that another command has, by command: what this one calls them."""


def option_meant(command: str, option: str) -> str:
    """The option of a command that has the meaning of another name; "" if none has."""
    return OPTIONS.get((command, option), "")


def instead_of_arguments(command: str, given: Mapping[str, Any], extra: Sequence[str]) -> str:
    """A hint for arguments that are too many; "" if there is none. given: those that were taken."""
    hint = _HINTS.get(command)
    return hint(given, extra) if hint is not None else ""


def _of_sweep(given: Mapping[str, Any], extra: Sequence[str]) -> str:
    settings = ", ".join(": ".join(word.split("=", 1)) for word in extra)
    return (
        f" Settings of all members are in the grid file: write 'set: {{{settings}}}' in "
        f"{given.get('grid')}."
    )


def _of_sample(given: Mapping[str, Any], extra: Sequence[str]) -> str:
    links = [word for word in extra if "=" in word and " " not in word]
    prompt = " ".join(word for word in extra if word not in links)
    options = [f"-s {_quoted(link)}" for link in links]
    if prompt:
        options.insert(0, f"-p {_quoted(prompt)}")
    return f" Did you mean: seqzoo sample {_quoted(given.get('run'))} {' '.join(options)}"


def _of_eval(given: Mapping[str, Any], extra: Sequence[str]) -> str:
    run = _quoted(given.get("run"))
    if any("=" in word for word in extra):
        settings = " ".join(map(_quoted, extra))
        return f" To change settings of the run: seqzoo resume {run} {settings}"
    files = " ".join(f"--file {_quoted(word)}" for word in extra)
    return f" To score a text: seqzoo eval {run} {files}"


def _of_show(given: Mapping[str, Any], extra: Sequence[str]) -> str:
    return f" Give one run: seqzoo runs show {_quoted(extra[0])}"


_HINTS: Mapping[str, Callable[[Mapping[str, Any], Sequence[str]], str]] = {
    "sweep": _of_sweep,
    "sample": _of_sample,
    "eval": _of_eval,
    "runs show": _of_show,
}


def _quoted(text: object) -> str:
    from seqzoo.terminal.format import quoted

    return quoted(str(text))
