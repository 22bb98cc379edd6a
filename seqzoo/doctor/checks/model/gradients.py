"""Whether every parameter learns.

Method: four updates as in training, on its own batches; without batches, with Adam. After each one
the gradients are read, and at the end whether the values moved. A layer behind a head or gate that
is initialised to zero has a gradient from the second update on, behind two gates from the third. If
training reads fewer than 8 tokens at once and a parameter got no gradient, a copy reads more
tokens: with one token and an empty state recurrent weights get none, which memory.horizon reports.
So it does if a model begins each step with an empty state: then no earlier token changes the
logits, and only recurrent weights get none. Cost: four updates, or eight. Pass rule: each parameter
had a gradient that is not all zero, and moved. Fail: it had none, or the optimizer does not have
it, or has those of another model. Warn: it is frozen (requires_grad=False), which may be intended;
a frozen embedding in a user's own model is (sinusoids, or vectors that were trained before).
Source: torch.autograd; `SequenceModel` in seqzoo/plugin/contracts.py.
"""

from __future__ import annotations

from collections.abc import Callable, Set

import torch
from torch import nn

from seqzoo.doctor.checks.memory._reach import earlier_influence
from seqzoo.doctor.checks.model._passes import length_for, listed
from seqzoo.doctor.evidence.gradients import dense, without_sparse_gradients
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.subject import Subject, Unusable, cause_of, or_none
from seqzoo.errors import DivergedError
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_UPDATES = 4
_FEW_TOKENS = 8


def examine(subject: Subject) -> Outcome:
    network = subject.network.copied()
    before = {name: p.detach().clone() for name, p in network.module.named_parameters()}
    if not before:
        return Outcome.skipped("the model has no parameters")
    try:
        update = _updates(subject, network)
    except Unusable as reason:
        if reason.reported_by != "model.gradients":
            raise
        return _without_optimizer(cause_of(reason.__cause__ or reason))
    reached, made = _reached(network, update)
    if not made:
        return Outcome.skipped("no update could be made")
    on_longer_text = _reached_on_longer_text(subject, before.keys() - reached)
    frozen: list[str] = []
    without: list[str] = []
    unmoved: list[str] = []
    given: list[str] = []
    tables = set() if subject.has("recipe") else _embeddings(network)
    for name, parameter in network.module.named_parameters():
        if not parameter.requires_grad:
            (given if name in tables else frozen).append(name)
        elif name in on_longer_text:
            continue
        elif name not in reached:
            without.append(name)
        elif torch.equal(parameter.detach(), before[name]):
            unmoved.append(name)
    if without and not unmoved and _begins_each_step_empty(subject, without):
        return Outcome.passed(
            f"all parameters have a gradient but {listed(without)}, which multiply a state that is "
            f"always 0: see memory.horizon",
            without_gradient=float(len(without)),
        )
    total = sum(parameter.numel() for parameter in before.values())
    groups = {
        "are frozen (requires_grad=False)": frozen,
        "have no gradient": without,
        "have a gradient but do not move, so the optimizer does not have them, or its learning "
        "rate is 0 or too small for their precision": unmoved,
    }
    said = [
        f"{share:.0%} of the parameters {what}: {listed(names)}"
        for what, names in groups.items()
        if names
        for share in [sum(before[name].numel() for name in names) / total]
    ]
    figures = {
        "frozen": float(len(frozen)),
        "without_gradient": float(len(without)),
        "unmoved": float(len(unmoved)),
        "parameters": float(total),
    }
    if on_longer_text and not said:
        return Outcome.passed(
            f"all {len(before)} parameters ({total:,} values) get a gradient, but "
            f"{listed(sorted(on_longer_text))} on longer text than training reads at once",
            **figures,
        )
    if not said:
        fixed = f"; {listed(given)} is frozen, as a table that was trained before" if given else ""
        return Outcome.passed(
            f"all {len(before) - len(given)} parameters ({total:,} values) had a gradient and "
            f"moved within {made} updates{fixed}",
            **figures,
        )
    return (Outcome.failed if without or unmoved else Outcome.warned)(
        "; ".join(said),
        why="A parameter without updates stays as it was initialised: the model is smaller than it "
        "looks, and its random part disturbs the rest.",
        remedy="Use every layer in forward, without .detach(), .data, torch.no_grad() or argmax "
        "between; set requires_grad=True; create the optimizer after the layers, with "
        "model.parameters(), and with a learning rate above 0.",
        numbers=figures,
    )


