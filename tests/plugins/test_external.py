"""The baseline `external`: sizes as other programs give them, and programs that misbehave."""

from __future__ import annotations

import lzma
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest import SkipTest

import numpy as np
import pytest
from pydantic import ValidationError

from seqzoo import BaselineContext, BaselineScore, Span, UsageError
from seqzoo.testing import check, laws
from seqzoo_plugins.external import register_baselines
from seqzoo_plugins.external.options import ExternalOptions

TEXT = b"".join(
    b"Scene %d. Enter a messenger of %d words, and exit %x.\n" % (i, i * i % 97, i * 7919)
    for i in range(400)
)
DATA = np.frombuffer(TEXT, dtype=np.uint8)
CUT = len(TEXT) - 2000
SPLITS = {
    "validation": Span(DATA, CUT, CUT + 1000),
    "test": Span(DATA, CUT + 1000, len(TEXT)),
    "held_out": Span(DATA, CUT, len(TEXT)),
}
(SPEC,) = register_baselines()


def python(program: str, *words: str) -> list[str]:
    """The command of a Python program; `read`, `write` and `argv` are defined in it."""
    begin = (
        "import os, subprocess, sys, time, zlib\n"
        "argv = sys.argv[1:]\n"
        "read = lambda path: open(path, 'rb').read()\n"
        "write = lambda path, data: open(path, 'wb').write(data)\n"
    )
    return [sys.executable, "-I", "-c", begin + program, *words]


PRINTS = python("sys.stdout.buffer.write(zlib.compress(read(argv[0]), 9))", "{input}")
WRITES = python("write(argv[1], zlib.compress(read(argv[0]), 9))", "{input}", "{output}")
RESTORES = python("write(argv[1], zlib.decompress(read(argv[0])))", "{input}", "{output}")
SLEEPS = python("time.sleep(600)", "{input}")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary folders; nothing may stay in it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def score(compress: Any, splits: Mapping[str, Span] = SPLITS, **options: Any) -> BaselineScore:
    given = ExternalOptions(compress=compress, **options)
    context = BaselineContext(training=DATA[:CUT], splits=splits, label="mine")
    steps = list(SPEC.score(given, context))
    (found,) = (each for each in steps if isinstance(each, BaselineScore))
    shares = [each for each in steps if not isinstance(each, BaselineScore)]
    assert shares == sorted(shares)
    return found


def expected(compress: Callable[[bytes], bytes]) -> dict[str, float]:
    """The accounting of a primed compressor, from its function."""
    training = TEXT[:CUT]
    return {
        name: 8.0
        * (len(compress(training + TEXT[span.start : span.stop])) - len(compress(training)))
        for name, span in SPLITS.items()
    }


@pytest.mark.parametrize("command", [PRINTS, WRITES], ids=["prints", "writes"])
def test_a_split_costs_what_it_adds_to_the_compressed_training_part(command: list[str]) -> None:
    found = score(command, decompress=RESTORES)
    assert found.bits == expected(lambda data: zlib.compress(data, 9))
    assert (found.name, found.adaptive, found.accuracy) == ("primed mine", True, {})


@pytest.mark.parametrize(
    ("command", "compress"),
    [
        ("xz -9 -k -c {input}", lambda data: lzma.compress(data, preset=9)),
        ("gzip -9 -n -c {input}", lambda data: zlib.compress(data, 9)),
    ],
)
def test_an_installed_program_has_the_score_of_its_library(
    command: str, compress: Callable[[bytes], bytes]
) -> None:
    program = command.split()[0]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    found = score(command, decompress=f"{program} -d -c {{input}}" if program == "xz" else None)
    for split, bits in expected(compress).items():
        # The versions of a library can choose other matches; xz pads to 4 bytes.
        assert found.bits[split] == pytest.approx(bits, rel=0.01, abs=32)


def test_the_laws_of_baselines_hold() -> None:
    assert check("external", options={"compress": PRINTS}) == []


def test_it_needs_a_command_where_it_is_checked_and_is_skipped_where_all_are() -> None:
    with pytest.raises(UsageError, match="needs the option 'compress', which has no default"):
        check("external")
    all_laws = [each for each in laws(kinds=["baseline"]) if ".external." in each.name]
    assert all_laws
    for each in all_laws:
        with pytest.raises(SkipTest, match="its option 'compress' has no default"):
            each.check()


def test_an_output_can_have_an_ending(temporary: Path) -> None:
    command = python("write(argv[1], zlib.compress(read(argv[0]), 9))", "{input}", "{output}.z")
    assert score(command, decompress=RESTORES).bits == score(WRITES).bits
    assert not list(temporary.iterdir())


def test_no_shell_reads_the_words_and_nothing_can_be_typed() -> None:
    program = (
        "assert argv[1:] == ['$HOME', ';', '*', '`id`'], argv\n"
        "assert sys.stdin.read() == ''\n"
        "assert sorted(os.listdir()) == ['errors', 'input', 'output'], os.listdir()\n"
        "sys.stdout.buffer.write(zlib.compress(read(argv[0]), 9))"
    )
    assert score(python(program, "{input}", "$HOME", ";", "*", "`id`")).bits == score(PRINTS).bits


