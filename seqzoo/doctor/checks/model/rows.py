"""Whether a row of a batch is read as if it were alone.

Method: two pieces of random text (4, T/2), the state carried between them; then again with rows 1
and 2 replaced, rows 0 and 3 kept, from one seed, in eval and in training mode. Cost: four passes.
Pass rule: the logits of the kept rows differ by rounding, 1e-4 of their spread in float32. A
warning is not enough for training mode alone: batch statistics over time carry the future into the
loss. Source: `SequenceModel` in seqzoo/plugin/contracts.py, row independence.
"""

from __future__ import annotations

from seqzoo.doctor.checks.model._passes import (
    MODES,
    as_much_as,
    awake,
    difference,
    length_for,
    passed_over,
    rounding,
    told,
)
from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Check, Outcome

__all__ = ["CHECK"]

_KEPT, _REPLACED = [0, 3], [1, 2]


def examine(subject: Subject) -> Outcome:
    network = awake(subject.network)
    half = max(length_for(subject) // 2, 1)
    tokens = subject.random_tokens(4 + len(_REPLACED), 2 * half)
    others = tokens[:4].clone()
    others[_REPLACED] = tokens[4:]
    worst: dict[str, float] = {}
    within, carried = slice(half), slice(half, None)
    for mode, training in MODES.items():
        before, after = (
            passed_over(network, text.split(half, 1), training=training)[_KEPT]
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
        return Outcome.passed(f"other rows change a row's logits by {told(largest)}", **figures)
    return Outcome.failed(
        f"other rows change a row's logits by {as_much_as(largest)}, in "
        f"{' and '.join(modes + carrying)} mode",
        why="A row's guesses depend on what else is in the batch: scores change with the batch "
        "size, text cannot be generated alone, and what rows share over time tells the future.",
        remedy="Use LayerNorm or RMSNorm instead of BatchNorm; take no mean or norm over the first "
        "axis; put batch_first=True where batches are (B, T), and transpose, never view, "
        "between (B, T) and (T, B).",
        numbers=figures,
    )


CHECK = Check(
    name="model.rows",
    summary="a row's logits do not depend on the other rows",
    examine=examine,
    rank=60,
    explains=(
        "model.causality",
        "model.state",
        "model.evaluation",
        "memory.*",
        "optimisation.*",
        "verdict.*",
        "decoding.*",
    ),
    source="Ioffe and Szegedy 2015, arXiv:1502.03167, section 3.1, on what batch statistics do",
)
