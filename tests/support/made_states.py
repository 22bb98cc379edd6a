"""The state.json of made checkpoints: what a run stores, and what a training stores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RUN_STATE: Mapping[str, Any] = {
    "tokenizer": {},
    "logs": {"metrics": 0, "timing": 0},
    "epochs": 0.0,
    "recipe": "",
}

TRAINING_STATE: Mapping[str, Any] = {
    "stream": {"position": 0, "epoch": 0},
    "tokens_seen": 0,
    "spent": {"steps": 0, "bytes": 0, "seconds": 0.0, "peak_memory_bytes": 0},
    "best": None,
    "interval": [0.0, 0.0, 0],
    "runtime": {
        "device": "cpu",
        "threads": 1,
        "cpu": "a CPU",
        "precision": "float32",
        "versions": {"torch": "2"},
    },
}
