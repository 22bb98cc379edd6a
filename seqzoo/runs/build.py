"""Builds what a recipe names: tokenizer, model, stream, optimizer, schedule, training, chain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.parameter import UninitializedParameter

from seqzoo.data.lanes import Lanes
from seqzoo.model import state as states
from seqzoo.model.runtime import Runtime, in_inference_mode
from seqzoo.plugin.build import as_plugin_error, build, require
from seqzoo.plugin.contexts import (
    ArchitectureContext,
    NamedParameter,
    OptimizerContext,
    SamplerContext,
    ScheduleContext,
    StreamContext,
    TokenizerContext,
)
from seqzoo.plugin.contracts import Sampler, Schedule, SequenceModel, State, Stream, Tokenizer
from seqzoo.plugin.registry import Registry
from seqzoo.plugin.roles import fault_in_roles
from seqzoo.recipes.load import Recipe
from seqzoo.recipes.sections import Choice
from seqzoo.runs.guarded import GuardedSampler, GuardedStream
from seqzoo.training.optimizers import Optimizer, fault_in_parts
from seqzoo.training.updates import Training

__all__ = [
    "build_chain",
    "build_model",
    "build_optimizer",
    "build_schedule",
    "build_tokenizer",
    "new_training",
    "open_stream",
    "try_model",
]


def build_tokenizer(recipe: Recipe) -> Tokenizer:
    """The recipe's tokenizer, before it learns."""
    context = TokenizerContext(base=recipe.base)
    return build(recipe.registry, "tokenizer", recipe.tokenizer, context)


def build_model(recipe: Recipe, tokenizer: Tokenizer) -> SequenceModel:
    """The recipe's architecture, initialised from the recipe's seed. The tokenizer has learnt."""
    torch.manual_seed(recipe.train.seed)
    context = ArchitectureContext(
        base=recipe.base, vocab_size=tokenizer.vocab_size, tokenizer=tokenizer
    )
    return build(recipe.registry, "architecture", recipe.architecture, context)


def open_stream(
    recipe: Recipe,
    tokens: npt.NDArray[Any],
    documents: npt.NDArray[np.int64] | None = None,
) -> Stream:
    """The stream that training reads: the recipe's, over (N,) tokens, or contiguous lanes.

    documents: (K,) the index of the first token of each, None for one text.
    """
    choice, batch_size = recipe.train.stream, recipe.train.batch_size
    if choice is None:
        return Lanes(tokens, batch_size=batch_size)
    context = StreamContext(
        base=recipe.base,
        tokens=tokens,
        batch_size=batch_size,
        documents=documents,
        seed=recipe.train.seed,
    )
    stream = build(recipe.registry, "stream", choice, context)
    return GuardedStream(stream, recipe.registry, choice.name)


def build_optimizer(recipe: Recipe, model: SequenceModel) -> Optimizer:
    """The recipe's optimizer, with all parameters of the model that need a gradient.

    Raises PluginError, which names the plugin, where the model's roles or the optimizer's
    parameters are not those of the model.
    """
    registry, choice = recipe.registry, recipe.train.optimizer
    with as_plugin_error(registry, "architecture", recipe.architecture.name):
        roles = model.parameter_roles()
        fault = fault_in_roles(model, roles)
        require(not fault, found=fault, expected="a role for each parameter from parameter_roles")
    parameters = tuple(
        NamedParameter(name=name, parameter=parameter, role=roles[name])
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    )
    context = OptimizerContext(base=recipe.base, parameters=parameters)
    parts = build(registry, "optimizer", choice, context)
    with as_plugin_error(registry, "optimizer", choice.name):
        fault = fault_in_parts(model, parts)
        require(not fault, found=fault, expected="each parameter of the context in one optimizer")
    return Optimizer(model, parts)


def build_schedule(recipe: Recipe) -> Schedule:
    """The recipe's schedule of the learning rate, without the warm-up."""
    section = recipe.train.schedule
    context = ScheduleContext(base=recipe.base, warmup_steps=section.warmup_steps)
    return build(recipe.registry, "schedule", section, context)


