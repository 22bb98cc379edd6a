"""The table of causes: it names checks that exist, and no finding explains itself."""

from __future__ import annotations

from fnmatch import fnmatchcase
from graphlib import TopologicalSorter

from seqzoo.doctor.causes import EXPLAINS, GATES
from seqzoo.doctor.checks import all_checks
from seqzoo.plugin.registry import load_registry

CHECKS = {each.name: each for each in all_checks(load_registry())}


def test_every_built_in_check_is_in_the_table_and_reads_it() -> None:
    assert list(EXPLAINS) == list(CHECKS), "in the order in which they run"
    assert all(CHECKS[name].explains == explained for name, explained in EXPLAINS.items())
    assert {name for name, each in CHECKS.items() if each.is_gate} == set(GATES)


def test_only_checks_and_groups_that_exist_are_named() -> None:
    known = CHECKS.keys() | {f"{each.group}.*" for each in CHECKS.values()}
    assert {name for explained in EXPLAINS.values() for name in explained} <= known
    assert CHECKS.keys() >= set(GATES)


def test_no_finding_explains_itself_by_way_of_others() -> None:
    explained_by: dict[str, set[str]] = {name: set() for name in CHECKS}
    for cause, patterns in EXPLAINS.items():
        for name in CHECKS:
            if name != cause and any(fnmatchcase(name, pattern) for pattern in patterns):
                explained_by[name].add(cause)
    # Raises CycleError, which shows the cycle.
    assert set(TopologicalSorter(explained_by).static_order()) == CHECKS.keys()


def test_a_name_is_given_once() -> None:
    for name, explained in EXPLAINS.items():
        assert len(set(explained)) == len(explained), name
