"""Laws of adaptive scoring for every installed architecture."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from installed_architectures import VOCAB_SIZE, build, every_architecture
from tiny import RUNTIME

from seqzoo.data.tokens import EncodedTraining, encode_span
from seqzoo.plugin.contracts import SequenceModel, Tokenizer
from seqzoo.plugin.registry import Registry
from seqzoo.plugin.span import Span
from seqzoo.plugin.specs import ArchitectureSpec
from seqzoo.recipes.sections import AdaptiveSection
from seqzoo.scoring.adaptive import gradient_scales, score_adaptively
from seqzoo.scoring.chunks import SplitReader
from seqzoo.scoring.static import Protocol, score
from seqzoo.scoring.tally import Tally


class FewSymbols(Tokenizer):
    """Bytes below VOCAB_SIZE, each a token."""

    vocab_size = VOCAB_SIZE

    def encode(self, data: Any) -> Any:
        return data

    def decode(self, tokens: Any) -> bytes:
        return bytes(tokens)

    def byte_lengths(self, tokens: Any) -> Any:
        return np.ones(len(tokens), dtype=np.int64)


# Strings of a few symbols that occur again, so that a model can learn them.
DATA = np.resize(np.array([1, 2, 3, 1, 2, 4, 5, 5, 1, 2, 3, 9], dtype=np.uint8), 1500)
TRAINING, TEST = Span(DATA, 0, 900), Span(DATA, 900, 1500)


def adapted(model: SequenceModel, learning_rate: float, segment_length: int = 32) -> Tally:
    section = AdaptiveSection(learning_rate=learning_rate, segment_length=segment_length)
    training = EncodedTraining(FewSymbols(), TRAINING.bytes)
    scales = gradient_scales(model, training, runtime=RUNTIME, section=section)
    split = SplitReader(encode_span(FewSymbols(), TEST))
    return score_adaptively(
        model, {"test": split}, runtime=RUNTIME, section=section, scales=scales
    )["test"]


@pytest.fixture
def spec(registry: Registry, name: str) -> ArchitectureSpec:
    spec: ArchitectureSpec = registry.get("architecture", name)
    return spec


@every_architecture
def test_learning_rate_0_is_the_static_score(spec: ArchitectureSpec) -> None:
    model = build(spec)
    if type(model).start_adapting is not SequenceModel.start_adapting:
        pytest.skip("this architecture learns by itself, whatever the learning rate")
    static = score(model, FewSymbols(), TEST, runtime=RUNTIME, protocol=Protocol())
    # Other chunks, float32: the same tolerance as that of any cut.
    assert adapted(model, 0.0).bits_per_byte == pytest.approx(static.bits_per_byte, abs=1e-6)


@every_architecture
def test_what_a_model_learns_by_itself_does_not_depend_on_the_segments(
    spec: ArchitectureSpec,
) -> None:
    model = build(spec)
    if type(model).start_adapting is SequenceModel.start_adapting:
        pytest.skip("this architecture learns nothing by itself")
    scores = [
        adapted(model, 0.0, segment_length=length).bits_per_byte for length in (1, 64, len(TEST))
    ]
    assert scores == pytest.approx([scores[0]] * 3, abs=1e-6)


@every_architecture
def test_learning_repeated_text_lowers_the_score(spec: ArchitectureSpec) -> None:
    model = build(spec)
    # At 0.01 some are near divergence, where the score depends on the processor.
    assert adapted(model, 0.003).bits_per_byte < adapted(model, 0.0).bits_per_byte - 0.1


@every_architecture
def test_scoring_does_not_change_the_model(spec: ArchitectureSpec) -> None:
    model = build(spec)
    before = copy.deepcopy(model.state_dict())
    adapted(model, 0.01)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name
