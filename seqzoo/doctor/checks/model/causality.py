"""Whether later tokens change the logits of earlier ones.

Method: random tokens (4, T); for several positions p, all tokens from p on are replaced, and the
logits before p compared, in eval and in training mode, both passes with one seed. If they differ,
single tokens are replaced to find how far ahead the model reads. Cost: twelve passes. Pass rule:
they differ only by rounding, 1e-4 of the logits' spread in float32. Source: the chain rule of
probability: the logits at t give a code length of token t + 1 only if they depend on no token
after t.
"""

from __future__ import annotations

from torch import Tensor

from seqzoo.doctor.checks.model._passes import (
    MODES,
    changed_places,
    difference,
    in_spreads,
    length_for,
    logits_of,
    rounding,
    shown,
    without_zeros,
)
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]


def examine(subject: Subject) -> Outcome:
    network = without_zeros(subject.network)
    tolerance = rounding(network)
    length = length_for(subject)
    tokens = subject.random_tokens(4, length)
    worst = {}
    for mode, training in MODES.items():
        before = logits_of(network, [tokens], training=training)
        worst[mode] = max(
            difference(
                logits_of(network, [_replaced(tokens, place, length)], training=training)[
                    :, :place
                ],
                before[:, :place],
            )
            for place in sorted({1, length // 4, length // 2, length - 2, length - 1})
        )
    figures = {f"{mode}_difference": value for mode, value in worst.items()}
    modes = [mode for mode, value in worst.items() if value > tolerance]
    if not modes:
        return Outcome.passed(
            f"later tokens change the logits before them by {shown(max(worst.values()))}",
            **figures,
        )
    nearest, farthest = _reach(network, tokens, tolerance, training=MODES[modes[-1]])
    ahead = f"{nearest}" if nearest == farthest else f"{nearest} to {farthest}"
    return Outcome.failed(
        f"tokens {ahead} ahead change the logits by {in_spreads(max(worst.values()))}, in "
        f"{' and '.join(modes)} mode; the token 1 ahead is the target",
        why="The model reads the token that it must predict. The loss falls below what is "
        "possible, scores are invalid, and generated text, where no later token exists, is "
        "nonsense.",
        remedy="Hide later tokens: is_causal=True in attention, padding only on the left in "
        "convolutions, no bidirectional=True, no mean, norm or sort over the time axis.",
        numbers={**figures, "nearest": float(nearest), "farthest": float(farthest)},
    )


def _replaced(tokens: Tensor, start: int, stop: int) -> Tensor:
    """Tokens [start, stop) of each row replaced by those of the next row, all different."""
    changed = tokens.clone()
    changed[:, start:stop] = tokens.roll(1, 0)[:, start:stop]
    same = changed == tokens
    same[:, :start] = same[:, stop:] = False
    changed[same] = (tokens.max() + tokens.min() - tokens)[same]
    return changed


def _reach(
    network: Network, tokens: Tensor, tolerance: float, *, training: bool
) -> tuple[int, int]:
    """How far before a replaced token the nearest and the farthest changed logits are."""
    before = logits_of(network, [tokens], training=training)
    distances: set[int] = set()
    length = tokens.shape[1]
    for place in {1, length // 2, length - 1}:
        after = logits_of(network, [_replaced(tokens, place, place + 1)], training=training)
        changed = changed_places(after, before, tolerance)[:place].nonzero().flatten()
        distances |= {place - int(at) for at in changed}
    return (min(distances), max(distances)) if distances else (1, length - 1)
