"""Held-out text that training reads."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from doctor_cases.case import Arguments, Case
from doctor_cases.models import Recurrent, Stateless
from doctor_cases.setting import Setting

__all__ = ["CASES"]


def _cut(setting: Setting) -> int:
    return len(setting.corpus) * 9 // 10


def _reads_held_out(setting: Setting) -> Arguments:
    """Batches of the whole text; its last tenth is what is scored."""
    cut = _cut(setting)
    given = setting.stateless(lambda: Stateless(256, setting.H))
    return given | {"corpus": setting.corpus[:cut], "held_out": setting.corpus[cut:]}


def _held_out_is_inside(setting: Setting) -> Arguments:
    """The held-out text was never taken out of the training text."""
    cut = _cut(setting)
    given = setting.stateful(lambda: Recurrent(256, setting.H))
    return given | {"held_out": setting.corpus[cut:]}


def _overlapping_windows(setting: Setting) -> Arguments:
    """Windows that begin every 8 characters, of which a random tenth is held out."""
    starts = np.random.default_rng(setting.seed).permutation(len(setting.corpus) // 8 - 8)
    chosen = starts[: len(starts) // 10] * 8
    held_out = b"".join(setting.corpus[start : start + 48] for start in chosen)
    given = setting.stateless(lambda: Stateless(256, setting.H))
    return given | {"held_out": held_out}


def _is_in_training_text(arguments: Any) -> bool:
    held_out = arguments["held_out"]
    pieces = [held_out[start : start + 40] for start in range(0, 4_000, 48)]
    return sum(piece in arguments["corpus"] for piece in pieces) > len(pieces) // 2


def _trains_on_held_out(arguments: Any) -> bool:
    rows = [
        bytes(row.tolist()) for x, _ in itertools.islice(arguments["batches"](), 40) for row in x
    ]
    return sum(row in arguments["held_out"] for row in rows) > len(rows) // 20


CASES = (
    Case(
        name="batches of the held-out text",
        source="github openai/parameter-golf#2127",
        cause="The batches are made before the text is split.",
        named_by=("stream.split", "stream.overlap"),
        make=_reads_held_out,
        proof=_trains_on_held_out,
    ),
    Case(
        name="held-out text that is part of the training text",
        source="github ciprian-chelba/1-billion-word-language-modeling-benchmark#5",
        cause="What is scored was copied and not taken out.",
        named_by=("stream.overlap", "stream.split"),
        make=_held_out_is_inside,
        proof=_is_in_training_text,
    ),
    Case(
        name="overlapping windows, divided at random",
        source="github Y-debug-sys/Diffusion-TS#67, HelenGuohx/logbert#57",
        cause="Most of a held-out window is in the windows before and after it.",
        named_by=("stream.overlap", "stream.split"),
        make=_overlapping_windows,
        proof=_is_in_training_text,
    ),
)
