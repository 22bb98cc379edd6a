"""Prints seqzoo's speed compared with plain torch; asserts no time (-m benchmark -s)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from seqzoo.bench import ratios as bench
from seqzoo.model.runtime import make_runtime
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.sections import RuntimeSection, TrainSection

pytestmark = pytest.mark.benchmark

SIZES: list[tuple[str, dict[str, Any]]] = [
    ("lstm", {"hidden_size": 128, "num_layers": 2}),
    ("lstm", {"hidden_size": 512}),
    ("lstm", {"hidden_size": 256}),
    ("gru", {"hidden_size": 128, "num_layers": 2}),
    ("rnn", {"hidden_size": 128, "num_layers": 2}),
    ("transformer", {}),
]


@pytest.mark.parametrize(("name", "options"), SIZES, ids=[f"{n}-{o}" for n, o in SIZES])
def test_ratios(name: str, options: dict[str, Any], registry: Registry) -> None:
    spec = registry.get("architecture", name)
    chosen = spec.options(**options)
    runtime = make_runtime(RuntimeSection(device="cpu"))
    section = TrainSection.model_validate(
        {"budget": {"steps": 10**9}, "validation": {"every_steps": 0}}
    )
    figures: list[Callable[[], bench.Ratio]] = [
        lambda: bench.training_ratio(spec, chosen, section, runtime=runtime),
        lambda: bench.evaluation_share(spec, chosen, section, runtime=runtime),
        lambda: bench.sampling_ratio(spec, chosen, runtime=runtime),
        lambda: bench.sampling_growth(spec, chosen, runtime=runtime),
    ]
    for figure in figures:
        found = figure()
        print(f"\n{name} {options}: {found.meaning}: {found.ratio:.3f}")
        assert found.ratio > 0
