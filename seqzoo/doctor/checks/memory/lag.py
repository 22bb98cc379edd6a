"""Whether the architecture can learn to repeat what it read one or two steps ago.

Method: a newly initialised network with the recipe's own options learns y[t] = x[t - 2] on random
tokens from an alphabet of four, 16 rows of up to 32 and not longer than training reads at once,
without dropout, Adam at 5e-3, 300 updates or fewer if it learns earlier. It is the smallest copy
task (Hochreiter and Schmidhuber 1997, section 5). Random tokens are independent, so without memory
no guess is better than one in four. Small plain networks with torch's own initialisation may get no
gradient over two steps; then one step is tried, which all of them learn, and last a rate of 2e-2,
because weights that begin large (a head tied to an embedding) move slowly. Cost: 1-3 s, 20 s if it
fails. Pass rule: a tenth above chance, in the mean of the last ten updates; that is more than ten
standard errors.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seqzoo.doctor.checks._shared import adam_update, advice, without_dropout
from seqzoo.doctor.checks.memory._reach import influences
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_LAGS = (2, 1)
_ALPHABET = 4
_ROWS = 16
_LENGTH = 32
_UPDATES = 300
_RATE, _HIGHER_RATE = 5e-3, 2e-2
_KNOWN = 0.95
_ABOVE_CHANCE = 0.1


def examine(subject: Subject) -> Outcome:
    length = min(subject.pipeline.bptt_length, _LENGTH)
    if length < 2:
        return Outcome.skipped("training sees one token at a time, see memory.horizon")
    text = subject.random_tokens(8, length)
    lags = [lag for lag in _LAGS if lag < length]
    seen_at = influences(subject.network, text, lags)
    lags = [lag for lag, share in zip(lags, seen_at, strict=True) if share]
    if not lags:
        return Outcome.skipped("the logits depend on no earlier token, see memory.horizon")
    alphabet = torch.unique(text)[:_ALPHABET]
    if len(alphabet) < 2:
        raise Missing("the text has only one token, so there is nothing to remember")
    chance = 1 / len(alphabet)
    for lag, rate in [*((lag, _RATE) for lag in lags), (lags[-1], _HIGHER_RATE)]:
        accuracy, updates = _learn(subject, alphabet, length, lag, rate)
        is_learnt = accuracy >= chance + _ABOVE_CHANCE
        if is_learnt:
            break
    seen = (
        f"after {updates} updates it repeats the token of {lag} step{'s' * (lag > 1)} ago in "
        f"{accuracy:.0%} of cases, where chance is {chance:.0%}"
    )
    numbers = {"accuracy": accuracy, "chance": chance, "lag": lag, "updates": updates}
    if is_learnt:
        return Outcome.passed(seen, **numbers)
    return Outcome.failed(
        seen,
        why="To use more than the current token a model needs memory; a network that cannot learn "
        "to repeat a token cannot learn a language.",
        remedy="Check how forward passes the state from step to step, masks, and parameters that "
        "no gradient reaches; if the network is tiny, increase "
        + advice(subject, recipe="its size (architecture.options).", code="its hidden size."),
        numbers=numbers,
    )


def _learn(
    subject: Subject, alphabet: Tensor, length: int, lag: int, rate: float
) -> tuple[float, int]:
    """The accuracy reached, and after how many updates."""
    network = without_dropout(subject.network.fresh(subject.seed))
    parameters = [p for p in network.module.parameters() if p.requires_grad]
    if not parameters:
        raise Missing("the network has no parameter that is trained")
    optimizer = torch.optim.Adam(parameters, lr=rate)
    generator = torch.Generator().manual_seed(subject.seed)
    hits: list[float] = []
    while len(hits) < _UPDATES and not (hits and hits[-1] > _KNOWN):
        tokens = alphabet[torch.randint(len(alphabet), (_ROWS, length), generator=generator)]
        logits, targets = network(tokens)[0][:, lag:], tokens[:, :-lag]
        targets = targets.to(logits.device)
        loss = network.loss(logits, targets)
        adam_update(network, optimizer, -loss if subject.maximises else loss)
        hits.append(float((logits.argmax(-1) == targets).float().mean()))
    last = hits[-1:] if hits[-1] > _KNOWN else hits[-10:]
    return sum(last) / len(last), len(hits)
