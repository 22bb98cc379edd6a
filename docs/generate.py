"""Make everything in docs/ that follows from the code: schemas, tables, the map and its picture.

    python docs/generate.py            write what is out of date
    python docs/generate.py --check    name what is out of date, write nothing, exit with 1

Plugins of other packages are left out, so that the result does not depend on what is installed.
The table of docs/leaderboard.md is not made here: it needs hours of training (see that page).
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from architecture import file_map, picture
from plugin_api import context_table, contract_tables, data_tables, hook_table, name_table

from seqzoo.cards.card import card_schema
from seqzoo.doctor.causes import causes_table
from seqzoo.doctor.checks import check_table
from seqzoo.plugin.hooks import ENTRY_POINT_GROUP
from seqzoo.plugin.registry import Registry, load_registry
from seqzoo.recipes.schema import field_table, options_table, recipe_schema
from seqzoo.results.result import result_schema
from seqzoo.testing.kinds import law_table

DOCS = Path(__file__).parent


def generated(docs: Path) -> Iterator[tuple[Path, str]]:
    """Each file, with the text that it should have. Pages keep all that is outside their marks."""
    yield docs / "recipe.schema.json", _json(recipe_schema(own_plugins()))
    yield docs / "result.schema.json", _json(result_schema())
    yield docs / "card.schema.json", _json(card_schema())
    yield docs / "pictures" / "architecture.svg", picture()
    for page, tables in {
        "recipes.md": {
            "fields": field_table(),
            "optimizers": options_table(own_plugins(), "optimizer"),
            "schedules": options_table(own_plugins(), "schedule"),
        },
        "doctor.md": {"checks": check_table(load_registry()), "causes": causes_table()},
        "architecture.md": {"files": file_map()},
        "leaderboard.md": {"cards": card_links(docs / "cards")},
        "testing.md": {"laws": law_table()},
        "plugins.md": {
            "hooks": hook_table(),
            "contracts": contract_tables(),
            "data": data_tables(),
            "contexts": context_table(),
            "names": name_table(),
        },
    }.items():
        path = docs / page
        text = path.read_text(encoding="utf-8")
        for mark, table in tables.items():
            text = between_marks(text, mark, table, path)
        yield path, text


def card_links(folder: Path) -> str:
    """A link to each card in docs/cards/, by the name of its recipe."""
    links = [f"- [{path.stem}](cards/{path.name})" for path in sorted(folder.glob("*.json"))]
    return "\n".join(links)


def between_marks(page: str, mark: str, table: str, path: Path) -> str:
    """The page with what is between `<!-- mark -->` and `<!-- end of mark -->` replaced."""
    begin, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
    before, found_begin, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise SystemExit(f"{path} needs the lines '{begin.strip()}' and '{end}'")
    table = table.strip("\n")
    return f"{before}{begin}\n{table}\n\n{end}{after}"


def own_plugins() -> Registry:
    """The plugins of this repository alone."""
    others = [
        entry_point.name
        for distribution in metadata.distributions()
        if distribution.name != "seqzoo"
        for entry_point in distribution.entry_points.select(group=ENTRY_POINT_GROUP)
    ]
    os.environ["SEQZOO_DISABLE"] = ",".join(others)
    os.environ["SEQZOO_STRICT_PLUGINS"] = "1"
    return load_registry()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1")
    parser.add_argument("--docs", type=Path, default=DOCS, metavar="FOLDER", help="another copy")
    arguments = parser.parse_args()
    outdated = [
        (path, text)
        for path, text in generated(arguments.docs)
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    for path, text in outdated:
        if arguments.check:
            print(f"{path} is out of date: run python docs/generate.py")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path}")
    return 1 if arguments.check and outdated else 0


def _json(schema: object) -> str:
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
