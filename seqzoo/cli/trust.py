"""--trust, and the question whether plugin files may run."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from seqzoo.plugin.registry import Registry
    from seqzoo.plugin.trust import Trust, Unknown

__all__ = ["GivenFiles", "TrustOption", "with_trust"]

_LONGEST_COMMAND = 1_000

TrustOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Run the plugin files that the recipe or run names: Python code, with your rights.",
    ),
]
GivenFiles: TypeAlias = Annotated[
    str | None,
    typer.Option("--trusted-files", hidden=True, help="JSON: path -> sha256 of plugin files."),
]


def with_trust(registry: Registry, is_given: bool, files: str | None = None) -> Registry:
    """The registry for a command, which asks in a terminal before a plugin file runs.

    is_given: whether --trust is given. files: what the sweep of this process trusts, as JSON.
    """
    return registry.trusting(_trust(is_given) if files is None else _trust_of_sweep(files))


def _trust_of_sweep(files: str) -> Trust:
    from seqzoo.plugin.trust import Trust, refuse

    # The settings that a member is started with are those of a file: nobody typed them.
    remedy = "run the sweep again with --trust."
    return Trust(refuse, remedy, is_named=False, accepted=dict(json.loads(files)))


def _trust(is_given: bool) -> Trust:
    from seqzoo.plugin.trust import Trust
    from seqzoo.terminal.format import quoted

    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)
    again = " ".join(map(quoted, ["seqzoo", *words[:end], "--trust", *words[end:]]))
    remedy = "run the command again with --trust"
    remedy += f": {again}" if len(again) <= _LONGEST_COMMAND else "."
    return Trust(_allow_and_say if is_given else _ask, remedy)


def _allow_and_say(unknown: Sequence[Unknown]) -> bool:
    from seqzoo.terminal.console import note
    from seqzoo.terminal.format import quoted

    for each in unknown:
        note(f"running the plugin file {quoted(each.file.path)}, which is trusted from now on")
    return True


def _ask(unknown: Sequence[Unknown]) -> bool:
    from seqzoo.terminal.console import note, warn

    if not (sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty()):
        return False
    warn("this would run Python code with your rights, from the files:")
    for each in unknown:
        note(f"  {each}")
    question = "Read them first. Run them now, and whenever they have this content? [y/N] "
    print(question, end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer:
        print(file=sys.stderr)
    return answer.strip().lower() in ("y", "yes")
