"""Every score is the size of a file: for each installed architecture and tokenizer."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from coded import compress, decompress
from installed_architectures import VOCAB_SIZE, build, every_architecture, random_tokens
from installed_tokenizers import tokenizers_in
from made_up_text import written
from tiny import RUNTIME, Recurrent

from seqzoo.coding.predictors import frozen_predictor, learning_predictor
from seqzoo.data.tokens import EncodedTraining, encode_span, first_input_of
from seqzoo.plugin.contexts import TokenizerContext
from seqzoo.plugin.contracts import SequenceModel, Tokenizer
from seqzoo.plugin.registry import Registry, load_registry
from seqzoo.plugin.span import Span
from seqzoo.recipes.sections import AdaptiveSection
from seqzoo.results.proof import proves
from seqzoo.scoring.adaptive import score_adaptively, usual_gradients
from seqzoo.scoring.chunks import SplitReader
from seqzoo.scoring.static import Protocol, score
from seqzoo.testing.materials import ByteIds

SYMBOLS = ByteIds(VOCAB_SIZE)
DATA = np.frombuffer(written(count=1600), dtype=np.uint8) % VOCAB_SIZE
TRAINING = random_tokens(1, 200, seed=9)[0].numpy().astype(np.uint8)
"""What `build` prepares its models with."""


def require_static_proof(model: SequenceModel, tokenizer: Tokenizer, span: Span) -> None:
    """The split's file is as small as the score says, and gives the split back."""
    bits = score(model, tokenizer, span, runtime=RUNTIME, protocol=Protocol()).block_bits.sum()
    predictor = partial(frozen_predictor, model, RUNTIME)
    first_input, text = first_input_of(tokenizer, span), span.bytes.tobytes()
    content = compress(text, tokenizer, predictor, first_input=first_input)
    assert decompress(content, tokenizer, predictor, first_input=first_input) == text
    assert proves(len(content), bits), (len(content), bits / 8)


def require_adaptive_proof(model: SequenceModel, span: Span, section: AdaptiveSection) -> None:
    """The same while the model learns."""
    scales = usual_gradients(
        model,
        lambda: EncodedTraining(SYMBOLS, TRAINING),
        runtime=RUNTIME,
        section=section,
    )
    split = SplitReader(encode_span(SYMBOLS, span))
    tally = score_adaptively(model, {"": split}, runtime=RUNTIME, section=section, scales=scales)[
        ""
    ]
    predictor = partial(learning_predictor, model, RUNTIME, section, scales)
    text = span.bytes.tobytes()
    content = compress(text, SYMBOLS, predictor, first_input=split.text.first_input)
    again = decompress(content, SYMBOLS, predictor, first_input=split.text.first_input)
    assert again == text
    bits = tally.block_bits.sum()
    assert proves(len(content), bits), (len(content), bits / 8)


@every_architecture
def test_the_static_score_is_the_size_of_a_file(registry: Registry, name: str) -> None:
    model = build(registry.get("architecture", name))
    require_static_proof(model, SYMBOLS, Span(DATA, 2000, 7000))


QUICK = ("gru", "ngram_gate", "transformer")
"""One of each kind: a state of vectors, counts that grow, and a window."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
        for name in load_registry().names("architecture")
    ],
)
def test_the_adaptive_score_is_the_size_of_a_file(registry: Registry, name: str) -> None:
    model = build(registry.get("architecture", name))
    section = AdaptiveSection(segment_length=32)
    require_adaptive_proof(model, Span(DATA, 2000, 7000), section)


@pytest.mark.parametrize("name", tokenizers_in(load_registry()))
@pytest.mark.parametrize("kind", ["words", "random bytes"])
def test_a_score_with_any_tokenizer_is_the_size_of_a_file(
    registry: Registry, name: str, kind: str
) -> None:
    spec = registry.get("tokenizer", name)
    tokenizer: Tokenizer = spec.build(spec.options(), TokenizerContext())
    data = np.frombuffer(written(count=2000), dtype=np.uint8)
    if kind == "random bytes":
        data = np.random.default_rng(0).integers(256, size=len(data), dtype=np.uint8)
    tokenizer.learn(data[:4000])
    model = Recurrent(vocab_size=tokenizer.vocab_size)
    require_static_proof(model, tokenizer, Span(data, 4001, 9001))
