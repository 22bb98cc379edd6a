"""seqzoo new plugin NAME --kind KIND, and seqzoo new recipe [NAME]"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqzoo.cli.group import CommandGroup
from seqzoo.cli.init import init
from seqzoo.cli.recipes import Texts, recipe_names
from seqzoo.cli.trust import TrustOption

if TYPE_CHECKING:
    from seqzoo.plugin.registry import Registry

__all__ = ["new"]

new = typer.Typer(
    cls=CommandGroup,
    help="Write a package for a plugin of your own, or a recipe of your own.",
    no_args_is_help=True,
)


def _kinds(incomplete: str) -> list[str]:
    """What can complete a kind in the shell."""
    from seqzoo.templates.package import template_kinds

    return [kind for kind in template_kinds() if kind.startswith(incomplete)]


@new.command("plugin")
def new_plugin(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Its name in recipes, such as average; the package is then seqzoo-average.",
            show_default=False,
        ),
    ],
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="architecture, tokenizer, stream, optimizer, schedule, sampler, decoder, corpus, "
            "baseline, tracker, launcher or check.",
            autocompletion=_kinds,
            show_default=False,
        ),
    ] = None,
    folder: Annotated[
        Path, typer.Option(help="Folder in which the folder of the package is made.")
    ] = Path(),
) -> None:
    """Write a package with a working plugin, its tests and a recipe, to change it.

    seqzoo new plugin average --kind architecture
    """
    from seqzoo.cli.plugins import installed
    from seqzoo.templates.names import package_name
    from seqzoo.templates.package import package_files, use_of, write_package
    from seqzoo.terminal.console import note
    from seqzoo.terminal.format import quoted

    kind = _require_kind(kind, name)
    found = package_name(name, _taken(installed(), kind))
    target = write_package(found, kind, folder)
    note(f"{target} is a package with the {kind} '{found.plugin}':")
    for path in sorted(package_files(found, kind)):
        note(f"  {path}")
    note("To install it, try its laws and use it, type:")
    for command in (
        f"cd {quoted(target)} && pip install -e '.[dev]'",
        "pytest",
        use_of(found, kind),
    ):
        note(f"  {command}")


@new.command("recipe")
def new_recipe(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="Name of the recipe; default: that of --from.", show_default=False
        ),
    ] = None,
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="RECIPE",
            help="The recipe to copy: a YAML file, or a name from 'seqzoo list recipe'.",
            autocompletion=recipe_names,
        ),
    ] = "quick",
    text: Texts = None,
    trust: TrustOption = False,
) -> None:
    """Copy a recipe into a file of your own; the same as 'seqzoo init'.

    seqzoo new recipe mine --from quick
    """
    file = None if name is None else Path(name)
    if file is not None and not file.suffix:
        file = file.with_name(f"{file.name}.yaml")
    init(source, file, text, trust)


def _require_kind(kind: str | None, name: str) -> str:
    """The kind that is meant. Raises UsageError if there is none."""
    from seqzoo.errors import UsageError, did_you_mean
    from seqzoo.templates.package import template_kinds
    from seqzoo.terminal.format import quoted

    kinds = template_kinds()
    if kind is None:
        raise UsageError(
            f"the kind of plugin is missing, expected {', '.join(kinds[:-1])} or {kinds[-1]}; for "
            f"example: seqzoo new plugin {quoted(name)} --kind {kinds[0]}"
        )
    for meant in (kind, kind.lower(), kind.lower().removesuffix("s")):
        if meant in kinds:
            return meant
    raise UsageError(
        f"--kind is '{kind}', which is not a kind of plugin.{did_you_mean(kind, kinds)}"
    )


def _taken(registry: Registry, kind: str) -> dict[str, str]:
    """The names of installed plugins, and of what they declare of this kind, with their owners."""
    from seqzoo.plugin.discovery import find_plugins

    taken = {
        entry.spec.name: f"{kind} '{entry.spec.name}' of plugin {entry.owner}"
        for entry in registry.registered(kind)
    }
    candidates, _ = find_plugins()
    return taken | {each.entry_point.name: f"plugin {each.owner}" for each in candidates}
