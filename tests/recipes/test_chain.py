"""Links of the sampling chain: read from the command line, built in their order."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from contexts import sampler_context
from pydantic import Field
from torch import Tensor

from seqzoo import SamplerContext
from seqzoo.errors import UsageError
from seqzoo.plugin.contracts import Sampler
from seqzoo.plugin.hooks import hookimpl
from seqzoo.plugin.registry import Owner, Registry
from seqzoo.plugin.specs import Options, SamplerSpec
from seqzoo.recipes.chain import parse_links
from seqzoo.runs.build import build_chain


class Plain(Sampler):
    def __call__(self, logits: Tensor, history: Tensor) -> Tensor:
        return logits


class ScaleOptions(Options):
    shorthand: ClassVar[str | None] = "by"
    by: float = Field(1.0, gt=0)


class PairOptions(Options):
    first: int = 1
    second: int = 2


class Scale(Sampler):
    def __init__(self, options: ScaleOptions, context: SamplerContext) -> None:
        self.by = options.by

    def __call__(self, logits: Tensor, history: Tensor) -> Tensor:
        return logits * self.by


class Plugin:
    @staticmethod
    @hookimpl
    def register_samplers() -> list[SamplerSpec]:
        return [
            SamplerSpec(name="scale", summary="", options=ScaleOptions, build=Scale),
            SamplerSpec(name="pair", summary="", options=PairOptions, build=lambda *_: Plain()),
            SamplerSpec(name="plain", summary="", build=lambda *_: Plain()),
        ]


@pytest.fixture
def scales() -> Registry:
    registry = Registry()
    registry.add(Plugin, Owner("test"))
    return registry


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("plain", "plain", {}),
        ("scale", "scale", {"by": 1.0}),
        ("scale=2", "scale", {"by": 2.0}),
        (" scale = 1e-3 ", "scale", {"by": 0.001}),
        ("scale={by: 0.5}", "scale", {"by": 0.5}),
        ("pair={second: 7}", "pair", {"first": 1, "second": 7}),
    ],
)
def test_links_are_read_from_the_command_line(
    scales: Registry, text: str, name: str, options: dict[str, Any]
) -> None:
    (link,) = parse_links([text], scales)
    assert (link.name, link.options.model_dump()) == (name, options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scael=2", "sampler 'scael' is not installed. Did you mean 'scale'?"),
        ("", "is not installed. Choose from: pair, plain, scale."),
        ("scale=0", "scale.by is 0, expected a number above 0"),
        ("scale=", "scale.by is null, expected a number"),
        ("scale=no", "scale.by is 'no', expected a number"),
        ("scale=[1]", "scale.by is a list, expected a number"),
        ("pair={secnd: 7}", "unknown option 'pair.secnd'. Did you mean 'second'?"),
        ("pair={second: 7", "is not YAML"),
        ("pair=3", "needs its options by name; write 'pair={first: ...}'"),
        ("plain=3", "has no options; write 'plain'"),
    ],
)
def test_a_wrong_link_is_refused_in_one_sentence(scales: Registry, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_links(["plain", text], scales)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_chain_is_built_in_the_order_of_its_links(scales: Registry) -> None:
    chain = build_chain(
        parse_links(["scale=2", "plain", "scale=3"], scales), scales, sampler_context(8)
    )
    ones, history = torch.ones(1, 1), torch.zeros(1, 0, dtype=torch.int64)
    assert [float(link(ones, history)) for link in chain] == [2.0, 1.0, 3.0]
