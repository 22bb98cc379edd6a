"""Building what a recipe names: a plugin that breaks its contract is reported before training."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contexts import sampler_context
from small_recipe import GOOD
from tiny import Recurrent
from torch import Tensor

from seqzoo.errors import PluginError
from seqzoo.plugin.contracts import Sampler
from seqzoo.plugin.hooks import hookimpl
from seqzoo.plugin.registry import Owner, Registry
from seqzoo.plugin.specs import ArchitectureSpec, Options, SamplerSpec, TokenizerSpec
from seqzoo.recipes.load import Recipe
from seqzoo.recipes.sections import Choice
from seqzoo.runs.build import build_chain, build_model, build_tokenizer, try_model
from seqzoo.testing.materials import ByteIds


class Narrow(Recurrent):
    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        logits, state = super().forward(tokens, state)
        return logits[..., :-1], state


class Stateless(Recurrent):
    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        return super().forward(tokens, state)[0]


class TimeFirst(Recurrent):
    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        logits, state = super().forward(tokens)
        return logits, state.T


class Raising(Recurrent):
    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        raise RuntimeError("a bug of mine")


class CountsInPython(Recurrent):
    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        logits, hidden = super().forward(tokens, state and state["hidden"])
        return logits, {"hidden": hidden, "count": tokens.shape[1]}


class ChangesItsState(Recurrent):
    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        if state is not None:
            state.add_(1.0)
        return super().forward(tokens, state)


class Growing(Recurrent):
    def initial_state(self, batch_size: int) -> Any:
        return torch.zeros(batch_size, 3, dtype=torch.int64)

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        logits, _ = super().forward(tokens, torch.zeros(len(tokens), 8))
        return logits, tokens if state is None else torch.cat([state, tokens], dim=1)


class OtherAtFirst(Recurrent):
    def initial_state(self, batch_size: int) -> Any:
        return super().initial_state(batch_size)[:, :1]

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        return super().forward(tokens, torch.zeros(len(tokens), 8))


class Lazy(Recurrent):
    def __init__(self, **sizes: Any) -> None:
        super().__init__(**sizes)
        self.later = torch.nn.LazyLinear(3)


def three(*_: Any) -> Any:
    return 3


def recipe_with(build: Any) -> Recipe:
    """A recipe whose architecture is built by `build`."""

    class Plugin:
        @staticmethod
        @hookimpl
        def register_architectures() -> list[ArchitectureSpec]:
            return [ArchitectureSpec(name="mine", summary="", build=build)]

        @staticmethod
        @hookimpl
        def register_tokenizers() -> list[TokenizerSpec]:
            return [TokenizerSpec(name="number", summary="", build=three)]

    from small_recipe import parse

    registry = Registry()
    registry.add(Plugin, Owner("theirs", "seqzoo-theirs", "0.3"))
    good = parse(GOOD)
    return good.model_copy(
        update={
            "registry": registry,
            "architecture": Choice(name="mine", options=Options()),
            "tokenizer": Choice(name="number", options=Options()),
        }
    )


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Narrow, r"logits of shape \(2, 3, 256\).*found \(2, 3, 255\)"),
        (Stateless, r"expected \(logits, state\), found Tensor"),
        (TimeFirst, r"state leaf 'state' to begin with the batch, 2, found \(8, 2\)"),
        (CountsInPython, r"state leaf 'count' to be a tensor.*found int"),
        (ChangesItsState, "state leaf 'state' to stay as it was given to forward"),
        (Growing, r"'state' to have the shape \(2, 3\) whatever was read, found \(2, 6\)"),
        (OtherAtFirst, r"'state' to have the shape \(2, 1\) whatever was read, found \(2, 8\)"),
        (Lazy, "parameter 'later.weight' to have its shape after build, found a lazy one"),
        (Raising, r"RuntimeError: a bug of mine \(test_build\.py, line \d+\)"),
    ],
)
def test_a_model_that_breaks_the_contract_is_reported_with_its_plugin(
    kind: type[Recurrent], message: str
) -> None:
    recipe = recipe_with(lambda _, context: kind(vocab_size=context.vocab_size))
    model = build_model(recipe, ByteIds())
    with pytest.raises(PluginError, match=message) as caught:
        try_model(recipe, model, vocab_size=256)
    assert "architecture 'mine' of plugin 'theirs' (seqzoo-theirs 0.3) failed" in str(caught.value)


def test_a_good_model_passes_and_the_generator_does_not_change() -> None:
    recipe = recipe_with(lambda _, context: Recurrent(vocab_size=context.vocab_size, dropout=0.5))
    model = build_model(recipe, ByteIds())
    before = torch.get_rng_state()
    try_model(recipe, model, vocab_size=256)
    assert torch.equal(before, torch.get_rng_state())
    assert model.training


def test_the_type_of_a_built_object_is_checked() -> None:
    recipe = recipe_with(lambda *_: 3)
    with pytest.raises(PluginError, match=r"expected a SequenceModel from build, found int"):
        build_model(recipe, ByteIds())
    with pytest.raises(PluginError, match=r"expected a Tokenizer from build, found int"):
        build_tokenizer(recipe)


class WithoutHistory(Sampler):
    def __call__(self, logits: Tensor) -> Tensor:  # type: ignore[override]
        return logits


class ExcludesAllTokens(Sampler):
    def __call__(self, logits: Tensor, history: Tensor) -> Tensor:
        return logits - torch.inf


@pytest.mark.parametrize(
    ("kind", "message"),
    [(WithoutHistory, "positional argument"), (ExcludesAllTokens, "a finite logit in every row")],
)
def test_a_sampler_that_breaks_the_contract_is_reported_with_its_plugin(
    kind: type[Sampler], message: str
) -> None:
    class Plugin:
        @staticmethod
        @hookimpl
        def register_samplers() -> list[SamplerSpec]:
            return [SamplerSpec(name="odd", summary="", build=lambda *_: kind())]

    registry = Registry()
    registry.add(Plugin, Owner("theirs"))
    with pytest.raises(PluginError, match=message):
        build_chain([Choice(name="odd", options=Options())], registry, sampler_context(8))
