"""The choice of the number of threads, and how torch is set to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from seqzoo import cores as machine
from seqzoo.model import runtime, threads
from seqzoo.model.runtime import make_runtime
from seqzoo.model.threads import Threads, choose_threads
from seqzoo.recipes.sections import RuntimeSection


@pytest.mark.parametrize(
    ("cores", "limit", "busy", "most", "number"),
    [
        (2, None, 0.0, 2, 2),
        (2, None, 0.3, 2, 2),
        (2, None, 1.0, 2, 1),
        (2, None, 2.0, 2, 1),
        (1, None, 1.0, 1, 1),
        (8, None, 0.2, 8, 8),
        (8, None, 1.1, 8, 7),
        (8, None, 8.0, 8, 4),  # half of them, beside one that would use all
        (16, None, 4.0, 8, 8),  # eight cores run two threads each; enough are free
        (16, None, 12.0, 8, 8),
        (8, 1.5, 0.0, 8, 1),
        (8, 2.6, 0.0, 8, 3),
        (64, 4.0, 40.0, 64, 4),
        (2, 0.1, 2.0, 2, 1),
        (8, 100.0, 0.0, 8, 8),
        (8, None, 0.0, 1, 1),  # torch.set_num_threads(1) was called before
    ],
)
def test_threads_get_cores_of_their_own(
    cores: int, limit: float | None, busy: float, most: int, number: int
) -> None:
    chosen = choose_threads(cores, limit=limit, others_busy=busy, most=most)
    assert chosen.number == number
    assert bool(chosen.reason) == (number < most), chosen.reason


def test_the_reason_names_what_was_seen() -> None:
    beside = choose_threads(2, limit=None, others_busy=1.04, most=2)
    assert beside.reason == "1 thread of 2: other processes use 1.0 of the 2 cores"
    within = choose_threads(8, limit=2.0, others_busy=0.0, most=8)
    assert within.reason == "2 threads of 8: the CPU limit is 2 cores"


@pytest.fixture
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """As in a new process with 8 cores, where torch has 8 threads; gives the cores of others.

    Not torch itself but its number is replaced: real threads would be started.
    """
    number = [8]
    busy = [0.0]
    monkeypatch.setattr(torch, "get_num_threads", lambda: number[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda count: number.__setitem__(0, count))
    monkeypatch.setattr(runtime._ThreadCount, "initial", None)
    monkeypatch.setattr(runtime._ThreadCount, "latest", None)
    monkeypatch.setattr(machine, "usable_cores", lambda: frozenset(range(8)))
    monkeypatch.setattr(machine, "core_limit", lambda: None)
    monkeypatch.setattr(machine.OtherProcesses, "seconds", lambda self: 1.0)
    monkeypatch.setattr(machine.OtherProcesses, "busy_cores", lambda self: busy[0])
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    threads.available_threads.cache_clear()
    yield busy
    threads.available_threads.cache_clear()


def made(number: int | None = None, *, recorded: int | None = None) -> Threads:
    built = make_runtime(RuntimeSection(device="cpu", threads=number), recorded_threads=recorded)
    assert torch.get_num_threads() == built.threads
    return Threads(built.threads, built.threads_reason)


def test_a_quiet_machine_gets_all_threads_without_a_word(fresh_process: list[float]) -> None:
    assert made() == Threads(8, "")


def test_the_choice_is_made_once_for_a_process(fresh_process: list[float]) -> None:
    fresh_process[0] = 3.0
    first = made()
    assert first.number == 5
    fresh_process[0] = 0.0
    assert made() == first


def test_a_run_with_its_own_number_leaves_no_trace_in_the_next(fresh_process: list[float]) -> None:
    assert made(1) == Threads(1, "")
    assert made().number == 8


def test_the_number_of_the_environment_is_the_users(
    fresh_process: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    fresh_process[0] = 7.0
    assert made() == Threads(8, "")
    assert made(2) == Threads(2, "")
    assert made() == Threads(8, "")


def test_a_number_that_was_set_in_python_is_the_users(fresh_process: list[float]) -> None:
    torch.set_num_threads(3)
    assert made() == Threads(3, "")
    torch.set_num_threads(6)
    fresh_process[0] = 7.0
    assert made() == Threads(6, "")


def test_a_continued_run_keeps_its_number_and_says_so(fresh_process: list[float]) -> None:
    fresh_process[0] = 4.0
    kept = made(recorded=8)
    assert kept.number == 8
    assert "as at the start of this run" in kept.reason
    assert "a new run would get 4" in kept.reason
    assert made(recorded=4) == Threads(4, "")
    assert made(2, recorded=8) == Threads(2, "")


def test_more_threads_than_cores_are_used_with_a_sentence(fresh_process: list[float]) -> None:
    assert made(9) == Threads(9, "9 threads on 8 cores; 8 threads would be faster")
    assert made(8) == Threads(8, "")


def test_the_reason_is_not_in_the_record(fresh_process: list[float]) -> None:
    fresh_process[0] = 4.0
    built = make_runtime(RuntimeSection(device="cpu"))
    assert built.threads_reason
    assert built.threads_reason not in str(built.record())
