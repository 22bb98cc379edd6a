"""Whether the carried state is used at all, and bears being carried.

Method: bits per token of a network that has learnt something, on held-out text, the state carried
from end to end; with an empty state at every token; with an empty one after every bptt_length
tokens; and with the state of another passage, which is what tells whether its own is used: an empty
state also costs a network that never saw one. Cost: two seconds beside the trial. A network that
has not come half the way from the tokens' own entropy to that of the next given the one before is
not judged, and one that has had fewer than 500 updates is not failed: many learn the current
token's successors first. Pass rule: its own past gains 0.05 bits over another's (a working network
gains 0.3 or more as soon as it is judged, one without memory 0), and carrying costs no more than
0.05 over forgetting after every bptt_length tokens, where it should gain.
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from seqzoo.doctor.checks._shared import worded
from seqzoo.doctor.evidence.measure import measure, measure_swapped
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.model.runtime import untouched
from seqzoo.plugin.check import Check, Outcome

__all__ = ["CHECK"]

_CLEAR_BITS = 0.05
_ENOUGH_UPDATES = 500
_ROWS = 16


def examine(subject: Subject) -> Outcome:
    length = subject.pipeline.bptt_length
    tokens = subject.held_out
    # Whole stretches only, so that every reading scores the same tokens.
    stretches = (len(tokens) - 1) // (_ROWS * length)
    if stretches < 2:
        return Outcome.skipped("the held-out split is too short for two stretches in each row")
    tokens = tokens[: stretches * _ROWS * length + 1]
    carried = measure(subject.learnt, tokens, rows=_ROWS).bits_per_token
    entropy, given_one = entropies(tokens)
    if not carried < (entropy + given_one) / 2:
        raise Missing(
            f"the network has learnt too little yet to tell: {carried:.2f} bits per token, the "
            f"tokens' own entropy is {entropy:.2f}"
        )
    memoryless = bits_without_memory(subject.learnt, tokens)
    reset = measure(subject.learnt, tokens, rows=_ROWS, reset_every=length).bits_per_token
    try:
        own, swapped = measure_swapped(subject.learnt, tokens)
    except ValueError as error:
        raise Missing(str(error)) from error
    gain = swapped.bits_per_token - own.bits_per_token
    seen = (
        f"{carried:.2f} bits per token with the state carried, {gain:.2f} more with another "
        f"passage's, {memoryless:.2f} with none, {reset:.2f} with none after every {length}"
    )
    numbers = {"carried": carried, "gain": gain, "memoryless": memoryless, "reset": reset}
    if gain < _CLEAR_BITS and _updates(subject) < _ENOUGH_UPDATES:
        raise Missing(f"{seen}; too few updates yet to tell ({_updates(subject)})")
    if gain < _CLEAR_BITS:
        return Outcome.failed(
            seen,
            why="The network reads as well with another text in memory, so it uses none: it can "
            "be no better than a table of pairs.",
            remedy="Return the new state from forward and pass it on; see that the batches "
            "continue one another (stream.continuity), and that "
            + worded(
                subject,
                recipe="train.bptt_length is long enough.",
                code="the gradient crosses enough steps (memory.horizon).",
            ),
            numbers=numbers,
        )
    if carried - reset > _CLEAR_BITS:
        return Outcome.warned(
            seen,
            why="The network was trained on short passages and is worse at reading a long one: its "
            "state drifts to where training never was.",
            remedy=worded(
                subject,
                recipe="Carry the state in training as in reading (train.stream=null reads "
                "contiguous lanes), or begin anew more often when scoring (evaluate.lanes).",
                code="Carry the state in training as in reading (detached between batches that "
                f"continue each other), or begin anew after every {length} tokens when scoring.",
            ),
            numbers=numbers,
        )
    return Outcome.passed(seen, **numbers)


def _updates(subject: Subject) -> int:
    return subject.run.step if subject.is_trained else subject.trial.steps


def bits_without_memory(network: Network, tokens: npt.NDArray[Any]) -> float:
    """Bits per token with an empty state at every token: each distinct token is read once."""
    inputs, targets = (
        torch.from_numpy(part.astype(np.int64)) for part in (tokens[:-1], tokens[1:])
    )
    known, places = inputs.unique(return_inverse=True)
    with untouched(network.module):
        logits = torch.cat([network(part[:, None])[0][:, 0] for part in known.split(256)])
        logs = logits.cpu().double().log_softmax(-1)
    return -float(logs[places, targets].mean()) / math.log(2)


def entropies(tokens: npt.NDArray[Any]) -> tuple[float, float]:
    """Bits of a token, and of a token given the one before, as these tokens have them."""
    listed = tokens.tolist()
    pairs, firsts = Counter(pairwise(listed)), Counter(listed[:-1])
    return _bits(Counter(listed)), _bits(pairs) - _bits(firsts)


def _bits(counts: Counter[Any]) -> float:
    total = counts.total()
    return -sum(n / total * math.log2(n / total) for n in counts.values())


CHECK = Check(
    name="memory.carry",
    summary="the carried state is used and bears long texts",
    examine=examine,
    rank=30,
    is_quick=False,
    explains=("verdict.*", "decoding.*"),
)
