"""Of what the logits may depend: on the tokens so far, on nothing later, and on no other row."""

from __future__ import annotations

import torch
from torch import Tensor

from seqzoo.plugin.contracts import SequenceModel
from seqzoo.testing.architectures.given import (
    VOCAB_SIZE,
    Architecture,
    changed,
    difference,
    in_pieces,
    leaves,
    tokens,
    tolerance,
)
from seqzoo.testing.given import NotHere
from seqzoo.testing.law import law, require

__all__ = ["LAWS"]


@law(
    "architecture.causality",
    says="a token changes no logits before its place",
    cause="attention without a mask, a convolution that is padded on both sides, a mean or a norm "
    "over time, or a bidirectional layer",
    cases=[
        {"length": 12, "position": 6, "mode": "eval"},
        {"length": 12, "position": 11, "mode": "training"},
        {"length": 130, "position": 120, "mode": "training"},
        {"length": 1024, "position": 1000, "mode": "eval"},
    ],
    thorough_cases=[
        {"length": length, "position": position, "mode": mode}
        for length, position in [(40, 1), (40, 39), (2100, 2000)]
        for mode in ("eval", "training")
    ],
    every_option=True,
)
def _causality(given: Architecture, length: int, position: int, mode: str) -> None:
    _require_inside(position, length)
    model = given.evaluated().train(mode == "training")
    text = tokens(2, length)
    before = _logits(model, text)[:, :position]
    after = _logits(model, changed(text, position))[:, :position]
    found = difference(after, before)
    require(
        found <= tolerance(before.dtype),
        f"another token at position {position} of {length} changes earlier logits, by {found:.2g} "
        f"of their spread",
    )


@law(
    "architecture.tokens_used",
    says="a token changes the logits at its own place",
    cause="an embedding that is not used, a factor of 0, or weights that are all equal",
    cases=[{"length": 12, "position": 6}],
)
def _tokens_used(given: Architecture, length: int, position: int) -> None:
    _require_inside(position, length)
    model = _without_zeros(given.evaluated())
    text = tokens(2, length)
    before, after = _logits(model, text), _logits(model, changed(text, position))
    require(
        difference(after[:, position], before[:, position]) > tolerance(before.dtype),
        f"another token at position {position} gives the same logits",
    )


@law(
    "architecture.rows",
    says="the logits of a row do not depend on the other rows",
    cause="batch normalisation, a statistic over the batch, time before batch, or a reshape that "
    "mixes rows",
    cases=[
        {"rows": 3, "length": 12, "mode": "eval"},
        {"rows": 2, "length": 12, "mode": "training"},
        {"rows": 3, "length": 150, "mode": "eval"},
    ],
    every_option=True,
)
def _rows(given: Architecture, rows: int, length: int, mode: str) -> None:
    model = given.evaluated().train(mode == "training")
    text = tokens(rows, length)
    other = text.clone()
    other[1:] = (other[1:] + 1) % VOCAB_SIZE
    before, after = _logits(model, text)[:1], _logits(model, other)[:1]
    found = difference(after, before)
    require(
        found <= tolerance(before.dtype),
        f"other tokens in the other {rows - 1} rows change the logits of the first, by "
        f"{found:.2g} of their spread",
    )
    if mode == "eval":
        found = difference(_logits(model, text[:1]), before)
        require(
            found <= tolerance(before.dtype),
            f"a row alone has other logits than the same row among {rows}, by {found:.2g} of "
            f"their spread",
        )


@law(
    "architecture.deterministic",
    says="in eval mode the same input gives the same logits, and no random number is drawn",
    cause="dropout that does not look at `self.training`, a first state that is drawn, or memory "
    "that is kept in the module between calls",
    cases=[{"rows": 2, "length": 9}],
    every_option=True,
    is_gate=True,
)
def _deterministic(given: Architecture, rows: int, length: int) -> None:
    model = given.evaluated()
    text = tokens(rows, length)
    torch.manual_seed(1)
    generator = torch.get_rng_state()
    with torch.no_grad():
        first = model(text)[0]
        drew = not torch.equal(torch.get_rng_state(), generator)
        torch.manual_seed(2)
        second = model(text)[0]
    found = difference(second, first)
    require(
        found <= tolerance(first.dtype),
        f"a second pass from an empty state gives other logits, by {found:.2g} of their spread",
    )
    require(not drew, "random numbers were drawn in eval mode")


