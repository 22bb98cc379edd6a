from __future__ import annotations

import sys

import pytest
from tiny_runs import warm_up


@pytest.fixture(autouse=True, scope="session")
def _children() -> None:
    """What the forked children of the trials need."""
    import torch

    if sys.platform != "linux":
        pytest.skip("the trials read /proc and fork, as Linux has it")
    if torch.cuda.is_initialized():
        pytest.skip("a fork cannot train after CUDA was used: python tests/reliability can")
    warm_up()
