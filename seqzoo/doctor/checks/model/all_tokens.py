"""Whether each token of the text is learnt, as an input and as a target.

Method: the loss is differentiated at random logits, once with each token as the target: a token
whose logits get no gradient is ignored. Then the model reads each token, and each embedding is
searched for rows that were read and got no gradient, as it is after the hooks that the user's code
has registered on the weights. Only tokens that are real symbols count, up to 512 of them: those of
the corpus, or without one those that stand between others in the batches, which padding never does.
Last, each token is read alone, and two must not give the same logits (in a user's own model: tables
of n-grams have the same for tokens that they never saw). Cost: one pass in each direction, and one
more. Pass rule: no such token. Source: torch.nn.Embedding (padding_idx)
and torch.nn.CrossEntropyLoss (ignore_index).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from seqzoo.doctor.checks._shared import without_dropout
from seqzoo.doctor.checks.model._ignored import ignored_targets
from seqzoo.doctor.checks.model._passes import length_for, logits_of, seeded, without_zeros
from seqzoo.doctor.evidence.gradients import dense
from seqzoo.doctor.subject import Missing, Subject, or_none
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_MOST, _LEAST = 512, 64
_VALUES = 1 << 23


def examine(subject: Subject) -> Outcome:
    symbols = _symbols(subject)
    symbols = symbols[symbols < subject.vocab_size]
    # Each symbol has logits of the whole vocabulary.
    symbols = symbols[: max(_LEAST, _VALUES // subject.vocab_size)]
    if len(symbols) < 2:
        raise Missing("no text is known, so no token is known to be a symbol of it")
    ignored, unlearnt = _ignored(subject, symbols), _unlearnt(subject, symbols)
    same = () if subject.has("recipe") else _read_as_one(subject, symbols)
    figures = {"ignored": float(len(ignored)), "unlearnt": float(len(unlearnt))}
    if same and not (ignored or unlearnt):
        return Outcome.failed(
            f"the model reads {_ids(list(same))} as one token: alone, each gives the same logits",
            why="No later layer can separate tokens that are read as one: what follows one of them "
            "is predicted after the others too.",
            remedy="Look for clamp, % or a cast to a smaller type on the ids, and for an embedding "
            "with too few rows; each id needs a row of its own.",
            numbers=figures,
        )
    if not (ignored or unlearnt):
        return Outcome.passed(
            f"{len(symbols)} tokens of the text get a gradient as inputs and as targets", **figures
        )
    said, remedy = [], []
    if ignored:
        said.append(
            f"the loss ignores {_ids(ignored)} as a target, which {_is(ignored)} of the text"
        )
        remedy.append("Leave out ignore_index (or a weight of 0), or give padding an id of its own")
    if unlearnt:
        said.append(
            f"the embedding of {_ids(unlearnt)}, which {_is(unlearnt)} of the text, gets no "
            f"gradient"
        )
        remedy.append(
            "Leave out padding_idx of nn.Embedding and hooks that set its gradient to 0 "
            "(weight.register_hook), or give padding an id of its own"
        )
    return Outcome.failed(
        "; ".join(said),
        why="An id that is taken for padding is never learnt: the model cannot predict it, and "
        "reads it as it was initialised. With ids from 0 on, id 0 is often a newline or a space.",
        remedy="; ".join(remedy) + ", such as the number of symbols or, for targets, -100.",
        numbers=figures,
    )


def _symbols(subject: Subject) -> Tensor:
    """(N,) ids of real symbols, the most frequent first."""
    text = or_none(lambda: subject.tokens)
    if text is not None:
        ids, counts = np.unique(np.asarray(text[: 1 << 20]).astype(np.int64), return_counts=True)
    else:
        recording = subject.recording
        inner = [
            batch.inputs[:, 1:-1][
                (batch.inputs[:, 1:-1] != batch.inputs[:, :-2])
                & (batch.inputs[:, 1:-1] != batch.inputs[:, 2:])
            ]
            for batch in recording.batches
        ]
        ids, counts = np.unique(torch.cat(inner).numpy(), return_counts=True)
    return torch.from_numpy(ids[np.argsort(-counts, kind="stable")][:_MOST])


def _ignored(subject: Subject, symbols: Tensor) -> list[int]:
    try:
        return ignored_targets(subject.network, symbols, subject.vocab_size)
    except Exception as error:
        raise Missing("the loss cannot be differentiated (see model.loss)") from error


def _read_as_one(subject: Subject, symbols: Tensor) -> tuple[int, ...]:
    """Ids that give the same logits as another one, when each is read alone; none if all do."""
    text = symbols[:, None].repeat(1, 2)
    logits = logits_of(without_zeros(subject.network), [text])[:, -1]
    kinds, kind_of, counts = logits.unique(dim=0, return_inverse=True, return_counts=True)
    if len(kinds) < 2 or int(counts.max()) < 2:
        return ()
    return tuple(sorted(symbols[kind_of == int(counts.argmax())].tolist()))


def _unlearnt(subject: Subject, symbols: Tensor) -> list[int]:
    """Ids that were read, and whose rows of an embedding got no gradient although others did."""
    network = without_dropout(subject.network)
    length = length_for(subject)
    # In the first half of a row, where also a model that delays its input reads them.
    half = max(1, length // 2)
    rows = -(-len(symbols) // half)
    first = symbols.repeat(-(-rows * half // len(symbols)))[: rows * half].view(rows, half)
    text = first.repeat(1, -(-length // half))[:, :length]
    read: dict[nn.Module, set[int]] = {}

    def note(module: nn.Module, given: tuple[Tensor, ...], _: Tensor) -> None:
        read.setdefault(module, set()).update(given[0].unique().tolist())

    for module in network.module.modules():
        if isinstance(module, nn.Embedding):
            module.register_forward_hook(note)
    _with_hooks_of(subject.network.module, network.module)
    with seeded(0):
        logits, _ = network(text)
        if not logits.requires_grad:
            return []
        torch.autograd.backward(logits.float().square().mean())
    found: set[int] = set()
    for module, ids in read.items():
        gradient = getattr(module.weight, "grad", None)
        if not isinstance(gradient, Tensor) or ids != set(symbols.tolist()):
            continue  # a table of positions reads other numbers
        learnt = dense(gradient).abs().sum(-1).cpu()[symbols]
        if bool(learnt.any()):
            found |= set(symbols[learnt == 0].tolist())
    return sorted(found)


def _with_hooks_of(given: nn.Module, copy: nn.Module) -> None:
    """Hooks on the gradients of weights, which a copy of a parameter does not have."""
    own = dict(copy.named_parameters())
    for name, parameter in given.named_parameters():
        for hook in (parameter._backward_hooks or {}).values():
            if name in own and own[name].requires_grad:
                own[name].register_hook(hook)


def _ids(ids: list[int]) -> str:
    shown = ", ".join(map(str, ids[:3])) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "")
    return f"id{'s' * (len(ids) > 1)} {shown}"


def _is(ids: list[int]) -> str:
    return "is a symbol" if len(ids) == 1 else "are symbols"
