"""What is left out of the text of a recipe leaves the rest as it was."""

from __future__ import annotations

import pytest
import yaml

from seqzoo.recipes.edited import without_header, without_section


@pytest.mark.parametrize(
    "description", ["one line  # why", ">\n  two\n  lines", '"a\n  b"', "|\n  x\n\n  y\n", "''", ""]
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_section_is_left_out_and_the_others_stay(description: str, place: int) -> None:
    others = ["# of a\nname: a\n", "corpus: {name: b}  # mine\n"]
    section = f"description: {description}\n"
    text = without_section("".join([*others[:place], section, *others[place:]]), "description")
    assert "".join(text.split()) == "".join("".join(others).split())
    assert yaml.safe_load(text) == {"name": "a", "corpus": {"name": "b"}}


def test_a_section_in_braces_becomes_empty() -> None:
    text = without_section("{name: a, description: b c, corpus: d}\n", "description")
    assert yaml.safe_load(text) == {"name": "a", "description": "", "corpus": "d"}


def test_only_comments_above_the_content_are_left_out() -> None:
    text = "# keep\n\n# drop\nname: a  # b\n# c\nseed: 1\n"
    left = without_header(text, keep=lambda line: "keep" in line)
    assert left == "# keep\nname: a  # b\n# c\nseed: 1\n"
