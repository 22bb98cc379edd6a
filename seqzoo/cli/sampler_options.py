"""`seqzoo sample --temperature 0.8`: an option for every installed sampler."""

from __future__ import annotations

import inspect
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from collections.abc import Callable

    from seqzoo.plugin.specs import SamplerSpec

__all__ = ["SampleCommand", "given_links"]

_LINKS = "seqzoo.links"
_PANEL = "Samplers"


class SampleCommand(TyperCommand):
    """`seqzoo sample`, whose options are known when the plugins are loaded, and not before."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters of the function, and one for each sampler."""
        own = super().get_params(ctx)
        return [*own, *_parameters(frozenset(name for each in own for name in each.opts))]


def given_links(context: typer.Context) -> list[str]:
    """The samplers that were given as options, as `-s` takes them, in the order given."""
    return list(context.meta.get(_LINKS, ()))


@cache
def _parameters(taken: frozenset[str]) -> tuple[Any, ...]:
    """Typer's parameters for the samplers; it makes parameters of functions only."""
    from seqzoo.cli.plugins import loaded

    free = set(taken)
    signature = []
    for entry in loaded().registered("sampler"):
        spec = entry.spec
        names = [name for name in _names(spec) if name not in free]
        if f"--{_dashed(spec.name)}" not in names:
            continue
        free |= {*names}
        signature.append(
            inspect.Parameter(
                spec.name.replace("-", "_"),
                inspect.Parameter.KEYWORD_ONLY,
                default=None if spec.options.shorthand else False,
                annotation=_annotation(spec, names),
            )
        )

    def command(**_: object) -> None:
        """Never called."""

    command.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in signature}
    samplers = typer.Typer(add_completion=False)
    samplers.command()(command)
    return tuple(typer.main.get_command(samplers).params)


def _names(spec: SamplerSpec) -> list[str]:
    short = [f"-{spec.letter}"] if spec.letter else []
    return [f"--{_dashed(spec.name)}", *short]


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _annotation(spec: SamplerSpec, names: list[str]) -> Any:
    shorthand = spec.options.shorthand
    option = typer.Option(
        *names,
        metavar=shorthand and shorthand.upper(),
        help=f"{spec.summary}.",
        callback=_adder(spec.name),
        expose_value=False,
        show_default=False,
        rich_help_panel=_PANEL,
    )
    return Annotated[str | None, option] if shorthand else Annotated[bool, option]


def _adder(name: str) -> Callable[[typer.Context, Any], Any]:
    """What an option does. Typer calls it in the order of the command line."""

    def add(ctx: typer.Context, value: Any) -> Any:
        if value not in (None, False):
            link = name if value is True else f"{name}={value}"
            ctx.meta.setdefault(_LINKS, []).append(link)
        return value

    return add
