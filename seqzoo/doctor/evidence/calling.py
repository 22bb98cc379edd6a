"""How a user's module is called and its answer is read, where nobody says how.

The names of the parameters of `forward` say what they are: a state, targets, masks or lengths. An
answer can be logits, logits and a state, or a mapping or an object that has them by name. What has
two meanings is not guessed: `Network` refuses it, with a `forward` that adapts it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from seqzoo.doctor.evidence.answers import STATES, answer_in_words, read_answer
from seqzoo.plugin.contracts import State

__all__ = [
    "Forward",
    "adapter",
    "adapter_of_parts",
    "adapter_with_state",
    "begun",
    "call_in_words",
    "call_plainly",
    "can_begin",
    "layout_advice",
    "reading_in_words",
    "takes_a_state",
]

Forward: TypeAlias = Callable[[nn.Module, Tensor, State], tuple[Tensor, State]]
"""(module, tokens (B, T), state or None) -> logits (B, T, V) and the next state, None for none."""

_TARGETS = {"target", "targets", "label", "labels", "y"}
_LENGTHS = {"length", "lengths", "lens", "seq_lengths", "seq_lens", "x_lengths", "input_lengths"}
_NO_STATE = _TARGETS | {
    "attention_mask",
    "attn_mask",
    "key_padding_mask",
    "mask",
    "padding_mask",
    "pos",
    "position_ids",
    "positions",
    "src_mask",
    "token_type_ids",
}
_PAIRS = {
    ("h", "c"), ("h0", "c0"), ("h_0", "c_0"), ("hx", "cx"), ("hidden", "cell"),
    ("h_prev", "c_prev"), ("hidden_state", "cell_state"),
}  # fmt: skip
_BEGINNINGS = (
    "init_hidden", "initHidden", "init_hidden_state", "init_hidden_states", "init_state",
    "init_states", "initial_state", "initial_states", "get_initial_state", "begin_state",
    "zero_state", "reset_states", "reset_state", "reset_hidden", "reset_hidden_state", "reset",
)  # fmt: skip


def call_plainly(module: nn.Module, tokens: Tensor, state: State) -> tuple[Tensor, State]:
    """The module's logits of tokens (B, T) and its next state, None if it has none.

    An answer that cannot be read is given back as if it were logits.
    """
    how = _how(module)
    logits, state = read_answer(_answer(module, tokens, state), **how)
    cut = (
        isinstance(logits, Tensor)
        and logits.ndim == 3
        and tokens.ndim > 1
        and logits.shape[1] < tokens.shape[1]
    )
    if cut and _second(module) in _TARGETS:  # all logits only for training, as nanoGPT
        logits, state = read_answer(module(tokens, tokens), **how)
    return logits, state


def begun(module: nn.Module, rows: int) -> Any:
    """The first state of some rows, of a method of the module that makes it; None if none does.

    A method may put the state into the module, and return nothing.
    """
    for name in _BEGINNINGS:
        if callable(begin := getattr(module, name, None)):
            given: dict[str, Any] = {}
            for place, parameter in enumerate(inspect.signature(begin).parameters.values()):
                if parameter.name == "device":
                    first = next(module.parameters(), None)
                    given["device"] = torch.device("cpu") if first is None else first.device
                elif place == 0 and parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
                    given[parameter.name] = rows
            return begin(**given)
    return None


def can_begin(module: nn.Module) -> bool:
    """Whether the module has a method that begins a new state."""
    return any(callable(getattr(module, name, None)) for name in _BEGINNINGS)


def takes_a_state(module: nn.Module) -> bool:
    """Whether `forward` can be given a state."""
    return bool(_how(module)["has_state"])


def reading_in_words(module: nn.Module, tokens: Tensor) -> str:
    """What of an answer is taken for logits, and what for a state; "" for the usual forms."""
    return answer_in_words(_answer(module, tokens, None), **_how(module))


def call_in_words(module: nn.Module, tokens: str = "tokens") -> str:
    """The call as code, such as `model(tokens, state)`."""
    names = _names(module)
    if names is not None and tuple(names[:2]) in _PAIRS:
        return f"model({tokens}, *(state or (None, None)))"
    if _takes_a_state(module):
        return f"model({tokens}, state)"
    name = _state_by_name(module)
    return f"model({tokens}, {name}=state)" if name else f"model({tokens})"


def adapter(logits: str) -> str:
    """What to give `examine` so that an expression of `tokens` and `state` is taken for logits."""
    return f"examine(forward=lambda model, tokens, state: ({logits}, None)) adapts it"


def adapter_of_parts(call: str, places: Sequence[object]) -> str:
    """The same for an answer of several parts. places: of the logits, and of the state if any."""
    if len(places) == 1:
        return adapter(f"{call}[{places[0]!r}]")
    return (
        f"examine(forward=lambda model, tokens, state: (lambda y: "
        f"(y[{places[0]!r}], y[{places[1]!r}]))({call})) adapts it"
    )


def adapter_with_state(call: str, change: str) -> str:
    """The same for a call that returns logits and a state, of one part or several."""
    return (
        f"examine(forward=lambda model, tokens, state: (lambda y, *s: "
        f"(y.{change}, s[0] if len(s) == 1 else s))(*{call})) adapts it"
    )


def layout_advice(
    module: nn.Module, shape: tuple[int, ...], B: int, T: int, *, has_state: bool
) -> str:
    """What layout a shape other than (B, T, V) seems to be, and how to make logits of it."""
    if len(shape) == 2 and shape[0] == B * T:
        form, change, tokens = "(B T, V)", "view(*tokens.shape, -1)", "tokens"
    elif len(shape) == 3 and shape[:2] == (T, B):
        form, change, tokens = "(T, B, V)", "transpose(0, 1)", "tokens.T"
    elif len(shape) == 3 and shape[::2] == (B, T):
        form, change, tokens = "(B, V, T)", "transpose(1, 2)", "tokens"
    else:
        return ""
    call = call_in_words(module, tokens)
    if not has_state:
        return f". This is {form}: {adapter(f'{call}.{change}')}"
    return f". This is {form}: {adapter_with_state(call, change)}"


def _answer(module: nn.Module, tokens: Tensor, state: State) -> Any:
    names = _names(module)
    if names and names[0] in _LENGTHS:
        lengths = torch.full((len(tokens),), tokens.shape[1])
        return module(tokens, lengths, state) if len(names) > 1 else module(tokens, lengths)
    if not _takes_a_state(module):
        name = _state_by_name(module)
        return module(tokens) if state is None or not name else module(tokens, **{name: state})
    if state is None and _needs_a_state(module):
        state = begun(module, len(tokens))
    if names is not None and tuple(names[:2]) in _PAIRS:
        return module(tokens, *(state if state is not None else (None, None)))
    return module(tokens, state)


def _how(module: nn.Module) -> dict[str, bool]:
    """How the module takes a state."""
    return {
        "has_state": _takes_a_state(module) or bool(_state_by_name(module)),
        "is_pair": tuple((_names(module) or [])[:2]) in _PAIRS,
    }


def _takes_a_state(module: nn.Module) -> bool:
    """Whether the parameter after the tokens is a state; also if parameters are not known."""
    names = _names(module)
    if names is None:
        return True
    if not names or names[0] in _NO_STATE:
        return False
    if names[0] in _LENGTHS:
        return len(names) > 1
    default = inspect.signature(module.forward).parameters[names[0]].default
    return not isinstance(default, (bool, int, float, str))  # a flag, or a temperature


def _state_by_name(module: nn.Module) -> str:
    """A later parameter that is a state, as its name says; "" for none."""
    if _names(module) is None:
        return ""
    parameters = list(inspect.signature(module.forward).parameters)
    return next((name for name in parameters[1:] if name in STATES), "")


def _second(module: nn.Module) -> str:
    return next(iter(_names(module) or ()), "")


def _names(module: nn.Module) -> list[str] | None:
    """The positional parameters of `forward` after the first; None if they are not known."""
    try:
        parameters: Any = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters):
        return None
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [each.name for each in parameters if each.kind in positional][1:]


def _needs_a_state(module: nn.Module) -> bool:
    """Whether `forward` cannot be called without one."""
    parameters = list(inspect.signature(module.forward).parameters.values())[1:]
    return bool(parameters) and parameters[0].default is inspect.Parameter.empty
