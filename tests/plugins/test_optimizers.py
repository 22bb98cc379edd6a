"""The optimizers, each compared with its equations in NumPy and float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from made_trainings import made_optimizer, train_section
from pydantic import ValidationError
from tiny import Recurrent

from seqzoo import ParameterRole

FACTORS = (0.25, 1.0, 0.5, 0.5)
Array = Any


class Slow(Recurrent):
    """A model that has a parameter with a rate of its own, which does not decay."""

    def parameter_roles(self) -> dict[str, ParameterRole]:
        own = ParameterRole(use="other", decay=False, rate=0.1)
        return super().parameter_roles() | {"head.weight": own}


def adamw(
    w: Array, g: Iterator[Array], *, rate: float, decay: float, betas: Any, epsilon: float, **_: Any
) -> Array:
    """Loshchilov and Hutter 2019, algorithm 2."""
    first, second = np.zeros_like(w), np.zeros_like(w)
    for step, (gradient, factor) in enumerate(zip(g, FACTORS, strict=True), start=1):
        first = betas[0] * first + (1 - betas[0]) * gradient
        second = betas[1] * second + (1 - betas[1]) * gradient**2
        scale = np.sqrt(second / (1 - betas[1] ** step)) + epsilon
        w = w * (1 - rate * factor * decay)
        w = w - rate * factor * (first / (1 - betas[0] ** step)) / scale
    return w


def muon(
    w: Array, g: Iterator[Array], *, rate: float, decay: float, momentum: float, **_: Any
) -> Array:
    """Jordan 2024: the quintic acts on the singular values of the Nesterov momentum."""
    mean = np.zeros_like(w)
    for gradient, factor in zip(g, FACTORS, strict=True):
        mean = momentum * mean + (1 - momentum) * gradient
        left, values, right = np.linalg.svd(
            (1 - momentum) * gradient + momentum * mean, full_matrices=False
        )
        values = values / np.linalg.norm(values)
        for _i in range(5):
            values = 3.4445 * values - 4.775 * values**3 + 2.0315 * values**5
        scale = max(1.0, w.shape[0] / w.shape[1]) ** 0.5
        w = w * (1 - rate * factor * decay) - rate * factor * scale * (left * values) @ right
    return w


def sgd(
    w: Array,
    g: Iterator[Array],
    *,
    rate: float,
    decay: float,
    momentum: float,
    nesterov: bool,
    **_: Any,
) -> Array:
    """Sutskever et al. 2013 in the form of torch: v <- m v + g; w <- w - lr v."""
    velocity = np.zeros_like(w)
    for gradient, factor in zip(g, FACTORS, strict=True):
        gradient = gradient + decay * w
        velocity = momentum * velocity + gradient
        w = w - rate * factor * (gradient + momentum * velocity if nesterov else velocity)
    return w


def rmsprop(
    w: Array,
    g: Iterator[Array],
    *,
    rate: float,
    decay: float,
    smoothing: float,
    momentum: float,
    epsilon: float,
    **_: Any,
) -> Array:
    """Tieleman and Hinton 2012: g / sqrt(mean of g squared), with momentum of the steps."""
    square, velocity = np.zeros_like(w), np.zeros_like(w)
    for gradient, factor in zip(g, FACTORS, strict=True):
        gradient = gradient + decay * w
        square = smoothing * square + (1 - smoothing) * gradient**2
        velocity = momentum * velocity + gradient / (np.sqrt(square) + epsilon)
        w = w - rate * factor * velocity
    return w


BETAS: dict[str, Any] = {"betas": (0.8, 0.9), "epsilon": 1e-6}
CASES: list[tuple[str, Callable[..., Array], dict[str, Any]]] = [
    ("adamw", adamw, {"learning_rate": 0.02, "weight_decay": 0.5, **BETAS}),
    ("adamw", adamw, {"learning_rate": 0.02, "weight_decay": 0.0, **BETAS}),
    ("sgd", sgd, {"learning_rate": 0.1, "weight_decay": 0.5, "momentum": 0.9, "nesterov": False}),
    ("sgd", sgd, {"learning_rate": 0.1, "weight_decay": 0.0, "momentum": 0.7, "nesterov": True}),
    ("sgd", sgd, {"learning_rate": 0.1, "weight_decay": 0.1, "momentum": 0.0, "nesterov": False}),
    (
        "rmsprop",
        rmsprop,
        {
            "learning_rate": 0.01,
            "weight_decay": 0.5,
            "smoothing": 0.8,
            "momentum": 0.5,
            "epsilon": 1e-6,
        },
    ),
]


def trained(name: str, options: dict[str, Any]) -> Iterator[tuple[str, Array, list[Array], Array]]:
    """Name, values before, gradients, and values after the updates, for each parameter."""
    torch.manual_seed(0)
    model = Slow(vocab_size=7, hidden_size=5)
    optimizer = made_optimizer(model, name, **options)
    before = {key: value.double().numpy().copy() for key, value in model.state_dict().items()}
    gradients: dict[str, list[Array]] = {key: [] for key in before}
    for factor in FACTORS:
        optimizer.zero_grad()
        for key, parameter in model.named_parameters():
            parameter.grad = torch.randn(parameter.shape)
            gradients[key].append(parameter.grad.double().numpy().copy())
        optimizer.step(factor)
    for key, value in model.state_dict().items():
        yield key, before[key], gradients[key], value.double().numpy()


@pytest.mark.parametrize(("name", "naive", "options"), CASES)
def test_updates_equal_the_equations(
    name: str, naive: Callable[..., Array], options: dict[str, Any]
) -> None:
    rest = {k: v for k, v in options.items() if k not in ("learning_rate", "weight_decay")}
    for key, before, gradients, after in trained(name, options):
        is_slow = key == "head.weight"
        rate = options["learning_rate"] * (0.1 if is_slow else 1.0)
        decay = options["weight_decay"] if before.ndim >= 2 and not is_slow else 0.0
        expected = naive(before, iter(gradients), rate=rate, decay=decay, **rest)
        # Four updates in float32: rounding of about 1e-7 of values near 1, each.
        np.testing.assert_allclose(after, expected, atol=2e-6, rtol=1e-5, err_msg=key)


def test_muon_updates_hidden_matrices_and_adamw_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    options = {
        "learning_rate": 0.02,
        "matrix_learning_rate": 0.05,
        "weight_decay": 0.5,
        "momentum": 0.9,
        **BETAS,
    }
    kinds = set()
    for key, before, gradients, after in trained("muon", options):
        is_matrix = key.startswith("rnn.weight")
        kinds.add(is_matrix)
        is_slow = key == "head.weight"
        rate = 0.05 if is_matrix else 0.02 * (0.1 if is_slow else 1.0)
        decay = 0.5 if before.ndim >= 2 and not is_slow else 0.0
        naive = muon if is_matrix else adamw
        expected = naive(before, iter(gradients), rate=rate, decay=decay, momentum=0.9, **BETAS)
        # The quintic enlarges the rounding of small singular values up to 3.4 times, five times.
        atol = 2e-4 if is_matrix else 2e-6
        np.testing.assert_allclose(after, expected, atol=atol, rtol=1e-5, err_msg=key)
    assert kinds == {True, False}


def test_muon_without_matrices_is_adamw() -> None:
    class NoMatrices(Recurrent):
        def parameter_roles(self) -> dict[str, ParameterRole]:
            roles = super().parameter_roles()
            return {name: ParameterRole(use="other", decay=roles[name].decay) for name in roles}

    updated = []
    for name in ("muon", "adamw"):
        torch.manual_seed(0)
        model = NoMatrices(vocab_size=7, hidden_size=5)
        optimizer = made_optimizer(model, name, weight_decay=0.3)
        for parameter in model.parameters():
            parameter.grad = torch.randn(parameter.shape)
        optimizer.step(1.0)
        updated.append(list(model.parameters()))
    assert all(map(torch.equal, *updated))


def test_nesterov_without_momentum_is_refused() -> None:
    from seqzoo_plugins.optimizers.options import SGDOptions

    with pytest.raises(ValidationError, match="nesterov needs a momentum above 0"):
        SGDOptions(nesterov=True, momentum=0.0)


def test_adamw_reads_the_options_of_muon_and_stores_them_nowhere() -> None:
    from seqzoo_plugins.optimizers.options import AdamWOptions

    options = AdamWOptions(matrix_learning_rate=0.06, momentum=0.9)
    assert options.model_dump() == AdamWOptions().model_dump()
    assert "momentum" not in options.model_dump()


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_a_recipe_that_an_earlier_version_stored_is_read(name: str) -> None:
    """That version wrote all options of the section, whatever the optimizer."""
    stored = {
        "name": name,
        "learning_rate": 0.01,
        "weight_decay": 0.1,
        "betas": [0.9, 0.99],
        "epsilon": 1e-8,
        "matrix_learning_rate": 0.06,
        "momentum": 0.95,
    }
    schedule = {"warmup_steps": 5, "decay": "constant", "final_fraction": 0.02}
    section = train_section({"budget": {"steps": 1}, "optimizer": stored, "schedule": schedule})
    assert section.optimizer.options.learning_rate == 0.01
    assert section.schedule.options.final_fraction == 0.02
