"""The place of an error is a line of the author's own code."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType

import numpy as np
import pytest
import torch

from seqzoo.plugin.place import place_of
from seqzoo.recipes.yaml_reader import load_yaml

HERE = Path(__file__).name


def raised(call: Callable[[], object]) -> BaseException:
    with pytest.raises(Exception) as found:  # noqa: PT011 (any exception: its place is meant)
        call()
    return found.value


@pytest.mark.parametrize(
    "call",
    [
        lambda: 1 / 0,
        lambda: np.stack([np.zeros(2), np.zeros(3)]),
        lambda: torch.nn.Linear(2, 2)(torch.zeros(3)),
        lambda: json.loads("{"),
        lambda: load_yaml("a: [", "text"),
    ],
    ids=["own", "numpy", "torch", "python", "seqzoo"],
)
def test_an_error_in_a_library_is_placed_where_it_was_called(call: FunctionType) -> None:
    line = call.__code__.co_firstlineno
    assert place_of(raised(call)) == f"{HERE}, line {line}"


def test_a_package_that_somebody_installed_is_their_own_code(tmp_path: Path) -> None:
    package = tmp_path / "site-packages" / "theirs" / "__init__.py"
    package.parent.mkdir(parents=True)
    package.write_text("def fail():\n    raise ValueError('no')\n")
    code = (
        f"import sys; sys.path.insert(0, {str(package.parents[1])!r})\n"
        "import theirs\n"
        "from seqzoo.plugin.place import place_of\n"
        "try:\n    theirs.fail()\nexcept ValueError as error:\n    print(place_of(error))\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "__init__.py, line 2\n"


def test_an_error_that_was_never_raised_has_no_place() -> None:
    assert place_of(ValueError("no")) == ""
