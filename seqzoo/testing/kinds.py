"""Which laws each kind of plugin has."""

from __future__ import annotations

import importlib
from typing import Any

from seqzoo.testing.declared import laws_of_declaration
from seqzoo.testing.given import Given
from seqzoo.testing.law import Law

__all__ = ["KINDS", "law_table", "laws_of_kind"]

KINDS = {
    "plugin": "seqzoo.testing.plugins",
    "architecture": "seqzoo.testing.architectures",
    "tokenizer": "seqzoo.testing.tokenizers",
    "optimizer": "seqzoo.testing.optimizers",
    "schedule": "seqzoo.testing.schedules",
    "stream": "seqzoo.testing.streams",
    "sampler": "seqzoo.testing.samplers",
    "decoder": "seqzoo.testing.decoders",
    "corpus": "seqzoo.testing.corpora",
    "baseline": "seqzoo.testing.baselines",
    "tracker": "seqzoo.testing.trackers",
    "launcher": "seqzoo.testing.launchers",
    "check": "seqzoo.testing.checks",
}
"""The module with the laws of each kind."""


class _Unknown(Given[Any]):
    """A declaration of a kind that has no laws of its own."""

    def build(self) -> None:
        """Nothing is built."""


def laws_of_kind(kind: str) -> tuple[type[Given[Any]], tuple[Law, ...]]:
    """How declarations of a kind are given to laws, and its laws, gates first."""
    if kind not in KINDS:
        return _Unknown, laws_of_declaration(kind)
    module = importlib.import_module(KINDS[kind])
    of_all = () if kind == "plugin" else laws_of_declaration(kind)
    return module.GIVEN, (*module.LAWS, *of_all)


def law_table() -> str:
    """All laws as Markdown, for docs/testing.md: a table for each kind, with the usual causes."""
    blocks = []
    for kind, module in KINDS.items():
        lines = [
            f"### {module.rpartition('.')[2].capitalize()}",
            "",
            "| law | what holds | what usually breaks it |",
        ]
        lines.append("|---|---|---|")
        for each in laws_of_kind(kind)[1]:
            mark = " (thorough)" if each.is_thorough else ""
            says = each.says.replace("|", "\\|")
            cause = each.cause.replace("|", "\\|")
            lines.append(f"| `{each.name}`{mark} | {says} | {cause} |")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)
