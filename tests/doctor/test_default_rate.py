"""A rate for which no power of ten helps gets the default of its optimizer as advice."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from small_networks import HEALTHY, Plain, outcome

from seqzoo.doctor.checks.optimisation._default_rate import default_rate
from seqzoo.doctor.subjects.recipe import subject_of_recipe
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import load_recipe


@pytest.mark.parametrize(
    ("optimizer", "name"),
    [
        (lambda p: torch.optim.Adam(p, lr=1e9), "Adam"),
        (lambda p: torch.optim.SGD(p, lr=1e9), "SGD"),
        (lambda p: torch.optim.RMSprop(p, lr=1e12), "RMSprop"),
    ],
)
def test_a_rate_that_no_thousandth_makes_right_gets_the_default(optimizer: Any, name: str) -> None:
    found = outcome("optimisation.learning_rate", Plain(), optimizer=optimizer)
    known = inspect.signature(getattr(torch.optim, name)).parameters["lr"].default
    assert found.status == "fail"
    assert f"Set the learning rate to {known:g}, the default of {name}" in found.remedy


def test_the_default_rate_of_a_recipe_is_that_of_its_options(registry: Registry) -> None:
    overrides = ["train.optimizer.learning_rate=1000000000.0"]
    recipe = load_recipe(HEALTHY, registry, overrides=overrides)
    found = default_rate(subject_of_recipe(recipe, title=""))
    assert found is not None
    options = type(recipe.train.optimizer.options)()
    assert found.rate == options.learning_rate
    assert found.factor == pytest.approx(options.learning_rate / 1e9)
    assert found.changes[0] == f"train.optimizer.learning_rate={options.learning_rate:g}"
