"""Whether every parameter learns.

Method: four updates as training makes them, on its own batches; without batches, of Adam. After
each, gradients are looked at; in the end, whether the values moved. A layer behind a head or gate
that begins at zero has a gradient from the second update on, two gates deep from the third. Cost:
four updates. Pass rule: each parameter had a gradient that is not all zero, and moved. Fail: it had
none, or the optimizer does not hold it. Warn where it is frozen (requires_grad=False), which may be
meant. Source: torch.autograd; `SequenceModel` in seqzoo/contracts.py.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from seqzoo.doctor.checks._passes import listed
from seqzoo.doctor.network import Network
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.errors import DivergedError
from seqzoo.specs import Check, Outcome

__all__ = ["CHECK"]

_UPDATES = 4


def examine(subject: Subject) -> Outcome:
    network = subject.network.copied()
    before = {name: p.detach().clone() for name, p in network.module.named_parameters()}
    if not before:
        return Outcome.skipped("the model has no parameters")
    update = _updates(subject, network)
    reached: set[str] = set()
    made = 0
    try:
        for _ in range(_UPDATES):
            update()
            made += 1
            reached |= {
                name
                for name, parameter in network.module.named_parameters()
                if parameter.grad is not None and bool(parameter.grad.any())
            }
    except (DivergedError, StopIteration):
        if not made:
            return Outcome.skipped("no update could be made")
    frozen, without, unmoved = [], [], []
    for name, parameter in network.module.named_parameters():
        if not parameter.requires_grad:
            frozen.append(name)
        elif name not in reached:
            without.append(name)
        elif torch.equal(parameter.detach(), before[name]):
            unmoved.append(name)
    total = sum(parameter.numel() for parameter in before.values())
    groups = {
        "are frozen (requires_grad=False)": frozen,
        "have no gradient": without,
        "have a gradient and stay, so the optimizer does not hold them": unmoved,
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
    if not said:
        return Outcome.passed(
            f"all {len(before)} parameters ({total:,} values) had a gradient and moved within "
            f"{made} updates",
            **figures,
        )
    return (Outcome.failed if without or unmoved else Outcome.warned)(
        "; ".join(said),
        why="What gets no update stays as it was initialised: the model is smaller than it looks, "
        "and its random part is in the way.",
        remedy="Use every layer in forward, without .detach(), .data, torch.no_grad() or argmax on "
        "the way; set requires_grad=True; make the optimizer after the layers, of "
        "model.parameters().",
        numbers=figures,
    )


def _updates(subject: Subject, network: Network) -> Callable[[], object]:
    """Makes an update of the network at each call."""
    try:
        return subject.pipeline.trainee(network, steps=_UPDATES).update
    except Missing:
        inputs, targets = _text(subject)
    optimizer = torch.optim.Adam([p for p in network.module.parameters() if p.requires_grad])

    def update() -> None:
        network.module.train()
        optimizer.zero_grad()
        logits, _ = network(inputs)
        network.loss(logits, targets.to(logits.device)).backward()
        optimizer.step()

    return update


def _text(subject: Subject) -> tuple[torch.Tensor, torch.Tensor]:
    try:
        return subject.sample.inputs, subject.sample.targets
    except Missing:
        tokens = subject.random_tokens(4, 65)
        return tokens[:, :-1], tokens[:, 1:]


CHECK = Check(
    name="model.gradients",
    summary="every parameter has a gradient and moves",
    examine=examine,
    rank=100,
    explains=("optimisation.*", "memory.*", "verdict.*"),
)
