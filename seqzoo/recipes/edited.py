"""Changes values in the text of a recipe; comments and layout of the rest stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Any

import yaml

from seqzoo.recipes.yaml_reader import DataPath
from seqzoo.recipes.yaml_scalars import flow_yaml

__all__ = ["with_values", "without_header", "without_section"]


def with_values(text: str, values: Mapping[DataPath, Any]) -> str:
    """The text of a correct recipe with other values at some paths.

    A value that is a mapping or a list is written on one line. A path whose last key is missing is
    left out.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    places = []
    for path, value in values.items():
        if (node := _node_at(root, path)) is not None:
            places.append((node.start_mark.index, _end(node), flow_yaml(value)))
    for start, end, written in sorted(places, reverse=True):  # from the end, so that places stay
        after_value = max(start, len(text[:end].rstrip()))  # a literal's line end is in its text
        space = " " if text[start - 1] == ":" else ""
        text = text[:start] + space + written + text[after_value:]
    return text


def without_header(text: str, *, keep: Callable[[str], bool]) -> str:
    """The text without the comments and blank lines above its content, except those to keep."""
    lines = text.splitlines(keepends=True)
    above = list(takewhile(lambda line: not line.strip() or line.startswith("#"), lines))
    return "".join([*filter(keep, above), *lines[len(above) :]])


def without_section(text: str, key: str) -> str:
    """The text of a correct recipe without a key of its own; `key: ''` where it is in braces."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        return with_values(text, {(key,): ""})
    for name, value in root.value:
        if name.value == key:
            start, end = name.start_mark.index, _end(value)
            after = text.find("\n", max(start, len(text[:end].rstrip())))
            return text[:start] + (text[after + 1 :] if after >= 0 else "")
    return text


def _node_at(node: yaml.Node | None, path: DataPath) -> yaml.Node | None:
    for part in path:
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == part), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
        else:
            return None
    return node


def _end(node: yaml.Node) -> int:
    """Where the node's text ends: a block's own mark is at what follows it, after comments."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(node, yaml.MappingNode) else last)
    return int(node.end_mark.index)
