"""What of a module's answer are the logits, and what is the state.

Losses, metrics and other extras stand beside them in many forms. What has two meanings is not
guessed: it is given back as it is, and `Network` refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from seqzoo.plugin.contracts import State

__all__ = ["STATES", "answer_in_words", "likely_places", "read_answer"]

_LOGITS = ("logits", "output", "outputs", "out", "scores", "y_hat")
STATES = (
    "state", "states", "prev_state", "next_state", "new_state", "hidden", "hidden_state", "h", "hx",
    "h0", "carry", "memory", "past_key_values", "past", "mems", "cache", "rnn_state", "lstm_state",
)  # fmt: skip
"""Names that people give to a state, as a part of an answer and as a parameter."""

_NUMBERS = ("first", "second", "third", "fourth", "fifth", "sixth")

Place = str | int


def read_answer(answer: Any, *, has_state: bool, is_pair: bool = False) -> tuple[Any, State]:
    """Logits and a state, None if `has_state` is False; or the answer as it is, and None.

    has_state: whether the module can be given a state. is_pair: whether it takes it as two
    arguments, h and c.
    """
    if isinstance(answer, Tensor):
        return answer, None
    logits, state = _places_of(answer, has_state=has_state, is_pair=is_pair)
    if logits is None:
        return answer, None
    parts = tuple(_part(answer, place) for place in state)
    return _part(answer, logits), (parts if len(parts) > 1 else parts[0]) if parts else None


def likely_places(answer: Any, *, has_state: bool) -> list[Place]:
    """Where the logits could be, and the state if there could be one, in an answer that is not
    understood: the first tensor with axes, and what follows it.
    """
    pairs: list[tuple[Place, Any]] = []
    if isinstance(answer, Mapping):
        pairs = list(answer.items())
    elif isinstance(answer, (tuple, list)):
        pairs = list(enumerate(answer))
    kept = [(place, part) for place, part in pairs if not _is_extra(part) and _is_state(part)]
    tensors = [place for place, part in kept if isinstance(part, Tensor) and part.ndim > 1]
    if not tensors:
        return [0]
    others = [place for place, _ in kept if place != tensors[0]]
    return [tensors[0], *(others[:1] if has_state else [])]


def answer_in_words(answer: Any, *, has_state: bool, is_pair: bool = False) -> str:
    """What of it is taken for logits, and what for a state; "" for the usual forms."""
    if isinstance(answer, Tensor):
        return ""
    logits, state = _places_of(answer, has_state=has_state, is_pair=is_pair)
    if logits is None:
        return ""
    if isinstance(logits, str):
        held = f"its '{state[0]}' the state" if state else "nothing of it a state"
        return f"of its {type(answer).__name__} '{logits}' are the logits, and {held}"
    if len(answer) == 2 and logits == 0 and (state or answer[1] is None):
        return ""
    named = [_NUMBERS[place] for place in state if isinstance(place, int)]
    held = f"and the {' and the '.join(named)} the state" if named else "and none is a state"
    return f"of its {len(answer)} outputs the {_NUMBERS[logits]} are the logits, {held}"


def _places_of(
    answer: Any, *, has_state: bool, is_pair: bool = False
) -> tuple[Place | None, list[Place]]:
    """The keys or indices of the logits, None if they are not known, and of the state's parts."""
    if key := _key(answer, _LOGITS):
        named: list[Place] = [n for n in STATES if has_state and _has_state(answer, n)]
        return key, named[:1]
    if not isinstance(answer, (tuple, list)):
        return None, []
    parts = {place: part for place, part in enumerate(answer) if not _is_extra(part)}
    if (
        not parts
        or len(answer) > len(_NUMBERS)
        or not isinstance(answer[logits := min(parts)], Tensor)
    ):
        return None, []
    del parts[logits]
    if not has_state:
        return logits, []
    if len(parts) > 1:  # metrics by name stand beside a state
        parts = {p: part for p, part in parts.items() if not isinstance(part, Mapping)}
    states: list[Place] = [place for place, part in parts.items() if _is_state(part)]
    if len(states) < 2 or is_pair:
        return logits, states
    tensors = [part for part in parts.values() if isinstance(part, Tensor)]
    if len(states) == len(tensors) == 2 and tensors[0].shape == tensors[1].shape:
        return logits, states
    return None, []


def _key(answer: Any, names: tuple[str, ...]) -> str:
    """The first of the names that a mapping or an object has."""
    return next((name for name in names if _part(answer, name) is not None), "")


def _has_state(answer: Any, name: str) -> bool:
    part = _part(answer, name)
    return part is not None and _is_state(part)


def _part(answer: Any, place: Place) -> Any:
    if isinstance(place, int) or isinstance(answer, Mapping):
        return answer.get(place) if isinstance(answer, Mapping) else answer[place]
    return getattr(answer, place, None)


def _is_extra(part: Any) -> bool:
    """Whether it is a loss or nothing."""
    return part is None or isinstance(part, (int, float, str)) or _is_number(part)


def _is_number(part: Any) -> bool:
    return isinstance(part, Tensor) and part.ndim == 0


def _is_state(part: Any) -> bool:
    """Whether it is a tree of tensors, as a state is, that are not all single numbers."""
    leaves = list(_leaves(part))
    return all(isinstance(leaf, Tensor) for leaf in leaves) and not all(map(_is_number, leaves))


def _leaves(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        tree = list(tree.values())
    if isinstance(tree, (tuple, list)):
        for part in tree:
            yield from _leaves(part)
    elif tree is not None:
        yield tree
