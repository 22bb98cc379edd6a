"""Every installed architecture at a small size, and tokens for it."""

from __future__ import annotations

import contextlib
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from seqzoo import ArchitectureContext
from seqzoo.plugin.build import build_installed
from seqzoo.plugin.contracts import SequenceModel
from seqzoo.plugin.registry import load_registry
from seqzoo.plugin.specs import ArchitectureSpec, Options
from seqzoo.testing.materials import SpelledIds

VOCAB_SIZE = 13

# Sizes by the names that options commonly have. An architecture takes those it knows and accepts,
# and keeps its defaults for the rest, so that a new one needs no code here.
SMALL = {"hidden_size": 8, "embedding_size": 6, "num_layers": 2, "num_heads": 2, "window": 16}

every_architecture = pytest.mark.parametrize("name", load_registry().names("architecture"))


def options_of(spec: ArchitectureSpec, **wanted: Any) -> Options:
    """The defaults with the wanted values, as far as the options have and accept them."""
    known = {field: wanted[field] for field in wanted if field in spec.options.model_fields}
    with contextlib.suppress(ValidationError):
        return spec.options(**known)
    accepted: dict[str, Any] = {}
    for field, value in known.items():
        with contextlib.suppress(ValidationError):
            spec.options(**accepted, **{field: value})
            accepted[field] = value
    return spec.options(**accepted)


def build(spec: ArchitectureSpec, *, seed: int = 0, **wanted: Any) -> SequenceModel:
    """A small model that was prepared with a training part, as in a run."""
    torch.manual_seed(seed)
    context = ArchitectureContext(
        vocab_size=VOCAB_SIZE, tokenizer=SpelledIds(b"etaoin shrdlu"), builder=build_installed
    )
    model = spec.build(options_of(spec, **(SMALL | wanted)), context)
    model.before_training(random_tokens(1, 200, seed=9)[0].numpy().astype(np.uint8))
    return model


def random_tokens(rows: int, length: int, *, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(VOCAB_SIZE, (rows, length), generator=generator)


def variants(spec: ArchitectureSpec) -> list[dict[str, Any]]:
    """The defaults, and every other value of each switch and each choice between words."""
    found: list[dict[str, Any]] = [{}]
    for name, field in spec.options.model_fields.items():
        choices = (True, False) if field.annotation is bool else get_args(field.annotation)
        if choices and get_origin(field.annotation) in (None, Literal):
            found += [{name: value} for value in choices if value != field.default]
    return found


every_variant = pytest.mark.parametrize(
    ("name", "variant"),
    [
        pytest.param(spec.name, variant, id=" ".join([spec.name, *map(str, variant.items())]))
        for spec in (each.spec for each in load_registry().registered("architecture"))
        for variant in variants(spec)
    ],
)
