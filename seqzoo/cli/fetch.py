"""seqzoo fetch CORPUS"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def fetch(
    corpus: Annotated[
        str, typer.Argument(help="Name of a corpus; seqzoo list corpus shows all names.")
    ],
    options: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[OPTION=VALUE]...", help="Options of the corpus.", show_default=False
        ),
    ] = None,
) -> None:
    """Download or make a corpus now, so that runs need no network later."""
    from seqzoo.cli.plugins import installed
    from seqzoo.data.corpus import sha256_of
    from seqzoo.plugin.build import build
    from seqzoo.plugin.contexts import CorpusContext
    from seqzoo.recipes.load import plugin_options
    from seqzoo.recipes.sections import Choice
    from seqzoo.terminal.console import results

    registry = installed()
    checked = plugin_options(registry.get("corpus", corpus), options or [])
    opened = build(
        registry, "corpus", Choice(name=corpus, options=checked), CorpusContext(base=Path.cwd())
    )
    results().print(
        f"{opened.name}: {len(opened.data):,} bytes, sha256 {sha256_of(opened.data)}\n"
        f"{opened.origin}",
        soft_wrap=True,
        markup=False,
    )
