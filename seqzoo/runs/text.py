"""A trained model on any text: the cost of each byte, the next byte, the states."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqzoo.data.tokens import encode_span
from seqzoo.errors import UsageError
from seqzoo.model import state as states
from seqzoo.model.memory import enough_memory
from seqzoo.model.runtime import Runtime, in_inference_mode
from seqzoo.plugin.contracts import SequenceModel, State
from seqzoo.plugin.span import Span
from seqzoo.runs.experiment import Experiment
from seqzoo.scoring.static import Protocol, score_split
from seqzoo.scoring.tally import CostOfEachByte

__all__ = ["costs_of", "next_byte", "score_text", "states_after"]

_CHUNK_LENGTH = 1024
_MAX_SYMBOL_TOKENS = 3
"""Tokens that one symbol may have, such as an escape token and two digits."""


def score_text(
    experiment: Experiment, data: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.float64], float, float]:
    """Bits of each of the (N,) bytes, bits per byte, and accuracy; read in one lane.

    Raises UsageError if the text is empty.
    """
    if not len(data):
        raise UsageError("the text is empty; a score needs at least one byte.")
    tally = costs_of(experiment, Span(data, 0, len(data)), Protocol())
    return tally.bits, tally.bits_per_byte, tally.accuracy


def costs_of(experiment: Experiment, span: Span, protocol: Protocol) -> CostOfEachByte:
    """The cost of every byte of a span, of which the protocol may leave out the end.

    Raises UsageError if it has fewer bytes than the protocol has lanes.
    """
    split = protocol.reader(experiment.tokenizer, span)
    tally = CostOfEachByte(split.text.data)
    with enough_memory("scoring", experiment.runtime.device, dict):
        score_split(
            experiment.model,
            split,
            runtime=experiment.runtime,
            chunk_length=protocol.chunk_length,
            tally=tally,
        )
    return tally


def next_byte(experiment: Experiment, data: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """(256,) probabilities of the byte after (N,) bytes, summed over all tokens that begin with it.

    They add up to 1, minus the probability of tokens that cannot begin a byte.
    """
    model, tokenizer, runtime = experiment.model, experiment.tokenizer, experiment.runtime
    # As in scoring, the first token is predicted from token 0: there is no byte before it.
    tokens = np.concatenate([[0], tokenizer.encode(data).astype(np.int64)])
    probabilities = np.zeros(256)
    with in_inference_mode(model):
        state: State = None
        for chunk in torch.from_numpy(tokens).unsqueeze(0).split(_CHUNK_LENGTH, dim=1):
            logits, state = _step(model, chunk, state, runtime)
        # For each row: the tokens of a symbol that is not complete, and their probability.
        partial: list[tuple[tuple[int, ...], float]] = [((), 1.0)]
        for _ in range(_MAX_SYMBOL_TOKENS):
            shares = torch.softmax(logits[:, -1].cpu().double(), dim=-1).numpy()
            rows, longer = [], []
            for row, (parts, weight) in enumerate(partial):
                for token, share in enumerate(shares[row] * weight):
                    if symbol := tokenizer.decode(np.array([*parts, token])):
                        probabilities[symbol[0]] += share
                    elif share:
                        rows.append(row)
                        longer.append(((*parts, token), float(share)))
            if not longer:
                break
            partial = longer
            last = torch.tensor([[parts[-1]] for parts, _ in partial])
            chosen = states.select_rows(state, torch.tensor(rows))
            logits, state = _step(model, last, chosen, runtime)
    return probabilities


def states_after(
    experiment: Experiment, data: npt.NDArray[np.uint8]
) -> dict[str, npt.NDArray[Any]]:
    """Each leaf of the state after each of the (N,) bytes: name -> (N, ...).

    Raises UsageError if the text is empty or a leaf changes its shape from token to token.
    """
    if not len(data):
        raise UsageError("the text is empty; there is no state to show.")
    model, runtime = experiment.model, experiment.runtime
    text = encode_span(experiment.tokenizer, Span(data, 0, len(data)))
    found: dict[str, list[npt.NDArray[Any]]] = {}
    read = 0
    ends = np.cumsum(text.lengths)
    with in_inference_mode(model):
        # The state for the first token includes the input before it.
        _, state = _step(model, torch.tensor([[text.first_input]]), None, runtime)
        for position in range(len(data)):
            while read < len(ends) and ends[read] <= position + 1:
                token = torch.tensor([[int(text.tokens[read])]])
                _, state = _step(model, token, state, runtime)
                read += 1
            for name, leaf in states.flatten(state).items():
                # A copy: a model may write its next state into the same memory.
                found.setdefault(name, []).append(np.array(_plain(leaf)[0]))
    return {name: _stacked(name, leaves) for name, leaves in found.items()}


def _stacked(name: str, leaves: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    shapes = {leaf.shape for leaf in leaves}
    if len(shapes) > 1:
        raise UsageError(
            f"state leaf '{name}' has {len(shapes)} shapes while it reads, and cannot be shown as "
            f"one array; read a shorter text."
        )
    return np.stack(leaves)


def _plain(leaf: Tensor) -> npt.NDArray[Any]:
    leaf = leaf.detach().cpu()
    return (leaf.float() if leaf.dtype == torch.bfloat16 else leaf).numpy()


def _step(
    model: SequenceModel, tokens: Tensor, state: State, runtime: Runtime
) -> tuple[Tensor, State]:
    with runtime.autocast():
        logits, state = model(tokens.to(runtime.device), state)
    return logits, state
