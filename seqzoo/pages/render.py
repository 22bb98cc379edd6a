"""Renders a page from a template: style and script inside, nothing loaded, nothing executed.

Texts of strangers (names, samples, corpora) are escaped, and characters that cannot be seen or that
reorder others are shown. The page's policy allows the scripts that are written here, by their hash,
and no other.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from seqzoo.terminal.characters import visible
from seqzoo.version import __version__

__all__ = ["page_policy", "render"]

_PACKAGE = "seqzoo.pages"


def render(
    packages: Sequence[str],
    template: str,
    *,
    title: str,
    scripts: Sequence[str] = (),
    **values: Any,
) -> str:
    """A page from a template, which extends `base.html.j2`.

    packages: whose templates it may use, besides those of this one.
    scripts: names of scripts of this package; the page can be read without them.
    """
    page = (
        _environment(tuple(packages))
        .get_template(template)
        .render(
            title=title,
            style=Markup(_file("style.css")),
            script=Markup(_script(tuple(scripts))),
            policy=page_policy(scripts),
            version=__version__,
            **values,
        )
    )
    return page.translate(_SURROGATES)


_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}")
"""Bytes of file names that are not UTF-8, which no page can contain."""


def page_policy(scripts: Sequence[str]) -> str:
    """The Content-Security-Policy of a page with these scripts."""
    digest = hashlib.sha256(_script(tuple(scripts)).encode()).digest()
    allowed = f"'sha256-{base64.b64encode(digest).decode()}'" if scripts else "'none'"
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src {allowed}; img-src data:; "
        f"connect-src 'self'; base-uri 'none'; form-action 'none'"
    )


@cache
def _environment(packages: tuple[str, ...]) -> Environment:
    return Environment(
        loader=ChoiceLoader([PackageLoader(each, "") for each in (*packages, _PACKAGE)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # What is printed is escaped after this; Markup is ours, and stays as it is.
        finalize=lambda value: visible(value) if type(value) is str else value,
    )


def _script(names: tuple[str, ...]) -> str:
    return "\n".join(map(_file, names))


@cache
def _file(name: str) -> str:
    return files(_PACKAGE).joinpath(name).read_text(encoding="utf-8")
