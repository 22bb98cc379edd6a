"""The usual samplers of a chain, each with its options and its paper."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from seqzoo import Options, SamplerSpec, hookimpl

if TYPE_CHECKING:
    from seqzoo import Sampler, SamplerContext


class TemperatureOptions(Options):
    shorthand: ClassVar[str | None] = "value"
    value: float = Field(
        default=1.0, ge=0, allow_inf_nan=False, description="divides the logits; 0 is greedy"
    )


class TopKOptions(Options):
    shorthand: ClassVar[str | None] = "k"
    k: int = Field(default=40, ge=1, description="number of tokens to keep")


class TopPOptions(Options):
    shorthand: ClassVar[str | None] = "p"
    p: float = Field(default=0.95, gt=0, le=1, description="total probability of the kept tokens")


class MinPOptions(Options):
    shorthand: ClassVar[str | None] = "p"
    p: float = Field(
        default=0.05,
        gt=0,
        le=1,
        description="smallest probability to keep, relative to the most probable token",
    )


class EtaOptions(Options):
    shorthand: ClassVar[str | None] = "epsilon"
    epsilon: float = Field(
        default=0.002,
        gt=0,
        lt=1,
        description="tokens below this probability are excluded; less where the entropy is high",
    )


class TypicalOptions(Options):
    shorthand: ClassVar[str | None] = "p"
    p: float = Field(default=0.95, gt=0, le=1, description="total probability of the kept tokens")


class RepetitionPenaltyOptions(Options):
    shorthand: ClassVar[str | None] = "penalty"
    penalty: float = Field(default=1.2, ge=1, le=100, description="strength; 1 changes nothing")
    window: int = Field(default=64, ge=1, description="number of latest tokens that are penalised")


class NoRepeatNgramOptions(Options):
    shorthand: ClassVar[str | None] = "n"
    n: int = Field(default=24, ge=1, le=1000, description="tokens that may not occur twice")


class DryOptions(Options):
    shorthand: ClassVar[str | None] = "multiplier"
    multiplier: float = Field(
        default=0.8, gt=0, le=100, description="nats that the shortest penalised repetition costs"
    )
    base: float = Field(
        default=1.2, ge=1, le=100, description="factor of the penalty for each further token"
    )
    allowed_length: int = Field(
        default=12, ge=1, le=1000, description="a repetition of fewer tokens costs nothing"
    )
    breakers: str = Field(
        default='\n:"*',
        pattern=r"^[\x00-\x7f]*$",
        description="ASCII characters; no repetition extends over a token that contains one",
    )
    window: int = Field(default=4096, ge=1, description="number of latest tokens that are searched")


class MirostatOptions(Options):
    shorthand: ClassVar[str | None] = "surprise"
    surprise: float = Field(
        default=1.5, gt=0, le=64, allow_inf_nan=False, description="bits per token to aim at"
    )
    rate: float = Field(default=0.1, gt=0, le=1, description="how fast the cut-off is adjusted")


class StopOptions(Options):
    shorthand: ClassVar[str | None] = "text"
    text: str = Field(default="\n\n", min_length=1, description="the text ends after this")


@hookimpl
def register_samplers() -> Iterable[SamplerSpec]:
    yield SamplerSpec(
        name="greedy",
        summary="takes the most probable token; of equal ones the lowest id",
        build=_build_greedy,
    )
    yield SamplerSpec(
        name="temperature",
        summary="divides the logits: below 1 less random, above 1 more random, 0 greedy",
        source="Ackley, Hinton and Sejnowski 1985",
        options=TemperatureOptions,
        letter="t",
        build=_build_temperature,
    )
    yield SamplerSpec(
        name="top_k",
        summary="keeps the k most probable tokens",
        source="Fan, Lewis and Dauphin 2018, arXiv:1805.04833, section 5.4",
        options=TopKOptions,
        build=_build_top_k,
    )
    yield SamplerSpec(
        name="top_p",
        summary="keeps the smallest set of most probable tokens that together reach p (nucleus)",
        source="Holtzman et al. 2020, arXiv:1904.09751, section 3.1",
        options=TopPOptions,
        build=_build_top_p,
    )
    yield SamplerSpec(
        name="min_p",
        summary="keeps tokens at least p times as probable as the most probable one",
        source="Nguyen et al. 2024, arXiv:2407.01082",
        options=MinPOptions,
        build=_build_min_p,
    )
    yield SamplerSpec(
        name="eta",
        summary="excludes tokens below a probability that is lower where the entropy is high",
        source="Hewitt et al. 2022, arXiv:2210.15191, section 4",
        options=EtaOptions,
        build=_build_eta,
    )
    yield SamplerSpec(
        name="typical",
        summary="keeps the tokens whose information is nearest to the entropy, up to probability p",
        source="Meister et al. 2022, arXiv:2202.00666",
        options=TypicalOptions,
        build=_build_typical,
    )
    yield SamplerSpec(
        name="repetition_penalty",
        summary="makes the tokens of the latest window less probable",
        source="Keskar et al. 2019, CTRL, arXiv:1909.05858, section 4.1",
        options=RepetitionPenaltyOptions,
        build=_build_repetition_penalty,
    )
    yield SamplerSpec(
        name="no_repeat_ngram",
        summary="excludes tokens that would complete n tokens which occur already",
        source="Paulus et al. 2017, arXiv:1705.04304, section 2.5",
        options=NoRepeatNgramOptions,
        build=_build_no_repeat_ngram,
    )
    yield SamplerSpec(
        name="dry",
        summary="makes a token less probable the longer the repetition that it would continue",
        source="p-e-w 2024, https://github.com/oobabooga/textgen/pull/5677",
        options=DryOptions,
        build=_build_dry,
    )
    yield SamplerSpec(
        name="mirostat",
        summary="keeps the surprise of the text near a given number of bits per token",
        source="Basu et al. 2020, arXiv:2007.14966, algorithm 2",
        options=MirostatOptions,
        build=_build_mirostat,
    )
    yield SamplerSpec(
        name="stop",
        summary="ends the text when it has written a given string",
        options=StopOptions,
        build=_build_stop,
    )


def _build_greedy(options: Options, context: SamplerContext) -> Sampler:
    from seqzoo_plugins.samplers.temperature import Greedy

    return Greedy()


def _build_temperature(options: TemperatureOptions, context: SamplerContext) -> Sampler:
    from seqzoo_plugins.samplers.temperature import Temperature

    return Temperature(options.value)


def _build_top_k(options: TopKOptions, context: SamplerContext) -> Sampler:
    from seqzoo_plugins.samplers.truncation import TopK

    return TopK(options.k)


def _build_top_p(options: TopPOptions, context: SamplerContext) -> Sampler:
    from seqzoo_plugins.samplers.truncation import TopP

    return TopP(options.p)


def _build_min_p(options: MinPOptions, context: SamplerContext) -> Sampler:
    from seqzoo_plugins.samplers.truncation import MinP

    return MinP(options.p)


def _build_eta(options: EtaOptions, context: SamplerContext) -> Sampler:
    from seqzoo_plugins.samplers.truncation import Eta

    return Eta(options.epsilon)


def _build_typical(options: TypicalOptions, context: SamplerContext) -> Sampler:
    from seqzoo_plugins.samplers.truncation import Typical

    return Typical(options.p)


def _build_repetition_penalty(
    options: RepetitionPenaltyOptions, context: SamplerContext
) -> Sampler:
    from seqzoo_plugins.samplers.repetition import RepetitionPenalty

    return RepetitionPenalty(options.penalty, options.window)


def _build_no_repeat_ngram(options: NoRepeatNgramOptions, context: SamplerContext) -> Sampler:
    from seqzoo_plugins.samplers.repetition import NoRepeatNgram

    return NoRepeatNgram(options.n)


def _build_dry(options: DryOptions, context: SamplerContext) -> Sampler:
    import numpy as np
    import torch

    from seqzoo_plugins.samplers.repetition import Dry

    breakers = set(options.breakers.encode())
    texts = (context.tokenizer.decode(np.array([token])) for token in range(context.vocab_size))
    return Dry(
        multiplier=options.multiplier,
        base=options.base,
        allowed_length=options.allowed_length,
        window=options.window,
        is_breaker=torch.tensor([not breakers.isdisjoint(text) for text in texts]),
    )


def _build_mirostat(options: MirostatOptions, context: SamplerContext) -> Sampler:
    from seqzoo_plugins.samplers.mirostat import Mirostat

    return Mirostat(options.surprise, options.rate)


def _build_stop(options: StopOptions, context: SamplerContext) -> Sampler:
    import numpy as np

    from seqzoo_plugins.samplers.ending import Stop

    tokenizer = context.tokenizer
    return Stop(options.text.encode(), lambda ids: tokenizer.decode(np.array(ids, dtype=np.int64)))
