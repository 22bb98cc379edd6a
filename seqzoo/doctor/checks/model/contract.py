"""Whether the model can be built, called and trained, as every other check and training does it.

Method: build it, build another, copy it; read (4, 64) random tokens in eval mode, go on with the
state that came back, then a pass in training mode and its gradient. A recipe's model reads a single
token too, as sampling does, and its state is batch-first, since the core selects rows of it. Then
other tokens are read. Cost: six passes. Pass rule: nothing raises; the logits are floating,
(B, T, V), V as many as there are tokens; the state is a tree of tensors; other tokens give other
logits, by a millionth at least. Source: `SequenceModel` in seqzoo/plugin/contracts.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from seqzoo.doctor.checks.model._passes import awake, length_for, listed, passed_over
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.subject import Missing, Subject, Unusable, cause_of
from seqzoo.model import state as states
from seqzoo.plugin.check import Check, Outcome
from seqzoo.plugin.contracts import SequenceModel, State

__all__ = ["CHECK"]

T = TypeVar("T")

_ROWS = 4


class _Broken(Exception):  # noqa: N818 (told as a finding)
    """What does not hold, in a sentence. remedy: where it is another than the usual one."""

    def __init__(self, seen: str, remedy: str = "") -> None:
        super().__init__(seen)
        self.remedy = remedy


def examine(subject: Subject) -> Outcome:
    try:
        return _examine(subject)
    except _Broken as found:
        return _failed(f"{found}{_number_of_rows(subject)}", found.remedy)
    except Unusable as reason:
        if reason.told_by != CHECK.name:
            raise
        said = f"{str(reason).partition(',')[0]}: {cause_of(reason.__cause__ or reason)}"
        return _failed(f"{said}{_number_of_rows(subject)}")


def _examine(subject: Subject) -> Outcome:
    given = subject.network
    network = _copied(given)
    _trying("building another", lambda: given.fresh(subject.seed))
    vocab_size, length = subject.vocab_size, length_for(subject)
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
    others = subject.random_tokens(2 * _ROWS, length)[_ROWS:]
    if not torch.equal(tokens, others) and any(True for _ in given.module.parameters()):
        _expect_a_difference(awake(given), tokens, others)
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


def _copied(network: Network) -> Network:
    try:
        return network.copied()
    except Exception as error:
        raise _Broken(
            str(error),
            "Every check works on a copy, so that the model stays as it is. Keep locks, files, "
            "loaders and loggers out of the module, or give it a __deepcopy__.",
        ) from error


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


def _expect_a_difference(network: Network, tokens: Tensor, others: Tensor) -> None:
    before, after = (passed_over(network, [text]) for text in (tokens, others))
    finite = before.isfinite() & after.isfinite()
    before, after = before[finite], after[finite]
    # Where nothing is finite model.finite has something to tell.
    if not len(before) or bool((after - before).abs().max() > 1e-6 * before.abs().max()):
        return
    even = [
        name
        for name, p in network.module.named_parameters()
        if p.ndim > 1 and p.numel() > 1 and bool((p == p.flatten()[0]).all())
    ]
    raise _Broken(
        "the logits do not depend on the tokens: other text gives the same"
        + (f"; all weights are equal in {listed(even)}" if even else ""),
        "Look for a factor of 0, tokens that are read and not used, an argmax or a norm that makes "
        "all of them alike; begin with weights drawn at random, as torch's layers do.",
    )


def _number_of_rows(subject: Subject) -> str:
    """Said where it does read a batch as training has it, and so is made for that many rows."""
    try:
        network, inputs = subject.network.copied(), subject.batch.inputs
        if len(inputs) == _ROWS:
            return ""
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            _read(network, inputs, None, "")
            if _works(network, inputs.repeat(2, 1)):
                return ""
    except (Missing, _Broken, TypeError):
        return ""
    return (
        f". It reads the batches' {len(inputs)} rows and no other number of them: its batch size "
        "is fixed. Take it from the tokens: B, T = tokens.shape"
    )


def _works(network: Network, tokens: Tensor) -> bool:
    try:
        _read(network, tokens, None, "")
    except _Broken:
        return False
    return True


def _failed(seen: str, remedy: str = "") -> Outcome:
    return Outcome.failed(
        seen,
        why="Training, scoring and sampling call the model in the same way, and fail in the same "
        "way; nothing else can be said of it until it answers.",
        remedy=remedy
        or "Mend what the message names; a module maps tokens (B, T) and a state, None for an "
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
