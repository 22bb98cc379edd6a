"""A model that reads batches of one size only, called with text of any other size.

Positions that are added without a slice, a head over all places, a buffer or a view with a constant
batch size: such a model trains well, and everything that a check asks can be asked of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from weakref import WeakSet

import torch
from torch import Tensor, nn

from seqzoo.doctor.evidence.calling import Forward
from seqzoo.doctor.evidence.missing import Missing
from seqzoo.plugin.contracts import State

__all__ = ["OfOneSize"]


class _Chunks(tuple[State, ...]):
    """The states of several batches of the only size, side by side."""


class _Ended(tuple[State, ...]):
    """A state after tokens that were added to fill a row: it can be looked at, but not used."""


@dataclass(frozen=True)
class OfOneSize:
    """Rows are added or cut into several batches, tokens are added at the right of a row.

    call: how the model is called otherwise. rows, length: what it reads only, None for any number.
    keeps: whether the module keeps a state in itself.
    What cannot be made of batches of that size raises Missing.
    """

    call: Forward
    rows: int | None
    length: int | None
    keeps: bool
    _ended: WeakSet[nn.Module] = field(default_factory=WeakSet, compare=False)

    @property
    def in_words(self) -> str:
        """The only size, such as "exactly 16 rows of 32 tokens"."""
        rows = "" if self.rows is None else f"{self.rows} rows"
        length = "" if self.length is None else f"{self.length} tokens"
        return f"exactly {' of '.join(part for part in (rows, length) if part)}"

    def __call__(self, module: nn.Module, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        if isinstance(state, _Ended) or module in self._ended:
            raise Missing(f"the model reads {self.in_words}, so it cannot continue after fewer")
        rows = len(tokens) if self.rows is None else self.rows
        chunks = torch.split(tokens, rows)
        if len(chunks) == 1:
            return self._chunk(module, tokens, rows, state)
        if self.keeps:
            raise Missing(f"the model keeps the state of {rows} rows, so it reads no more of them")
        states = state if isinstance(state, _Chunks) else [state] * len(chunks)
        read = [
            self._chunk(module, chunk, rows, each)
            for chunk, each in zip(chunks, states, strict=True)
        ]
        after = [each for _, each in read]
        if any(isinstance(each, _Ended) for each in after):
            next_state: State = _Ended(after)
        else:
            next_state = None if all(each is None for each in after) else _Chunks(after)
        return torch.cat([logits for logits, _ in read]), next_state

    def _chunk(
        self, module: nn.Module, tokens: Tensor, rows: int, state: State
    ) -> tuple[Tensor, State]:
        filled = tokens.repeat(-(-rows // len(tokens)), 1)[:rows]
        logits, state = self._row(module, filled, state)
        return logits[: len(tokens)], state

    def _row(self, module: nn.Module, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        length = tokens.shape[1] if self.length is None else self.length
        pieces, parts = torch.split(tokens, length, 1), []
        for number, piece in enumerate(pieces):
            if number and state is None and not self.keeps:
                raise Missing(f"the model reads {self.in_words}, and no more")
            missing = length - piece.shape[1]
            # Added at the end: what was read before does not depend on it in a causal model.
            filled = torch.nn.functional.pad(piece, (0, missing))
            logits, state = self.call(module, filled, state)
            parts.append(logits[:, : piece.shape[1]])
            if missing and self.keeps:
                self._ended.add(module)
            if missing and state is not None:
                state = _Ended([state])
        return torch.cat(parts, 1), state
