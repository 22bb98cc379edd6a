"""A warning of the Python API points at the line of the user."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from seqzoo import SeqzooWarning, leaderboard
from seqzoo.terminal.caller import warn_caller
from seqzoo.terminal.display import Display


@pytest.mark.parametrize("depth", [0, 1, 5])
def test_a_warning_points_at_the_line_that_called_seqzoo(depth: int) -> None:
    space: dict[str, Any] = {"__name__": "seqzoo.somewhere", "warn": warn_caller}
    exec("def ours(depth):\n    ours(depth - 1) if depth else warn('careful')", space)
    with pytest.warns(SeqzooWarning, match="careful") as caught:
        space["ours"](depth)
    assert [each.filename for each in caught] == [__file__]


def test_a_warning_of_the_silent_display_points_at_its_caller() -> None:
    with pytest.warns(SeqzooWarning, match="careful") as caught:
        Display().warn("careful")
    assert [each.filename for each in caught] == [__file__]


def test_a_damaged_result_is_reported_at_the_call(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.yaml").touch()
    (tmp_path / "run" / "result.json").write_text("{")
    with pytest.warns(SeqzooWarning) as caught:
        leaderboard(tmp_path)
    assert {each.filename for each in caught} == {__file__}


def test_a_warning_can_be_an_error() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", SeqzooWarning)
        with pytest.raises(SeqzooWarning):
            Display().warn("careful")
