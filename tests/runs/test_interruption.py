"""Signals are noted and reported once, and obeyed after the current update."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
import typer

from seqzoo import cli
from seqzoo.runs.interruption import Interruption
from seqzoo.terminal import signals
from seqzoo.terminal.display import TerminalDisplay


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_noted_and_the_process_continues(number: signal.Signals) -> None:
    with Interruption(lambda _: "stopping") as interruption:
        assert interruption.received is None
        os.kill(os.getpid(), number)
        assert interruption.received == number
    assert signal.getsignal(number) == signal.SIG_DFL


@pytest.fixture(autouse=True)
def _not_ignored() -> Iterator[None]:
    """Signals are not ignored in tests, even if the tests run in the background."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def test_a_second_interrupt_stops_at_once() -> None:
    with Interruption(lambda _: "stopping"):
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_command_that_is_stopped_at_once_prints_a_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupted = typer.Typer()

    @interrupted.command()
    def command() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupted)
    monkeypatch.setattr("sys.argv", ["seqzoo"])
    signals.reset()  # a test before this one may have ended in a stage
    assert cli._exit_code() == 130
    assert capsys.readouterr().err == "Stopped.\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_ctrl_c_is_proposed_only_after_a_first(
    number: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    with Interruption(TerminalDisplay().on_signal):
        os.kill(os.getpid(), number)
    said = capfd.readouterr().err
    assert "stopping after this update" in said
    assert ("Ctrl-C" in said) == (number == signal.SIGINT)


def test_an_ignored_signal_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Interruption(lambda _: "stopping") as interruption:
        os.kill(os.getpid(), signal.SIGHUP)
        assert interruption.received is None


def test_a_signal_is_noted_when_the_terminal_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gone(*_: object) -> int:
        raise OSError(5, "Input/output error")

    with Interruption(lambda _: "stopping") as interruption:
        monkeypatch.setattr(os, "write", gone)
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.received == signal.SIGTERM
