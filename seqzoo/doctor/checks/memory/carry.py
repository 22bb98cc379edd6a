"""Whether the carried state is used at all, and whether it still helps in long texts.

Method: bits per token of a trained network on held-out text, with the state carried from beginning
to end; with an empty state at every token; with an empty state after every bptt_length tokens; and
with the state of another passage. Only the last one shows whether the network uses its own state:
an empty state also costs a network that never saw one. Cost: the trial and two seconds. A network
that has not covered half of the way from the entropy of a token to that of a token given the one
before is not judged, and one with fewer than 500 updates does not fail: many learn first which
token follows the current one. Pass rule: its own past gains 0.05 bits compared with another's (a
working network gains 0.3 or more as soon as it is judged, one without memory 0), and carrying the
state costs no more than 0.05 bits compared with forgetting after every bptt_length tokens, where it
should gain.
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from seqzoo.doctor.checks._shared import advice
from seqzoo.doctor.evidence.measure import measure, measure_swapped
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.model.runtime import in_inference_mode
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_CLEAR_BITS = 0.05
_ENOUGH_UPDATES = 500
_ROWS = 16


def examine(subject: Subject) -> Outcome:
    length = subject.pipeline.bptt_length
    tokens = subject.held_out
    # Only whole stretches, so that every reading scores the same tokens.
    stretches = (len(tokens) - 1) // (_ROWS * length)
    if stretches < 2:
        return Outcome.skipped("the held-out split is too short for two stretches in each row")
    tokens = tokens[: stretches * _ROWS * length + 1]
    carried = measure(subject.trained_network, tokens, rows=_ROWS).bits_per_token
    entropy, given_one = entropies(tokens)
    if not carried < (entropy + given_one) / 2:
        raise Missing(
            f"the network has learnt too little yet to judge: {carried:.2f} bits per token, the "
            f"tokens' own entropy is {entropy:.2f}"
        )
    memoryless = bits_without_memory(subject.trained_network, tokens)
    reset = measure(subject.trained_network, tokens, rows=_ROWS, reset_every=length).bits_per_token
    try:
        own, swapped = measure_swapped(subject.trained_network, tokens)
    except ValueError as error:
        raise Missing(str(error)) from error
    gain = swapped.bits_per_token - own.bits_per_token
    seen = (
        f"{carried:.2f} bits per token with the state carried, {gain:.2f} more with that of "
        f"another passage, {memoryless:.2f} with none, {reset:.2f} with an empty one after every "
        f"{length}"
    )
    numbers = {"carried": carried, "gain": gain, "memoryless": memoryless, "reset": reset}
    if gain < _CLEAR_BITS and _updates(subject) < _ENOUGH_UPDATES:
        raise Missing(f"{seen}; too few updates yet to judge ({_updates(subject)})")
    if gain < _CLEAR_BITS:
        return Outcome.failed(
            seen,
            why="The network predicts as well with the memory of another text, so it does not use "
            "its memory: it cannot be better than a table of byte pairs.",
            remedy="Return the new state from forward and pass it to the next call; check that the "
            "batches continue each other (stream.continuity), and that "
            + advice(
                subject,
                recipe="train.bptt_length is long enough.",
                code="the gradient crosses enough steps (memory.horizon).",
            ),
            numbers=numbers,
        )
    if carried - reset > _CLEAR_BITS:
        return Outcome.warned(
            seen,
            why="The network was trained on short passages and is worse on long ones: its state "
            "reaches values that never occurred in training.",
            remedy=advice(
                subject,
                recipe="Carry the state in training as in scoring (train.stream=null reads "
                "contiguous lanes), or reset it more often in scoring (evaluate.lanes).",
                code="Carry the state in training as in scoring (detached between batches that "
                f"continue each other), or reset it after every {length} tokens in scoring.",
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
    known, places = torch.unique(inputs, return_inverse=True)
    network = network.copied()
    with in_inference_mode(network.module):
        logits = torch.cat([network(part[:, None])[0][:, 0] for part in known.split(256)])
        logs = logits.cpu().double().log_softmax(-1)
    return -float(logs[places, targets].mean()) / math.log(2)


def entropies(tokens: npt.NDArray[Any]) -> tuple[float, float]:
    """Entropy in bits of a token, and of a token given the one before, in these tokens."""
    listed = tokens.tolist()
    pairs, firsts = Counter(pairwise(listed)), Counter(listed[:-1])
    return _bits(Counter(listed)), _bits(pairs) - _bits(firsts)


def _bits(counts: Counter[Any]) -> float:
    total = counts.total()
    return -sum(n / total * math.log2(n / total) for n in counts.values())