FAILURES = {
    "not installed": (["no_such_compressor", "{input}"], "is not installed, or not in a folder"),
    "exit code": (
        python("sys.stderr.write('one\\n\\x1b[2Jtwo \\n\\n'); sys.exit(3)", "{input}"),
        r"ended with exit code 3: \[2Jtwo$",
    ),
    "signal": (python("os.kill(os.getpid(), 9)", "{input}"), "ended with signal SIGKILL"),
    "nothing printed": (python("", "{input}"), "wrote nothing to its output"),
    "no file": (python("", "{input}", "{output}"), r"wrote nothing to {output}"),
    "empty file": (python("write(argv[1], b'')", "{input}", "{output}"), "wrote nothing"),
    "a link": (python("os.symlink(argv[0], argv[1])", "{input}", "{output}"), "wrote nothing"),
    "a folder": (python("os.mkdir(argv[1])", "{input}", "{output}"), "wrote nothing"),
    "too much, and ends": (
        python("os.truncate(os.open(argv[1], 65), 1 << 34)", "{input}", "{output}"),
        "wrote more than",
    ),
    "too much, without an end": (
        python("sys.stdout.truncate(1 << 34); time.sleep(600)", "{input}"),
        "wrote more than",
    ),
}


@pytest.mark.parametrize(("command", "message"), FAILURES.values(), ids=FAILURES)
def test_a_program_that_fails_is_one_sentence(
    command: list[str], message: str, temporary: Path
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        score(command)
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()
    assert not list(temporary.iterdir())


@pytest.mark.parametrize(
    "restores",
    [
        "write(argv[1], zlib.decompress(read(argv[0]))[:-1] + b'?')",
        "write(argv[1], zlib.decompress(read(argv[0])) + b'?')",
        "write(argv[1], read('original')) if os.path.exists('input') else write(argv[1], b'?')",
    ],
    ids=["other byte", "longer", "input is still there"],
)
def test_bytes_that_do_not_come_back_are_refused(restores: str) -> None:
    with pytest.raises(UsageError, match="does not give back the bytes"):
        score(PRINTS, decompress=python(restores, "{input}", "{output}"))


def test_a_program_whose_settings_depend_on_the_size_is_refused() -> None:
    """It compresses the training part better when a split follows, which is no merit."""

    def command(largest: int) -> list[str]:
        level = f"9 if len(read(argv[0])) > {largest} else 1"
        return python(f"sys.stdout.buffer.write(zlib.compress(read(argv[0]), {level}))", "{input}")

    assert score(command(0)).bits == score(PRINTS).bits
    with pytest.raises(UsageError, match="it takes other settings for larger files"):
        score(command(CUT))
    # Splits that are not parts of each other say nothing about it.
    assert score(command(CUT), {"test": SPLITS["test"]}).bits.keys() == {"test"}


def test_a_program_that_hangs_is_ended_at_its_limit(temporary: Path) -> None:
    with pytest.raises(UsageError, match=r"takes longer than max_seconds \(0\.2 s\)"):
        score(SLEEPS, max_seconds=0.2)
    assert not list(temporary.iterdir())


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # An orphan that has ended stays in the list until somebody asks for its exit code.
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True
    )
    return state.stdout.strip()[:1] not in ("", "Z")


@pytest.mark.parametrize("how", ["closed", "interrupted", "ends alone"])
def test_no_process_of_a_program_outlives_it(
    how: str, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = tmp_path / "pids"
    program = (
        "child = subprocess.Popen([sys.executable, '-I', '-c', 'import time; time.sleep(600)'])\n"
        "open(argv[1], 'a').write(f'{os.getpid()} {child.pid}\\n')\n"
    ) + ("" if how == "ends alone" else "time.sleep(600)")
    options = ExternalOptions(compress=python(program, "{input}", str(pids)))
    steps = iter(SPEC.score(options, BaselineContext(training=DATA[:CUT], splits=SPLITS)))
    if how == "ends alone":
        with pytest.raises(UsageError, match="wrote nothing"):
            list(steps)
    else:
        end = time.monotonic() + 60
        while not (pids.exists() and pids.read_text().endswith("\n")):
            next(steps)
            assert time.monotonic() < end
        if how == "closed":
            steps.close()  # type: ignore[attr-defined]
        else:
            waits = subprocess.Popen.wait

            def interrupted(process: Any, timeout: float | None = None) -> int:
                if timeout is not None:
                    os.kill(os.getpid(), signal.SIGINT)
                return waits(process, timeout)

            monkeypatch.setattr(subprocess.Popen, "wait", interrupted)
            with pytest.raises(KeyboardInterrupt):
                list(steps)
    assert not list(temporary.iterdir())
    started = [int(word) for word in pids.read_text().split()]
    assert len(started) == 2
    end = time.monotonic() + 20
    while any(map(is_alive, started)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(is_alive, started))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("gzip -9", "has no {input}"),
        (["gzip"], "has no {input}"),
        ("c {input} {output} {output}", "{output} more than once"),
        ("./c {input}", "begins with '/'"),
        ("../c {input}", "begins with '/'"),
        ("c 'a {input}", "No closing quotation"),
        ("", "the words of a command"),
        ([], "the words of a command"),
        (["", "{input}"], "expected the name of an installed program"),
        (["c", 3], "the words of a command"),
        (["c\0", "{input}"], "the words of a command"),
        (5, "the words of a command"),
        (None, "the words of a command"),
    ],
)
def test_a_command_that_cannot_be_run_is_refused(command: Any, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ExternalOptions(compress=command)
    assert message in str(caught.value)


def test_a_text_is_split_as_a_shell_does_it() -> None:
    text = ExternalOptions(compress="c -x 'a b' {input}")
    assert text == ExternalOptions(compress=["c", "-x", "a b", "{input}"])
    assert text.compress == ("c", "-x", "a b", "{input}")
