"""The coder needs as many bits as the probabilities say, and gives every token back."""

from __future__ import annotations

import numpy as np
import pytest
from arithmetic_coder import encode

from seqzoo.coding import coder
from seqzoo.coding.coder import Block, decode_block, encode_blocks


class Table:
    """The next token depends on the one before it alone: row `token` of a table."""

    def __init__(self, table: np.ndarray) -> None:
        self.table = table

    def next(self, token: int) -> np.ndarray:
        row: np.ndarray = self.table[token]
        return row


def drawn(V: int, length: int, *, sharpness: float = 3.0) -> tuple[Table, list[int]]:
    generator = np.random.default_rng(V)
    table = generator.random((V, V)) ** (2 * sharpness) + 1e-12
    table /= table.sum(axis=1, keepdims=True)
    tokens = [0]
    for _ in range(length):
        tokens.append(int(generator.choice(V, p=table[tokens[-1]])))
    return Table(table), tokens[1:]


def decoded(blocks: list[Block], table: Table, first_input: int = 0) -> list[int]:
    tokens: list[int] = []
    for block in blocks:

        def wants_more(count: int, most: int = block.num_tokens) -> bool:
            return count < most

        before = tokens[-1] if tokens else first_input
        tokens += decode_block(block.content, table, first_input=before, wants_more=wants_more)
    return tokens


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 5, 17, 1000])
@pytest.mark.parametrize("V", [2, 3, 256, 1000])
def test_every_token_comes_back(V: int, length: int) -> None:
    table, tokens = drawn(V, length)
    assert decoded(list(encode_blocks(tokens, table, first_input=0)), table) == tokens


@pytest.mark.parametrize("V", [2, 256])
def test_a_file_is_as_large_as_that_of_another_coder(V: int) -> None:
    table, tokens = drawn(V, 4000)
    (block,) = encode_blocks(tokens, table, first_input=0)
    rows = np.array([table.next(token) for token in [0, *tokens[:-1]]])
    assert abs(len(block.content) - len(encode(tokens, rows))) <= 2


def test_a_token_of_probability_0_can_be_coded() -> None:
    table = Table(np.eye(4))
    tokens = [0, 0, 3, 3, 1, 2, 2]
    assert decoded(list(encode_blocks(tokens, table, first_input=0)), table) == tokens


def test_certain_tokens_cost_nearly_nothing() -> None:
    table = Table(np.eye(256))
    (block,) = encode_blocks([0] * 100_000, table, first_input=0)
    # One unit of 2**-24 for each of the 255 others: 2.2e-5 bits for each token.
    assert len(block.content) * 8 < 8


def test_blocks_have_the_size_and_the_model_goes_on_from_block_to_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(coder, "BLOCK_BYTES", 100)
    table, tokens = drawn(256, 3000, sharpness=1.0)
    blocks = list(encode_blocks(tokens, table, first_input=0))
    assert [block.is_last for block in blocks] == [False] * (len(blocks) - 1) + [True]
    assert len(blocks) > 5
    assert all(len(block.content) >= 90 for block in blocks[:-1])
    assert sum(block.num_tokens for block in blocks) == len(tokens)
    assert decoded(blocks, table) == tokens
