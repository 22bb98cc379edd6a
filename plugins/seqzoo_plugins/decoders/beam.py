"""Beam search, on a grid of how much of a required phrase each text contains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from seqzoo import Decoder, DecodingTask, Stepper, UsageError


class Beam(Decoder):
    """The most probable text that a search of a given width finds.

    phrase: tokens that the text must contain in this order, without a gap; empty for none.

    Grid beam search, Hokamp and Liu 2017, arXiv:1704.07138, section 3: bank c keeps the `width`
    most probable texts that contain the first c tokens of the phrase. A text outside of the phrase
    continues with any token, or begins the phrase; one inside of it continues the phrase. Without
    a phrase there is one bank, and this is ordinary beam search.
    """

    def __init__(self, width: int, phrase: Sequence[int]) -> None:
        self._width = width
        self._phrase = list(phrase)

    def decode(self, stepper: Stepper, task: DecodingTask) -> Iterator[int]:
        """The tokens of the best text; those that all texts of the search share come early."""
        length = len(self._phrase)
        if task.num_tokens < length:
            raise UsageError(
                f"decoder 'beam' has to write {length} tokens for its phrase, and the length of "
                f"the text is {task.num_tokens}; use a larger --length (sample.length)."
            )
        logs, state = stepper.read(task.prompt[None])
        scores = torch.zeros(1, dtype=torch.float64)
        covered = torch.zeros(1, dtype=torch.int64)
        texts = torch.empty(1, 0, dtype=torch.int64)  # without the tokens that were given out
        for left in range(task.num_tokens, 0, -1):
            parents, tokens, scores, covered = self._step(logs, scores, covered, left)
            texts = torch.cat([texts[parents], tokens[:, None]], dim=1)
            if left > 1:
                logs, state = stepper.read(tokens[:, None], stepper.rows(state, parents))
            shared = _num_shared(texts)
            yield from texts[0, :shared].tolist()
            texts = texts[:, shared:]
        is_whole = covered == length
        yield from texts[is_whole][scores[is_whole].argmax()].tolist()

    def _step(
        self, logs: Tensor, scores: Tensor, covered: Tensor, left: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Rows that are continued, their new tokens, scores (M,), and parts of the phrase covered.

        left: tokens to write, the new one included.
        """
        length = len(self._phrase)
        # Candidates: (row, token, score, covered), free ones and those of the phrase.
        is_free = ((covered == 0) | (covered == length)).nonzero().flatten()
        count = min(self._width, logs.shape[1])
        best = logs[is_free].topk(count, dim=-1)
        rows = [is_free.repeat_interleave(count)]
        tokens = [best.indices.flatten()]
        sums = [(scores[is_free, None] + best.values).flatten()]
        reached = [covered[rows[0]]]
        in_phrase = (covered < length).nonzero().flatten()
        if len(in_phrase):
            phrase = torch.tensor(self._phrase)
            following = phrase[covered[in_phrase]]
            rows.append(in_phrase)
            tokens.append(following)
            sums.append(scores[in_phrase] + logs[in_phrase, following])
            reached.append(covered[in_phrase] + 1)
        all_rows, all_tokens = torch.cat(rows), torch.cat(tokens)
        all_sums, all_reached = torch.cat(sums), torch.cat(reached)
        chosen = []
        for bank in range(length + 1):
            # A text that cannot contain the rest of the phrase any more is given up.
            if length - bank > left - 1:
                continue
            members = (all_reached == bank).nonzero().flatten()
            best_sums = all_sums[members].topk(min(self._width, len(members))).indices
            chosen.append(members[best_sums])
        kept = torch.cat(chosen)
        return all_rows[kept], all_tokens[kept], all_sums[kept], all_reached[kept]


def _num_shared(texts: Tensor) -> int:
    """How many tokens at the beginning are the same in all rows."""
    is_same = (texts == texts[:1]).all(0)
    return int(is_same.long().cumprod(0).sum())
