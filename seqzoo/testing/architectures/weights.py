"""Weights: their seed, their names, how they are stored, and the numbers they are made of."""

from __future__ import annotations

import copy
import random

import numpy as np
import safetensors.torch
import torch

from seqzoo.plugin.contracts import SequenceModel
from seqzoo.testing.architectures.given import Architecture, difference, leaves, tokens, tolerance
from seqzoo.testing.given import NotHere
from seqzoo.testing.law import Broken, law, require

__all__ = ["LAWS"]


@law(
    "architecture.seed",
    says="the same seed of torch builds the same weights, another seed builds others",
    cause="initial values from NumPy, `random`, the clock or `torch.Generator()`",
    cases=[{"seed": 3}],
)
def _seed(given: Architecture, seed: int) -> None:
    first = given.build(seed=seed).state_dict()
    random.seed(1)
    np.random.seed(1)
    again, other = given.build(seed=seed).state_dict(), given.build(seed=seed + 1).state_dict()
    changed = [name for name in first if not torch.equal(first[name], again[name])]
    require(not changed, f"{', '.join(changed[:3])} differ between two models with seed {seed}")
    random_ones = [name for name, each in given.build().named_parameters() if each.ndim > 1]
    require(
        not random_ones or any(not torch.equal(first[n], other[n]) for n in random_ones),
        f"seeds {seed} and {seed + 1} build the same weights",
    )


@law(
    "architecture.names",
    says="names and shapes of parameters and buffers are the same for every seed, and reading "
    "does not change them",
    cause="a layer that is made in `forward`, or a name with a counter",
    cases=[{"length": 5}],
    every_option=True,
)
def _names(given: Architecture, length: int) -> None:
    model = given.build()
    before = _shapes(model)
    model(tokens(2, length))
    for what, found in (
        ("after reading", _shapes(model)),
        ("with another seed", _shapes(given.build(seed=1))),
    ):
        changed = sorted(name for name in before | found if before.get(name) != found.get(name))
        require(not changed, f"{', '.join(changed[:3])} differ {what}")


@law(
    "architecture.saved",
    says="weights that are stored and loaded give the same logits",
    cause="something that scoring needs and that is neither a parameter nor a persistent buffer",
    cases=[{"length": 9}],
    every_option=True,
)
def _saved(given: Architecture, length: int) -> None:
    model, other = given.evaluated("float32"), given.evaluated("float32", seed=1)
    text = tokens(2, length)
    with torch.no_grad():
        model(text)
        stored = {name: each.clone().contiguous() for name, each in model.state_dict().items()}
        other.load_state_dict(safetensors.torch.load(safetensors.torch.save(stored)))
        off = difference(other(text)[0], model(text)[0])
    require(off == 0, f"the loaded model's logits differ, by {off:.2g} of their spread")


@law(
    "architecture.float64",
    says="after `.double()` the model computes in float64",
    cause="a tensor that `forward` makes in float32, a `.float()`, or constants that are no buffer",
    cases=[{"length": 9}],
    every_option=True,
)
def _float64(given: Architecture, length: int) -> None:
    single = given.evaluated("float32")
    model = copy.deepcopy(single).double()
    text = tokens(2, length)
    try:
        with torch.no_grad():
            logits, state = model(text)
            logits, state = model(text, state)
    except RuntimeError as error:
        raise Broken(f"it raised RuntimeError: {' '.join(str(error).split())[:150]}") from error
    require(logits.dtype == torch.float64, f"the logits are {logits.dtype}")
    narrow = [
        path
        for path, leaf in leaves(state).items()
        if leaf.is_floating_point() and leaf.dtype != torch.float64
    ]
    require(not narrow, f"leaf '{narrow[0] if narrow else ''}' of the state is not float64")
    with torch.no_grad():
        expected = single(text, single(text)[1])[0]
    off = difference(logits, expected)
    require(off <= 0.01, f"the logits differ from those in float32, by {off:.2g} of their spread")


@law(
    "architecture.autocast",
    says="under bfloat16 autocast, where it runs, logits are finite and the state keeps its type",
    cause="a state that is made of the autocast outputs; convert it back to the type it had",
    cases=[{"length": 20}, {"length": 1}],
)
def _autocast(given: Architecture, length: int) -> None:
    model = given.build()
    state = model.initial_state(2)
    expected = {path: leaf.dtype for path, leaf in leaves(state).items()}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        try:
            logits, state = model(tokens(2, length), state)
        except RuntimeError as error:
            raise NotHere("the model does not run under autocast") from error
    require(bool(logits.isfinite().all()), "the logits are not finite")
    changed = [path for path, leaf in leaves(state).items() if leaf.dtype != expected.get(path)]
    require(not changed, f"leaf '{changed[0] if changed else ''}' of the state changed its type")


@law(
    "architecture.device",
    says="moved to a GPU, the model gives the same logits",
    cause="a tensor that `forward` makes without `device=`; register constants as buffers",
    cases=[{"length": 9}],
)
def _device(given: Architecture, length: int) -> None:
    if not torch.cuda.is_available():
        raise NotHere("there is no GPU here")
    model = given.evaluated("float32")
    text = tokens(2, length)
    with torch.no_grad():
        expected = model(text)[0]
        there = model.to("cuda")
        logits, state = there(text.to("cuda"))
        there(text.to("cuda"), state)
    off = difference(logits.cpu(), expected)
    require(off <= tolerance(expected.dtype) * 10, f"the logits differ, by {off:.2g} of the spread")


def _shapes(model: SequenceModel) -> dict[str, tuple[int, ...]]:
    return {name: tuple(each.shape) for name, each in model.state_dict().items()}


LAWS = (_seed, _names, _saved, _float64, _autocast, _device)
