"""Laws of every installed tokenizer."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from seqzoo import TokenizerContext
from seqzoo.model.generate import ByteStream
from seqzoo.plugin.contracts import Tokenizer
from seqzoo.plugin.registry import Registry, load_registry

TRAINING = b"Speak, speak.\nFirst, you know \xc3\xa9 is two bytes; is it not?\n" * 4
UNSEEN = b"\x00 ~ @ \xff\xfe \xed\xa0\x80"

every_tokenizer = pytest.mark.parametrize("name", load_registry().names("tokenizer"))


def as_array(data: bytes) -> np.ndarray:
    return np.frombuffer(data, dtype=np.uint8)


def untrained(name: str, registry: Registry) -> Tokenizer:
    spec = registry.get("tokenizer", name)
    tokenizer: Tokenizer = spec.build(spec.options(), TokenizerContext())
    return tokenizer


@pytest.fixture(scope="module")
def learned(registry: Registry) -> dict[str, Tokenizer]:
    tokenizers = {name: untrained(name, registry) for name in registry.names("tokenizer")}
    for tokenizer in tokenizers.values():
        tokenizer.learn(as_array(TRAINING))
    return tokenizers


some_bytes = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=60).map(str.encode),
    st.sampled_from([b"", bytes(range(256)), TRAINING, UNSEEN, TRAINING[:20] + UNSEEN]),
)


@every_tokenizer
@given(data=some_bytes)
def test_decode_inverts_encode_for_all_bytes(
    learned: dict[str, Tokenizer], name: str, data: bytes
) -> None:
    assert learned[name].decode(learned[name].encode(as_array(data))) == data


@every_tokenizer
def test_bytes_are_encoded_as_their_array_is_and_text_is_refused(
    learned: dict[str, Tokenizer], name: str
) -> None:
    expected = learned[name].encode(as_array(TRAINING))
    np.testing.assert_array_equal(learned[name].encode(TRAINING), expected, strict=True)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"encodes bytes, found a str; use text\.encode\(\)"):
        learned[name].encode("text")  # type: ignore[arg-type]


@every_tokenizer
@given(data=some_bytes)
def test_decode_takes_ids_of_torchs_type(
    learned: dict[str, Tokenizer], name: str, data: bytes
) -> None:
    tokens = learned[name].encode(as_array(data)).astype(np.int64)
    assert learned[name].decode(tokens) == data


@every_tokenizer
@given(data=some_bytes)
def test_byte_lengths_sum_to_the_bytes_of_the_file(
    learned: dict[str, Tokenizer], name: str, data: bytes
) -> None:
    tokens = learned[name].encode(as_array(data))
    lengths = learned[name].byte_lengths(tokens)
    assert lengths.shape == tokens.shape
    assert lengths.dtype == np.int64
    assert (lengths >= 0).all()
    assert lengths.sum() == len(data)


@every_tokenizer
@given(data=some_bytes)
def test_ids_are_in_the_vocabulary_and_have_the_smallest_type(
    learned: dict[str, Tokenizer], name: str, data: bytes
) -> None:
    tokens = learned[name].encode(as_array(data))
    assert tokens.ndim == 1
    assert tokens.dtype == np.min_scalar_type(learned[name].vocab_size - 1)
    assert (tokens < learned[name].vocab_size).all()


@every_tokenizer
@given(data=some_bytes)
def test_state_restores_the_same_encoding_through_json(
    learned: dict[str, Tokenizer], registry: Registry, name: str, data: bytes
) -> None:
    restored = untrained(name, registry)
    restored.restore(json.loads(json.dumps(learned[name].state())))
    assert restored.vocab_size == learned[name].vocab_size
    expected = learned[name].encode(as_array(data))
    np.testing.assert_array_equal(restored.encode(as_array(data)), expected, strict=True)
    assert restored.decode(expected) == data


@every_tokenizer
def test_a_foreign_state_is_refused(registry: Registry, name: str) -> None:
    with pytest.raises(ValueError, match="foreign"):
        untrained(name, registry).restore({"foreign": [1, 2]})


@every_tokenizer
def test_a_tokenizer_works_before_it_has_learned(registry: Registry, name: str) -> None:
    tokenizer = untrained(name, registry)
    assert tokenizer.decode(tokenizer.encode(as_array(UNSEEN))) == UNSEEN


@every_tokenizer
@given(data=st.data())
def test_decoding_token_by_token_gives_the_same_bytes_for_any_ids(
    learned: dict[str, Tokenizer], name: str, data: st.DataObject
) -> None:
    top = learned[name].vocab_size - 1
    # The highest ids more often: escapes and other special tokens are usually there.
    ids = st.one_of(st.integers(0, top), st.integers(max(0, top - 3), top))
    tokens = data.draw(st.lists(ids, max_size=40))
    stream = ByteStream(learned[name])
    pieces = [stream.feed(token) for token in tokens]
    assert b"".join(pieces) == learned[name].decode(np.array(tokens, dtype=np.int64))


@every_tokenizer
def test_the_data_is_not_changed(learned: dict[str, Tokenizer], name: str) -> None:
    data = as_array(TRAINING + UNSEEN).copy()
    data.flags.writeable = False  # as a memory-mapped corpus is
    learned[name].byte_lengths(learned[name].encode(data))
    assert data.tobytes() == TRAINING + UNSEEN


@every_tokenizer
def test_options_round_trip_through_yaml(registry: Registry, name: str) -> None:
    options = registry.get("tokenizer", name).options()
    again = yaml.safe_load(yaml.safe_dump(options.model_dump(mode="json")))
    assert type(options).model_validate(again) == options
