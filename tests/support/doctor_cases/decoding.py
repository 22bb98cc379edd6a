"""Generation that is not what the model says: `generate(prompt_ids, length) -> ids`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from doctor_cases.case import Arguments, Case
from doctor_cases.models import Recurrent
from doctor_cases.setting import Setting

__all__ = ["CASES"]

Generate = Callable[[Recurrent, Tensor, int], list[int]]


@torch.no_grad()
def greedy(model: Recurrent, prompt: Tensor, length: int) -> list[int]:
    """Read the prompt once, then feed each token back with the state."""
    logits, state = model(prompt[None], None)
    found: list[int] = []
    for _ in range(length):
        found.append(int(logits[0, -1].argmax()))
        logits, state = model(torch.tensor([[found[-1]]]), state)
    return found


@torch.no_grad()
def _state_is_lost(model: Recurrent, prompt: Tensor, length: int) -> list[int]:
    logits, _ = model(prompt[None], None)
    found: list[int] = []
    for _ in range(length):
        found.append(int(logits[0, -1].argmax()))
        logits, _ = model(torch.tensor([[found[-1]]]), None)
    return found


@torch.no_grad()
def _last_token_read_twice(model: Recurrent, prompt: Tensor, length: int) -> list[int]:
    _, state = model(prompt[None], None)
    found = [int(prompt[-1])]
    for _ in range(length):
        logits, state = model(torch.tensor([[found[-1]]]), state)
        found.append(int(logits[0, -1].argmax()))
    return found[1:]


@torch.no_grad()
def _only_the_last_token(model: Recurrent, prompt: Tensor, length: int) -> list[int]:
    return greedy(model, prompt[-1:], length)


@torch.no_grad()
def _not_fed_back(model: Recurrent, prompt: Tensor, length: int) -> list[int]:
    logits, state = model(prompt[None], None)
    found: list[int] = []
    for _ in range(length):
        found.append(int(logits[0, -1].argmax()))
        logits, state = model(prompt[None, -1:], state)
    return found


def _make(generate: Generate) -> Callable[[Setting], Arguments]:
    def make(setting: Setting) -> Arguments:
        model = Recurrent(256, setting.H)
        with torch.no_grad():  # so that a state matters, as it does after training
            for parameter in model.rnn.parameters():
                parameter.mul_(4)
            model.head.weight.mul_(4)
        given = setting.stateful(lambda: model)
        return given | {
            "model": model,
            "generate": lambda prompt, length: generate(
                model, torch.as_tensor(prompt).flatten(), length
            ),
        }

    return make


def _differs_from_greedy(arguments: Any) -> bool:
    model, generate = arguments["model"], arguments["generate"]
    prompts = [torch.tensor(list(text)) for text in (b"The king", b"A man ", b"xyzabc", b"\n\nQ")]
    return any(generate(prompt, 20) != greedy(model, prompt, 20) for prompt in prompts)


def _case(name: str, source: str, cause: str, generate: Generate) -> Case:
    return Case(
        name=name,
        source=source,
        cause=cause,
        named_by=("decoding.state",),
        make=_make(generate),
        proof=_differs_from_greedy,
    )


CASES = (
    _case(
        "generation without the state",
        "github mkroutikov/tf-lstm-char-cnn#10, ageron/handson-mlp#4",
        "Each new token is read from an empty state.",
        _state_is_lost,
    ),
    _case(
        "the prompt's last token is read twice",
        "github ml5js/ml5-library#221",
        "The prompt is read to its end, and its last token again as the first input.",
        _last_token_read_twice,
    ),
    _case(
        "only the prompt's last token is read",
        "github tensorflow/tensorflow#27789",
        "Generation begins with an empty state and the last token of the prompt.",
        _only_the_last_token,
    ),
    _case(
        "new tokens are not fed back",
        "github jankrepl/mltype#36",
        "Each step reads the last token of the prompt again instead of the new one.",
        _not_fed_back,
    ),
)
