"""Laws of every installed sampler, and of declaring a plugin."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
import yaml
from contexts import sampler_context
from hypothesis import given
from hypothesis import strategies as st
from tiny import Bigram, ByteTokenizer
from torch import Tensor

from seqzoo.model.generate import generate
from seqzoo.plugin.contracts import Sampler
from seqzoo.plugin.registry import Registry, load_registry

every_sampler = pytest.mark.parametrize("name", load_registry().names("sampler"))


@pytest.fixture(scope="module")
def samplers(registry: Registry) -> dict[str, Sampler]:
    specs = [registered.spec for registered in registry.registered("sampler")]
    return {spec.name: spec.build(spec.options(), sampler_context()) for spec in specs}


@st.composite
def situations(draw: st.DrawFn) -> tuple[Tensor, int]:
    """Logits (B, V) with ties and excluded tokens, one token left in every row; and a seed."""
    rows, vocab = draw(st.integers(1, 4)), draw(st.integers(1, 40))
    seed = draw(st.integers(0, 2**31))
    generator = torch.Generator().manual_seed(seed)
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    scale = draw(st.sampled_from([0.0, 0.1, 3.0, 1e4]))
    logits = scale * torch.randn(rows, vocab, generator=generator, dtype=dtype)
    if draw(st.booleans()):
        logits = logits.round()
    excluded = torch.rand(rows, vocab, generator=generator) < draw(st.sampled_from([0, 0.5, 1]))
    excluded.scatter_(1, torch.randint(vocab, (rows, 1), generator=generator), False)
    return logits.masked_fill(excluded, -torch.inf), seed


def history_for(sampler: Sampler, logits: Tensor, seed: int) -> Tensor:
    length = min(sampler.history_length, 20)
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(logits.shape[1], (logits.shape[0], length), generator=generator)


@every_sampler
@given(situation=situations())
def test_every_row_keeps_its_shape_and_a_finite_entry(
    samplers: dict[str, Sampler], name: str, situation: tuple[Tensor, int]
) -> None:
    logits, seed = situation
    history = history_for(samplers[name], logits, seed)
    out = samplers[name](logits.clone(), history)
    assert out.shape == logits.shape
    assert out.dtype == logits.dtype
    assert out.isfinite().any(dim=1).all()
    assert not out.isnan().any()
    assert not out.isposinf().any()


@every_sampler
@given(situation=situations())
def test_an_excluded_token_stays_excluded(
    samplers: dict[str, Sampler], name: str, situation: tuple[Tensor, int]
) -> None:
    logits, seed = situation
    out = samplers[name](logits.clone(), history_for(samplers[name], logits, seed))
    assert out[logits.isneginf()].isneginf().all()


@every_sampler
@given(situation=situations())
def test_a_row_does_not_depend_on_the_others(
    samplers: dict[str, Sampler], name: str, situation: tuple[Tensor, int]
) -> None:
    logits, seed = situation
    history = history_for(samplers[name], logits, seed)
    together = samplers[name](logits.clone(), history)
    for row in range(len(logits)):
        alone = samplers[name](logits[row : row + 1].clone(), history[row : row + 1])
        # Sums over one row and over several may be vectorised differently.
        torch.testing.assert_close(alone[0], together[row], rtol=1e-6, atol=0)


@every_sampler
@given(situation=situations())
def test_same_logits_give_the_same_and_no_random_number_is_drawn(
    samplers: dict[str, Sampler], name: str, situation: tuple[Tensor, int]
) -> None:
    logits, seed = situation
    history = history_for(samplers[name], logits, seed)
    before = torch.get_rng_state()
    first = samplers[name](logits.clone(), history.clone())
    second = samplers[name](logits.clone(), history.clone())
    assert torch.equal(first, second)
    assert torch.equal(before, torch.get_rng_state())


@every_sampler
def test_a_short_history_is_enough(samplers: dict[str, Sampler], name: str) -> None:
    logits = torch.arange(8.0).repeat(2, 1)
    for length in range(min(3, samplers[name].history_length) + 1):
        history = torch.ones(2, length, dtype=torch.int64)
        assert samplers[name](logits.clone(), history).isfinite().any(dim=1).all()


@every_sampler
def test_a_logit_that_is_not_a_number_is_not_hidden(
    samplers: dict[str, Sampler], name: str
) -> None:
    logits = torch.arange(32, dtype=torch.float32).reshape(2, 16)
    logits[1, 3] = torch.nan
    history = torch.zeros(2, min(1, samplers[name].history_length), dtype=torch.int64)
    out = samplers[name](logits, history)
    assert not out[0].isnan().any()
    assert out[1].isnan().any()


@every_sampler
def test_a_seed_repeats_the_text(samplers: dict[str, Sampler], name: str) -> None:
    def text() -> list[bytes]:
        return list(
            generate(
                Bigram(),
                ByteTokenizer(),
                chain=[samplers[name]],
                prompt=b"a",
                num_tokens=50,
                seed=7,
            )
        )

    assert text() == text()


@every_sampler
def test_options_round_trip_through_yaml(registry: Registry, name: str) -> None:
    options = registry.get("sampler", name).options()
    again = yaml.safe_load(yaml.safe_dump(options.model_dump(mode="json")))
    assert type(options).model_validate(again) == options


@every_sampler
def test_the_shorthand_is_an_option(registry: Registry, name: str) -> None:
    options = registry.get("sampler", name).options
    assert options.shorthand is None or options.shorthand in options.model_fields


def test_declaring_the_installed_plugins_imports_no_torch() -> None:
    program = (
        "import sys; from seqzoo.plugin.registry import load_registry; load_registry(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
