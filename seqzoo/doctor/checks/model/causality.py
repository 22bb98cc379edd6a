"""Whether later tokens change what was said of earlier ones.

Method: random tokens (4, T); from position p on, for several p, all are replaced, and the logits
before p compared, in eval and in training mode, both passes from one seed. Where they differ,
single tokens are replaced to tell from how far ahead it peeks. Cost: twelve passes. Pass rule: they
differ by rounding, 1e-4 of the logits' spread in float32. Source: the chain rule of probability:
the code length of token t + 1 is one only where the logits at t know tokens up to t alone.
"""

from __future__ import annotations

from torch import Tensor

from seqzoo.doctor.checks.model._passes import (
    MODES,
    as_much_as,
    awake,
    changed_places,
    difference,
    length_for,
    passed_over,
    rounding,
    told,
)
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Check, Outcome

__all__ = ["CHECK"]


def examine(subject: Subject) -> Outcome:
    network = awake(subject.network)
    tolerance = rounding(network)
    length = length_for(subject)
    tokens = subject.random_tokens(4, length)
    worst = {}
    for mode, training in MODES.items():
        before = passed_over(network, [tokens], training=training)
        worst[mode] = max(
            difference(
                passed_over(network, [_replaced(tokens, place, length)], training=training)[
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
            f"later tokens change the logits before them by {told(max(worst.values()))}",
            **figures,
        )
    nearest, farthest = _reach(network, tokens, tolerance, training=MODES[modes[-1]])
    ahead = f"{nearest}" if nearest == farthest else f"{nearest} to {farthest}"
    return Outcome.failed(
        f"tokens {ahead} ahead change the logits by {as_much_as(max(worst.values()))}, in "
        f"{' and '.join(modes)} mode; the token 1 ahead is the target",
        why="It reads what it has to guess. The loss falls below what is possible, every score is "
        "void, and text generated one token at a time, where nothing lies ahead, is rubbish.",
        remedy="Mask what lies ahead: is_causal=True in attention, padding on the left alone in "
        "convolutions, no bidirectional=True, no mean, norm or sort over the time axis.",
        numbers={**figures, "nearest": float(nearest), "farthest": float(farthest)},
    )


def _replaced(tokens: Tensor, start: int, stop: int) -> Tensor:
    """Tokens [start, stop) of each row replaced by those of the next row, which are others."""
    changed = tokens.clone()
    changed[:, start:stop] = tokens.roll(1, 0)[:, start:stop]
    same = changed == tokens
    same[:, :start] = same[:, stop:] = False
    changed[same] = (tokens.max() + tokens.min() - tokens)[same]
    return changed


def _reach(
    network: Network, tokens: Tensor, tolerance: float, *, training: bool
) -> tuple[int, int]:
    """How many tokens before a replaced one the nearest and the farthest changed logits are."""
    before = passed_over(network, [tokens], training=training)
    distances: set[int] = set()
    length = tokens.shape[1]
    for place in {1, length // 2, length - 1}:
        after = passed_over(network, [_replaced(tokens, place, place + 1)], training=training)
        changed = changed_places(after, before, tolerance)[:place].nonzero().flatten()
        distances |= {place - int(at) for at in changed}
    return (min(distances), max(distances)) if distances else (1, length - 1)


CHECK = Check(
    name="model.causality",
    summary="no logits depend on tokens that come after them",
    examine=examine,
    rank=50,
    explains=(
        "model.initial_loss",
        "model.state",
        "model.evaluation",
        "memory.*",
        "optimisation.*",
        "verdict.*",
        "decoding.*",
    ),
)
