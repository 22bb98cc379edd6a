"""Whether the model can be built, called and trained, as every other check and training does it.

Method: build it, build another, copy it; read (4, 64) random tokens in eval mode, go on with the
state that came back, then a pass in training mode and its gradient. A recipe's model reads a single
token too, as sampling does, and its state is batch-first, since the core selects rows of it. Cost:
four passes. Pass rule: nothing raises; the logits are floating, (B, T, V), V as many as there are
tokens; the state is a tree of tensors. Source: `SequenceModel` in seqzoo/contracts.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from seqzoo import state as states
from seqzoo.contracts import SequenceModel, State
from seqzoo.doctor.checks._passes import length_for
from seqzoo.doctor.network import Network
from seqzoo.doctor.subject import Missing, Subject, Unusable, cause_of
from seqzoo.specs import Check, Outcome

__all__ = ["CHECK"]

T = TypeVar("T")

_ROWS = 4


class _Broken(Exception):  # noqa: N818 (told as a finding)
    """What does not hold, in a sentence."""


def examine(subject: Subject) -> Outcome:
    try:
        return _examine(subject)
    except _Broken as found:
        return _failed(str(found))
    except Unusable as reason:
        if reason.told_by != CHECK.name:
            raise
        return _failed(f"{str(reason).partition(',')[0]}: {cause_of(reason.__cause__ or reason)}")


def _examine(subject: Subject) -> Outcome:
    given, vocab_size, length = subject.network, subject.vocab_size, length_for(subject)
    _trying("building another", lambda: given.fresh(subject.seed))
    network = _trying("copying it (copy.deepcopy)", given.copied)
    tokens = subject.random_tokens(_ROWS, length)
    network.module.eval()
    with torch.no_grad():
        logits, state = _read(network, tokens, None, "reading text")
        if logits.shape[-1] != vocab_size:
            raise _Broken(f"{logits.shape[-1]} logits for each token of {vocab_size}")
        size = _size_of_row(state, strict=isinstance(network.module, SequenceModel))
        _read(network, tokens, state, "going on with the state that came back")
        if isinstance(network.module, SequenceModel):
            _read(network, tokens[:, :1], state, "reading a single token")
    network = given.copied()
    network.module.train()
    logits, _ = _read(network, tokens, None, "reading text in training mode")
    if any(p.requires_grad for p in network.module.parameters()):
        _trying("the gradient", lambda: logits.float().square().mean().backward())
    held = f"a state of {size / 1024:.3g} KiB a row" if size else "no state"
    return Outcome.passed(
        f"logits {tuple(logits.shape)} for tokens {tuple(tokens.shape)}, {held}",
        vocab_size=float(logits.shape[-1]),
        state_bytes_a_row=float(size),
    )


def _trying(what: str, act: Callable[[], T]) -> T:
    try:
        return act()
    except (KeyboardInterrupt, Missing):
        raise
    except BaseException as error:  # SystemExit too: it would end a training as well
        raise _Broken(f"{what} raises {cause_of(error)}") from error


def _read(network: Network, tokens: Tensor, state: State, what: str) -> tuple[Tensor, State]:
    with torch.random.fork_rng(devices=[]):
        return _trying(f"{what}, {tuple(tokens.shape)},", lambda: network(tokens, state))


def _size_of_row(state: Any, *, strict: bool) -> int:
    """Bytes that the state has for each row."""
    leaves = _trying("detaching the state", lambda: states.flatten(states.detach(state)))
    for path, leaf in leaves.items():
        if strict and (leaf.ndim == 0 or len(leaf) != _ROWS):
            raise _Broken(f"state leaf '{path}' {tuple(leaf.shape)} is not batch-first")
    return sum(leaf.numel() * leaf.element_size() for leaf in leaves.values()) // _ROWS


def _failed(seen: str) -> Outcome:
    return Outcome.failed(
        seen,
        why="Training, scoring and sampling call the model in the same way, and fail in the same "
        "way; nothing else can be said of it until it answers.",
        remedy="Mend what the message names; a module maps tokens (B, T) and a state, None for an "
        "empty one, to logits (B, T, V) and the next state. examine(forward=...) adapts another.",
    )


CHECK = Check(
    name="model.contract",
    summary="the model can be built, called and trained",
    examine=examine,
    rank=10,
    explains=("model.*", "memory.*", "optimisation.*", "verdict.*", "decoding.*"),
    is_gate=True,
)
