"""seqzoo schema [WHAT]"""

from __future__ import annotations

import json
from typing import Annotated

import typer


def schema(
    what: Annotated[
        str,
        typer.Argument(
            help="recipe; or result or card, for the content of result.json and card.json."
        ),
    ] = "recipe",
) -> None:
    """Print the JSON Schema of recipes, with the options of installed plugins, results or cards."""
    from seqzoo.errors import UsageError, did_you_mean
    from seqzoo.terminal.streams import write_data

    known = ("recipe", "result", "card")
    if what not in known:
        raise UsageError(f"there is no schema of '{what}'.{did_you_mean(what, known)}")
    if what == "result":
        from seqzoo.results.result import result_schema

        write_data(json.dumps(result_schema(), indent=2))
        return
    if what == "card":
        from seqzoo.cards.card import card_schema

        write_data(json.dumps(card_schema(), indent=2))
        return
    from seqzoo.cli.plugins import installed
    from seqzoo.recipes.schema import recipe_schema

    write_data(json.dumps(recipe_schema(installed()), indent=2))
