"""What the doctor concludes from a curve, and from generated text."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from doctor_subjects import RUNGS, curve, run_of, subject, with_ladder
from tiny import Recurrent
from torch import Tensor, nn

from seqzoo.doctor.checks.decoding import loop as decoding_loop
from seqzoo.doctor.checks.decoding._written import (
    distinct_share,
    entropy_bits,
    generated,
    loop_length,
)
from seqzoo.doctor.checks.verdict import (
    overfitting as verdict_overfitting,
)
from seqzoo.doctor.checks.verdict import (
    rung as verdict_rung,
)
from seqzoo.doctor.checks.verdict import (
    underfitting as verdict_underfitting,
)
from seqzoo.doctor.checks.verdict import (
    undertrained as verdict_undertrained,
)
from seqzoo.doctor.evidence.measure import measure, measure_swapped
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.subject import Missing, Subject
from seqzoo_plugins.bytes.tokenizer import ByteTokenizer
from seqzoo_plugins.samplers.temperature import Greedy


def test_a_validation_loss_that_rises_while_training_loss_falls_is_overfitting() -> None:
    given = run_of(curve([2.5, 2.2, 2.3, 2.4], training=[2.5, 2.1, 1.8, 1.5]))
    outcome = verdict_overfitting.examine(given)
    assert outcome.status == "warn"
    assert outcome.numbers["best_step"] == 200
    assert outcome.changes == ("train.budget={steps: 200}",)


@pytest.mark.parametrize(
    ("validation", "training"),
    [
        ([2.5, 2.2, 2.1, 2.05], [2.5, 2.1, 1.8, 1.5]),
        ([2.5, 2.2, 2.21, 2.215], [2.5, 2.1, 1.8, 1.5]),
        ([2.5, 2.2, 2.4, 2.6], [2.5, 2.1, 2.3, 2.5]),
    ],
    ids=["still falling", "noise", "both rise"],
)
def test_a_run_without_overfitting_passes(validation: list[float], training: list[float]) -> None:
    outcome = verdict_overfitting.examine(run_of(curve(validation, training=training)))
    assert outcome.status == "pass"


def test_a_training_loss_that_has_stopped_above_a_short_table_is_underfitting() -> None:
    stuck, falling = [3.0, 2.7, 2.6, 2.6, 2.6, 2.6], [3.6, 3.4, 3.2, 3.0, 2.8, 2.6]
    low = [2.6, 2.4, 2.2, 2.1, 2.1, 2.1]
    for values, status in ((stuck, "warn"), (falling, "pass"), (low, "pass")):
        outcome = verdict_underfitting.examine(with_ladder(run_of(curve(values)), **RUNGS))
        assert outcome.status == status, values


def test_a_run_that_has_not_read_its_text_once_is_undertrained() -> None:
    lines = curve([2.5, 2.4, 2.4, 2.4])
    assert verdict_undertrained.examine(run_of(lines, training_bytes=25_000)).status == "warn"
    assert verdict_undertrained.examine(run_of(lines, training_bytes=15_000)).status == "pass"


def test_an_unfinished_run_is_not_called_undertrained() -> None:
    given = run_of(curve([2.9, 2.8, 2.7, 2.6]), training_bytes=10**6, is_finished=False)
    with pytest.raises(Missing, match="not finished"):
        verdict_undertrained.examine(given)


def test_a_falling_end_is_undertrained_only_if_the_rate_has_not_decayed() -> None:
    falling = [2.9, 2.8, 2.7, 2.6, 2.5, 2.4]
    assert verdict_undertrained.examine(run_of(curve(falling))).status == "warn"
    decayed = run_of(curve(falling, learning_rate=1e-5))
    assert verdict_undertrained.examine(decayed).status == "pass"


@pytest.mark.parametrize(
    "module",
    [verdict_overfitting, verdict_undertrained, verdict_underfitting],
    ids=lambda module: module.__name__.rpartition("_")[-1],
)
def test_without_a_run_there_is_no_verdict(module: Any) -> None:
    with pytest.raises(Missing, match="no run"):
        module.examine(subject())


class Bigrams(nn.Module):
    """Knows which byte follows the current one, and with `remember` the one before it too."""

    def __init__(self, text: np.ndarray, *, remember: bool) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(4, 4, 4))
        for before, now, after in zip(text, text[1:], text[2:], strict=False):
            self.table.data[before if remember else slice(None), now, after] += 1
        self.table.data = (self.table.data + 1e-3).log()

    def forward(self, tokens: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        if state is None:
            state = tokens.new_zeros(len(tokens), 1)
        before = torch.cat([state, tokens[:, :-1]], dim=1)
        return self.table[before, tokens], tokens[:, -1:]


@pytest.fixture
def text() -> np.ndarray:
    """Every token is the sum of the two before it, with noise: order-1 says little."""
    generator = np.random.default_rng(0)
    tokens = [1, 2]
    for noisy in generator.random(8000) < 0.1:
        tokens.append(int(generator.integers(4)) if noisy else (tokens[-1] + tokens[-2]) % 4)
    return np.array(tokens, dtype=np.uint8)


def of_bigrams(text: np.ndarray, *, remember: bool) -> Network:
    module = Bigrams(text, remember=remember)
    return Network(module, lambda: module)


def test_a_measure_is_the_mean_over_every_token_read_in_order(text: np.ndarray) -> None:
    network = of_bigrams(text, remember=True)
    found = measure(network, text, rows=1)
    table = network.module.table.double().log_softmax(-1)  # type: ignore[operator]
    tokens = torch.from_numpy(text.astype(np.int64))
    before, now, after = torch.cat([tokens.new_zeros(1), tokens[:-2]]), tokens[:-1], tokens[1:]
    nats = -table[before, now, after]
    assert found.bits_per_token == pytest.approx(
        float(nats.mean().detach()) / math.log(2), abs=1e-6
    )
    hits = table[before, now].argmax(-1) == after
    assert found.accuracy == pytest.approx(float(hits.double().mean()))


def test_the_past_of_another_passage_costs_what_the_own_past_is_worth(text: np.ndarray) -> None:
    own, swapped = measure_swapped(of_bigrams(text, remember=False), text)
    assert swapped.bits_per_token == pytest.approx(own.bits_per_token, abs=1e-9)
    own, swapped = measure_swapped(of_bigrams(text, remember=True), text)
    assert swapped.bits_per_token > own.bits_per_token + 1


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_rows_of_a_state_are_selected_on_any_axis(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    layers = kind(4, 4, num_layers=2, batch_first=True)
    embed = nn.Embedding(9, 4)

    def forward(module: nn.Module, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        logits, state = module(embed(tokens), state)
        return logits, state

    network = Network(layers, lambda: layers, forward)
    tokens, rows = torch.arange(15).reshape(3, 5) % 9, torch.tensor([2, 0, 2])
    _, state = network(tokens)
    after, _ = network(tokens[rows], network.select_rows(state, rows))
    expected, _ = network(tokens, state)
    torch.testing.assert_close(after, expected[rows])


def test_a_network_without_a_state_has_no_past_to_swap(text: np.ndarray) -> None:
    network = Network(nn.Embedding(4, 4), lambda: nn.Embedding(4, 4))
    with pytest.raises(ValueError, match="no state"):
        measure_swapped(network, text)


def at_rung(text: np.ndarray, *, remember: bool, steps: int = 100) -> Subject:
    lines = curve([3.62, 3.61, 3.6, 3.6, 3.6, 3.6])
    for line in lines:
        line["step"] = line["step"] / 100 * steps
    network = of_bigrams(text, remember=remember)
    given = with_ladder(run_of(lines, network=lambda: network, held_out=text), **RUNGS)
    given._vocab_size = 256  # the scores are those of bytes
    return given


def test_a_model_that_stays_near_a_rung_and_uses_no_past_is_at_that_rung(
    text: np.ndarray,
) -> None:
    outcome = verdict_rung.examine(at_rung(text, remember=False))
    assert outcome.status == "fail"
    assert "at the order-1 rung" in outcome.seen
    assert "the current byte and nothing before it" in outcome.why


def test_a_model_that_uses_its_past_or_has_just_begun_is_not_at_a_rung(text: np.ndarray) -> None:
    assert "at the order" not in verdict_rung.examine(at_rung(text, remember=True)).seen
    assert verdict_rung.examine(at_rung(text, remember=False, steps=10)).status != "fail"


def test_a_finished_run_above_order_3_has_stopped_early(text: np.ndarray) -> None:
    assert verdict_rung.examine(at_rung(text, remember=True)).status == "warn"


@pytest.mark.parametrize("period", [1, 2, 7, 40])
def test_a_loop_is_found_with_its_shortest_period(period: int) -> None:
    pattern = list(range(period))
    tokens = [99, 98, 97, *itertools.islice(itertools.cycle(pattern), 400)]
    assert loop_length(tokens) == period
    assert loop_length(np.random.default_rng(0).integers(0, 9, 400).tolist()) is None


def test_distinct_grams_and_entropy_follow_their_definition() -> None:
    assert distinct_share([1, 2, 3, 4, 5], 4) == 1.0
    assert distinct_share([1] * 13, 4) == 0.1
    assert entropy_bits([0, 1, 2, 3]) == 2.0
    assert entropy_bits([7] * 9) == 0.0


def test_generated_tokens_equal_those_of_single_steps() -> None:
    torch.manual_seed(0)
    model = Recurrent().eval()
    greedy = generated(
        Network(model, Recurrent), [65, 66], 20, lambda logits, _: int(logits.argmax())
    )
    tokens = [65, 66]
    for _ in range(20):
        tokens.append(int(model(torch.tensor([tokens]))[0][0, -1].argmax()))
    assert greedy == tokens[2:]


class Loops(nn.Module):
    """After each token most probably the next of a cycle of five, otherwise any token."""

    def forward(self, tokens: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        wanted = (tokens + 1) % 5
        return torch.nn.functional.one_hot(wanted, 40).float() * 3, tokens[:, -1:]


@pytest.mark.parametrize(("chain", "status"), [("greedy", "fail"), ("draws", "pass")])
def test_a_chain_that_repeats_itself_is_reported_if_sampling_does_not(
    chain: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = [Greedy()] if chain == "greedy" else []
    monkeypatch.setattr(decoding_loop, "build_chain", lambda *_, **__: links)
    recipe = SimpleNamespace(sample=SimpleNamespace(chain=()), registry=None, base=Path())
    network = Network(Loops(), Loops)
    given = subject(
        recipe=recipe,
        run=SimpleNamespace(),
        network=lambda: network,
        tokens=np.arange(400, dtype=np.uint8) % 40,
        vocab_size=40,
        tokenizer=ByteTokenizer(),
    )
    outcome = decoding_loop.examine(given)
    assert outcome.status == status
    assert outcome.numbers["greedy_loop"] == 5
    if status == "fail":
        assert outcome.changes == ("sample.chain=[]",)
        assert "weights need not be wrong" in outcome.why
