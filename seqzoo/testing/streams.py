"""The laws of streams. Tokens are numbered, so that every batch shows where it was read."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqzoo.errors import SeqzooError
from seqzoo.plugin.build import build_installed
from seqzoo.plugin.contexts import StreamContext
from seqzoo.plugin.contracts import Batch, Stream
from seqzoo.plugin.specs import StreamSpec
from seqzoo.testing.given import Given, NotHere
from seqzoo.testing.law import Broken, Law, law, require

__all__ = ["GIVEN", "LAWS"]

_COUNT = 1000
_USUAL = [{"rows": 4, "length": 7, "batches": 150}, {"rows": 1, "length": 1, "batches": 30}]


class GIVEN(Given[StreamSpec]):
    """A stream with one choice of options."""

    def build(self, rows: int = 4, count: int = _COUNT) -> Stream:
        """A new stream over tokens 0, 1, 2 and so on, with three documents."""
        tokens = np.arange(count, dtype=np.uint32)
        tokens.flags.writeable = False
        documents = np.array([0, count // 3, count // 2], dtype=np.int64)
        return self.spec.open(
            self.options,
            StreamContext(
                tokens=tokens, batch_size=rows, documents=documents, seed=1, builder=build_installed
            ),
        )


def _is_real(batch: Batch) -> Tensor:
    """(B, T) whether a target counts; without a mask, all do."""
    if batch.mask is None:
        return torch.ones_like(batch.inputs, dtype=torch.bool)
    return batch.mask


@law(
    "stream.batches",
    says="a batch is int64 of shape (B, T), T at most the length that was asked for",
    cause="ids in the type of the tokens (convert them to int64), or a last batch that is too long",
    cases=_USUAL,
    every_option=True,
    is_gate=True,
)
def _batches(given: GIVEN, rows: int, length: int, batches: int) -> None:
    stream = given.build(rows)
    require(isinstance(stream, Stream), f"`open` returned a {type(stream).__name__}")
    require(stream.batch_size == rows, f"batch_size is {stream.batch_size}, expected {rows}")
    for number in range(1, batches + 1):
        batch = stream.next(length)
        for name in ("inputs", "targets"):
            found = getattr(batch, name)
            require(
                isinstance(found, Tensor) and found.dtype == torch.int64,
                f"{name} of batch {number} are {getattr(found, 'dtype', type(found).__name__)}, "
                f"expected int64",
            )
            shape = tuple(found.shape)
            require(
                len(shape) == 2 and shape[0] == rows and 1 <= shape[1] <= length,
                f"{name} of batch {number} have shape {shape}, expected ({rows}, 1 to {length})",
            )
        for name, expected in (("restarts", (rows,)), ("mask", tuple(batch.inputs.shape))):
            flags = getattr(batch, name)
            require(
                flags is None or (flags.dtype == torch.bool and tuple(flags.shape) == expected),
                f"{name} of batch {number} are {getattr(flags, 'dtype', flags)} of shape "
                f"{tuple(getattr(flags, 'shape', ()))}, expected bool {expected}",
            )
        same = batch.inputs.shape == batch.targets.shape
        require(same, f"inputs and targets of batch {number} have different shapes")


@law(
    "stream.targets",
    says="targets are one token ahead of the inputs",
    cause="targets that are the inputs, are two ahead, or come from another row",
    cases=_USUAL,
    every_option=True,
)
def _targets(given: GIVEN, rows: int, length: int, batches: int) -> None:
    stream = given.build(rows)
    for number in range(1, batches + 1):
        batch = stream.next(length)
        wrong = ((batch.targets != batch.inputs + 1) & _is_real(batch)).nonzero()
        if len(wrong):
            row, time = (int(each) for each in wrong[0])
            raise Broken(
                f"in batch {number}, after token {int(batch.inputs[row, time])} the target is "
                f"{int(batch.targets[row, time])}"
            )


@law(
    "stream.continues",
    says="row i of a batch continues row i of the batch before it, unless the row restarts",
    cause="shuffled rows or random places without `restarts`, or a token that is skipped between "
    "batches or at the end of the text",
    cases=_USUAL,
    every_option=True,
)
def _continues(given: GIVEN, rows: int, length: int, batches: int) -> None:
    stream = given.build(rows)
    before: Batch | None = None
    for number in range(1, batches + 1):
        batch = stream.next(length)
        if before is not None:
            mismatch = (batch.inputs[:, 0] != before.targets[:, -1]) & ~batch.restarts
            require(
                not bool(mismatch.any()),
                f"row {int(mismatch.int().argmax())} of batch {number} begins at token "
                f"{int(batch.inputs[int(mismatch.int().argmax()), 0])}, the row before it ended "
                f"before token {int(before.targets[int(mismatch.int().argmax()), -1])}",
            )
        before = batch


@law(
    "stream.positions",
    says="positions, where they are given, are the index of each row's first input",
    cause="an index that is one off, or that of the targets",
    cases=_USUAL,
    every_option=True,
)
def _positions(given: GIVEN, rows: int, length: int, batches: int) -> None:
    stream = given.build(rows)
    for number in range(1, batches + 1):
        batch = stream.next(length)
        if batch.positions is None:
            raise NotHere("this stream gives no positions")
        found = torch.as_tensor(batch.positions)
        require(
            found.dtype == torch.int64 and tuple(found.shape) == (rows,),
            f"positions are {found.dtype} of shape {tuple(found.shape)}, expected int64 ({rows},)",
        )
        # Tokens are numbered, so a token is its own position.
        require(
            torch.equal(found, batch.inputs[:, 0]),
            f"in batch {number} positions are {found.tolist()[:4]}, the rows begin at "
            f"{batch.inputs[:, 0].tolist()[:4]}",
        )


@law(
    "stream.restored",
    says="after `restore(state())`, from any place, the same batches follow; a state is plain JSON",
    cause="a `restore` that ignores the state, or a random generator, a buffer or a restart that "
    "the state lacks",
    cases=[{"rows": 4, "length": 7, "batches": batches} for batches in (1, 23, 35, 36, 80)],
    every_option=True,
)
def _restored(given: GIVEN, rows: int, length: int, batches: int) -> None:
    stream, other = given.build(rows), given.build(rows)
    for _ in range(batches):
        stream.next(length)
    other.next(length)
    try:
        stored = json.dumps(stream.state())
    except TypeError as error:
        raise Broken(f"`state()` is no plain JSON data: {error}") from error
    other.restore(json.loads(stored))
    for number in range(1, 41):
        expected, found = stream.next(length), other.next(length)
        where = f"batch {number} after restoring"
        require(torch.equal(found.inputs, expected.inputs), f"{where} has other tokens")
        require(torch.equal(found.targets, expected.targets), f"{where} has other targets")
        require(torch.equal(found.restarts, expected.restarts), f"{where} restarts otherwise")
        require(other.epoch == stream.epoch, f"{where} is of epoch {other.epoch}")


@law(
    "stream.foreign_state",
    says="a state that does not fit is refused with KeyError or ValueError",
    cause="`state.get(...)` with a default, or a `restore` that does nothing",
)
def _foreign_state(given: GIVEN) -> None:
    try:
        given.build().restore({"foreign": 1})
    except (KeyError, ValueError):
        return
    raise Broken("`restore({'foreign': 1})` raises nothing")


@law(
    "stream.unchanged",
    says="a batch does not change after it was returned",
    cause="one buffer that is filled again for each batch",
    cases=[{"rows": 4, "length": 7, "batches": 20}],
    every_option=True,
)
def _unchanged(given: GIVEN, rows: int, length: int, batches: int) -> None:
    stream = given.build(rows)
    kept = [stream.next(length) for _ in range(batches)]
    copies = [(batch.inputs.clone(), batch.targets.clone()) for batch in kept]
    for _ in range(batches):
        stream.next(length)
    for number, (batch, (inputs, targets)) in enumerate(zip(kept, copies, strict=True), start=1):
        same = torch.equal(batch.inputs, inputs) and torch.equal(batch.targets, targets)
        require(same, f"batch {number} changed when later ones were read")


@law(
    "stream.repeatable",
    says="the same seed gives the same batches, whatever random numbers others draw",
    cause="a global random generator; make one of your own from `context.seed`",
    cases=[{"rows": 4, "length": 7, "batches": 40}],
    every_option=True,
)
def _repeatable(given: GIVEN, rows: int, length: int, batches: int) -> None:
    def read(seed: int) -> list[Tensor]:
        torch.manual_seed(seed)
        np.random.seed(seed)
        stream = given.build(rows)
        return [stream.next(length).inputs for _ in range(batches)]

    for number, (one, other) in enumerate(zip(read(1), read(2), strict=True), start=1):
        require(torch.equal(one, other), f"batch {number} depends on a global random generator")


@law(
    "stream.epochs",
    says="`epoch` begins at 0 and never decreases",
    cause="an epoch that is counted from 1, or set back",
    cases=_USUAL,
    every_option=True,
)
def _epochs(given: GIVEN, rows: int, length: int, batches: int) -> None:
    stream = given.build(rows)
    before: Any = stream.epoch
    require(before == 0, f"a new stream is in epoch {before!r}")
    for number in range(1, batches + 1):
        stream.next(length)
        require(stream.epoch >= before, f"after batch {number} the epoch is {stream.epoch}")
        before = stream.epoch


@law(
    "stream.too_short",
    says="a text that is too short for the rows raises a SeqzooError of one sentence, or is read",
    cause="an IndexError, a division by zero or an empty batch where a row has no tokens",
    cases=[{"rows": 4, "count": count} for count in (1, 3, 4, 5)],
)
def _too_short(given: GIVEN, rows: int, count: int) -> None:
    try:
        batch = given.build(rows, count).next(7)
        require(batch.inputs.numel() > 0, f"a text of {count} tokens gives an empty batch")
    except SeqzooError as error:
        message = str(error)
        is_sentence = "\n" not in message and message.endswith((".", "?"))
        require(is_sentence, f"the message is {message[:80]!r}")


LAWS: tuple[Law, ...] = (
    _batches,
    _targets,
    _continues,
    _positions,
    _restored,
    _foreign_state,
    _unchanged,
    _repeatable,
    _epochs,
    _too_short,
)
