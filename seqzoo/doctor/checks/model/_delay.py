"""How many places after its own a token first changes the logits."""

from __future__ import annotations

from seqzoo.doctor.checks.model._passes import changed_places, length_for, logits_of, without_zeros
from seqzoo.doctor.subject import Subject

__all__ = ["delay"]


def delay(subject: Subject) -> int | None:
    """0 if a token changes the logits at its own place or before; None if it changes none.

    Any change counts, not only one beyond rounding: both passes compute the same sums.
    """
    network = without_zeros(subject.network)
    tokens = subject.random_tokens(4, length_for(subject))
    place = tokens.shape[1] // 2
    others = tokens.clone()
    others[:, place] = tokens.max() + tokens.min() - tokens[:, place]
    same = others[:, place] == tokens[:, place]
    others[same, place] = tokens.max()
    before, after = (logits_of(network, [text]) for text in (tokens, others))
    changed = changed_places(after, before, 1e-6)
    if not bool(changed.any()):
        return None
    return max(0, int(changed.nonzero()[0]) - place)
