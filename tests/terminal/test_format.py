from __future__ import annotations

import io
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seqzoo.terminal.format import clock, file_size, pip_install, quoted


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (95, "1:35"), (3600, "1:00:00"),
     (4000, "1:06:40"), (360_000, "100:00:00")],
)  # fmt: skip
def test_seconds_are_formatted_as_a_clock_shows_them(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


@pytest.mark.parametrize("path", ["runs/quick", "läufe und mehr/w", "it's", "$HOME/`x`", "a;b"])
def test_a_quoted_path_is_one_word_for_a_shell(path: str) -> None:
    assert subprocess.check_output(["sh", "-c", f"printf %s {quoted(path)}"]).decode() == path


_HARD = ["läufe/größe", "a\nb", "a\x1b[31m'\\\\1", "l\udce4ufe", "ä1 日本", "a\u202eb"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("path", _HARD)
def test_a_path_that_cannot_be_printed_is_quoted_in_ascii_and_still_the_same(
    monkeypatch: pytest.MonkeyPatch, path: str, encoding: str
) -> None:
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    shown = quoted(path)
    assert shown.isprintable()
    if not shown.isascii():
        assert shown.encode(encoding).decode(encoding) == shlex.quote(path)
    printed = subprocess.check_output(["bash", "-c", f"printf %s {shown}"])
    assert printed == path.encode("utf-8", "surrogateescape")


def test_a_plain_path_is_not_quoted() -> None:
    assert quoted(Path("runs/quick-2")) == "runs/quick-2"


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9949, "9.9 kB"),
        (9951, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (12_345_678, "12 MB"),
        (2_500_000_000, "2.5 GB"),
        (1_234_000_000_000, "1234 GB"),
    ],
)
def test_a_size_has_at_most_three_digits_below_a_terabyte(size: int, shown: str) -> None:
    assert file_size(size) == shown


def test_a_package_with_extras_is_one_word_for_a_shell() -> None:
    assert pip_install("seqzoo[report]") == "pip install 'seqzoo[report]'"
    assert pip_install("brotli") == "pip install brotli"
