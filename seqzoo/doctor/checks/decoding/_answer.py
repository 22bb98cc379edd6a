"""What a function that generates text returns if the model is sure of every id."""

from __future__ import annotations

import torch
from torch import Tensor

from seqzoo.doctor.evidence.generation import Generate, generate_forced
from seqzoo.doctor.evidence.network import Network

__all__ = ["fault_of_answer"]


def fault_of_answer(
    generate: Generate, network: Network, prompt: Tensor, length: int, known: Tensor
) -> tuple[str, str] | None:
    """What is wrong with the ids that come back, and what to do; None if nothing is.

    prompt: (P,). known: ids that are drawn; with fewer than six nothing is asked. It is asked twice
    with other ids, because a function may stop early at some id on purpose.
    """
    if len(known) < 6:
        return None
    found = []
    for ids in (known[:3].tolist(), known[3:6].tolist()):
        try:
            answer = generate_forced(generate, network, prompt, length, (ids[0], ids[1], ids[2]))
        except Exception:  # its outputs cannot be changed
            return None
        found.append((ids, answer[0]))
    places = [_place(answer, prompt, ids) for ids, answer in found]
    if places[0] == places[1] != "":
        return (
            f"new tokens are drawn from the logits of {places[0]} of what the model reads, and not "
            f"from those of the last",
            "Draw from the last place: logits[:, -1].",
        )
    counts = [_count(answer, prompt) for _, answer in found]
    if counts[0] == counts[1] < length:
        with_prompt = len(found[0][1]) == length
        counted = " (it seems to count the prompt too)" if with_prompt else ""
        return (
            f"generate returns {counts[0]} new ids, and {length} were asked for{counted}",
            "Return as many new ids as length says, with the prompt before them or without it; "
            "look for a loop that ends one too early, or a length that counts the prompt.",
        )
    return None


def _place(answer: Tensor, prompt: Tensor, ids: list[int]) -> str:
    """From which place the first new id is, if it is not the last one."""
    new = _new(answer, prompt)
    first, middle, _ = ids
    at = int(new[0]) if len(new) else -1
    return {first: "the first place", middle: "an earlier place"}.get(at, "")


def _count(answer: Tensor, prompt: Tensor) -> int:
    return len(_new(answer, prompt))


def _new(answer: Tensor, prompt: Tensor) -> Tensor:
    """The answer without as much of the prompt as it begins with: all of it, or its last id."""
    for size in (len(prompt), 1):
        if torch.equal(answer[:size], prompt[-size:]):
            return answer[size:]
    return answer
