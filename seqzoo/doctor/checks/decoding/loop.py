"""Whether the decoding makes the model repeat itself.

Method: 600 tokens are generated in three ways by the run's weights, or the trial's: with the
recipe's sampling chain or the user's own `generate`, always taking the most probable token, and
sampled from the model's own distribution; for each the period of its last half, the share of
distinct 4-grams, and the entropy of its tokens. Cost: the trial and about two seconds. Pass rule:
the text of the recipe's chain or of `generate` is not a loop, and has at least half as many
distinct 4-grams as the sampled text (without either, the figures are only reported). If the sampled
text is a loop too, the fault is not in the decoding, and it is not reported here. Source: Holtzman
et al. 2020, arXiv:1904.09751.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from seqzoo.doctor.checks._shared import advice
from seqzoo.doctor.checks.decoding._written import (
    distinct_share,
    entropy_bits,
    generated,
    loop_length,
)
from seqzoo.doctor.evidence.generation import generate_watched
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.model.chain import Chain
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.contexts import SamplerContext
from seqzoo.runs.build import build_chain

__all__ = ["examine"]

_LENGTH = 600


def examine(subject: Subject) -> Outcome:
    network = subject.trained_network
    prompt = subject.sample.inputs[0, :16].tolist()
    greedy = generated(network, prompt, _LENGTH, lambda logits, _: int(logits.argmax()))
    sampled = generated(network, prompt, _LENGTH, _sampling(subject.seed))
    chained = _by_the_recipe(subject, prompt) or _by_the_user(subject, prompt)
    name = "chain" if subject.has("recipe") else "generate"
    text = entropy_bits(subject.sample.inputs.flatten().tolist())
    figures = "; ".join(
        f"{name} {_reported(tokens)}"
        for name, tokens in ((name, chained), ("most probable", greedy), ("sampled", sampled))
        if tokens is not None
    )
    numbers = {
        "greedy_distinct": distinct_share(greedy),
        "drawn_distinct": distinct_share(sampled),
        "greedy_loop": float(loop_length(greedy) or 0),
        "text_entropy_bits": text,
    }
    if chained is not None and _is_stuck(chained, sampled):
        return Outcome.failed(
            f"the text of {'sample.chain' if subject.has('recipe') else 'generate'} repeats "
            f"itself: {figures}",
            why="Always taking the most probable token leads to a loop in healthy models too: "
            "after a common phrase the most probable text is the same phrase. The decoder loops; "
            "the weights need not be wrong.",
            remedy=advice(
                subject,
                recipe="Sample from the distribution: leave sample.chain empty, or give it a link "
                "that sharpens the distribution without choosing, such as a temperature of 0.8.",
                code="Sample from the distribution, torch.multinomial((logits / 0.8).softmax(-1), "
                "1), and not logits.argmax(-1).",
            ),
            changes=("sample.chain=[]",) if subject.has("recipe") else (),
            numbers=numbers,
        )
    return Outcome(status="pass", seen=figures, numbers=numbers)


def _is_stuck(chained: list[int], sampled: list[int]) -> bool:
    if loop_length(sampled) is not None:
        return False
    is_poor = distinct_share(chained) < 0.5 * distinct_share(sampled)
    return loop_length(chained) is not None or is_poor


def _reported(tokens: list[int]) -> str:
    period = loop_length(tokens)
    loop = f"loops every {period}" if period else "does not loop"
    return (
        f"{loop} ({distinct_share(tokens):.0%} distinct 4-grams, {entropy_bits(tokens):.1f} bits)"
    )


def _by_the_recipe(subject: Subject, prompt: list[int]) -> list[int] | None:
    if not subject.has("recipe"):
        return None
    recipe = subject.recipe
    context = SamplerContext(
        base=recipe.base, vocab_size=subject.vocab_size, tokenizer=subject.tokenizer
    )
    chain = build_chain(recipe.sample.chain, recipe.registry, context)
    draw = _sampling(subject.seed)

    links = Chain(chain, torch.tensor(prompt), count=1, num_tokens=_LENGTH)

    def choose(logits: Tensor, tokens: Tensor) -> int:
        chosen = draw(links(logits[None])[0], tokens)
        links.append(torch.tensor([chosen]))
        return chosen

    return generated(subject.trained_network, prompt, _LENGTH, choose)


def _by_the_user(subject: Subject, prompt: list[int]) -> list[int] | None:
    if not subject.has("generate"):
        return None
    given = torch.tensor(prompt)
    try:
        generated = generate_watched(subject.generate, subject.trained_network, given, _LENGTH)
    except Exception as error:
        raise Missing("generate cannot be called (see decoding.state)") from error
    ids: list[int] = generated.ids[0].tolist()
    return ids


def _sampling(seed: int) -> Callable[[Tensor, Tensor], int]:
    generator = torch.Generator().manual_seed(seed)
    return lambda logits, _: int(
        torch.multinomial(logits.double().softmax(-1), 1, generator=generator)
    )