def _without_optimizer(seen: str) -> Outcome:
    return Outcome.failed(
        seen,
        why="Training calls step(), the loss is computed, and no weight of the model changes.",
        remedy="Make the optimizer after the model, from the parameters of the model that is "
        "trained, and make it again whenever the model is built again or replaced.",
    )


def _begins_each_step_empty(subject: Subject, without: list[str]) -> bool:
    """Whether these are recurrent weights, and the logits depend on no earlier token."""
    recurrent = {
        f"{name}.{part}".removeprefix(".")
        for name, module in subject.network.module.named_modules()
        if isinstance(module, (nn.RNNBase, nn.RNNCellBase))
        for part, _ in module.named_parameters(recurse=False)
        if part.startswith("weight_hh")
    }
    if not set(without) <= recurrent:
        return False
    tokens = subject.random_tokens(4, length_for(subject))
    return tokens.shape[1] > 1 and earlier_influence(subject.network, tokens) == 0


def _embeddings(network: Network) -> set[str]:
    """Names of the weights of embeddings."""
    modules = network.module.named_modules()
    return {f"{name}.weight" for name, part in modules if isinstance(part, nn.Embedding)}


def _reached(network: Network, update: Callable[[], object]) -> tuple[set[str], int]:
    """The parameters that had a gradient in some updates, and how many updates were made."""
    reached: set[str] = set()
    for made in range(_UPDATES):
        try:
            update()
        except (DivergedError, StopIteration):
            return reached, made
        reached |= {
            name
            for name, parameter in network.module.named_parameters()
            if parameter.grad is not None and bool(dense(parameter.grad).any())
        }
    return reached, _UPDATES


def _reached_on_longer_text(subject: Subject, without: Set[str]) -> set[str]:
    """Which of these parameters get a gradient if more is read at once than in training."""
    pipeline = or_none(lambda: subject.pipeline)
    if pipeline is None or pipeline.bptt_length >= _FEW_TOKENS or not without:
        return set()
    network = subject.network.copied()
    tokens = subject.random_tokens(4, length_for(subject) + 1)
    return _reached(network, _adam_updates(network, tokens[:, :-1], tokens[:, 1:]))[0] & without


def _updates(subject: Subject, network: Network) -> Callable[[], object]:
    """A function that makes one update of the network."""
    pipeline = or_none(lambda: subject.pipeline)
    if pipeline is None:
        return _adam_updates(network, *_text(subject))
    return pipeline.trainer(network, steps=_UPDATES).update


def _adam_updates(
    network: Network, inputs: torch.Tensor, targets: torch.Tensor
) -> Callable[[], None]:
    """A function that makes one update with Adam, always on the same text."""
    without_sparse_gradients(network.module)
    optimizer = torch.optim.Adam([p for p in network.module.parameters() if p.requires_grad])

    def update() -> None:
        network.module.train()
        optimizer.zero_grad()
        logits, _ = network(inputs)
        torch.autograd.backward(network.loss(logits, targets.to(logits.device)))
        optimizer.step()

    return update


def _text(subject: Subject) -> tuple[torch.Tensor, torch.Tensor]:
    length = length_for(subject)
    sample = or_none(lambda: subject.sample)
    if sample is None:
        tokens = subject.random_tokens(4, length + 1)
        return tokens[:, :-1], tokens[:, 1:]
    return sample.inputs[:, :length], sample.targets[:, :length]
