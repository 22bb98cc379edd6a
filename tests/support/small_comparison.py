"""Small finished runs, and comparisons of them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from small_result import SPLITS, make_result

from seqzoo.comparison.compare import Comparison, compare
from seqzoo.comparison.finished import read_finished_runs
from seqzoo.comparison.views import print_comparison
from seqzoo.results.result import (
    AdaptiveRecord,
    PartScore,
    ProtocolRecord,
    SplitScore,
    write_result,
)

RECIPE = "name: one\ntrain: {seed: 1, steps: 10}\nchain: [{greedy: {}}]\n"
METRICS = [
    {"step": 10, "bits_per_byte": 6.0, "bytes": 1000, "learning_rate": 0.1},
    {"step": 15, "validation_bits_per_byte": 5.5, "validation_accuracy": 0.1},
    {"step": 20, "bits_per_byte": 5.0, "bytes": 3000},
]

CLASSES = ("lower case", "space", "newline")
DISTANCES = ("0", "1", "2", "4", "8", "16", "32", "256", "1024", "2048", "8192")


def make_score(seed: int, *, size: int = 20_500, block: int = 1000, shift: float = 0) -> SplitScore:
    """A score whose blocks, classes and distances all add up to its bits."""
    generator = np.random.default_rng(seed)
    sizes = np.full(-(-size // block), block)
    sizes[-1] = size - block * (len(sizes) - 1)
    # The part that blocks share is large compared with the difference of two scores.
    common = np.random.default_rng(99).uniform(1, 4, len(sizes))
    bits = sizes * (common + shift + generator.uniform(-0.1, 0.1, len(sizes)))
    total = float(bits.sum())

    def parts(names: tuple[str, ...]) -> tuple[PartScore, ...]:
        shares = generator.dirichlet(np.ones(len(names)))
        counts = np.random.default_rng(7).multinomial(size, np.ones(len(names)) / len(names))
        return tuple(
            PartScore(name=name, bits=total * share, bytes=count)
            for name, share, count in zip(names, shares, counts.tolist(), strict=True)
        )

    return SplitScore(
        bits_per_byte=total / size,
        nats=total * np.log(2),
        bytes=size,
        accuracy=0.5,
        interval=(0, 8),
        blocks=tuple(bits.tolist()),
        block_bytes=block,
        by_class=parts(CLASSES),
        by_distance=parts(DISTANCES),
    )


def adaptive(score: SplitScore, **changes: Any) -> AdaptiveRecord:
    protocol: dict[str, Any] = {"name": "adaptive, 1 lane", "adaptive": True} | changes
    return AdaptiveRecord(
        protocol=ProtocolRecord(**protocol),
        method="sgd",
        scores=dict.fromkeys(SPLITS, score),
    )


def leave_run(
    folder: Path,
    *,
    score: SplitScore | None = None,
    recipe: str = RECIPE,
    metrics: list[dict[str, Any]] | None = METRICS,
    **changes: Any,
) -> Path:
    folder.mkdir(parents=True)
    if score is not None:
        changes["scores"] = dict.fromkeys(SPLITS, score)
    write_result(folder / "result.json", make_result(**changes))
    (folder / "recipe.yaml").write_text(recipe)
    if metrics is not None:
        lines = "".join(json.dumps(line) + "\n" for line in metrics)
        (folder / "metrics.jsonl").write_text(lines)
    return folder


def compared(*folders: Path, **options: Any) -> Comparison:
    return compare(read_finished_runs(folders), **options)


def drawn(comparison: Comparison, width: int, *, colour: bool = False) -> str:
    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        force_terminal=colour,
        color_system="truecolor" if colour else None,
        no_color=not colour,
        highlight=False,
    )
    print_comparison(comparison, console)
    return file.getvalue()


def compared_pair(folder: Path, **changes: Any) -> Comparison:
    """A run, and another that is better by about 0.05."""
    first = leave_run(folder / "first", score=make_score(1))
    second = leave_run(folder / "second", score=make_score(2, shift=-0.05), **changes)
    return compared(first, second)
