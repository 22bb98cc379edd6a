"""Whether ids are looked up, and not used as numbers.

Method: each of up to 256 neighbouring ids is read alone; the logits of neighbours are compared with
those of ids far apart. An embedding or one-hot vectors make every pair about equally different; an
id that is multiplied by a weight makes neighbours nearly equal. Cost: one pass. Pass rule: the mean
difference of neighbours is at least a fifth of that of ids far apart. A vocabulary of fewer than 16
ids is not judged. Source: torch.nn.Embedding; an id is a name, and 98 is not more of anything than
97.
"""

from __future__ import annotations

import torch

from seqzoo.doctor.checks.model._passes import logits_of, without_zeros
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_MOST, _FEWEST = 256, 16
_ALIKE = 0.2


def examine(subject: Subject) -> Outcome:
    count = min(subject.vocab_size, _MOST)
    if count < _FEWEST:
        raise Missing(f"{count} ids are too few to compare")
    ids = torch.arange(count)[:, None].repeat(1, 2)  # two of each: some layers need a past
    logits = logits_of(without_zeros(subject.network), [ids])[:, -1]
    neighbours = float((logits[1:] - logits[:-1]).abs().mean())
    apart = float((logits - logits.roll(count // 2, 0)).abs().mean())
    if apart == 0:
        raise Missing("the logits do not depend on the tokens (see model.contract)")
    ratio = neighbours / apart
    if ratio >= _ALIKE:
        return Outcome.passed(
            f"neighbouring ids differ {ratio:.2g} times as much as ids far apart", ratio=ratio
        )
    return Outcome.failed(
        f"ids are used as numbers: neighbouring ids give logits that differ only {ratio:.2g} times "
        f"as much as those of ids far apart",
        why="An id is a name. As a number, 'b' is a little more than 'a', and the network must "
        "first learn to separate 256 values on one line; most stay confused.",
        remedy="Look ids up: nn.Embedding(V, D)(tokens), or F.one_hot(tokens, V).float(); do not "
        "give tokens.float() or tokens / V to a linear or recurrent layer.",
        numbers={"ratio": ratio},
    )
