"""Whether later tokens change the logits of earlier ones, by what they are or by being there.

Method: random tokens (4, T); for several positions p, all tokens from p on are replaced, and the
logits before p compared, in eval and in training mode, both passes with one seed. If they differ,
single tokens are replaced to find how far ahead the model reads. If they do not, the tokens from p
on are left out, in eval mode: a view that mixes heads and time hides later tokens and still reads
other places for each length. A model that reads one length only, or draws at random, is not asked
that. Cost: fifteen passes. Pass rule: they differ only by rounding, 1e-4 of the logits' spread in
float32; without tokens, ten times the difference after changing parameters in their last place.
Source: the chain rule of probability: the logits at t give a code length of token t + 1 only if
they depend on no token after t.
"""

from __future__ import annotations

from torch import Tensor

from seqzoo.doctor.checks.model._passes import (
    MODES,
    amplified_rounding,
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

_REMEDY = (
    "Hide later tokens. Look for: attention without is_causal=True, or with a mask of the wrong "
    "triangle (hide scores where the key is later than the query: torch.ones(T, T).triu(1)); a "
    "mask that sets scores to 0 and not to -inf, or that is used after the softmax; a softmax over "
    "the queries (it must be over the keys, the last axis of (B, heads, T, T)); heads split or "
    "joined by view without transpose; a convolution padded on both sides (pad only on the left); "
    "bidirectional=True; batch norm, group norm, a mean or a sort over time."
)


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
        by_length = _difference_of_prefixes(network, tokens)
        figures["prefix_difference"] = by_length
        if by_length > tolerance and by_length > amplified_rounding(network, [tokens]):
            return _by_length(by_length, figures)
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
        remedy=_REMEDY,
        numbers={**figures, "nearest": float(nearest), "farthest": float(farthest)},
    )


def _difference_of_prefixes(network: Network, tokens: Tensor) -> float:
    """How much the logits of a prefix differ from those of the whole at the same places; 0 if the
    model cannot read a prefix, or if a pass is drawn at random: another length draws other numbers.
    """
    whole = logits_of(network, [tokens])
    if difference(logits_of(network, [tokens], seed=1), whole) > rounding(network):
        return 0.0
    worst = 0.0
    for place in {tokens.shape[1] // 2, tokens.shape[1] - 1} - {0}:
        try:
            prefix = logits_of(network, [tokens[:, :place]])
        except Exception:  # made for texts of one length
            return 0.0
        worst = max(worst, difference(prefix, whole[:, :place]))
    return worst


def _by_length(by_length: float, figures: dict[str, float]) -> Outcome:
    return Outcome.failed(
        f"a text that ends sooner gives other logits at the same places, by {in_spreads(by_length)}"
        f", whatever the tokens after them are",
        why="The model reads other places of the text for each length: what it has learnt at the "
        "length of training does not hold for a text that grows, as in generation.",
        remedy="Split heads with view(B, T, heads, d).transpose(1, 2), and never with "
        "view(B, heads, T, d), which mixes places; join them with transpose(1, 2).reshape(B, T, "
        "D). Count positions from the beginning of the text, and divide by no length of it.",
        numbers=figures,
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
