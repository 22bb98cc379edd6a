"""Copies the training settings of a shipped recipe to where the doctor reads them.

python tests/support/tuned_settings.py
"""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "shakespeare_lstm.yaml"
TABLE = ROOT / "seqzoo" / "doctor" / "checks" / "memory" / "_tuned.py"
SETTINGS = ("bptt_length", "optimizer", "schedule", "clip_norm")


def tuned_settings() -> tuple[str, ...]:
    """Overrides that give a recipe these settings."""
    train = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))["train"]
    return tuple(f"train.{name}={_flow(train[name])}" for name in SETTINGS)


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {each}" for key, each in value.items()) + "}"
    return str(value)


def written(text: str) -> str:
    """The module with the table of these settings."""
    head, mark, rest = text.partition("TUNED: tuple[str, ...] = (\n")
    _, end, tail = rest.partition(')\n"""Overrides')
    rows = [f'    "{setting}",' for setting in tuned_settings()]
    rows = [row if len(row) <= 100 else f"{row}  # noqa: E501" for row in rows]
    return head + mark + "".join(f"{row}\n" for row in rows) + end + tail


if __name__ == "__main__":
    TABLE.write_text(written(TABLE.read_text(encoding="utf-8")), encoding="utf-8")
