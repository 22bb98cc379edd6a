"""The settings of native libraries: set before torch is imported, never over the user's."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from seqzoo.environment import WAITING, set_defaults


def defaults(**given: str) -> dict[str, str]:
    environment = dict(given)
    set_defaults(environment, imported=())
    return environment


def test_an_empty_environment_gets_short_waiting_and_a_fixed_workspace() -> None:
    assert defaults() == {**WAITING, "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}


@pytest.mark.parametrize(
    "given",
    [
        {"GOMP_SPINCOUNT": "300000"},
        {"GOMP_SPINCOUNT": ""},
        {"OMP_WAIT_POLICY": "ACTIVE"},
        {"KMP_BLOCKTIME": "200"},
        {"KMP_LIBRARY": "turnaround"},
    ],
)
def test_a_user_who_decides_how_threads_wait_is_left_alone(given: dict[str, str]) -> None:
    expected = {**given, "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    assert defaults(**given) == expected


def test_a_workspace_of_the_user_is_kept() -> None:
    given = {"CUBLAS_WORKSPACE_CONFIG": ":16:8"}
    assert defaults(**given) == {**WAITING, **given}


def test_nothing_is_set_after_torch_was_imported() -> None:
    environment: dict[str, str] = {}
    set_defaults(environment, imported={"torch"})
    assert environment == {}


@pytest.mark.parametrize(
    "first", ["import seqzoo", "import seqzoo.cli", "from seqzoo.model import runtime"]
)
def test_every_way_into_seqzoo_sets_them_before_torch(first: str) -> None:
    names = [*WAITING, "CUBLAS_WORKSPACE_CONFIG", "OMP_WAIT_POLICY", "KMP_LIBRARY"]
    environment = {name: value for name, value in os.environ.items() if name not in names}
    # torch is replaced by a module that records what it would have read.
    code = (
        "import importlib.abc, importlib.machinery, json, os, sys\n"
        "class Recorder(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'torch':\n"
        "            print(json.dumps(dict(os.environ))); sys.stdout.flush(); os._exit(0)\n"
        "sys.meta_path.insert(0, Recorder())\n"
        f"{first}\nimport torch\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    seen = json.loads(done.stdout)
    assert {name: seen.get(name) for name in WAITING} == WAITING
    assert seen["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
