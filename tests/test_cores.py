"""What is read of the processor, from made folders, and what other processes use."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

import pytest

from seqzoo import cores
from seqzoo.cores import CoreTime, OtherProcesses, core_limit, core_time, whole_cores


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


GROUPS = {
    "no control groups": ({}, None),
    "version 2 in a container": (
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"},
        1.5,
    ),
    "version 2 without a limit": (
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"},
        None,
    ),
    "version 2, the limit of a parent": (
        {
            "proc/self/cgroup": "0::/user.slice/job.scope\n",
            "sys/fs/cgroup/user.slice/cpu.max": "200000 100000\n",
            "sys/fs/cgroup/user.slice/job.scope/cpu.max": "max 100000\n",
        },
        2.0,
    ),
    "version 2, the smallest of several": (
        {
            "proc/self/cgroup": "0::/a/b\n",
            "sys/fs/cgroup/a/cpu.max": "400000 100000\n",
            "sys/fs/cgroup/a/b/cpu.max": "25000 50000\n",
        },
        0.5,
    ),
    "version 2, the path of the host": (
        {
            "proc/self/cgroup": "0::/docker/4f2a\n",
            "sys/fs/cgroup/cpu.max": "300000 100000\n",
        },
        3.0,
    ),
    "version 1": (
        {
            "proc/self/cgroup": "5:memory:/\n4:cpu,cpuacct:/box\n",
            "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us": "250000\n",
            "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us": "100000\n",
        },
        2.5,
    ),
    "version 1, mounted by its short name": (
        {
            "proc/self/cgroup": "4:cpuacct,cpu:/\n1:name=systemd:/\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
        1.0,
    ),
    "version 1 without a limit": (
        {
            "proc/self/cgroup": "1:cpu:/\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
        None,
    ),
    "both versions, version 1 limits": (
        {
            "proc/self/cgroup": "1:cpu:/\n0::/\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
        0.5,
    ),
    "cpuset alone": (
        {"proc/self/cgroup": "3:cpuset:/\n", "sys/fs/cgroup/cpuset/cpu.max": "1 2\n"},
        None,
    ),
    "damaged": (
        {"proc/self/cgroup": "what\n0::/../..\n", "sys/fs/cgroup/cpu.max": "?\n"},
        None,
    ),
    "period of zero": (
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000 0\n"},
        None,
    ),
}


@pytest.mark.parametrize("name", GROUPS)
def test_the_limit_of_the_control_groups_is_found(name: str, tmp_path: Path) -> None:
    files, limit = GROUPS[name]
    assert core_limit(write(tmp_path, files)) == limit


@pytest.mark.parametrize(
    ("share", "whole"), [(0.2, 1), (1.0, 1), (1.5, 1), (1.6, 2), (2.0, 2), (2.5, 2), (3.9, 4)]
)
def test_a_part_of_a_core_counts_if_it_is_more_than_half(share: float, whole: int) -> None:
    assert whole_cores(share) == whole


def stat(*rows: tuple[str, str]) -> dict[str, str]:
    return {"proc/stat": "".join(f"{name} {ticks}\n" for name, ticks in rows) + "intr 5 0\n"}


def busy_of(root: Path, monkeypatch: pytest.MonkeyPatch, usable: set[int]) -> float:
    monkeypatch.setattr(cores, "usable_cores", lambda: frozenset(usable))
    return core_time(root).busy * os.sysconf("SC_CLK_TCK")


def test_only_usable_cores_count_and_neither_idle_time_nor_disks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        ("cpu", "9 9 9 9 9 9 9 9 0 0"),
        ("cpu0", "1 20 300 1000 1000 4000 50000 600000 7 7"),
        ("cpu1", "5 0 0 1 0 0 0 0 0 0"),
        ("cpu10", "70 0 0 1 0 0 0 0 0 0"),
    ]
    root = write(tmp_path, stat(*rows))
    assert busy_of(root, monkeypatch, {0}) == pytest.approx(654321)
    assert busy_of(root, monkeypatch, {1, 10}) == pytest.approx(75)


@pytest.mark.parametrize(
    "files",
    [
        {},
        stat(("cpu0", "0 0 0 0 0 0 0 0")),
        stat(("cpu4", "5 0 0 9 0 0 0 0")),
        stat(("cpu0", "broken")),
        {"proc/stat": "\n"},
    ],
)
def test_a_system_that_does_not_report_its_use_is_noticed(
    files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert math.isnan(busy_of(write(tmp_path, files), monkeypatch, {0}))


def use(
    monkeypatch: pytest.MonkeyPatch, before: CoreTime, after: CoreTime, *, usable: int = 4
) -> float:
    monkeypatch.setattr(cores, "core_time", lambda: after)
    monkeypatch.setattr(cores, "usable_cores", lambda: frozenset(range(usable)))
    return OtherProcesses(since=before).busy_cores()


def test_own_time_is_no_other_process(monkeypatch: pytest.MonkeyPatch) -> None:
    before = CoreTime(10.0, 100.0, 5.0)
    assert use(monkeypatch, before, CoreTime(12.0, 106.0, 9.0)) == pytest.approx(1.0)
    assert use(monkeypatch, before, CoreTime(12.0, 104.0, 9.1)) == 0.0
    assert use(monkeypatch, before, CoreTime(12.0, 124.0, 5.0)) == 4.0


def test_the_load_average_is_used_where_nothing_else_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (2.5, 0.0, 0.0), raising=False)
    before = CoreTime(10.0, math.nan, 5.0)
    assert use(monkeypatch, before, CoreTime(12.0, math.nan, 6.0)) == pytest.approx(2.0)


@pytest.mark.skipif(not Path("/proc/stat").is_file(), reason="no /proc/stat")
def test_each_question_is_about_the_time_since_the_last_one() -> None:
    others = OtherProcesses()
    until = time.monotonic() + 0.2
    while time.monotonic() < until:
        pass
    assert 0.0 <= others.busy_cores() <= len(cores.usable_cores())
    assert others.seconds() < 0.2
