"""Counts, experts and gate of `ngram_lstm` against loops over dictionaries."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_states import RUN_STATE
from made_trainings import parts_of, train_section
from pydantic import ValidationError
from tiny import RUNTIME
from torch import Tensor

from seqzoo.data.lanes import Lanes
from seqzoo.scoring.adaptive import prepare_copy
from seqzoo.training import checkpoint
from seqzoo.training.updates import Training
from seqzoo_plugins.ngram_gate import learned as learned_module
from seqzoo_plugins.ngram_gate.contexts import ABSENT, context_keys
from seqzoo_plugins.ngram_gate.experts import witten_bell
from seqzoo_plugins.ngram_gate.learned import BLOCK, Learned
from seqzoo_plugins.ngram_gate.models import NgramLSTM
from seqzoo_plugins.ngram_gate.options import NgramLSTMOptions
from seqzoo_plugins.ngram_gate.table import FOLDS, NgramTable
from seqzoo_plugins.ngram_gate.window import add_window_counts

V = 7
texts = st.lists(st.integers(0, V - 1), min_size=1, max_size=120)
some_orders = st.sets(st.integers(1, 6), min_size=1).map(sorted)


def counted(
    text: Sequence[int], orders: Sequence[int], places: Sequence[int]
) -> dict[tuple[int, ...], Counter[int]]:
    """For each context the symbols after it at these places."""
    found: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
    for place in places:
        for order in orders:
            if place >= order:
                found[tuple(text[place - order : place])][text[place]] += 1
    return found


def dense(
    found: dict[tuple[int, ...], Counter[int]], text: Sequence[int], orders: Sequence[int]
) -> Tensor:
    """(N, K, V) counts after the contexts that end at each token of a text."""
    result = torch.zeros(len(text), len(orders), V)
    for place in range(len(text)):
        for number, order in enumerate(orders):
            if place + 1 >= order:
                for symbol, count in found[tuple(text[place + 1 - order : place + 1])].items():
                    result[place, number, symbol] = count
    return result


def looked_up(table: NgramTable, text: Sequence[int], folds: Tensor | None = None) -> Tensor:
    total = torch.zeros(len(text), len(table.orders), table.vocab_size)
    keys = table.keys(torch.tensor([text], dtype=torch.int64), len(text))[0]
    table.add_counts(total, keys, folds)
    return total


@given(texts, texts, some_orders)
def test_table_counts_what_follows_every_context(
    text: list[int], asked: list[int], orders: list[int]
) -> None:
    table = NgramTable(V, orders)
    table.count(np.array(text))
    expected = dense(counted(text, orders, range(len(text))), asked, orders)
    assert torch.equal(looked_up(table, asked), expected)


@given(texts, some_orders)
def test_a_folds_own_counts_are_left_out(text: list[int], orders: list[int]) -> None:
    table = NgramTable(V, orders)
    table.count(np.array(text))
    N = len(text)
    folds = table.folds(torch.arange(1, N + 1))
    found = looked_up(table, text, folds)
    for fold in range(FOLDS):
        others = [place for place in range(N) if place * FOLDS // N != fold]
        expected = dense(counted(text, orders, others), text, orders)
        assert torch.equal(found[folds == fold], expected[folds == fold])


def test_a_full_table_drops_the_rarest_entries_in_training_and_in_scoring() -> None:
    text = np.random.default_rng(0).integers(0, V, 4000)
    table = NgramTable(V, (2, 4), max_entries=100)
    table.count(text)
    exact = dense(counted(text.tolist(), (2, 4), range(4000)), text.tolist(), (2, 4))
    found = looked_up(table, text.tolist())
    assert len(table.counts) <= 100
    for number, least in enumerate(table.least.tolist()):
        assert least > 1
        kept = exact[:, number] * (exact[:, number] >= least)
        assert torch.equal(found[:, number], kept)
    seen = looked_up(table, text.tolist(), table.folds(torch.arange(1, 4001)))
    assert not ((seen > 0) & (seen < table.least[:, None])).any()


@given(texts, texts, st.integers(1, 40), some_orders)
def test_window_counts_are_those_of_the_latest_tokens(
    before: list[int], text: list[int], window: int, orders: list[int]
) -> None:
    window = max(window, orders[-1])
    padded = [ABSENT] * window + before
    history = torch.tensor([padded[-window:]] * 2)
    tokens = torch.tensor([text, text[::-1]])
    total = torch.zeros(2 * len(text), len(orders), V)
    add_window_counts(total, history, tokens, orders)
    for row in range(2):
        everything = [*padded[-window:], *tokens[row].tolist()]
        for time in range(len(text)):
            now = window + time
            latest = everything[now - window : now + 1]
            for number, order in enumerate(orders):
                expected = torch.zeros(V)
                context = latest[len(latest) - order :]
                for end in range(order, len(latest)):
                    if latest[end - order : end] == context and ABSENT not in context:
                        expected[latest[end]] += 1
                assert torch.equal(total[row * len(text) + time, number], expected)


def test_witten_bell_equals_the_formula_and_sums_to_one() -> None:
    generator = torch.Generator().manual_seed(0)
    counts = torch.randint(0, 4, (50, 3, V), generator=generator).double()
    counts[::5, 1:] = 0
    found, evidence = witten_bell(counts, torch.full((50, V), 1 / V, dtype=torch.float64))
    for row in range(50):
        below = np.full(V, 1 / V)
        for order in range(3):
            c = counts[row, order].numpy()
            n, t = c.sum(), (c > 0).sum()
            below = (c + t * below) / (n + t) if n else below
            np.testing.assert_allclose(found[row, order], below, rtol=1e-12)
            expected = [np.log1p(n), np.log1p(t), t / (n + t) if n else 1.0]
            np.testing.assert_allclose(evidence[row, order], expected, rtol=1e-12)
    np.testing.assert_allclose(found.sum(-1), 1, rtol=1e-12)


@settings(max_examples=20)
@given(st.integers(1, 6 * BLOCK), st.randoms(use_true_random=False))
def test_tokens_are_counted_up_to_the_last_full_block(length: int, random: Any) -> None:
    text = [random.randrange(V) for _ in range(length)]
    learned = Learned(lambda: NgramTable(V, (1, 3)))
    rest = torch.tensor(text)
    while len(rest):
        size = random.randint(1, learned.room)
        learned.read(rest[:size])
        rest = rest[size:]
    total = torch.zeros(length, 2, V)
    keys = NgramTable(V, (1, 3)).keys(torch.tensor([text]), length)[0]
    learned.add_counts(total, keys)
    expected = dense(counted(text, (1, 3), range(length // BLOCK * BLOCK)), text, (1, 3))
    assert torch.equal(total, expected)


def test_the_oldest_tokens_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned_module, "_LARGEST_SEGMENT", 2 * BLOCK)
    monkeypatch.setattr(learned_module, "_MAX_TOKENS", 4 * BLOCK)
    text = np.random.default_rng(0).integers(0, V, 7 * BLOCK).tolist()
    learned = Learned(lambda: NgramTable(V, (1, 3)))
    for start in range(0, len(text), BLOCK):
        learned.read(torch.tensor(text[start : start + BLOCK]))
    total = torch.zeros(len(text), 2, V)
    learned.add_counts(total, NgramTable(V, (1, 3)).keys(torch.tensor([text]), len(text))[0])
    remembered = range(4 * BLOCK, 7 * BLOCK)
    assert torch.equal(total, dense(counted(text, (1, 3), remembered), text, (1, 3)))


def test_long_contexts_in_the_window_differ_by_their_first_token() -> None:
    end = list(range(200, 211))
    text = torch.tensor([[*([ABSENT] * 40), 1, *end, 5, 2, *end, 6, 1, *end]])
    total = torch.zeros(len(end) + 1, 2, 256)
    add_window_counts(total, text[:, : -len(end) - 1], text[:, -len(end) - 1 :], (11, 12))
    assert total[-1].nonzero().tolist() == [[0, 5], [0, 6], [1, 5]]


def test_contexts_of_different_orders_have_different_keys_and_incomplete_ones_have_none() -> None:
    tokens = torch.tensor([[3, 3, 3, 3]])
    keys = context_keys(tokens, 4, (1, 2, 4), bits=40)[0]
    assert (keys[0] == torch.tensor([int(keys[0, 0]), ABSENT, ABSENT])).all()
    assert len(set(keys[3].tolist())) == 3
    assert ((keys >= 0) & (keys < 2**40)).logical_or(keys == ABSENT).all()


def small(**options: Any) -> NgramLSTM:
    torch.manual_seed(0)
    return NgramLSTM(NgramLSTMOptions(hidden_size=8, window=32, **options), vocab_size=256)


def test_a_state_dict_with_a_table_of_any_size_can_be_loaded() -> None:
    model, other = small(), small()
    model.before_training(np.random.default_rng(0).integers(0, 256, 500))
    other.load_state_dict(model.state_dict())
    tokens = torch.arange(40)[None]
    assert torch.equal(model.eval()(tokens)[0], other.eval()(tokens)[0])


def test_a_loaded_model_has_folds_only_after_it_counted_the_text_again() -> None:
    text = np.random.default_rng(0).integers(0, 256, 500)
    model, loaded, other = small().eval(), small().eval(), small().eval()
    model.before_training(text)
    other.before_training(text[::-1].copy())
    tokens, positions = torch.from_numpy(text[None, :40]), torch.zeros(1, dtype=torch.int64)
    for restored in (loaded, other):
        restored.load_state_dict(model.state_dict())
        with pytest.raises(RuntimeError, match="count its text again"):
            restored.forward_in_training(tokens, None, positions)
        again = prepare_copy(restored, text)
        expected, _ = model.forward_in_training(tokens, None, positions)
        assert torch.equal(again.forward_in_training(tokens, None, positions)[0], expected)


def test_every_byte_has_a_probability_after_a_long_run_of_one_byte() -> None:
    model = small(orders=(1, 2, 9), window_orders=tuple(range(1, 17))).eval()
    model.before_training(np.full(20_000, 97))
    with torch.no_grad():
        logits, _ = model(torch.full((1, 20_000), 97))
    assert logits.log_softmax(-1).isfinite().all()


def test_only_the_latest_of_many_places_are_used() -> None:
    text = torch.full((1, 1000), 5)
    total = torch.zeros(100, 2, V)
    add_window_counts(total, text[:, :900], text[:, 900:], (2, 4))
    expected = torch.zeros(V)
    expected[5] = 256
    assert torch.equal(total, expected.expand(100, 2, V))


def test_tables_stay_on_the_device_of_their_model() -> None:
    table = NgramTable(V, (1, 2)).to("meta")
    table.count(np.arange(5))
    assert all(buffer.is_meta for buffer in table.buffers())


def test_training_leaves_out_the_counts_of_the_current_fold() -> None:
    text = np.arange(256)  # nothing recurs: outside its fold nothing is known of a context
    model, ignorant = small().eval(), small().eval()
    model.before_training(text)
    tokens, positions = torch.from_numpy(text[None, :100]), torch.zeros(1, dtype=torch.int64)
    seen = model.forward_in_training(tokens, None, positions)[0]
    assert torch.equal(seen, ignorant(tokens)[0])
    assert not torch.allclose(model(tokens)[0], seen)


def test_a_restored_training_continues_with_the_same_bits(tmp_path: Path) -> None:
    text = np.random.default_rng(0).integers(97, 100, 3000).astype(np.uint8)
    section = train_section({"batch_size": 4, "budget": {"steps": 20}})

    def start() -> Training:
        model = small(dropout=0.2)
        model.before_training(text)
        lanes = Lanes(text, batch_size=4)
        return Training(
            model,
            lanes,
            section,
            **parts_of(model, section),
            runtime=RUNTIME,
            bytes_per_token=1.0,
            epoch_tokens=len(text),
        )

    unbroken, resumed = start(), start()
    for _ in range(3):
        unbroken.update()
    checkpoint.save(tmp_path, unbroken.checkpoint(RUN_STATE), keep=1, best=None)
    expected = [unbroken.update() for _ in range(4)]
    resumed.restore(checkpoint.load(tmp_path, 3))
    assert [resumed.update() for _ in range(4)] == expected


@pytest.mark.parametrize("orders", [(2, 1), (1, 1)])
def test_orders_must_be_ascending(orders: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError, match="must be ascending"):
        NgramLSTMOptions(orders=orders)
