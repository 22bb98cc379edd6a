"""A small, valid result that tests change one thing of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seqzoo.results.ladder import Rung
from seqzoo.results.result import (
    AdaptiveRecord,
    CorpusRecord,
    ProtocolRecord,
    Result,
    SplitScore,
    write_result,
)

SPLITS = ("validation", "test", "held_out")


def make_score(blocks: Sequence[float]) -> SplitScore:
    """blocks: bits per byte of each 1000 bytes, which are five blocks: ten have an interval."""
    mean = sum(blocks) / len(blocks)
    return SplitScore(
        bits_per_byte=mean,
        nats=mean * 1000 * len(blocks) * math.log(2),
        bytes=1000 * len(blocks),
        accuracy=0.5,
        interval=(min(blocks), max(blocks)),
        blocks=tuple(200 * each for each in blocks for _ in range(5)),
        block_bytes=200,
    )


def make_result(
    *,
    test: float = 2.5,
    blocks: Sequence[float] | None = None,
    learnt: float | None = None,
    sha256: str = "a" * 64,
    corpus_name: str = "corpus",
    protocol: dict[str, Any] | None = None,
    **changes: Any,
) -> Result:
    """test: bits per byte of every split and block, or `blocks` of each. learnt: adaptive ones."""
    adaptive = learnt and AdaptiveRecord(
        protocol=ProtocolRecord(name="adaptive, 1 lane", adaptive=True),
        method="dynamic evaluation",
        scores=dict.fromkeys(SPLITS, make_score([learnt] * len(blocks or "ab"))),
    )
    fields: dict[str, Any] = {
        "run": "run",
        "recipe": "recipe",
        "created": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "corpus": CorpusRecord(name=corpus_name, sha256=sha256, bytes=40000, origin="a test"),
        "split": "0.9/0.05/0.05",
        "protocol": ProtocolRecord(**(protocol or {"name": "static, 1 lane"})),
        "scores": dict.fromkeys(SPLITS, make_score(blocks or [test, test])),
        "adaptive": adaptive,
        "rungs": (
            Rung("first", dict.fromkeys(SPLITS, 8.0)),
            Rung("second", dict.fromkeys(SPLITS, 2.7), dict.fromkeys(SPLITS, 0.4), False, 0.5),
            Rung("second", dict.fromkeys(SPLITS, 2.4), adaptive=True),
            Rung("fourth", dict.fromkeys(SPLITS, 2.6), adaptive=True),
            Rung("third", failure="ValueError: no"),
        ),
        "floor": dict.fromkeys(SPLITS, 1.5),
        "placement": "in the middle",
        "architecture": "a network",
        "tokenizer": "a tokenizer",
        "parameters": 123456,
        "steps": 100,
        "step": 90,
        "weights_sha256": "c" * 64,
        "training_bytes": 36000,
        "training_seconds": 95.0,
        "peak_memory_bytes": 1 << 20,
        "seed": 1,
        "versions": {"seqzoo": "0"},
        "device": "cpu",
        "cpu": "a processor",
        "threads": 1,
        "precision": "float32",
    }
    return Result(**(fields | changes))


def leave(runs: Path, name: str, **changes: Any) -> None:
    (runs / name).mkdir(parents=True)
    write_result(runs / name / "result.json", make_result(run=name, **changes))
