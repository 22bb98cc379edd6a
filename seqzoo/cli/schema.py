"""seqzoo schema"""

from __future__ import annotations

import json


def schema() -> None:
    """Print the JSON Schema of recipes, with the options of every installed plugin."""
    from seqzoo.cli.plugins import installed
    from seqzoo.schema import recipe_schema

    print(json.dumps(recipe_schema(installed()), indent=2))
