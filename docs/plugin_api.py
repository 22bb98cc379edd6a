"""The plugin API as tables for docs/plugins.md: hooks, contracts, contexts, and what may change.

The tables are made from the code. Only what is provisional is listed here by hand.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

import seqzoo
from seqzoo.plugin import hooks
from seqzoo.plugin.declarations import SPEC_OF_HOOK

__all__ = [
    "PROVISIONAL",
    "context_table",
    "contract_tables",
    "data_tables",
    "hook_table",
    "name_table",
]

PROVISIONAL: Mapping[str, str] = {
    "Decoder": "new, with one plugin of its kind",
    "DecoderContext": "as `Decoder`",
    "DecoderSpec": "as `Decoder`",
    "DecodingTask": "as `Decoder`",
    "Stepper": "as `Decoder`",
    "ArchitectureContext.tokenizer": "new, used by one architecture",
    "ArchitectureSpec.standalone": "new",
    "BaselineContext.label": "as `Command`",
    "Batch.mask": "new, used by one stream",
    "Corpus.documents": "new, used by one stream",
    "Corpus.division": "new",
    "StreamContext.documents": "as `Corpus.documents`",
    "NamedParameter": "as `OptimizerContext`",
    "OptimizerContext": "new",
    "OptimizerOptions": "as `OptimizerContext`",
    "OptimizerSpec": "as `OptimizerContext`",
    "ParameterRole": "as `OptimizerContext`",
    "ScheduleContext": "as `OptimizerContext`",
    "ScheduleSpec": "as `OptimizerContext`",
    "Schedule": "as `OptimizerContext`",
    "ArchitectureSpec.combination": "as `Combination`",
    "Choice": "new, in options of plugins",
    "Combination": "new, used by one architecture",
    "Command": "new, used by one baseline",
    "Kind": "as `Choice`",
    "TokenizerSpec.standalone": "as `ArchitectureSpec.standalone`",
    "CheckSubject": "grows with the doctor",
}
"""Public names and fields that a later version may change without a deprecation, and why."""

_CONTRACTS = (
    "SequenceModel",
    "Tokenizer",
    "Stream",
    "Schedule",
    "Sampler",
    "Decoder",
    "Stepper",
    "Tracker",
)


_DATA = ("Batch", "Corpus", "Span", "BaselineScore", "DecodingTask", "Outcome")


def hook_table() -> str:
    """Each hook, what it returns and builds, and what it is for."""
    lines = ["| hook | returns | for |", "|---|---|---|"]
    for hook, spec in SPEC_OF_HOOK.items():
        doc = _first(getattr(hooks, hook))
        lines.append(f"| `{hook}()` | `{spec.__name__}` | {doc} {_first(spec)} |")
    return "\n".join(lines)


def contract_tables() -> str:
    """The methods of each contract; those without a default are required."""
    blocks = []
    for name in _CONTRACTS:
        contract = getattr(seqzoo, name)
        lines = [f"### {name}{_mark(name)}", "", _first(contract), ""]
        lines += ["| method | needed | what it does |", "|---|---|---|"]
        for method, function in _methods(contract):
            needed = "yes" if _is_needed(contract, function) else "no"
            lines.append(f"| `{method}({_arguments(function)})` | {needed} | {_first(function)} |")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def data_tables() -> str:
    """The fields of what plugins give and receive, with shapes and meaning from the docstrings."""
    blocks = []
    for name in _DATA:
        kind = getattr(seqzoo, name)
        lines = [f"### {name}{_mark(name)}", "", _first(kind), ""]
        lines += ["| field | needed | what it is |", "|---|---|---|"]
        said = _fields_in(kind)
        for each in dataclasses.fields(kind):
            has_default = (
                each.default is not dataclasses.MISSING
                or each.default_factory is not dataclasses.MISSING
            )
            shown = f"`{each.name}`{_mark(f'{name}.{each.name}')}"
            lines.append(f"| {shown} | {'no' if has_default else 'yes'} | {said[each.name]} |")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _fields_in(documented: Any) -> dict[str, str]:
    """What a docstring says of each field: sentences that begin with "name:" or "a, b:"."""
    text = " ".join((inspect.getdoc(documented) or "").partition("\n\n")[2].split())
    names = "|".join(field.name for field in dataclasses.fields(documented))
    parts = re.split(rf"(?:^|(?<=\. ))((?:{names})(?:, (?:{names}))*): ", text)
    found = {}
    for listed, said in zip(parts[1::2], parts[2::2], strict=True):
        for name in listed.split(", "):
            found[name] = said.strip().replace("|", "\\|")
    return found


def context_table() -> str:
    """The fields of each context; first those that all have."""
    lines = ["| context | fields |", "|---|---|"]
    of_all = {each.name for each in dataclasses.fields(seqzoo.Context)}
    for name in ["Context", *(each for each in seqzoo.__all__ if each.endswith("Context"))]:
        is_base = len(lines) == 2
        if is_base or name != "Context":
            fields = [
                each.name
                for each in dataclasses.fields(getattr(seqzoo, name))
                if is_base or each.name not in of_all
            ]
            shown = (f"`{each}`{_mark(f'{name}.{each}')}" for each in fields)
            lines.append(f"| `{name}`{_mark(name)} | {', '.join(shown)} |")
    return "\n".join(lines)


def name_table() -> str:
    """Every public name for plugins: stable, or provisional with the reason."""
    lines = ["| name | what it is | may it change? |", "|---|---|---|"]
    names = [name for name in seqzoo.__all__ if _is_for_plugins(name)]
    names += [name for name in PROVISIONAL if "." in name]
    for name in sorted(names, key=str.lower):
        status = f"provisional: {PROVISIONAL[name]}" if name in PROVISIONAL else "stable"
        owner, _, field = name.partition(".")
        what = f"field of `{owner}`" if field else _first(getattr(seqzoo, name))
        lines.append(f"| `{name}` | {what} | {status} |")
    return "\n".join(lines)


def _is_for_plugins(name: str) -> bool:
    home = getattr(getattr(seqzoo, name), "__module__", "")
    return name in ("hookimpl", "State") or home.startswith(("seqzoo.plugin.", "seqzoo.errors"))


def _methods(contract: type) -> Iterator[tuple[str, Any]]:
    for name, value in vars(contract).items():
        if inspect.isfunction(value) and (name == "__call__" or not name.startswith("_")):
            yield name, value


def _is_needed(contract: type, function: Any) -> bool:
    return bool(getattr(function, "__isabstractmethod__", False)) or contract.__name__ == "Stepper"


def _arguments(function: Any) -> str:
    parameters = [*inspect.signature(function).parameters][1:]
    return ", ".join(parameters)


def _mark(name: str) -> str:
    return " (provisional)" if name in PROVISIONAL else ""


def _first(documented: Any) -> str:
    """The first sentence or line of a docstring, for a cell of a table."""
    if documented is seqzoo.hookimpl:
        return "Marks a function of a plugin as a hook."
    if documented is seqzoo.State:
        return "A tree (tuples, lists, dicts) of tensors, every leaf batch-first."
    text = " ".join((inspect.getdoc(documented) or "").partition("\n\n")[0].split())
    return text.replace("|", "\\|")
