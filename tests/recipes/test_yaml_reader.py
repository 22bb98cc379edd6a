"""YAML text becomes data and marks; hostile text is refused with its line and column."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from own_time import soon_done

from seqzoo.errors import Problem, RecipeError
from seqzoo.recipes.yaml_reader import MAX_BYTES, MAX_DEPTH, MAX_VALUES, load_yaml
from seqzoo.recipes.yaml_scalars import dump_yaml


def refusal(text: str | bytes) -> tuple[Problem, ...]:
    with pytest.raises(RecipeError) as caught:
        load_yaml(text, "x.yaml")
    return caught.value.problems


SCALARS: list[tuple[str, Any]] = [
    ("1e-3", 0.001),
    ("1e6", 1_000_000),
    ("2.5e+1", 25),
    (".5", 0.5),
    ("-7", -7),
    ("007", 7),
    ("0o17", 15),
    ("0x1F", 31),
    ("true", True),
    ("False", False),
    ("null", None),
    ("~", None),
    ("", None),
    ("no", "no"),
    ("on", "on"),
    ("yes", "yes"),
    ("y", "y"),
    ("12:30", "12:30"),
    ("2024-01-01", "2024-01-01"),
    ("1_000", "1_000"),
    ("1.2.3", "1.2.3"),
    ("'1'", "1"),
    ('"true"', "true"),
    ('"a\\tb"', "a\tb"),
    ("<<", "<<"),
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: Any) -> None:
    data, _ = load_yaml(f"key: {text}", "x.yaml")
    assert data["key"] == value
    assert type(data["key"]) is type(value)


def test_marks_give_line_and_column_of_keys_and_values() -> None:
    text = "name: a\ntrain:\n  sizes: [1, {from: 2}]\n  'quoted': x\n"
    data, marks = load_yaml(text, "x.yaml")
    assert data == {"name": "a", "train": {"sizes": [1, {"from": 2}], "quoted": "x"}}
    assert marks.value(("name",)) == ("x.yaml", 1, 7)
    assert marks.key(("train", "sizes")) == ("x.yaml", 3, 3)
    assert marks.value(("train", "sizes", 0)) == ("x.yaml", 3, 11)
    assert marks.key(("train", "sizes", 1, "from")) == ("x.yaml", 3, 15)
    assert marks.value(("train", "sizes", 1, "from")) == ("x.yaml", 3, 21)
    assert marks.value(("train", "absent", "below")) == marks.value(("train",))


def test_a_byte_order_mark_and_carriage_returns_change_neither_data_nor_marks() -> None:
    text = "a: 1\nb: {c: 2}\n"
    data, marks = load_yaml(text, "x.yaml")
    other, moved = load_yaml(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(), "x.yaml")
    assert other == data
    assert (moved.keys, moved.values) == (marks.keys, marks.values)


def test_aliases_repeat_values_as_independent_copies() -> None:
    data, marks = load_yaml("a: &x {b: [1]}\nc: *x\n", "x.yaml")
    data["a"]["b"].append(2)
    assert data["c"] == {"b": [1]}
    assert marks.value(("c", "b", 0)) == ("x.yaml", 2, 4)


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))

HOSTILE: list[tuple[str, str | bytes, int, int, str]] = [
    ("duplicate key", "a: 1\nb: 2\na: 3\n", 3, 1, "already given in line 1"),
    ("duplicate key in flow", "a: {b: 1, b: 2}", 1, 11, "already given in line 1"),
    ("self reference", "a: &a [1, *a]", 1, 11, "inside the value that it repeats"),
    ("self reference by mapping", "a: &a\n  b: *a", 2, 6, "inside the value that it repeats"),
    ("unknown alias", "a: *b", 1, 4, "has no meaning, because no '&b'"),
    ("alias bomb", BOMB, 9, 15, "more than"),
    ("deep flow", "[" * 100_000, 1, MAX_DEPTH + 2, "nested more than"),
    ("deep flow mappings", "{a: " * 25_000, 1, 4 * (MAX_DEPTH + 1) + 1, "nested more than"),
    ("deep block", "".join(" " * n + "a:\n" for n in range(100)), 34, 34, "nested more than"),
    ("deep dashes", "- " * 1000, 1, 2 * (MAX_DEPTH + 1) + 1, "nested more than"),
    (
        "alias under depth",
        "a: &a " + "[" * 20 + "]" * 20 + "\nb: " + "[" * 20 + "*a",
        2,
        24,
        "deep",
    ),
    (
        "many values",
        "a: [" + "1," * (MAX_VALUES + 1) + "]",
        1,
        5 + 2 * (MAX_VALUES - 2),
        "more than",
    ),
    ("core tag", "a: !!str 1", 1, 4, "tag"),
    ("python tag", "a: !!python/object/apply:os.system [ls]", 1, 4, "tag"),
    ("own tag", "a: !x {b: 1}", 1, 4, "tag"),
    ("number as key", "1: a", 1, 1, "must be text, found 1"),
    ("boolean as key", "a: {true: 1}", 1, 5, "must be text, found true"),
    ("null as key", "~: a", 1, 1, "must be text, found ~"),
    ("list as key", "[1]: a", 1, 1, "plain text"),
    ("list as explicit key", "? [1]\n: a", 1, 3, "plain text"),
    ("alias as key", "a: &x b\n*x : c", 2, 1, "plain text"),
    ("tagged key", "!!str a: c", 1, 1, "plain text"),
    ("nan", "a: .nan", 1, 4, "finite"),
    ("infinity", "a:\n  - -.inf", 2, 5, "finite"),
    ("overflowing float", "a: 1e999", 1, 4, "finite"),
    ("large integer", "a: 99999999999999999999", 1, 4, "64 bits"),
    ("endless integer", "a: " + "9" * 50_000, 1, 4, "64 bits"),
    ("endless hexadecimal", "a: 0x" + "f" * 50_000, 1, 4, "64 bits"),
    ("nul", "a: b\nc: \0", 2, 4, "U+0000"),
    ("nul in bytes", b"a: \0", 1, 4, "U+0000"),
    ("escaped nul", 'a: "\\0"', 1, 4, "NUL"),
    ("escape character", "a: \x1b[31m", 1, 4, "U+001B"),
    ("lone surrogate", 'a: "\\ud800"', 1, 4, "surrogate"),
    ("raw surrogate", "a: \ud800", 1, 4, "U+D800"),
    ("escape beyond unicode", 'a: "\\U00110000"', 1, 1, "too large"),
    ("escape beyond integers", 'a: "\\UFFFFFFFF"', 1, 1, "too large"),
    ("latin-1", "a: 1\nb: caf\xe9".encode("latin-1"), 2, 7, "UTF-8"),
    ("utf-16", "a: 1".encode("utf-16"), 1, 1, "UTF-8"),
    ("too large", b"#" * (MAX_BYTES + 1), 1, 1, "larger than"),
    ("two documents", "a: 1\n---\nb: 2", 2, 1, "second document"),
    ("empty", "", 1, 1, "empty"),
    ("comment only", "# nothing\n", 1, 1, "empty"),
    ("unclosed list", "a: [1, 2\nb: 3", 2, 2, "has no end ']'"),
    ("unclosed mapping", "a: {b: 1", 1, 9, "has no end '}'"),
    ("unclosed quote", 'a: "b\nc: d', 2, 5, "no closing quote"),
    ("tab", "a:\n\tb: 1", 2, 1, "tab"),
    ("bad indentation", "a:\n    b: 1\n  c: 2", 3, 3, "indentation"),
    ("colon in text", "a: b: c", 1, 5, "':'"),
    ("missing colon", "a: 1\nb\nc: 2", 3, 1, "':'"),
    ("reserved character", "a: @b", 1, 4, "quotes"),
    ("bare star", "a: *", 1, 5, "quote"),
    ("foreign version", "%YAML 3.0\n---\na: 1", 1, 1, "YAML"),
    ("endless version", "%YAML 1." + "9" * 5000 + "\n---\na: 1", 1, 1, "too large"),
]


@pytest.mark.parametrize(
    ("text", "line", "column", "words"), [case[1:] for case in HOSTILE], ids=[c[0] for c in HOSTILE]
)
def test_hostile_text_is_refused_at_its_place(
    text: str | bytes, line: int, column: int, words: str
) -> None:
    with soon_done():
        (problem,) = refusal(text)
    assert words in problem.message
    assert "\n" not in problem.message
    assert problem.message.endswith(".")
    # PyYAML decides at which column of an escape it stops; only the line is checked there.
    assert problem.line == line
    assert problem.column == column or "too large" in problem.message
    assert len(problem.message) < 200


def test_problems_that_do_not_stop_reading_are_reported_together() -> None:
    problems = refusal("a: .nan\na: !x 1\n2: y\n")
    assert [problem.line for problem in problems] == [1, 2, 2, 3]


@settings(max_examples=200, deadline=1000)
@given(st.text(alphabet=st.sampled_from(list("ab01:,-?&*!|>'\"%@#{}[] \t\n\r\\.~\0\x85\ufeff"))))
def test_any_text_gives_data_or_positioned_problems(text: str) -> None:
    loaded = load_or_positioned_problems(text)
    if loaded is not None:
        assert same(load_yaml(dump_yaml(loaded), "x.yaml")[0], loaded)


@settings(max_examples=100)
@given(st.binary(max_size=60))
def test_any_bytes_give_data_or_positioned_problems(data: bytes) -> None:
    load_or_positioned_problems(data)


def load_or_positioned_problems(text: str | bytes) -> Any:
    try:
        data, marks = load_yaml(text, "x.yaml")
    except RecipeError as error:
        problems = error.problems
    else:
        assert marks.value(()).line >= 1
        return data
    assert problems
    assert all(problem.line >= 1 and problem.column >= 1 for problem in problems)
    return None


TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0")
) | st.sampled_from(
    [text for text, _ in SCALARS] + ["a: b", "- a", "# a", "é", " a ", "a\nb\n", "\u2028", "\x85"]
)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)


def same(one: Any, other: Any) -> bool:
    """Equal, with equal types: 1, 1.0 and True are different."""
    return repr(one) == repr(other)


@settings(max_examples=200)
@given(st.dictionaries(TEXTS, PLAIN, min_size=1, max_size=4))
def test_dumped_data_is_read_as_equal_data(data: dict[str, Any]) -> None:
    assert same(load_yaml(dump_yaml(data), "x.yaml")[0], data)


def test_a_float_is_read_as_a_float_after_dumping() -> None:
    for value in (1.0, 1e15, 1e16, 1e22, 1e-8, 5e-324, math.pi):
        assert same(load_yaml(dump_yaml({"a": value}), "x.yaml")[0], {"a": value})
