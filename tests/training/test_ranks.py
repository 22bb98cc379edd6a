"""Several processes make the updates of one, and their gradients are added up in one order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import environment

from seqzoo import torchrun
from seqzoo.errors import UsageError
from seqzoo.torchrun import Place
from seqzoo.training.ranks import rank_of_generators, require_rows_for_all

SCRIPT = Path(__file__).parents[1] / "support" / "rank_script.py"
PLACE = Place(
    rank=2,
    count=3,
    local=2,
    local_count=3,
    address="there",
    port=29500,
    is_served=True,
    attempt=0,
)
CASES = ("gru", "transformer", "documents", "shifted", "accumulation", "penalty")


def losses(*start: str) -> dict[str, Any]:
    paths = os.pathsep.join([str(SCRIPT.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, *start, str(SCRIPT), *CASES],
        env=environment(PYTHONPATH=paths),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def found() -> tuple[dict[str, Any], dict[str, Any]]:
    """One process, and two."""
    two = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    return losses(), losses(*two)


@pytest.mark.parametrize("case", CASES)
def test_two_ranks_make_the_updates_of_one_process(
    found: tuple[dict[str, Any], dict[str, Any]], case: str
) -> None:
    one, two = found
    assert two[case] == pytest.approx(one[case], rel=0, abs=1e-10)
    assert len(set(one[case])) == 50


def test_the_fast_sum_is_the_same_sum(found: tuple[dict[str, Any], dict[str, Any]]) -> None:
    one, two = found
    assert two["fast"] == pytest.approx(one["gru"], rel=0, abs=1e-10)


def test_other_weights_on_one_rank_are_reported(
    found: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    assert "of rank 1 is not that of rank 0" in found[1]["parameters"]
    assert "depends on the rows that a process has read" in found[1]["buffers"]


def test_the_rows_of_a_batch_must_be_divided_between_the_processes() -> None:
    require_rows_for_all(6, PLACE)
    require_rows_for_all(6, None)
    with pytest.raises(UsageError, match=r"train\.batch_size is 6, expected a multiple of 4"):
        require_rows_for_all(6, replace(PLACE, count=4))


def test_a_process_knows_its_place_from_torchrun_alone() -> None:
    variables = {
        "RANK": "2",
        "WORLD_SIZE": "3",
        "LOCAL_RANK": "2",
        "LOCAL_WORLD_SIZE": "3",
        "MASTER_ADDR": "there",
        "MASTER_PORT": "29500",
    }
    assert torchrun.enter(dict(variables)) is None  # another launcher's
    variables |= {"TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_USE_AGENT_STORE": "True"}
    assert torchrun.enter({**variables, "WORLD_SIZE": "1", "RANK": "0"}) is None
    assert torchrun.number_of_processes() == 1
    own = {"PATH": "here", "RANKING": "1", "MASTER_KEY": "mine", "ROLE_ARN": "me"}
    environment = {**own, **variables}
    try:
        assert torchrun.enter(environment) == PLACE == torchrun.here()
        assert torchrun.number_of_processes() == 3
    finally:
        torchrun.leave()
    # What this process starts trains by itself.
    assert environment == own
    assert torchrun.here() is None


def test_every_rank_has_its_own_generators() -> None:
    stored = {name: torch.zeros(1) for name in ("cpu", "cuda.0", "rank-1.cpu", "rank-11.cpu")}
    assert set(rank_of_generators(stored, 0)) == {"cpu", "cuda.0"}
    assert set(rank_of_generators(stored, 1)) == {"cpu"}
    assert rank_of_generators(stored, 2) == {}
