"""The name of a package is one that pip, Python, YAML and recipes can use."""

from __future__ import annotations

import keyword
import re
import string
import sys

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from seqzoo.errors import UsageError
from seqzoo.plugin.specs import Spec
from seqzoo.templates.names import MOST_LETTERS, package_name

TAKEN = {"lstm": "plugin 'lstm' (seqzoo 1.0)", "my_lstm": "plugin 'my_lstm'"}


@pytest.mark.parametrize("typed", ["min-gru", "min_gru", "seqzoo-min-gru", "seqzoo_min_gru"])
def test_all_spellings_of_a_name_are_the_same_package(typed: str) -> None:
    name = package_name(typed, TAKEN)
    assert (name.plugin, name.distribution, name.module) == (
        "min_gru",
        "seqzoo-min-gru",
        "seqzoo_min_gru",
    )


@pytest.mark.parametrize(
    ("typed", "reason", "other"),
    [
        ("MyCell", "lower-case", "my-cell"),
        ("my.cell", "lower-case", "my-cell"),
        ("my--cell", "lower-case", "my-cell"),
        ("-cell", "lower-case", "cell"),
        ("my cell", "lower-case", "my-cell"),
        ("../cell", "lower-case", "cell"),
        ("3d_net", "lower-case", "my-3d-net"),
        ("naïve", "lower-case", "naive"),
        ("模型", "lower-case", "cell"),
        ("", "lower-case", "cell"),
        ("x" * 41, "41 letters", "x" * 37),
        ("class", "keyword", "my-class"),
        ("random", "comes with Python", "my-random"),
        ("seqzoo", "program", "my-seqzoo"),
        ("seqzoo-", "lower-case", "cell"),
        ("null", "YAML", "my-null"),
        ("yes", "YAML", "my-yes"),
        ("lstm", "plugin 'lstm' (seqzoo 1.0)", "my-lstm-2"),
        ("seqzoo-lstm", "plugin 'lstm' (seqzoo 1.0)", "my-lstm-2"),
    ],
)
def test_a_wrong_name_is_refused_with_the_reason_and_another_one(
    typed: str, reason: str, other: str
) -> None:
    with pytest.raises(UsageError) as refused:
        package_name(typed, TAKEN)
    message = str(refused.value)
    assert message.startswith(f"'{typed}' cannot be the name of a plugin, because ")
    assert reason in message
    assert re.search(r"(\S+)\.$", message)[1] == other  # type: ignore[index]


@given(typed=st.text(string.ascii_letters + string.digits + "-_. é", max_size=50) | st.text())
def test_every_name_or_the_one_proposed_for_it_can_be_used_everywhere(typed: str) -> None:
    try:
        name = package_name(typed, TAKEN)
    except UsageError as refused:
        name = package_name(str(refused).removesuffix(".").rsplit(" ", 1)[1], TAKEN)
    assert name.plugin not in TAKEN
    assert len(name.plugin) <= MOST_LETTERS
    assert name.module.isidentifier()
    assert not keyword.iskeyword(name.plugin)
    assert name.plugin not in sys.stdlib_module_names
    assert yaml.safe_load(f"name: {name.plugin}") == {"name": name.plugin}
    assert Spec.pattern.fullmatch(name.plugin)
    pep_503 = re.sub(r"[-_.]+", "-", name.module).lower()
    assert name.distribution == pep_503
