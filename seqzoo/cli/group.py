"""The group of all commands: what a wrong command or option is answered with."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from typer.core import TyperGroup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["CommandGroup", "is_wrong_command_line", "sentence_of"]

_MEANT = {
    "archive": "compress",
    "ask": "sample",
    "average": "ensemble",
    "combine": "ensemble",
    "complete": "sample",
    "convert": "export",
    "create": "new",
    "decode": "decompress",
    "delete": "runs rm",
    "diff": "compare",
    "download": "fetch",
    "encode": "compress",
    "extend": "resume",
    "evaluate": "eval",
    "generate": "sample",
    "grid": "sweep",
    "html": "report",
    "info": "show",
    "ls": "list",
    "mix": "ensemble",
    "plot": "report",
    "plugin": "plugins",
    "predict": "sample",
    "note": "runs note",
    "onnx": "export",
    "prune": "runs prune",
    "rank": "leaderboard",
    "repeat": "reproduce",
    "remove": "runs rm",
    "rename": "runs mv",
    "rm": "runs rm",
    "mv": "runs mv",
    "continue": "resume",
    "scaffold": "new",
    "save": "export",
    "score": "eval",
    "search": "sweep",
    "start": "run",
    "test": "eval",
    "train": "run",
    "uncompress": "decompress",
    "unzip": "decompress",
    "validate": "verify",
    "view": "report",
    "visualise": "report",
    "visualize": "report",
    "write": "sample",
    "zip": "compress",
}
"""Names that other programs have for our commands."""


class CommandGroup(TyperGroup):
    """The commands; a wrong name is one sentence with the name that was probably meant."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that `args` begins with. Raises UsageError if there is none."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            from seqzoo.errors import UsageError, did_you_mean

            known = {command: command for command in self.list_commands(ctx)}
            meant = closest(name, _MEANT | known)
            hint = f" Did you mean '{meant}'?" if meant else did_you_mean(name, known)
            raise UsageError(f"there is no command '{name}'.{hint} See 'seqzoo --help'.")
        return super().resolve_command(ctx, args)


def is_wrong_command_line(error: Exception) -> bool:
    """Whether Typer raised it for what was typed; its exceptions have no public names."""
    return hasattr(error, "format_message") and type(error).__name__ != "NoArgsIsHelpError"


def sentence_of(error: Any, arguments: Sequence[str] = ()) -> str:
    """What is wrong with the command line, and what was probably meant.

    arguments: those of the process; the first is the command, where Typer does not know it.
    """
    context = getattr(error, "ctx", None)
    command = [word for word in arguments[:1] if not word.startswith("-")]
    path = context.command_path if context is not None else " ".join(["seqzoo", *command])
    help_hint = f"See '{path} --help'."
    if getattr(getattr(error, "param", None), "name", None) == "recipe":
        return _without_recipe(context, help_hint)
    if type(error).__name__ == "MissingParameter" and error.param is not None:
        missing = (error.param.metavar or error.param.name).upper().strip("[].")
        runs = " 'seqzoo runs' lists the runs." if missing in ("RUN", "RUNS") else ""
        if error.param.param_type_name == "option":
            missing = f"{error.param.opts[0]} {missing}"
        return f"{path} needs {missing}, and it is missing.{runs} {help_hint}"
    if context is not None and (found := _TOO_MANY.fullmatch(error.format_message())):
        from seqzoo.cli.meant import instead_of_arguments

        extra = _typed(found[1], arguments)
        listed = ", ".join(f"'{word}'" for word in extra)
        hint = instead_of_arguments(_command(path), context.params, extra)
        return f"{path} does not take {listed}.{hint or f' {help_hint}'}"
    if (option := getattr(error, "option_name", None)) is None or context is None:
        return f"{error.format_message().rstrip('.')}. {help_hint}"
    if not hasattr(error, "possibilities"):  # the option exists and is used wrongly
        return f"{error.format_message().rstrip('.')}. {help_hint}"
    parameters = context.command.get_params(context)
    # Every command has --help, which is hardly what a wrong name was meant to be.
    known = [name for each in parameters for name in each.opts if name not in ("--help", "-h")]
    # The dashes are left out: they would make every two options similar.
    meanings = {name[2:]: name for name in known if name.startswith("--")}
    from seqzoo.cli.meant import option_meant

    meant = option_meant(_command(path), option)
    if not meant and option.startswith("--"):
        meant = closest(option.lstrip("-"), meanings)
    hint = f" Did you mean '{meant}'?" if meant else ""
    return f"{path} has no option '{option}'.{hint} {help_hint}"


_TOO_MANY = re.compile(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)", re.DOTALL)
"""What Typer says of arguments that are too many; it joins them with blanks."""


def _typed(joined: str, arguments: Sequence[str]) -> list[str]:
    """The arguments as they were typed, of which `joined` is made."""
    found: list[str] = []
    rest = f" {joined}"
    for word in reversed(arguments):
        if word and rest.endswith(f" {word}"):
            found.insert(0, word)
            rest = rest.removesuffix(f" {word}")
    return found if not rest else [joined]


def _command(path: str) -> str:
    """The words of a command without the program's: "runs show"."""
    return path.partition(" ")[2]


def _without_recipe(context: Any, help_hint: str) -> str:
    """What to type where a command has no recipe; it can have the text that was given."""
    from seqzoo.terminal.format import quoted

    texts = context.params.get("text") or ()
    example = [f"{context.command_path} quick", *(f"--text {quoted(text)}" for text in texts)]
    return f"the recipe is missing; for example: {' '.join(example)}. {help_hint}"


def closest(name: str, meanings: Mapping[str, str]) -> str:
    """The meaning of the known name that is closest to `name`; "" if none is close.

    The only name that begins with it is the closest.
    """
    begin = [known for known in meanings if known.startswith(name.lower())]
    if len(begin) == 1:
        return meanings[begin[0]]
    found = get_close_matches(name.lower(), meanings, n=1, cutoff=0.65)
    return meanings[found[0]] if found else ""
