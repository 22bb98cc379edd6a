"""Prints the ratios of each architecture and their targets, asserts no time (-m benchmark -s)."""

from __future__ import annotations

import pytest

from seqzoo.bench.targets import measure_targets
from seqzoo.model.runtime import make_runtime
from seqzoo.plugin.registry import Registry, load_registry
from seqzoo.recipes.sections import RuntimeSection

pytestmark = pytest.mark.benchmark


@pytest.mark.parametrize("name", load_registry().names("architecture"))
def test_targets(name: str, registry: Registry) -> None:
    runtime = make_runtime(RuntimeSection(device="cpu"))
    for measured in measure_targets(registry.get("architecture", name), runtime=runtime):
        target = "" if measured.target is None else f" (target {measured.target:g})"
        print(f"\n{name} {measured.size}: {measured.meaning}: {measured.ratio:.2f}{target}")
        assert measured.ratio >= 0
