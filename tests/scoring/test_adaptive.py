"""Adaptive scores: every segment is scored before the model learns from it; a copy learns."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny import RUNTIME, Bigram, ByteTokenizer, Recurrent, Uniform

from seqzoo.data.tokens import EncodedTraining, encode_span
from seqzoo.errors import DivergedError
from seqzoo.plugin.contracts import SequenceModel
from seqzoo.plugin.span import Span
from seqzoo.recipes.sections import AdaptiveSection
from seqzoo.scoring.adaptive import adaptive_settings, gradient_scales, method, score_adaptively
from seqzoo.scoring.chunks import SplitReader
from seqzoo.scoring.static import Protocol, score
from seqzoo.scoring.tally import Tally

DATA = np.random.default_rng(0).choice(np.frombuffer(b"aab c\n", dtype=np.uint8), size=9000)
TRAINING, TEST = Span(DATA, 0, 7000), Span(DATA, 7000, 8200)
ENCODED = EncodedTraining(ByteTokenizer(), TRAINING.bytes)


def read_adaptively(
    model: SequenceModel, span: Span, section: AdaptiveSection, scales: list[torch.Tensor] | None
) -> Tally:
    split = SplitReader(encode_span(ByteTokenizer(), span))
    return score_adaptively(
        model, {"test": split}, runtime=RUNTIME, section=section, scales=scales
    )["test"]


def adapted(model: SequenceModel, span: Span = TEST, **settings: float) -> Tally:
    section = AdaptiveSection.model_validate({"segment_length": 16, **settings})
    scales = gradient_scales(model, ENCODED, runtime=RUNTIME, section=section)
    return read_adaptively(model, span, section, scales)


def recurrent() -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(dropout=0.5)


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_learning_rate_0_is_the_static_score(decay: float) -> None:
    model = recurrent()
    static = score(
        model, ByteTokenizer(), TEST, runtime=RUNTIME, protocol=Protocol(chunk_length=16)
    )
    frozen = adapted(model, learning_rate=0.0, decay=decay)
    np.testing.assert_array_equal(frozen.block_bits, static.block_bits)
    assert frozen.correct == static.correct
    whole = score(model, ByteTokenizer(), TEST, runtime=RUNTIME, protocol=Protocol())
    assert frozen.bits_per_byte == pytest.approx(whole.bits_per_byte, abs=1e-6)


def test_a_uniform_model_that_learns_gets_below_eight() -> None:
    assert adapted(Uniform(), learning_rate=0.0).bits_per_byte == 8.0
    assert adapted(Uniform(), learning_rate=0.3).bits_per_byte < 6


@pytest.mark.parametrize("share", [1.0, 0.3], ids=["usual gradients", "clipped gradients"])
def test_adaptive_scores_equal_a_loop_of_the_formula(share: float) -> None:
    model, rate, decay, damping = Bigram(), 0.05, 0.1, 0.3
    section = AdaptiveSection(learning_rate=rate, decay=decay, damping=damping, segment_length=16)
    (scale,) = gradient_scales(model, ENCODED, runtime=RUNTIME, section=section)
    scale = share * scale
    found = read_adaptively(model, TEST, section, [scale])
    table, scale = model.table.detach().double(), scale.double()
    start, total, cut = table.clone(), 0.0, 0
    for begin in range(TEST.start, TEST.stop, 16):
        stretch = torch.from_numpy(DATA[begin - 1 : min(begin + 16, TEST.stop)].astype(np.int64))
        weight = table.requires_grad_()
        losses = F.cross_entropy(weight[stretch[:-1]], stretch[1:], reduction="none")
        total += float(losses.sum().detach())
        (gradient,) = torch.autograd.grad(losses.mean(), weight)
        if gradient.norm() > 2 * scale.norm():
            gradient, cut = gradient * (2 * scale.norm() / gradient.norm()), cut + 1
        mean = scale.mean()
        pull = (decay * scale / mean).clamp(max=1)
        table = table.detach()
        table = table - rate * gradient / (scale + damping * mean) + pull * (start - table)
    # Weights and scales are float32 there and float64 here, over 75 updates.
    assert found.block_bits.sum() == pytest.approx(total / np.log(2), rel=1e-5)
    assert (cut > 0) == (share < 1)


def test_gradient_scales_equal_those_of_a_loop_over_segments() -> None:
    model = Bigram()
    section = AdaptiveSection(segment_length=4)
    short = DATA[100:164]  # one stretch of sixteen segments
    encoded = EncodedTraining(ByteTokenizer(), short)
    (scale,) = gradient_scales(model, encoded, runtime=RUNTIME, section=section)
    text = np.concatenate([[0], short]).astype(np.int64)  # token 0 comes before the first byte
    squares = torch.zeros(256, 256)
    for begin in range(0, 64, 4):
        stretch = torch.from_numpy(text[begin : begin + 5])
        loss = F.cross_entropy(model.table[stretch[:-1]], stretch[1:])
        squares += torch.autograd.grad(loss, model.table)[0] ** 2
    torch.testing.assert_close(scale, (squares / 16).sqrt())


def test_bytes_after_a_segment_do_not_change_its_score() -> None:
    changed = DATA.copy()
    changed[TEST.start + 1000 :] = ord("z")
    model = recurrent()
    one = adapted(model, learning_rate=0.01).block_bits[0]
    assert adapted(model, Span(changed, TEST.start, TEST.stop), learning_rate=0.01).block_bits[
        0
    ] == pytest.approx(one, rel=1e-9)


def test_the_model_and_all_generators_do_not_change() -> None:
    model = recurrent().train()
    before, generator = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    first = adapted(model, learning_rate=0.05).bits_per_byte
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), generator)
    assert model.training
    assert adapted(model, learning_rate=0.05).bits_per_byte == first


def test_a_compiled_model_learns_as_the_plain_one_does() -> None:
    plain = adapted(recurrent(), learning_rate=0.05).bits_per_byte
    model = recurrent()
    model.compile(backend="eager")
    assert adapted(model, learning_rate=0.05).bits_per_byte == plain


class Counting(SequenceModel):
    """Predicts by counts of single bytes; after `start_adapting`, it counts what it reads."""

    counts: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("counts", torch.ones(256))
        self.adapts = False

    def initial_state(self, batch_size: int) -> torch.Tensor:
        return torch.zeros(batch_size, 0)

    def forward(self, tokens, state=None):  # type: ignore[no-untyped-def]
        logits = []
        for token in tokens[0]:
            self.counts[token] += self.adapts
            logits.append(self.counts.log())
        return torch.stack(logits)[None], self.initial_state(1)

    def start_adapting(self) -> None:
        self.adapts = True


def test_an_architectures_own_adaptation_follows_the_score_and_changes_a_copy() -> None:
    model = Counting()
    counts, bits = np.ones(256), 0.0
    for position in range(TEST.start, TEST.stop):
        counts[DATA[position - 1]] += 1
        bits -= np.log2(counts[DATA[position]] / counts.sum())
    section = AdaptiveSection(learning_rate=0.0, segment_length=16)
    found = read_adaptively(model, TEST, section, None)
    assert found.bits_per_byte * len(TEST) == pytest.approx(bits, rel=1e-6)
    assert float(model.counts.sum()) == 256
    assert "own adaptation" in method(section, model)
    assert adaptive_settings(section, model).method == "own_adaptation"


def test_a_model_without_parameters_can_be_scored_with_any_settings() -> None:
    model = Counting()
    assert (
        adapted(model, learning_rate=0.5).bits_per_byte
        == adapted(model, learning_rate=0.0).bits_per_byte
    )
    assert "own adaptation" in method(AdaptiveSection(), model)


def test_the_error_of_a_diverging_rate_names_the_setting() -> None:
    with pytest.raises(DivergedError, match=r"evaluate\.adaptive\.learning_rate"):
        adapted(recurrent(), learning_rate=1e30, decay=0.0)


@pytest.mark.parametrize("rate", [3.0, 100.0, 1e4, 1e12])
@pytest.mark.parametrize("make", [recurrent, Bigram, Uniform])
def test_a_score_is_never_that_of_a_model_that_diverged(
    make: Callable[[], SequenceModel], rate: float
) -> None:
    frozen = adapted(make(), learning_rate=0.0).bits_per_byte
    said = ""
    try:
        assert adapted(make(), learning_rate=rate, decay=0.0).bits_per_byte < frozen + 8
    except DivergedError as error:
        said = str(error)
    if said:
        found = re.search(r"from byte (\d+) of the text on", said)
        assert found is not None
        assert int(found[1]) < len(TEST)
        assert f"a learning rate below {rate:g}" in said


def test_the_bytes_before_the_named_one_have_a_score() -> None:
    with pytest.raises(DivergedError) as raised:
        adapted(recurrent(), learning_rate=0.3)
    said = re.search(r"from byte (\d+) of", str(raised.value))
    assert said is not None
    before = Span(DATA, TEST.start, TEST.start + int(said[1]))
    assert adapted(recurrent(), before, learning_rate=0.3).bits_per_byte < 16


def test_text_that_is_hard_for_the_trained_weights_too_is_no_divergence() -> None:
    model = Bigram()
    with torch.no_grad():
        model.table.mul_(100)  # a model that is certain, and wrong
    frozen = adapted(model, learning_rate=0.0).bits_per_byte
    assert frozen > 100
    assert adapted(model, learning_rate=0.05).bits_per_byte < frozen
