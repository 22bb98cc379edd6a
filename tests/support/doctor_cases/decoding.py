"""Generation that is not what the model says: `generate(model, prompt, length) -> ids`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from doctor_cases.case import Arguments, Case
from doctor_cases.models import Recurrent
from doctor_cases.setting import Setting

__all__ = ["CASES"]

Generate = Callable[[nn.Module, Tensor, int], Tensor]
"""(model, prompt (B, P), length) -> the ids after it, (B, length)."""


def greedy(model: nn.Module, prompt: Tensor, length: int) -> Tensor:
    """Read the prompt once, then feed each token back with the state."""
    logits, state = model(prompt, None)
    found = [best(logits)]
    while len(found) < length:
        logits, state = model(found[-1], state)
        found.append(best(logits))
    return torch.cat(found, 1)


def sampled(model: nn.Module, prompt: Tensor, length: int) -> Tensor:
    """The prompt token by token, then each sampled token, with the state."""
    state = None
    found: list[Tensor] = []
    for token in prompt.split(1, 1)[:-1]:
        _, state = model(token, state)
    token = prompt[:, -1:]
    while len(found) < length:
        logits, state = model(token, state)
        token = torch.multinomial(logits[:, -1].softmax(-1), 1)
        found.append(token)
    return torch.cat(found, 1)


def _state_is_lost(model: nn.Module, prompt: Tensor, length: int) -> Tensor:
    logits, _ = model(prompt, None)
    found = [best(logits)]
    while len(found) < length:
        logits, _ = model(found[-1], None)
        found.append(best(logits))
    return torch.cat(found, 1)


def _last_token_read_twice(model: nn.Module, prompt: Tensor, length: int) -> Tensor:
    _, state = model(prompt, None)
    found = [prompt[:, -1:]]
    while len(found) <= length:
        logits, state = model(found[-1], state)
        found.append(best(logits))
    return torch.cat(found[1:], 1)


def _only_the_last_token(model: nn.Module, prompt: Tensor, length: int) -> Tensor:
    return greedy(model, prompt[:, -1:], length)


def _not_fed_back(model: nn.Module, prompt: Tensor, length: int) -> Tensor:
    logits, state = model(prompt, None)
    found = [best(logits)]
    while len(found) < length:
        logits, state = model(prompt[:, -1:], state)
        found.append(best(logits))
    return torch.cat(found, 1)


def _of_the_first_place(model: nn.Module, prompt: Tensor, length: int) -> Tensor:
    logits, state = model(prompt, None)
    found = [best(logits[:, :1])]
    while len(found) < length:
        logits, state = model(found[-1], state)
        found.append(best(logits[:, :1]))
    return torch.cat(found, 1)


def _with_the_state_of_row_0(model: nn.Module, prompt: Tensor, length: int) -> Tensor:
    """The state of one prompt is copied for all, as for several samples of one."""
    logits, state = model(prompt, None)
    found = [best(logits)]
    while len(found) < length:
        state = tuple(part[:, :1].repeat(1, len(prompt), 1) for part in state)
        logits, state = model(found[-1], state)
        found.append(best(logits))
    return torch.cat(found, 1)


def _one_too_few(model: nn.Module, prompt: Tensor, length: int) -> Tensor:
    return greedy(model, prompt, length - 1)


def best(logits: Tensor) -> Tensor:
    """(B, 1) the most likely next token."""
    return logits[:, -1:].argmax(-1)


class _Remembering(Recurrent):
    """Larger weights, so that a state matters as it does after training."""

    def __init__(self, V: int, H: int) -> None:
        super().__init__(V, H)
        with torch.no_grad():
            for parameter in (*self.rnn.parameters(), self.head.weight):
                parameter.mul_(4)


def _make(generate: Generate) -> Callable[[Setting], Arguments]:
    def generated(model: nn.Module, prompt: Any, length: int) -> Any:
        """One prompt as a list, or several as (B, P)."""
        given = torch.as_tensor(prompt)
        with torch.no_grad():
            ids = generate(model, given if given.ndim == 2 else given[None], length)
        return ids if given.ndim == 2 else ids[0].tolist()

    def make(setting: Setting) -> Arguments:
        return setting.stateful(
            lambda: _Remembering(256, setting.H),
            generate=generated,
            # For large weights a larger rate.
            optimizer=lambda parameters: torch.optim.Adam(parameters, lr=2e-2),
        )

    return make


def _differs_from_greedy(arguments: Any) -> bool:
    model, generate = arguments["model"](), arguments["generate"]
    prompts = torch.tensor([list(text) for text in (b"The king", b"A man is", b"xyzabcde")])
    return not torch.equal(generate(model, prompts, 20), greedy(model, prompts, 20))


def _case(
    name: str, source: str, cause: str, generate: Generate, *, named_by: str = "decoding.state"
) -> Case:
    return Case(
        name=name,
        source=source,
        cause=cause,
        named_by=(named_by,),
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
    _case(
        "logits of the first place",
        "karpathy/nanoGPT, model.py: logits[:, -1, :]",
        "The next token is drawn from logits[:, 0] and not from logits[:, -1].",
        _of_the_first_place,
    ),
    _case(
        "one token too few",
        "docs.python.org, range: the end is left out",
        "The loop makes one token less than it was asked for.",
        _one_too_few,
    ),
    _case(
        "the state of the first prompt for all",
        "torch.nn.LSTM, h_0 of shape (layers, batch, hidden)",
        "The state of the first prompt is copied for all prompts of the batch.",
        _with_the_state_of_row_0,
        named_by="decoding.batch",
    ),
    Case(
        name="greedy generation",
        source="github hit-computer/char-rnn#3",
        cause="The most likely token is taken at each step, and the text becomes a loop.",
        named_by=("decoding.loop",),
        make=_make(greedy),
        is_full=True,
    ),
    Case(
        name="sampled generation, token by token",
        source="karpathy/char-rnn, sample.lua",
        make=_make(sampled),
    ),
)
