"""Scalars of the YAML 1.2 core schema, read and written.

PyYAML follows 1.1, where `1e-3` is text, `no` is false and `12:30` is 750.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

__all__ = ["dump_yaml", "flow_yaml", "resolve"]

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOLEAN = re.compile(r"true|True|TRUE|false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)")
_NAN = re.compile(r"\.(nan|NaN|NAN)")


def resolve(text: str) -> Any:
    """The value of a plain (unquoted) scalar: None, bool, int, float or the text itself.

    A number that is too large becomes infinite, or at least 2**63; the caller refuses both.
    """
    if _NULL.fullmatch(text):
        return None
    if _BOOLEAN.fullmatch(text):
        return text.lower() == "true"
    if _INTEGER.fullmatch(text):
        # int() refuses thousands of digits; every number of that length is too large.
        return int(text) if len(text) < 1000 else 2**63
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _INFINITE.fullmatch(text) or _NAN.fullmatch(text):
        return float(text.replace(".", ""))
    if _FLOAT.fullmatch(text):
        number = float(text)
        # `steps: 1e6` is a whole number; up to 2**53 the conversion is exact.
        whole = "e" in text.lower() and number.is_integer() and abs(number) < 2**53
        return int(number) if whole else number
    return text


def dump_yaml(data: Any) -> str:
    """YAML that `load_yaml` reads as equal data; innermost lists and mappings are on one line."""
    return _dump(data, flow=None)


def flow_yaml(data: Any) -> str:
    """YAML on one line, to be put in the place of a value."""
    return _dump(data, flow=True).removesuffix("...\n").rstrip("\n")


class _Dumper(yaml.SafeDumper):
    """Quotes all text that is not a simple word, and never writes an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def _text(self, text: str) -> yaml.ScalarNode:
        plain = re.fullmatch(r"[A-Za-z_./][A-Za-z0-9_./-]*", text) and resolve(text) == text
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _Dumper._text)


def _dump(data: Any, *, flow: bool | None) -> str:
    """flow: everything on one line; None: only the innermost lists and mappings."""
    return yaml.dump(
        data,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=flow,
        width=math.inf,
    )