def new_training(
    recipe: Recipe,
    model: SequenceModel,
    runtime: Runtime,
    *,
    tokens: npt.NDArray[Any],
    documents: npt.NDArray[np.int64] | None,
    bytes_per_token: float,
) -> Training:
    """The training of a model on the tokens of its training part, at its first step."""
    stream = open_stream(recipe, tokens, documents)
    if recipe.runtime.compile:
        model.compile()
    return Training(
        model,
        stream,
        recipe.train,
        optimizer=build_optimizer(recipe, model),
        schedule=build_schedule(recipe),
        runtime=runtime,
        bytes_per_token=bytes_per_token,
        epoch_tokens=len(tokens),
    )


def try_model(recipe: Recipe, model: SequenceModel, *, vocab_size: int) -> None:
    """Try a model on three tokens, before hours of training.

    Raises PluginError, which names the plugin, if logits or state break the contract: logits of
    another width would be scored without an error, and the score would be wrong.
    """
    B, T = 2, 3
    tokens = torch.zeros(B, T, dtype=torch.int64)
    with (
        as_plugin_error(recipe.registry, "architecture", recipe.architecture.name),
        in_inference_mode(model),
    ):
        for name, parameter in model.named_parameters():
            require(
                not isinstance(parameter, UninitializedParameter),
                found="a lazy one",
                expected=f"parameter '{name}' to have its shape after build",
            )
        output = model(tokens)
        is_pair = isinstance(output, tuple) and len(output) == 2
        require(is_pair, found=output, expected="(logits, state)")
        logits, state = output
        expected = (B, T, vocab_size)
        shape = tuple(getattr(logits, "shape", ()))
        require(
            shape == expected,
            found=shape,
            expected=f"logits of shape {expected}: batch, time, vocabulary",
        )
        _require_state(state, B)
        before = states.map_tensors(torch.clone, state)
        _, later = model(tokens, state)
        _require_unchanged(before, state)
        _require_state(later, B)
        first = model.initial_state(B)
        _require_state(first, B)
        model(tokens, first)
        for other in (state, later):
            _require_same_form(first, other)


def _require_state(state: State, B: int) -> None:
    for path, leaf in states.leaves(state):
        require(
            isinstance(leaf, Tensor),
            found=leaf,
            expected=f"state leaf '{path}' to be a tensor, in a tree of tuples, lists and dicts",
        )
        require(
            leaf.ndim > 0 and len(leaf) == B,
            found=tuple(leaf.shape),
            expected=f"state leaf '{path}' to begin with the batch, {B}",
        )


def _require_unchanged(before: State, after: State) -> None:
    for (path, leaf), (_, changed) in zip(states.leaves(before), states.leaves(after), strict=True):
        require(
            torch.equal(leaf, changed),
            found="other values",
            expected=f"state leaf '{path}' to stay as it was given to forward",
        )


def _require_same_form(state: State, other: State) -> None:
    shapes = {path: tuple(leaf.shape) for path, leaf in states.leaves(state)}
    others = {path: tuple(leaf.shape) for path, leaf in states.leaves(other)}
    for path in sorted(shapes.keys() | others.keys()):
        require(
            shapes.get(path) == others.get(path),
            found=others.get(path, "no such leaf"),
            expected=f"state leaf '{path}' to have the shape {shapes.get(path, 'it had')} "
            f"whatever was read",
        )


def build_chain(
    links: Iterable[Choice], registry: Registry, context: SamplerContext
) -> list[Sampler]:
    """The samplers that the links name, in order; each is tried once on equal logits.

    Raises PluginError, which names the plugin, if a sampler fails or breaks its contract.
    """
    chain: list[Sampler] = []
    for link in links:
        # Built twice: what the trial left in a sampler must not be in the text.
        tried = build(registry, "sampler", link, context)
        GuardedSampler(tried, registry, link.name).try_once(context.vocab_size)
        sampler = build(registry, "sampler", link, context)
        chain.append(GuardedSampler(sampler, registry, link.name))
    return chain
