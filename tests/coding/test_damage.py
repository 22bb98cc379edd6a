"""No damaged file and no other model yields wrong bytes without an error."""

from __future__ import annotations

import contextlib
import random
import zlib
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
import torch
from coded import compress, decompress
from made_up_text import written
from tiny import RUNTIME, ByteTokenizer, Nibbles, Recurrent

from seqzoo.coding import coder
from seqzoo.coding.container import Header, StoredBlock, packed
from seqzoo.coding.predictors import frozen_predictor
from seqzoo.coding.text import checksum_of, compressed
from seqzoo.errors import CompressedFileError, NewerFormatError, SeqzooError
from seqzoo.plugin.contracts import Tokenizer

TEXT = written(count=150)


def model(seed: int, V: int = 256) -> Recurrent:
    torch.manual_seed(seed)
    return Recurrent(vocab_size=V)


@pytest.fixture(params=["bytes", "half bytes"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return ByteTokenizer() if request.param == "bytes" else Nibbles()


@pytest.fixture
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coder, "BLOCK_BYTES", 200)


def damaged(content: bytes, count: int) -> Iterator[bytes]:
    """Files with a changed, missing, doubled or added part, or with another part's bytes."""
    draw = random.Random(0)
    while count:
        place, size = draw.randrange(len(content)), draw.randint(1, 20)
        kind = draw.randrange(6)
        if kind == 0:
            changed = bytearray(content)
            changed[place] ^= 1 << draw.randrange(8)
            found = bytes(changed)
        elif kind == 1:
            found = content[:place]
        elif kind == 2:
            found = content[:place] + content[place + size :]
        elif kind == 3:
            found = content[:place] + draw.randbytes(size) + content[place:]
        elif kind == 4:
            found = content[:place] + draw.randbytes(size) + content[place + size :]
        else:
            found = content[:place] + content[place : place + size] * 2 + content[place + size :]
        if found != content:
            count -= 1
            yield found


@pytest.mark.usefixtures("_small_blocks")
def test_each_of_200_damaged_files_is_refused(tokenizer: Tokenizer) -> None:
    predictor = partial(frozen_predictor, model(0, tokenizer.vocab_size), RUNTIME)
    content = compress(TEXT, tokenizer, predictor)
    assert decompress(content, tokenizer, predictor) == TEXT
    for found in damaged(content, 200):
        with pytest.raises((CompressedFileError, NewerFormatError)):
            decompress(found, tokenizer, predictor)


@pytest.mark.usefixtures("_small_blocks")
def test_damage_that_the_first_checksum_cannot_see_never_gives_wrong_bytes(
    tokenizer: Tokenizer,
) -> None:
    predictor = partial(frozen_predictor, model(0, tokenizer.vocab_size), RUNTIME)
    content = compress(TEXT, tokenizer, predictor)
    refused = 0
    for found in damaged(content[:-4], 40):
        with_checksum = found + zlib.crc32(found).to_bytes(4)
        restored = None
        try:
            restored = decompress(with_checksum, tokenizer, predictor)
        except SeqzooError:
            refused += 1
        # A changed hash of the model or of the environment is the business of the run.
        assert restored in (None, TEXT)
    assert refused > 30


def test_each_of_20_other_models_is_noticed(tokenizer: Tokenizer) -> None:
    content = compress(
        TEXT, tokenizer, partial(frozen_predictor, model(0, tokenizer.vocab_size), RUNTIME)
    )
    for seed in range(1, 21):
        other = partial(frozen_predictor, model(seed, tokenizer.vocab_size), RUNTIME)
        with pytest.raises(CompressedFileError, match="other bytes from"):
            decompress(content, tokenizer, other)


def test_a_difference_is_noticed_in_the_block_that_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(coder, "BLOCK_BYTES", 100)
    tokenizer, network = ByteTokenizer(), model(0)
    content = compress(TEXT, tokenizer, partial(frozen_predictor, network, RUNTIME))
    read = 0

    @contextlib.contextmanager
    def changing() -> Iterator[object]:
        with frozen_predictor(network, RUNTIME) as predictor:

            class Changing:
                def next(self, token: int) -> object:
                    nonlocal read
                    read += 1
                    probabilities = predictor.next(token)
                    return probabilities[::-1].copy() if read == 400 else probabilities

            yield Changing()

    with pytest.raises(CompressedFileError):
        decompress(content, tokenizer, changing)  # type: ignore[arg-type]
    assert 400 <= read < len(TEXT) // 1.5


class Certain:
    """Always the same token, out of many."""

    def next(self, token: int) -> np.ndarray:
        probabilities = np.zeros(1 << 16)
        probabilities[0] = 1
        return probabilities


@pytest.mark.parametrize("content", [b"", bytes(8)])
def test_a_forged_length_does_not_decode_for_ever(content: bytes) -> None:
    """Its checksum is right, and the model would write such a text without an end."""
    header = Header(b"wght", 0, 0, bytes(6), 1 << 62)
    forged = b"".join(packed(header, [StoredBlock(content, None, None)]))
    with pytest.raises(CompressedFileError):
        decompress(forged, ByteTokenizer(), lambda: contextlib.nullcontext(Certain()))


def test_a_text_of_the_first_token_alone_comes_back() -> None:
    """Its code is zeros, of which only those of the last word are left out."""
    predictor = lambda: contextlib.nullcontext(Certain())  # noqa: E731
    for length in (1, 100, 20_000):
        content = compress(bytes(length), ByteTokenizer(), predictor)
        assert decompress(content, ByteTokenizer(), predictor) == bytes(length)


@pytest.mark.parametrize(("place", "value"), [(3, 0), (4, 2)], ids=["version 0", "flags"])
def test_a_header_that_no_version_writes_is_refused(place: int, value: int) -> None:
    predictor = partial(frozen_predictor, model(0), RUNTIME)
    content = bytearray(compress(TEXT, ByteTokenizer(), predictor))
    content[place] = value
    forged = bytes(content[:-4]) + zlib.crc32(content[:-4]).to_bytes(4)
    with pytest.raises(CompressedFileError, match="damaged"):
        decompress(forged, ByteTokenizer(), predictor)


def test_a_text_that_changes_while_it_is_compressed_is_not_written() -> None:
    header = Header(b"wght", 0, 0, *checksum_of([TEXT]))
    with (
        frozen_predictor(model(0), RUNTIME) as predictor,
        pytest.raises(CompressedFileError, match="changed while it was compressed"),
    ):
        list(compressed([TEXT[:-1] + b"?"], header, tokenizer=ByteTokenizer(), predictor=predictor))
