"""Options that are numbers, and what is said of a command line that lacks something."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from seqzoo.cli import app
from seqzoo.cli.group import sentence_of
from seqzoo.cli.options import whole_number
from seqzoo.errors import UsageError


def _numbers(command: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every option of every command that has the metavar of a number."""
    inner = getattr(command, "commands", {})
    found = [each for name, child in inner.items() for each in _numbers(child, (*path, name))]
    own = [] if inner else [each for each in command.params if each.metavar == "N"]
    return found + [(*path, name) for each in own for name in each.opts]


NUMBERS = _numbers(typer.main.get_command(app))


def test_the_options_that_are_numbers_are_found() -> None:
    assert {("sample", "--length"), ("eval", "--lanes"), ("sweep", "-j")} <= set(NUMBERS)


@pytest.mark.parametrize("wrong", ["abc", "-1", "1.5", "", "nan", "inf", "1e", "0x10"])
@pytest.mark.parametrize("words", NUMBERS, ids=" ".join)
def test_a_wrong_number_is_one_sentence_in_the_words_of_recipes(
    words: tuple[str, ...], wrong: str
) -> None:
    *command, option = words
    expected = rf"^--[a-z-]+ is '{wrong}', expected a whole number of at least [01]\.$"
    with pytest.raises(UsageError, match=expected):
        app([*command, option, wrong, "x"], standalone_mode=False)


@pytest.mark.parametrize("words", NUMBERS, ids=" ".join)
def test_a_number_of_more_than_64_bits_is_one_sentence_with_the_range(
    words: tuple[str, ...],
) -> None:
    *command, option = words
    expected = rf"^--[a-z-]+ is '{2**63}', expected a whole number from [01] to {2**63 - 1}\.$"
    with pytest.raises(UsageError, match=expected):
        app([*command, option, str(2**63), "x"], standalone_mode=False)


@pytest.mark.parametrize("text", ["2000", "2e3", "2_000", " 2000", "2000.0", "+2000"])
def test_a_whole_number_can_be_written_as_in_recipes(text: str) -> None:
    assert whole_number("--length", least=1, help="").parser(text) == 2000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sample",), "seqzoo sample needs RUN, and it is missing. 'seqzoo runs' lists the runs."),
        (("eval",), "seqzoo eval needs RUN, and it is missing. 'seqzoo runs' lists the runs."),
        (("compare",), "'seqzoo runs' lists the runs. See 'seqzoo compare --help'."),
        (
            ("run",),
            "the recipe is missing; for example: seqzoo run quick. See 'seqzoo run --help'.",
        ),
        (("sample", "big", "-t"), "See 'seqzoo sample --help'."),
        (("eval", "big", "--lanes"), "See 'seqzoo eval --help'."),
    ],
)
def test_what_is_missing_is_named_with_the_help_of_its_command(
    arguments: tuple[str, ...], said: str
) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 (it has no public name)
        app(list(arguments), standalone_mode=False, prog_name="seqzoo")
    assert said in sentence_of(caught.value, arguments)
