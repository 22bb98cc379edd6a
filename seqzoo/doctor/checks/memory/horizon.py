"""How many tokens back the gradient goes: what the network lets through, and what the cut allows.

Method: on real text, the norm of the gradient of the loss at t with respect to the embedded input
at t - k (Pascanu et al. 2013, arXiv:1211.5063), k up to 63, nothing dropped; and how much another
token at t - k changes the logits at t. Truncated backpropagation cuts the gradient after every
bptt_length tokens, so it crosses bptt_length - 1 steps at most. Cost: a quarter of a second. Pass
rule: it crosses 6 bytes: an English word and its blank, and what the highest n-gram rung sees
without any training. Told too: logits that no earlier token changes, and a gradient that ends
within the network although logits do change. Where the current token changes none either, the fault
is not memory's.
"""

from __future__ import annotations

from seqzoo.doctor.checks._shared import is_recipe, real_text, worded
from seqzoo.doctor.checks.memory._reach import gradient_norms, influences
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Check, Outcome

__all__ = ["CHECK"]

_ENOUGH_BYTES = 6
_FAINT = 0.01
_DISTANCES = (1, 2, 4, 8, 16, 32, 63)
_CHANGES = (
    "train.bptt_length=64",
    # Settings for one update per token do not fit one per 64: those of the shipped recipes do.
    "train.optimizer={name: muon, learning_rate: 0.01, matrix_learning_rate: 0.05, "
    "weight_decay: 0.1}",
    "train.schedule={warmup_steps: 50, decay: cosine, final_fraction: 0.02}",
    "train.clip_norm=1.0",
    "train.budget={seconds: 150}",
)


def examine(subject: Subject) -> Outcome:
    network = subject.network
    inputs, targets = real_text(subject, 8, 64)
    if inputs.shape[1] < 2 or len(inputs.unique()) < 2:
        length = min(64, network.longest or 64)
        inputs, targets = subject.random_tokens(8, length), subject.random_tokens(8, length)
    distances = [k for k in _DISTANCES if k < inputs.shape[1]]
    current, *changes = influences(network, inputs, [0, *distances])
    if max(changes) == 0 and current == 0:
        return Outcome.skipped("the logits do not depend on the tokens (see model.contract)")
    if max(changes) == 0:
        return _memoryless(max(distances))
    norms = gradient_norms(network, inputs, targets)
    if norms is not None and max(norms[1:]) == 0:
        return _cut_inside(changes[0])
    reach = _reach(norms, distances, changes)
    try:
        allowed = subject.pipeline.bptt_length - 1
    except Missing:
        return Outcome.passed(f"{reach}; no batches were given, so no cut is known")
    numbers = {
        "allowed": float(allowed),
        **{f"gradient_{k}": norms[k] for k in (0, *distances) if norms is not None},
        **{f"influence_{k}": change for k, change in zip(distances, changes, strict=True)},
    }
    seen = f"training cuts the gradient so that it crosses {allowed} steps; {reach}"
    if allowed * subject.bytes_per_token >= _ENOUGH_BYTES:
        return Outcome.passed(seen, **numbers)
    return Outcome(
        status="warn" if allowed else "fail",
        seen=seen,
        why="What the network keeps is learnt only from gradients that cross steps. "
        + (
            "Here each ends before a word does, so nothing longer is learnt on purpose."
            if allowed
            else "Here none ever crosses one: the state is whatever random features it happens to "
            "hold, and nothing learns to keep anything."
        ),
        remedy=worded(
            subject,
            recipe="Train on longer stretches (train.bptt_length=64), with settings made for fewer "
            "and larger updates.",
            code="Train on longer stretches: batches (B, 64) and one backward pass for all 64 "
            "steps, with a learning rate made for fewer and larger updates.",
        ),
        changes=_CHANGES if is_recipe(subject) else (),
        numbers=numbers,
        read_more="docs/answer.md",
    )


def _reach(norms: list[float] | None, distances: list[int], changes: list[float]) -> str:
    if norms is None:
        far = [k for k, change in zip(distances, changes, strict=True) if change > 1e-4]
        return f"a token changes the logits {max(far, default=0)} steps later"
    far = [k for k, norm in enumerate(norms) if norm > _FAINT * norms[0]]
    if far[-1] == len(norms) - 1:
        return f"the network itself lets it through {far[-1]} and more"
    return f"within the network it falls to a hundredth after {far[-1]}"


def _memoryless(distance: int) -> Outcome:
    return Outcome.warned(
        f"other tokens up to {distance} steps earlier leave the logits as they are, bit by bit",
        why="The network reads the current token alone; it can be no better than a table of pairs.",
        remedy="Hand the state from step to step inside forward (h = cell(x, h), not cell(x)), and "
        "use what the recurrent layers give; leave it where a model without memory is meant.",
        numbers={"influence_1": 0.0},
    )


def _cut_inside(change: float) -> Outcome:
    return Outcome.failed(
        f"the token before changes the logits ({change:.1%}), but no gradient reaches it: it is "
        f"cut within the network",
        why="The state is carried on but nothing learns what to keep in it.",
        remedy="Look for .detach(), .data, no_grad() or a new tensor made of numbers in the loop "
        "over time, and detach between batches only.",
        numbers={"influence_1": change},
    )


CHECK = Check(
    name="memory.horizon",
    summary="the gradient reaches far enough back to learn a word",
    examine=examine,
    rank=10,
    explains=("memory.lag", "memory.carry", "verdict.*", "decoding.*"),
    source="Williams and Peng 1990; Pascanu et al. 2013, arXiv:1211.5063",
)