@law(
    "architecture.untouched",
    says="reading in eval mode changes no parameter, no buffer and no mode",
    cause="a running statistic that is updated without `if self.training`, or a call of `train()` "
    "or `eval()` inside `forward`",
    cases=[{"rows": 2, "length": 9}],
    every_option=True,
)
def _untouched(given: Architecture, rows: int, length: int) -> None:
    model = given.evaluated()
    for mode in (False, True):
        model.train(mode)
        values = {name: each.clone() for name, each in model.state_dict().items()}
        modes = {name: part.training for name, part in model.named_modules()}
        with torch.no_grad():
            model(tokens(rows, length))
        changed = [
            name or "the model"
            for name, part in model.named_modules()
            if part.training != modes.get(name)
        ]
        require(not changed, f"the mode of {', '.join(changed[:3])} changed")
        if mode:
            continue  # a running statistic may change in training
        after = model.state_dict()
        changed = [
            name
            for name in values.keys() | after.keys()
            if name not in values
            or name not in after
            or not torch.equal(after[name].nan_to_num(), values[name].nan_to_num())
        ]
        require(not changed, f"{', '.join(sorted(changed)[:3])} changed")


@law(
    "architecture.arguments_kept",
    says="a call changes neither its tokens nor what an earlier call returned",
    cause="an operation in place on the tokens, or one buffer for the outputs of all calls",
    cases=[{"rows": 2, "length": 5}, {"rows": 1, "length": 1}],
    every_option=True,
)
def _arguments_kept(given: Architecture, rows: int, length: int) -> None:
    model = given.evaluated("float32")
    text = tokens(rows, length)
    before = text.clone()
    for mode in (False, True):
        model.train(mode and rows * length > 1)  # one token has no variance to divide by
        with torch.no_grad():
            logits, state = model(text)
            require(torch.equal(text, before), "the tokens are changed")
            kept = {"logits": logits.clone()}
            kept |= {f"leaf '{p}' of the state": v.clone() for p, v in leaves(state).items()}
            model(tokens(rows, length, seed=2))
        now = {"logits": logits}
        now |= {f"leaf '{path}' of the state": leaf for path, leaf in leaves(state).items()}
        changed = [what for what in kept if not torch.equal(now[what], kept[what])]
        require(not changed, f"a later call changes the {changed[0]}" if changed else "")


@law(
    "architecture.finite",
    says="logits and state stay finite, however long the text is and whatever it is",
    cause="a sum or a product that grows with the text, a division by zero, or an exponential "
    "without a maximum that is subtracted",
    cases=[{"length": 1500, "text": "random"}, {"length": 1500, "text": "one token"}],
    thorough_cases=[{"length": 10_000, "text": "random"}],
)
def _finite(given: Architecture, length: int, text: str) -> None:
    model = given.evaluated("float32")
    ids = tokens(1, length) if text == "random" else torch.full((1, length), 3)
    with torch.no_grad():
        logits, state = in_pieces(model, ids, 256)
    bad = (~logits.isfinite()).any(dim=-1)[0].nonzero()
    require(not len(bad), f"the logits of token {int(bad[0]) if len(bad) else 0} are not finite")
    for path, leaf in leaves(state).items():
        require(
            not leaf.is_floating_point() or bool(leaf.isfinite().all()),
            f"leaf '{path}' of the state is not finite after {length} tokens",
        )


def _logits(model: SequenceModel, text: Tensor) -> Tensor:
    """Of one pass with a fixed seed, so that dropout is the same each time."""
    torch.manual_seed(0)
    with torch.no_grad():
        logits: Tensor = model(text)[0]
    return logits.clone()


def _require_inside(position: int, length: int) -> None:
    if position >= length:
        raise NotHere("the text has no such position")


def _without_zeros(model: SequenceModel) -> SequenceModel:
    """With small random values in parameters that begin as zeros and hide what is before them."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for each in model.parameters():
            if each.is_floating_point() and not each.any():
                each.copy_(0.1 * torch.randn(each.shape, generator=generator))
    return model


LAWS = (_deterministic, _causality, _tokens_used, _rows, _untouched, _arguments_kept, _finite)
