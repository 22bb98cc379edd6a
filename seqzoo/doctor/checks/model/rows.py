"""Whether a row of a batch is read as if it were alone, in any place.

Method: two pieces of random text (4, T/2), with the state carried between them; then again with
rows 1 and 2 replaced and rows 0 and 3 kept, with one seed, in eval and in training mode; then, if
eval mode is deterministic, the same text with each row in another place. Cost: seven passes. Pass
rule: the logits of the kept rows, and of each row in its other place, differ only by rounding, 1e-4
of their spread in float32. It also fails if only training mode differs: batch statistics over time
show the future to the loss; with one target for each row they do not, and training mode is not
looked at. Source: `SequenceModel` in seqzoo/plugin/contracts.py, row
independence.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from seqzoo.doctor.checks.model._passes import (
    MODES,
    carries_a_state,
    difference,
    in_spreads,
    length_for,
    logits_of,
    rounding,
    shown,
    without_zeros,
)
from seqzoo.doctor.checks.model._views import advice_of_views
from seqzoo.doctor.evidence.calling import adapter, adapter_with_state, call_in_words
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.subject import Subject, or_none
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.contracts import State

__all__ = ["examine"]

_KEPT, _REPLACED = [0, 3], [1, 2]


def examine(subject: Subject) -> Outcome:
    network = without_zeros(subject.network)
    half = network.only_length or max(length_for(subject) // 2, 1)
    tokens = subject.random_tokens(4 + len(_REPLACED), 2 * half)
    others = tokens[:4].clone()
    others[_REPLACED] = tokens[4:]
    worst: dict[str, float] = {}
    within, carried = slice(half), slice(half, None)
    pipeline = or_none(lambda: subject.pipeline)
    has_one_target = pipeline is not None and pipeline.has_one_target
    # Batch statistics in training show the target of no row if no row goes beyond its own.
    looked_at = {"eval": False} if has_one_target else MODES
    for mode, training in looked_at.items():
        before, after = (
            logits_of(network, torch.split(text, half, 1), training=training)[_KEPT]
            for text in (tokens[:4], others)
        )
        for what, part in (("", within), (" with the state carried", carried)):
            worst[mode + what] = difference(after[:, part], before[:, part])
    tolerance = rounding(network)
    figures = {f"{mode.replace(' ', '_')}_difference": value for mode, value in worst.items()}
    largest = max(worst.values())
    modes = [mode for mode in looked_at if worst[mode] > tolerance]
    carrying = [
        f"{mode} with the state carried"
        for mode in looked_at
        if worst[mode] <= tolerance < worst[f"{mode} with the state carried"]
    ]
    if not (modes or carrying):
        by_place = _difference_by_place(network, tokens[:4], half)
        figures["by_place"] = by_place
        if by_place > tolerance:
            return _by_place(by_place, figures)
        return Outcome.passed(f"other rows change a row's logits by {shown(largest)}", **figures)
    return Outcome.failed(
        f"other rows change a row's logits by {in_spreads(largest)}, in "
        f"{' and '.join(modes + carrying)} mode",
        why="A row's predictions depend on the rest of the batch: scores change with the batch "
        "size, one text alone cannot be generated, and statistics over time reveal later tokens.",
        remedy=advice_of_views(network, tokens[:4])
        or _time_first(network, tokens[:4], others)
        or "Use LayerNorm or RMSNorm instead of BatchNorm; take no softmax, mean or norm over the "
        "first axis (softmax(-1), not softmax(0)); set batch_first=True if batches are (B, T), and "
        "transpose, never view, between (B, T) and (T, B).",
        numbers=figures,
    )


def _difference_by_place(network: Network, tokens: Tensor, half: int) -> float:
    """How much the logits of rows in other places differ; 0 if a pass is drawn at random, because
    then each place has other numbers.
    """
    pieces = torch.split(tokens, half, 1)
    usual = logits_of(network, pieces)
    if difference(logits_of(network, pieces, seed=1), usual) > rounding(network):
        return 0.0
    moved = logits_of(network, torch.split(tokens.roll(1, 0), half, 1))
    return difference(moved.roll(-1, 0), usual)


def _by_place(by_place: float, figures: dict[str, float]) -> Outcome:
    return Outcome.failed(
        f"the place of a row in the batch changes its logits by {in_spreads(by_place)}",
        why="Positions, weights or noise run along the batch: the model learns which row it reads, "
        "does not see the order of tokens, and reads one text alone as if it were row 0.",
        remedy="Add positions along time, axis 1 of (B, T, D): pe[:, :T] of a table (1, L, D), or "
        "pe[:T]; a table (L, 1, D) is for (T, B, D). Give layers batch_first=True for (B, T, D).",
        numbers=figures,
    )


def _time_first(network: Network, tokens: Tensor, others: Tensor) -> str:
    """What to do if the rows are independent as soon as the model gets (T, B); else ""."""

    def forward(module: nn.Module, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        logits, state = network.forward(module, tokens.T, state)
        return logits.transpose(0, 1), state

    turned = replace(network, forward=forward)
    try:
        before, after = (logits_of(turned, [text])[_KEPT] for text in (tokens, others))
    except Exception:  # a model of another kind
        return ""
    if difference(after, before) > rounding(network):
        return ""
    call, change = call_in_words(network.module, "tokens.T"), "transpose(0, 1)"
    has_state = carries_a_state(network)
    suggested = adapter_with_state(call, change) if has_state else adapter(f"{call}.{change}")
    return (
        "The model takes time first, (T, B), and reads the rows of a batch as steps: set "
        "batch_first=True. If the training loop transposes the batches, "
        f"{suggested}."
    )
