"""Generation reads each token once, with the state of all before it, for one prompt or several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from broken_models import TEXT, H, Plain, V, contiguous
from examined_models import causes, outcome, reported
from torch import Tensor, nn

from seqzoo.doctor import examine


class Dropped(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def after(self, out: Tensor) -> Tensor:
        dropped: Tensor = self.drop(out)
        return dropped


class Window(nn.Module):
    """Causal attention over the text that it is given; no state."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(V, H)
        self.places = nn.Embedding(64, H)
        self.layer = nn.TransformerEncoderLayer(H, 2, 2 * H, 0.0, batch_first=True)
        self.head = nn.Linear(H, V)

    def forward(self, tokens: Tensor) -> Tensor:
        T = tokens.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(T)
        hidden = self.layer(self.embed(tokens) + self.places(torch.arange(T)), mask, is_causal=True)
        logits: Tensor = self.head(hidden)
        return logits


def _next(logits: Tensor) -> Tensor:
    return torch.multinomial(logits[:, -1].softmax(-1), 1)


def _rows(prompt: Any) -> Tensor:
    ids = torch.as_tensor(prompt)
    return ids if ids.ndim == 2 else ids[None]


@torch.no_grad()
def right(model: nn.Module, prompt: Any, length: int) -> Tensor:
    logits, state = model(_rows(prompt))
    ids = [_next(logits)]
    while len(ids) < length:
        logits, state = model(ids[-1], state)
        ids.append(_next(logits))
    return torch.cat(ids, 1)


@torch.no_grad()
def token_by_token(model: nn.Module, prompt: list[int], length: int) -> list[int]:
    """The prompt read one by one, as char-rnn does; the answer has the prompt."""
    text, state = list(prompt), None
    for token in prompt[:-1]:
        _, state = model(torch.tensor([[token]]), state)
    while len(text) < len(prompt) + length:
        logits, state = model(torch.tensor([[text[-1]]]), state)
        text.append(int(_next(logits)))
    return text


@torch.no_grad()
def whole_text(model: nn.Module, prompt: list[int], length: int) -> list[int]:
    text = list(prompt)
    for _ in range(length):
        answer = model(torch.tensor([text[-32:]]))
        text.append(int(_next(answer[0] if isinstance(answer, tuple) else answer)))
    return text[len(prompt) :]


@torch.no_grad()
def state_forgotten(model: nn.Module, prompt: list[int], length: int) -> list[int]:
    logits, _ = model(torch.tensor([prompt]))
    ids = [int(_next(logits))]
    while len(ids) < length:
        logits, _ = model(torch.tensor([ids[-1:]]))
        ids.append(int(_next(logits)))
    return ids


@torch.no_grad()
def state_of_the_prompt(model: nn.Module, prompt: list[int], length: int) -> list[int]:
    logits, state = model(torch.tensor([prompt]))
    ids = [int(_next(logits))]
    while len(ids) < length:
        logits, _ = model(torch.tensor([ids[-1:]]), state)
        ids.append(int(_next(logits)))
    return ids


@torch.no_grad()
def last_token_twice(model: nn.Module, prompt: list[int], length: int) -> list[int]:
    _, state = model(torch.tensor([prompt]))
    ids = [prompt[-1]]
    while len(ids) <= length:
        logits, state = model(torch.tensor([ids[-1:]]), state)
        ids.append(int(_next(logits)))
    return ids[1:]


@torch.no_grad()
def whole_text_with_state(model: nn.Module, prompt: list[int], length: int) -> list[int]:
    text, state = list(prompt), None
    for _ in range(length):
        logits, state = model(torch.tensor([text]), state)
        text.append(int(_next(logits)))
    return text


def in_training_mode(model: nn.Module, prompt: Any, length: int) -> Tensor:
    model.train()
    return right(model, prompt, length)


@torch.no_grad()
def only_the_last(model: nn.Module, prompt: list[int], length: int) -> list[int]:
    text = list(prompt)
    for _ in range(length):
        text.append(int(_next(model(torch.tensor([text[-1:]])))))
    return text


@torch.no_grad()
def greedy(model: nn.Module, prompt: list[int], length: int) -> list[int]:
    text, state, read = list(prompt), None, list(prompt)
    for _ in range(length):
        logits, state = model(torch.tensor([read]), state)
        read = [int(logits[0, -1].argmax())]
        text += read
    return text


@torch.no_grad()
def from_the_first_place(model: nn.Module, prompt: list[int], length: int) -> list[int]:
    logits, state = model(torch.tensor([prompt]))
    ids = [int(torch.multinomial(logits[0, 0].softmax(-1), 1))]
    while len(ids) < length:
        logits, state = model(torch.tensor([ids[-1:]]), state)
        ids.append(int(_next(logits)))
    return ids


@torch.no_grad()
def from_the_place_before(model: nn.Module, prompt: list[int], length: int) -> list[int]:
    text = list(prompt)
    for _ in range(length):
        text.append(int(model(torch.tensor([text]))[0, -2].argmax()))
    return text


def one_too_few(model: nn.Module, prompt: Any, length: int) -> Tensor:
    return right(model, prompt, length - 1)


def prompt_counted(model: nn.Module, prompt: list[int], length: int) -> list[int]:
    return token_by_token(model, prompt, length - len(prompt))


