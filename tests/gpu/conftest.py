"""All tests here need a CUDA GPU: `python tests/gpu` runs them and measures."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from seqzoo.model.runtime import Runtime, make_runtime
from seqzoo.recipes.sections import RuntimeSection

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.gpu)
            if not torch.cuda.is_available():
                item.add_marker(pytest.mark.skip(reason="torch finds no CUDA GPU here"))


@pytest.fixture(params=["float32", "bfloat16"])
def runtime(request: pytest.FixtureRequest) -> Runtime:
    """On the GPU, in both number formats."""
    return make_runtime(RuntimeSection(device="cuda", precision=request.param, threads=1))
