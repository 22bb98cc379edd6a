"""The user's own text in place of a recipe's corpus (`--text`).

No corpus is known by name here: each corpus that can open texts of users declares `for_texts`, and
is asked whether it is made for these.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from seqzoo.errors import PluginError, UsageError, require_type
from seqzoo.plugin.registry import Registry
from seqzoo.plugin.specs import Options
from seqzoo.recipes.paths import expanded
from seqzoo.terminal.format import quoted

__all__ = ["Texts", "corpus_of", "texts_of"]

Texts: TypeAlias = "str | os.PathLike[str] | Sequence[str | os.PathLike[str]]"
"""A file, a folder, a glob pattern, `-` for stdin, or several of them."""

_EXPECTED = "a file, a folder, a pattern, or a list of them"


def texts_of(texts: Texts | None) -> tuple[str, ...]:
    """What the user gave, as a tuple; () for None. Raises UsageError for what names no text."""
    if texts is None:
        return ()
    if isinstance(texts, (str, os.PathLike)):
        texts = [texts]
    elif isinstance(texts, (bytes, Mapping)) or not isinstance(texts, Iterable):
        raise UsageError(f"text is {texts!r:.60}, expected {_EXPECTED}.")
    listed = list(texts)
    for each in listed:
        require_type("text", each, (str, os.PathLike), expected=_EXPECTED)
    given = tuple(os.fspath(text) for text in listed)
    if not given:
        raise UsageError(f"text is an empty list, expected {_EXPECTED}.")
    if not all(text.strip() for text in given):
        raise UsageError("text is empty, expected a file, a folder, a pattern, or - for stdin.")
    if any(re.search("[\0\ud800-\udfff]", text) for text in given):
        if (encoding := sys.getfilesystemencoding()) != "utf-8":
            raise UsageError(
                f"the encoding of the locale is {encoding.upper()}, in which the name of a text "
                f"cannot be written; run again with LC_ALL=C.UTF-8."
            )
        raise UsageError("the name of a text is not UTF-8; rename it, or give its folder.")
    for text in given:
        if re.match(r"(https?|ftp)://", text, re.IGNORECASE):
            raise UsageError(
                f"{text} is an address, and a text is a file; download it first: curl -LO "
                f"{quoted(text)}"
            )
    return given


def corpus_of(
    texts: Sequence[str], registry: Registry, *, here: Path, own: Mapping[str, Any]
) -> dict[str, Any]:
    """The section `corpus` of a recipe that is to use these texts, as plain data.

    here: the folder that relative paths start from. own: the recipe's section; its split is kept.
    Raises UsageError if no corpus opens the texts, or more than one.
    """
    from seqzoo.plugin.build import as_plugin_error  # imports numpy; most recipes need none

    absolute = tuple(
        text if text == "-" else str(here.resolve() / expanded(text)) for text in texts
    )
    opened = {}
    for entry in registry.registered("corpus"):
        if entry.spec.for_texts is None:
            continue
        with as_plugin_error(registry, "corpus", entry.spec.name):
            options = entry.spec.for_texts(absolute)
        if options is not None:
            opened[entry.spec.name] = _plain(entry.spec.name, options)
    shown = ", ".join(f"'{text}'" for text in texts)
    if not opened:
        raise UsageError(f"no installed corpus opens {shown}; 'seqzoo list corpus' shows all.")
    if len(opened) > 1:
        raise UsageError(
            f"{shown} can be opened by the corpora {' and '.join(opened)}; choose one with "
            "corpus.name and corpus.options instead of a text."
        )
    [(name, plain)] = opened.items()
    split = {"split": own["split"]} if "split" in own else {}
    return {"name": name, "options": plain, **split}


def _plain(name: str, options: Options) -> dict[str, Any]:
    if not isinstance(options, Options):
        raise PluginError(
            f"corpus '{name}': for_texts returned {type(options).__name__}, expected its options "
            f"or None."
        )
    return options.model_dump(mode="json", exclude_unset=True)
