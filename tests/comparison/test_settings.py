"""The settings in which recipes differ, all of them and nothing else."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from seqzoo.comparison.settings import differing_settings

values = st.none() | st.booleans() | st.integers(0, 2) | st.floats(0, 1) | st.text("ab", max_size=2)
recipes = st.dictionaries(
    st.sampled_from("pqr"),
    st.recursive(values, lambda inner: st.dictionaries(st.sampled_from("xyz"), inner), max_leaves=8)
    | st.lists(values, max_size=3)
    | st.lists(st.dictionaries(st.sampled_from("xyz"), values, min_size=1), max_size=3),
    min_size=1,
)


def at(recipe: Any, path: str) -> Any:
    """The value at a dotted path; KeyError where there is none."""
    for part in path.split("."):
        if isinstance(recipe, list):
            recipe = dict(enumerate(recipe))[int(part)]
        elif isinstance(recipe, dict):
            recipe = recipe[part]
        else:
            raise KeyError(part)
    return recipe


def put(recipe: Any, path: str, value: Any) -> Any:
    """`recipe` with a value at a path that it already has."""
    first, _, rest = path.partition(".")
    inner = put(at(recipe, first), rest, value) if rest else value
    if isinstance(recipe, list):
        return [inner if str(index) == first else old for index, old in enumerate(recipe)]
    return {key: inner if key == first else old for key, old in recipe.items()}


@given(recipes, recipes)
def test_the_diff_shows_what_recipes_have(first: Any, second: Any) -> None:
    settings = differing_settings([first, second], "AB")
    assert len({setting.path for setting in settings}) == len(settings)
    for setting in settings:
        for letter, recipe in (("A", first), ("B", second)):
            if letter in setting.values:
                assert at(recipe, setting.path) == setting.values[letter]
    assert (settings == ()) == (
        json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    )


@given(recipes, st.data())
def test_the_diff_of_one_change_is_that_change(recipe: Any, data: st.DataObject) -> None:
    missing = differing_settings([recipe, {}], "AB")
    changed = data.draw(st.sets(st.sampled_from([each.path for each in missing])))
    other = recipe
    for path in changed:
        other = put(other, path, "changed")
    settings = differing_settings([recipe, other], "AB")
    assert {setting.path for setting in settings} == changed
    for setting in settings:
        assert setting.values == {"A": at(recipe, setting.path), "B": "changed"}
    assert differing_settings([recipe, recipe], "AB") == ()
