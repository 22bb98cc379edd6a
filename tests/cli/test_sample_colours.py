"""seqzoo sample --show-probabilities: the same text, with colours; refused where there are none."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from commands import seqzoo

import seqzoo as api

ESCAPE = re.compile("\x1b\\[[0-9;]*m")


def in_colours(
    *arguments: str, folder: Path, force: str = "1", without: str = ""
) -> subprocess.CompletedProcess[str]:
    return seqzoo(
        *arguments,
        folder=folder,
        FORCE_COLOR=force,
        NO_COLOR=without,
        COLORTERM="truecolor",
        TERM="xterm-256color",
    )


def test_the_text_is_that_of_sample_and_the_mean_is_its_score(finished: Path) -> None:
    arguments = ("sample", "runs/small", "-n", "60", "--prompt", "Ab\n", "--seed", "3")
    plain = seqzoo(*arguments, folder=finished)
    assert plain.returncode == 0, plain.stderr
    text = plain.stdout.removesuffix("\n")
    done = in_colours(*arguments, "--show-probabilities", folder=finished)
    assert done.returncode == 0, done.stderr
    assert ESCAPE.search(done.stdout)
    *lines, legend, mean = ESCAPE.sub("", done.stdout).rstrip("\n").split("\n")
    shown = "\n".join(lines).replace("↵", "").replace("␣", " ")
    assert shown == text
    assert "8 or more" in legend
    expected = api.open_run(finished / "runs" / "small").score(text).bits_per_byte
    assert float(mean.split()[1]) == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize(
    ("more", "force", "without"), [((), "", ""), ((), "1", "1"), (("--raw",), "1", "")]
)
def test_without_colours_it_is_refused_before_the_model_is_loaded(
    finished: Path, more: tuple[str, ...], force: str, without: str
) -> None:
    done = in_colours(
        "sample", "runs/small", "--show-probabilities", *more, folder=finished, force=force,
        without=without,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert "loading the model" not in done.stderr
    assert "--show-probabilities" in done.stderr