def with_the_last_of_the_prompt(model: nn.Module, prompt: list[int], length: int) -> list[int]:
    return [*prompt[-1:], *token_by_token(model, prompt, length)[len(prompt) :]]


def until_a_line_ends(model: nn.Module, prompt: list[int], length: int) -> list[int]:
    ids = token_by_token(model, prompt, length)[len(prompt) :]
    return ids[: ids.index(ord("e"))] if ord("e") in ids else ids


@torch.no_grad()
def of_probabilities(model: nn.Module, prompt: list[int], length: int) -> list[int]:
    text = list(prompt)
    for _ in range(length):
        text.append(int(torch.multinomial(model(torch.tensor([text]))[0, -1].exp(), 1)))
    return text


class WindowOfLogs(Window):
    def forward(self, tokens: Tensor) -> Tensor:
        return super().forward(tokens).log_softmax(-1)


@torch.no_grad()
def state_of_row_0(model: nn.Module, prompt: Any, length: int) -> Tensor:
    logits, state = model(_rows(prompt))
    ids = [_next(logits)]
    while len(ids) < length:
        state = tuple(part[:, :1].expand(-1, len(ids[-1]), -1).contiguous() for part in state)
        logits, state = model(ids[-1], state)
        ids.append(_next(logits))
    return torch.cat(ids, 1)


@torch.no_grad()
def states_exchanged(model: nn.Module, prompt: Any, length: int) -> Tensor:
    logits, state = model(_rows(prompt))
    ids = [_next(logits)]
    while len(ids) < length:
        logits, state = model(ids[-1], tuple(part.flip(1) for part in state))
        ids.append(_next(logits))
    return torch.cat(ids, 1)


def examined(model: Callable[[], nn.Module], generate: Any, **further: Any) -> Any:
    usual: dict[str, Any] = {"only": ["decoding"], "quick": True, "show": False}
    return examine(
        model=model, generate=generate, batches=contiguous, corpus=TEXT, **(usual | further)
    )


HEALTHY = {
    "right": (Plain, right),
    "token by token": (Plain, token_by_token),
    "the whole text": (Plain, whole_text),
    "windows": (Window, whole_text),
    "dropout in eval mode": (Dropped, right),
    "the end of the prompt too": (Plain, with_the_last_of_the_prompt),
    "until a certain token": (Plain, until_a_line_ends),
    "log-probabilities": (WindowOfLogs, of_probabilities),
}
FAULTS = {
    "the state is forgotten": (Plain, state_forgotten, "not fed back"),
    "the state of the prompt": (Plain, state_of_the_prompt, "the call before it returned"),
    "the last token twice": (Plain, last_token_twice, "the last token of the prompt is read twice"),
    "the text again": (Plain, whole_text_with_state, "the prompt is read again"),
    "training mode": (Dropped, in_training_mode, "training mode"),
    "the first place": (Plain, from_the_first_place, "the logits of the first place"),
    "the place before": (Window, from_the_place_before, "the logits of an earlier place"),
    "one too few": (Plain, one_too_few, "returns 11 new ids, and 12 were asked for"),
    "the prompt is counted": (Plain, prompt_counted, "returns 4 new ids, and 12 were asked for"),
    "only the last token": (Window, only_the_last, "only the last 1 of 8 tokens"),
}


@pytest.mark.parametrize(("model", "generate"), HEALTHY.values(), ids=HEALTHY)
def test_generation_that_reads_each_token_once_is_not_a_finding(model: Any, generate: Any) -> None:
    found = examined(model, generate)
    assert causes(found) == [], reported(found)
    assert outcome(found, "decoding.state").status == "pass"


@pytest.mark.parametrize(("model", "generate", "said"), FAULTS.values(), ids=FAULTS)
def test_generation_with_another_text_or_state_is_named(
    model: Any, generate: Any, said: str
) -> None:
    found = examined(model, generate)
    assert causes(found) == ["decoding.state"], reported(found)
    assert said in outcome(found, "decoding.state").seen


def test_several_prompts_are_compared_with_each_alone() -> None:
    assert outcome(examined(Plain, right), "decoding.batch").status == "pass"
    assert outcome(examined(Plain, token_by_token), "decoding.batch").status == "skip"

    class Mixed(Plain):
        def after(self, out: Tensor) -> Tensor:
            return out - out.mean(0)

    assert "decoding.batch" in causes(examined(Mixed, right))


def test_a_state_of_another_row_is_named() -> None:
    for generate, said in (
        (state_of_row_0, "all rows are given the state of row 0"),
        (states_exchanged, "rows are given the states of each other"),
    ):
        found = examined(Plain, generate)
        assert causes(found) == ["decoding.batch"], reported(found)
        assert said in outcome(found, "decoding.batch").seen


def test_a_loop_of_the_users_own_decoding_is_named() -> None:
    found = examined(Plain, greedy, only=["decoding.loop"], quick=False)
    assert causes(found) == ["decoding.loop"], reported(found)
    told = outcome(found, "decoding.loop")
    assert "torch.multinomial" in told.remedy
    assert not told.changes


def test_without_a_function_the_checks_of_it_are_skipped() -> None:
    found = examined(Plain, None)
    assert outcome(found, "decoding.state").status == "skip"
    assert "generate=" in outcome(found, "decoding.state").seen
