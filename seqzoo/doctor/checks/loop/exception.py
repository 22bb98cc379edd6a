"""Whether the loop ended with an exception, and what that means.

Method: the exception that left the `with` block, compared with those that loops raise most often.
Cost: none. Pass rule: the loop ended by itself, or was stopped by the user.
"""

from __future__ import annotations

import re

from seqzoo.doctor.evidence.missing import cause_of
from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_STOPPED = (KeyboardInterrupt, SystemExit, StopIteration, GeneratorExit)

_KNOWN: tuple[tuple[str, str, str], ...] = (
    (
        r"backward through the graph a second time|backward through the graph twice",
        "a backward pass reached a graph that an earlier one has freed: the state of the step "
        "before was not detached",
        "Detach the state before the next step (state = state.detach(), for an LSTM both parts), "
        "or begin each batch with a new one; compute the loss again before each backward().",
    ),
    (
        r"modified by an inplace operation",
        "a value that the backward pass needs was changed: a state that was not detached reaches "
        "over optimizer.step(), or a tensor was changed in place",
        "Detach the state before the next step, call backward() before step(), and write "
        "x = x + y instead of x += y.",
    ),
    (
        r"does not require grad and does not have a grad_fn",
        "the loss has no graph: it was not computed from the model's output, or under no_grad",
        "Compute the loss from the logits themselves, without .detach(), .item(), argmax or "
        "torch.no_grad().",
    ),
    (
        r"Expected hidden\S* size|hidden\[0\] size",
        "the state has another number of rows than the batch: the last batch is smaller",
        "Use drop_last=True, or begin with a new state if the number of rows changes.",
    ),
    (
        r"Target -?\d+ is out of bounds|index out of range in self|Assertion .*n_classes",
        "an id is not smaller than the vocabulary (or than the number of classes)",
        "Count the ids: max(ids) + 1 must not be more than num_embeddings and the last layer's "
        "size; reserve ids for padding and unknown tokens too.",
    ),
    (
        r"expected scalar type Long|expected.*Long.*but got|not implemented for '(?:Float|Int)'"
        r"|Expected tensor for argument .*indices.* scalar types",
        "ids or targets have another type than int64",
        "Convert them: x.long() for an embedding's input, y.long() for the targets.",
    ),
    (
        r"on the same device|Input and .* tensors are not at the same device|on device.*cuda.*cpu",
        "tensors are on different devices",
        "Move model, inputs, targets and state to one device with .to(device).",
    ),
    (
        r"Expected input batch_size|Expected target size|shapes? cannot be multiplied"
        r"|size of tensor a|must match the size|shape .* is invalid for input of size"
        r"|Sizes of tensors must match|size mismatch|input\.size\(-1\) must be equal",
        "two sizes do not fit; at the end of an epoch the last batch is often smaller",
        "Use drop_last=True, take sizes from the batch (x.shape[0]) and not from a constant, and "
        "give the loss (B T, V) with (B T,), or (B, V, T) with (B, T).",
    ),
    (
        r"out of memory",
        "the memory was full",
        "Use smaller batches; keep no graphs: total += loss.item(), a detached state, and "
        "torch.no_grad() for evaluation.",
    ),
)


def examine(subject: Subject) -> Outcome:
    visit = subject.visit
    error = visit.exception
    if error is None:
        watched = f"the loop ended by itself after {visit.steps_seen} steps"
        if visit.errors:
            return Outcome.warned(
                f"{watched}, but the watch itself had an error: {visit.errors[0]}",
                why="What it looks at is unknown in some steps; the loop was not changed.",
                remedy="Report the message together with the loop.",
            )
        return Outcome.passed(watched, steps=float(visit.steps_seen))
    if isinstance(error, _STOPPED):
        return Outcome.passed(
            f"the loop was stopped after {visit.steps_seen} steps ({type(error).__name__})"
        )
    said = str(error)
    meaning, remedy = next(
        ((what, do) for pattern, what, do in _KNOWN if re.search(pattern, said, re.IGNORECASE)),
        ("the loop raised an exception", "Fix what the message names."),
    )
    return Outcome.failed(
        f"after {visit.steps_seen} steps and {visit.forwards_seen} passes: {meaning} "
        f"({cause_of(error)})",
        why="The loop has ended here; what follows is of the steps before.",
        remedy=remedy,
        numbers={"steps": float(visit.steps_seen)},
    )
