"""A small, valid result that tests change one thing of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from seqzoo.ladder import Rung
from seqzoo.results import CorpusRecord, ProtocolRecord, Result, SplitScore

SPLITS = ("validation", "test", "held_out")


def make_result(
    *,
    test: float = 2.5,
    half_width: float = 0.03,
    sha256: str = "a" * 64,
    corpus_name: str = "corpus",
    protocol: dict[str, Any] | None = None,
    **changes: Any,
) -> Result:
    """test, half_width: bits per byte of every split, and of half its interval."""
    score = SplitScore(
        bits_per_byte=test,
        nats=test * 2000 * 0.6931,
        bytes=2000,
        accuracy=0.5,
        interval=(test - half_width, test + half_width),
        blocks=(test * 1000, test * 1000),
    )
    fields: dict[str, Any] = {
        "run": "run",
        "recipe": "recipe",
        "created": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "corpus": CorpusRecord(name=corpus_name, sha256=sha256, bytes=40000, origin="a test"),
        "split": "0.9/0.05/0.05",
        "protocol": ProtocolRecord(**(protocol or {"name": "static, 1 lane"})),
        "scores": dict.fromkeys(SPLITS, score),
        "rungs": (
            Rung("first", dict.fromkeys(SPLITS, 8.0)),
            Rung("second", dict.fromkeys(SPLITS, 2.7), dict.fromkeys(SPLITS, 0.4), False, 0.5),
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
