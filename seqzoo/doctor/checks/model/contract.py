"""Whether the model can be built, called and trained, as training and every other check need it.

Method: build it, build another, copy it; read (4, 64) random tokens in eval mode, continue with the
returned state, then a pass in training mode and its gradient. A recipe's model also reads a single
token, as sampling does, and its state must be batch-first, because seqzoo selects rows of it. Then
other tokens are read. Cost: six passes. Pass rule: no exception; the logits are floating point,
(B, T, V), with V the size of the vocabulary; the state is a tree of tensors; other tokens give
other logits, by at least a millionth. Source: `SequenceModel` in seqzoo/plugin/contracts.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from seqzoo.doctor.checks.model._passes import length_for, listed, logits_of, without_zeros
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.subject import Missing, Subject, Unusable, cause_of
from seqzoo.model import state as states
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.contracts import SequenceModel, State

__all__ = ["examine"]

T = TypeVar("T")

_ROWS = 4


class _Broken(Exception):  # noqa: N818 (reported as a finding)
    """What is wrong, in a sentence. remedy: if it is not the usual one."""

    def __init__(self, seen: str, remedy: str = "") -> None:
        super().__init__(seen)
        self.remedy = remedy


def examine(subject: Subject) -> Outcome:
    try:
        return _examine(subject)
    except _Broken as found:
        return _failed(str(found), found.remedy)
    except Unusable as reason:
        if reason.reported_by != "model.contract":
            raise
        said = f"{str(reason).partition(',')[0]}: {cause_of(reason.__cause__ or reason)}"
        return _failed(said)


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
        _read(network, tokens, state, "continuing with the returned state")
        if isinstance(network.module, SequenceModel):
            _read(network, tokens[:, :1], state, "reading a single token")
    network = given.copied()
    network.module.train()
    logits, _ = _read(network, tokens, None, "reading text in training mode")
    if any(p.requires_grad for p in network.module.parameters()):
        _trying("the gradient", lambda: torch.autograd.backward(logits.float().square().mean()))
    others = subject.random_tokens(2 * _ROWS, length)[_ROWS:]
    if not torch.equal(tokens, others) and any(True for _ in given.module.parameters()):
        _expect_a_difference(without_zeros(given), tokens, others)
    held = f"a state of {size / 1024:.3g} KiB a row" if size else "no state"
    if read := network.reading_in_words(tokens):
        held += f"; {read}"
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
    except BaseException as error:  # SystemExit too: it would also end a training
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
    """Bytes of the state for each row."""
    leaves = _trying("detaching the state", lambda: states.flatten(states.detach(state)))
    for path, leaf in leaves.items():
        if strict and (leaf.ndim == 0 or len(leaf) != _ROWS):
            raise _Broken(f"state leaf '{path}' {tuple(leaf.shape)} is not batch-first")
    return sum(leaf.numel() * leaf.element_size() for leaf in leaves.values()) // _ROWS


def _expect_a_difference(network: Network, tokens: Tensor, others: Tensor) -> None:
    before, after = (logits_of(network, [text]) for text in (tokens, others))
    finite = before.isfinite() & after.isfinite()
    before, after = before[finite], after[finite]
    # If nothing is finite, model.finite reports it.
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
        "Look for a factor of 0, tokens that are read but not used, an argmax or a norm that makes "
        "all of them equal; initialise weights at random, as torch's layers do.",
    )


def _failed(seen: str, remedy: str = "") -> Outcome:
    return Outcome.failed(
        seen,
        why="Training, scoring and sampling call the model in the same way, and fail in the same "
        "way; until that works, nothing else can be checked.",
        remedy=remedy
        or "Fix what the message names. A module maps tokens (B, T) and a state, None for an empty "
        "one, to logits (B, T, V) and the next state; examine(forward=...) adapts another module.",
    )
