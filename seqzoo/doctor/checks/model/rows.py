"""Whether a row of a batch is read as if it were alone.

Method: two pieces of random text (4, T/2), with the state carried between them; then again with
rows 1 and 2 replaced and rows 0 and 3 kept, with one seed, in eval and in training mode. Cost: four
passes. Pass rule: the logits of the kept rows differ only by rounding, 1e-4 of their spread in
float32. It also fails if only training mode differs: batch statistics over time show the future to
the loss. Source: `SequenceModel` in seqzoo/plugin/contracts.py, row independence.
"""

from __future__ import annotations

import torch

from seqzoo.doctor.checks.model._passes import (
    MODES,
    difference,
    in_spreads,
    length_for,
    logits_of,
    rounding,
    shown,
    without_zeros,
)
from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_KEPT, _REPLACED = [0, 3], [1, 2]


def examine(subject: Subject) -> Outcome:
    network = without_zeros(subject.network)
    half = max(length_for(subject) // 2, 1)
    tokens = subject.random_tokens(4 + len(_REPLACED), 2 * half)
    others = tokens[:4].clone()
    others[_REPLACED] = tokens[4:]
    worst: dict[str, float] = {}
    within, carried = slice(half), slice(half, None)
    for mode, training in MODES.items():
        before, after = (
            logits_of(network, torch.split(text, half, 1), training=training)[_KEPT]
            for text in (tokens[:4], others)
        )
        for what, part in (("", within), (" with the state carried", carried)):
            worst[mode + what] = difference(after[:, part], before[:, part])
    tolerance = rounding(network)
    figures = {f"{mode.replace(' ', '_')}_difference": value for mode, value in worst.items()}
    largest = max(worst.values())
    modes = [mode for mode in MODES if worst[mode] > tolerance]
    carrying = [
        f"{mode} with the state carried"
        for mode in MODES
        if worst[mode] <= tolerance < worst[f"{mode} with the state carried"]
    ]
    if not (modes or carrying):
        return Outcome.passed(f"other rows change a row's logits by {shown(largest)}", **figures)
    return Outcome.failed(
        f"other rows change a row's logits by {in_spreads(largest)}, in "
        f"{' and '.join(modes + carrying)} mode",
        why="A row's predictions depend on the rest of the batch: scores change with the batch "
        "size, one text alone cannot be generated, and statistics over time reveal later tokens.",
        remedy="Use LayerNorm or RMSNorm instead of BatchNorm; take no mean or norm over the first "
        "axis; set batch_first=True if batches are (B, T), and transpose, never view, between "
        "(B, T) and (T, B).",
        numbers=figures,
    )
