"""Build the object that a choice names; errors in a plugin's code are reported with its name."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

from seqzoo.errors import PluginError, SeqzooError, error_of_encoding
from seqzoo.plugin.contexts import (
    ArchitectureContext,
    Context,
    CorpusContext,
    DecoderContext,
    LauncherContext,
    OptimizerContext,
    SamplerContext,
    ScheduleContext,
    StreamContext,
    TokenizerContext,
    TrackerContext,
)
from seqzoo.plugin.corpus import Corpus
from seqzoo.plugin.launcher import Launcher
from seqzoo.plugin.place import place_of
from seqzoo.plugin.registry import Registry, load_registry
from seqzoo.plugin.specs import Options
from seqzoo.plugin.tracker import Tracker

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from seqzoo.plugin.contracts import Sampler, Schedule, SequenceModel, Stream, Tokenizer
    from seqzoo.plugin.decoding import Decoder

__all__ = ["ChosenPlugin", "as_plugin_error", "build", "build_installed", "require"]


class ChosenPlugin(Protocol):
    """A plugin's name, and its options as an instance of the plugin's Options."""

    @property
    def name(self) -> str: ...

    @property
    def options(self) -> Any: ...


_WITHOUT_TORCH: dict[str, type] = {"corpus": Corpus, "tracker": Tracker, "launcher": Launcher}


def _contract(kind: str) -> type:
    if kind in _WITHOUT_TORCH:
        return _WITHOUT_TORCH[kind]
    import torch

    from seqzoo.plugin import contracts, decoding

    return {
        "architecture": contracts.SequenceModel,
        "tokenizer": contracts.Tokenizer,
        "stream": contracts.Stream,
        "optimizer": torch.optim.Optimizer,
        "schedule": contracts.Schedule,
        "sampler": contracts.Sampler,
        "decoder": decoding.Decoder,
    }[kind]


@overload
def build(
    registry: Registry,
    kind: Literal["architecture"],
    choice: ChosenPlugin,
    context: ArchitectureContext,
) -> SequenceModel: ...
@overload
def build(
    registry: Registry, kind: Literal["tokenizer"], choice: ChosenPlugin, context: TokenizerContext
) -> Tokenizer: ...
@overload
def build(
    registry: Registry, kind: Literal["stream"], choice: ChosenPlugin, context: StreamContext
) -> Stream: ...
@overload
def build(
    registry: Registry, kind: Literal["optimizer"], choice: ChosenPlugin, context: OptimizerContext
) -> Optimizer | tuple[Optimizer, ...]: ...
@overload
def build(
    registry: Registry, kind: Literal["schedule"], choice: ChosenPlugin, context: ScheduleContext
) -> Schedule: ...
@overload
def build(
    registry: Registry, kind: Literal["sampler"], choice: ChosenPlugin, context: SamplerContext
) -> Sampler: ...
@overload
def build(
    registry: Registry, kind: Literal["decoder"], choice: ChosenPlugin, context: DecoderContext
) -> Decoder: ...
@overload
def build(
    registry: Registry, kind: Literal["corpus"], choice: ChosenPlugin, context: CorpusContext
) -> Corpus: ...
@overload
def build(
    registry: Registry, kind: Literal["tracker"], choice: ChosenPlugin, context: TrackerContext
) -> Tracker: ...
@overload
def build(
    registry: Registry, kind: Literal["launcher"], choice: ChosenPlugin, context: LauncherContext
) -> Launcher: ...
@overload
def build(registry: Registry, kind: str, choice: ChosenPlugin, context: Context[Any]) -> Any: ...
def build(registry: Registry, kind: str, choice: ChosenPlugin, context: Context[Any]) -> Any:
    """The object that `choice` names, checked to be an instance of the contract of its kind.

    The context that the plugin receives can build what the plugin's own options name. Raises
    UsageError if the name is not installed, PluginError if the plugin fails or builds an
    object of another type, and any SeqzooError that the plugin raises, such as CorpusUnavailable.
    """
    spec: Any = registry.get(kind, choice.name)
    function = "build" if hasattr(spec, "build") else "open"
    with as_plugin_error(registry, kind, choice.name):
        options = choice.options
        if not isinstance(options, Options):  # of a default that no recipe was checked with
            options = spec.options(**options)
        inner = replace(context, builder=functools.partial(build, registry))
        built = getattr(spec, function)(options, inner)
        contract = _contract(kind)
        article = "an" if contract.__name__[0] in "AEIOU" else "a"
        # Several optimizers can step together.
        several = kind == "optimizer" and isinstance(built, tuple) and built
        for each in built if several else (built,):
            require(
                isinstance(each, contract),
                found=each,
                expected=f"{article} {contract.__name__} from {function}",
            )
    return built


@functools.cache
def _installed() -> Registry:
    return load_registry()


def build_installed(kind: str, choice: ChosenPlugin, context: Any) -> Any:
    """The `builder` of a context that is made outside of a run: it builds what is installed."""
    return build(_installed(), kind, choice, context)


class _ContractError(TypeError):
    """A plugin returned something that its contract does not allow."""


def require(holds: bool, *, found: object, expected: str) -> None:
    """To be used inside `as_plugin_error`: raise unless the condition holds.

    found: what the plugin returned; a tuple or text is shown itself, anything else by its type.
    """
    if not holds:
        shown = found if isinstance(found, (tuple, str)) else type(found).__name__
        raise _ContractError(f"expected {expected}, found {shown}")


@contextmanager
def as_plugin_error(registry: Registry, kind: str, name: str) -> Iterator[None]:
    """Turn what a plugin's code raises into a PluginError with the plugin, cause, file and line.

    A SeqzooError passes unchanged, because its message is already written for users.
    """
    try:
        yield
    except SeqzooError:
        raise
    except (Exception, SystemExit) as error:  # a plugin must not end the process
        if isinstance(error, UnicodeEncodeError) and (of_user := error_of_encoding(error)):
            raise of_user from error
        raise PluginError(
            f"{kind} '{name}' of plugin {registry.owner(kind, name)} failed: {_cause(error)}."
        ) from error


def _cause(error: BaseException) -> str:
    message = " ".join(str(error).split())
    if isinstance(error, _ContractError):  # its place is in this file and not in the plugin
        return message
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r}) ({place_of(error)})"
    return f"{type(error).__name__}: {message} ({place_of(error)})"
