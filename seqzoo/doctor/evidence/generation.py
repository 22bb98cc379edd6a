"""A user's own function that generates text, and how it calls the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from seqzoo.doctor.evidence.missing import Missing
from seqzoo.doctor.evidence.network import Network, runs_hooks, tensors_in

__all__ = ["Call", "Generate", "Generated", "generate_forced", "generate_watched"]

Generate: TypeAlias = Callable[[nn.Module, Any, int], Any]
"""(module, prompt, length) -> ids after the prompt, or with it. prompt: a list of ids."""


@dataclass(frozen=True)
class Call:
    """One call of the model. read: (B, T) ids. given, returned: the tensors of the state that was
    passed and of the one that came back, without the logits. logits: (B, V) at the last place.
    """

    read: Tensor
    given: tuple[Tensor, ...]
    returned: tuple[Tensor, ...]
    logits: Tensor | None
    in_training_mode: bool


@dataclass(frozen=True)
class Generated:
    """ids: (B, length) without the prompt. answer: (B, N) as they were returned, with the prompt if
    the function returns it. calls: of the model, in order.
    """

    ids: Tensor
    answer: Tensor
    calls: tuple[Call, ...]


def generate_watched(
    generate: Generate, network: Network, prompt: Tensor, length: int
) -> Generated:
    """Generate after `prompt`, (P,) or (B, P), with a copy of the network in eval mode.

    A prompt of one row is given as a list of ids, several as a tensor. Raises what the function
    raises, TypeError if it returns no ids, and Missing if the model runs no hooks.
    """
    calls: list[Call] = []
    answer = _run(generate, network, prompt, length, _recording(calls))
    return Generated(_without_prompt(answer, prompt, length), answer, tuple(calls))


def generate_forced(
    generate: Generate, network: Network, prompt: Tensor, length: int, ids: tuple[int, int, int]
) -> Tensor:
    """(B, N) what is returned if the model is sure of one id at the first place of what it reads,
    of another at the places after it, and of the third at the last place.

    Then the ids that come back say which place they were drawn from, however they are drawn.
    """
    first, middle, last = ids

    def force(_: nn.Module, __: tuple[Any, ...], ___: dict[str, Any], output: Any) -> None:
        logits = next(tensors_in(output), None)
        if logits is None or not logits.is_floating_point():
            return
        with torch.no_grad():
            are_probabilities = bool((logits >= 0).all())
            chosen, others = (1.0, 0.0) if are_probabilities else (50.0, -50.0)
            by_place = logits if logits.ndim == 3 else logits[:, None]
            by_place.fill_(others)
            by_place[:, :, middle] = chosen
            for place, id_ in ((0, first), (-1, last)):
                by_place[:, place] = others
                by_place[:, place, id_] = chosen

    return _run(generate, network, prompt, length, force)


def _run(generate: Generate, network: Network, prompt: Tensor, length: int, hook: Any) -> Tensor:
    if not runs_hooks(network.module):
        raise Missing("the calls of a torch.jit module cannot be seen")
    copy = network.copied()
    copy.module.eval()
    handle = copy.module.register_forward_hook(hook, with_kwargs=True)
    given: Any = prompt if prompt.ndim == 2 else prompt.tolist()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return _ids(generate(copy.module, given, length))
    finally:
        handle.remove()


def _recording(calls: list[Call]) -> Any:
    def hook(
        module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any], output: Any
    ) -> None:
        tensors = list(tensors_in((arguments, named)))
        if not tensors:
            return
        read = _read(tensors[0])
        outputs = list(tensors_in(output))
        logits, returned = (outputs[0], outputs[1:]) if outputs else (None, [])
        last = logits[:, -1] if logits is not None and logits.ndim == 3 else logits
        calls.append(
            Call(
                read=read,
                given=tuple(tensors[1:]),
                returned=tuple(each.detach().clone() for each in returned),
                logits=None if last is None else last.detach().cpu().double(),
                in_training_mode=module.training,
            )
        )

    return hook


def _read(given: Tensor) -> Tensor:
    """(B, T) ids of what the model was given: ids, or one-hot vectors."""
    ids = given.detach().cpu()
    if ids.is_floating_point() and ids.ndim >= 2:
        ids = ids.argmax(-1)
    return ids.reshape(1, -1) if ids.ndim < 2 else ids


def _ids(answer: Any) -> Tensor:
    if isinstance(answer, (bytes, bytearray)):
        answer = list(answer)
    if isinstance(answer, str) or (
        not isinstance(answer, (Tensor, Sequence)) and not hasattr(answer, "__array__")
    ):
        raise TypeError(
            f"generate returned {type(answer).__name__}; expected the ids after the prompt"
        )
    ids = torch.as_tensor(answer).detach().cpu().to(torch.int64)
    return ids.reshape(1, -1) if ids.ndim < 2 else ids


def _without_prompt(ids: Tensor, prompt: Tensor, length: int) -> Tensor:
    """Without the prompt, or its last id alone, if that is before the new ids."""
    rows = prompt if prompt.ndim == 2 else prompt[None]
    for size in (rows.shape[1], 1):
        is_longer = size > 1 or ids.shape[1] > length
        if is_longer and torch.equal(ids[:, :size], rows[:, -size:]):
            return ids[:, size:]
    return ids
