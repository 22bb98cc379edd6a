"""Several processes make the updates of one, and their gradients are added up in one order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import environment

from seqzoo.errors import UsageError
from seqzoo.torchrun import Place
from seqzoo.training.ranks import rank_of_generators, require_rows_for_all

SCRIPT = Path(__file__).parents[1] / "support" / "rank_script.py"
CASES = ("gru", "transformer", "documents", "accumulation", "penalty")


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
    assert "weights of rank 1 are not those of rank 0" in found[1]["differing"]


def test_the_rows_of_a_batch_must_be_divided_between_the_processes() -> None:
    require_rows_for_all(6, Place(0, 3, 0))
    require_rows_for_all(6, None)
    with pytest.raises(UsageError, match=r"train\.batch_size is 6, expected a multiple of 4"):
        require_rows_for_all(6, Place(0, 4, 0))


def test_a_process_knows_its_place_from_torchrun_alone() -> None:
    variables = {"RANK": "2", "WORLD_SIZE": "4", "LOCAL_RANK": "0"}
    assert Place.here(variables) is None  # another launcher's
    variables["TORCHELASTIC_RUN_ID"] = "none"
    assert Place.here(variables) == Place(rank=2, count=4, local=0)
    assert Place.here({**variables, "WORLD_SIZE": "1", "RANK": "0"}) is None


def test_every_rank_has_its_own_generators() -> None:
    stored = {name: torch.zeros(1) for name in ("cpu", "cuda.0", "rank-1.cpu", "rank-11.cpu")}
    assert set(rank_of_generators(stored, 0)) == {"cpu", "cuda.0"}
    assert set(rank_of_generators(stored, 1)) == {"cpu"}
    assert rank_of_generators(stored, 2) == {}
