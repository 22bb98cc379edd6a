"""Builds the object that a choice names, and reports what a plugin's code raises by its plugin."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol, overload

import numpy.typing as npt

from seqzoo.errors import PluginError, SeqzooError
from seqzoo.plugin.contracts import Corpus, Sampler, SequenceModel, Stream, Tokenizer, Tracker
from seqzoo.plugin.registry import Registry

__all__ = ["ChosenPlugin", "as_plugin_error", "build", "require"]


class ChosenPlugin(Protocol):
    """A plugin's name, and its options as an instance of the plugin's Options."""

    @property
    def name(self) -> str: ...

    @property
    def options(self) -> Any: ...


_CONTRACTS: dict[str, type] = {
    "architecture": SequenceModel,
    "tokenizer": Tokenizer,
    "stream": Stream,
    "sampler": Sampler,
    "corpus": Corpus,
    "tracker": Tracker,
}


@overload
def build(
    registry: Registry, kind: Literal["architecture"], choice: ChosenPlugin, *, vocab_size: int
) -> SequenceModel: ...
@overload
def build(registry: Registry, kind: Literal["tokenizer"], choice: ChosenPlugin) -> Tokenizer: ...
@overload
def build(
    registry: Registry,
    kind: Literal["stream"],
    choice: ChosenPlugin,
    tokens: npt.NDArray[Any],
    *,
    batch_size: int,
) -> Stream: ...
@overload
def build(registry: Registry, kind: Literal["sampler"], choice: ChosenPlugin) -> Sampler: ...
@overload
def build(
    registry: Registry, kind: Literal["corpus"], choice: ChosenPlugin, base: Path
) -> Corpus: ...
@overload
def build(
    registry: Registry, kind: Literal["tracker"], choice: ChosenPlugin, run_directory: Path
) -> Tracker: ...
def build(
    registry: Registry, kind: str, choice: ChosenPlugin, *arguments: Any, **further: Any
) -> Any:
    """The object that `choice` names, checked to be what the contract of its kind says.

    The arguments after `choice` are those of the kind's spec; see seqzoo/plugin/specs.py.
    Raises UsageError where the name is not installed, PluginError where the plugin fails or builds
    something else, and any SeqzooError that the plugin raises itself, such as CorpusUnavailable.
    """
    spec: Any = registry.get(kind, choice.name)
    function = "build" if hasattr(spec, "build") else "open"
    with as_plugin_error(registry, kind, choice.name):
        built = getattr(spec, function)(choice.options, *arguments, **further)
        contract = _CONTRACTS[kind]
        article = "an" if contract.__name__[0] in "AEIOU" else "a"
        require(
            isinstance(built, contract),
            found=built,
            expected=f"{article} {contract.__name__} from {function}",
        )
    return built


class _ContractError(TypeError):
    """A plugin gave something that its contract does not allow."""


def require(holds: bool, *, found: object, expected: str) -> None:
    """Inside `as_plugin_error`: refuse what a plugin gave unless `holds`.

    found: what the plugin gave; a tuple or a text is shown as it is, anything else by its type.
    """
    if not holds:
        shown = found if isinstance(found, (tuple, str)) else type(found).__name__
        raise _ContractError(f"expected {expected}, found {shown}")


@contextmanager
def as_plugin_error(registry: Registry, kind: str, name: str) -> Iterator[None]:
    """Raise whatever a plugin's code raises as a PluginError that names the plugin and the cause.

    A SeqzooError passes unchanged: the plugin chose its words for the user.
    """
    try:
        yield
    except SeqzooError:
        raise
    except Exception as error:
        raise PluginError(
            f"{kind} '{name}' of plugin {registry.owner(kind, name)} failed: {_cause(error)}."
        ) from error


def _cause(error: Exception) -> str:
    message = " ".join(str(error).split())
    if isinstance(error, _ContractError):  # where it was noticed is not where the mistake is
        return message
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(where.filename).name}, line {where.lineno}"
    return f"{type(error).__name__}: {message} ({place})"
