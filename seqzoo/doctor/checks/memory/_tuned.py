"""Training settings of a shipped recipe, which `memory.horizon` proposes for longer stretches.

Recipes are not part of the installed package, so the settings are copied to this file. A test
compares them with the recipe. After a change of the recipe, write them again:

    python tests/support/tuned_settings.py
"""

from __future__ import annotations

__all__ = ["TUNED"]

TUNED: tuple[str, ...] = (
    "train.bptt_length=64",
    "train.optimizer={name: muon, learning_rate: 0.01, matrix_learning_rate: 0.05, weight_decay: 0.1}",  # noqa: E501
    "train.schedule={warmup_steps: 50, decay: cosine, final_fraction: 0.02}",
    "train.clip_norm=1.0",
)
"""Overrides `dotted.path=value`, from recipes/shakespeare_lstm.yaml."""
