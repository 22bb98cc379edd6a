"""--trust, and the question whether plugin files and commands may run."""

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
        help="Run the plugin files and commands that the recipe or run names, with your rights.",
    ),
]
GivenFiles: TypeAlias = Annotated[
    str | None,
    typer.Option("--trusted-files", hidden=True, help="JSON: what may run -> its sha256."),
]


def with_trust(registry: Registry, is_given: bool, files: str | None = None) -> Registry:
    """The registry for a command, which asks in a terminal before code of a recipe runs.

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

    for each in unknown:
        if each.code.noun == "Python code":
            note(f"running the plugin file {each.code}, which is trusted from now on")
        else:
            note(f"the command {each.code} may run, and is trusted from now on")
    return True


def _ask(unknown: Sequence[Unknown]) -> bool:
    from seqzoo.terminal.console import note, warn

    if not (sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty()):
        return False
    nouns = {each.code.noun for each in unknown}
    warn(
        "this would run Python code with your rights, from the files:"
        if nouns == {"Python code"}
        else "this would run with your rights:"
    )
    for each in unknown:
        note(f"  {each}")
    question = "Read them first. Run them now, and whenever they have this content? [y/N] "
    print(question, end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer:
        print(file=sys.stderr)
    return answer.strip().lower() in ("y", "yes")
