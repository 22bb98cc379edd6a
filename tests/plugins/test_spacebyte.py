"""SpaceByte against a public implementation, and where it says that words end."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from reference_vectors import give_weights, reference
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo import ArchitectureContext
from seqzoo.testing.materials import SpelledIds
from seqzoo_plugins.spacebyte import build
from seqzoo_plugins.spacebyte.boundaries import is_spacelike, spacelike_tokens
from seqzoo_plugins.spacebyte.model import SpaceByte
from seqzoo_plugins.spacebyte.options import SpaceByteOptions

# The public code allows one more key than its window on a CPU, and 255 begins a text.
OPTIONS = SpaceByteOptions(
    hidden_size=8,
    num_heads=2,
    window=6,
    global_size=12,
    global_layers=1,
    global_window=6,
    num_layers=1,
    mlp_ratio=2,
    tied_embeddings=False,
)


def in_halves(weight: Tensor) -> Tensor:
    """Rows of heads of 4 with pairs (2 i, 2 i + 1), with pairs (i, i + 2)."""
    return weight.unflatten(0, (-1, 2, 2)).transpose(1, 2).flatten(0, 2)


def block_weights(public: dict[str, Tensor]) -> dict[str, Tensor]:
    queries, keys, values = public["attention.QKV_linear.weight"].chunk(3)
    return {
        "mixer_norm.weight": public["attention.layer_norm.scale"],
        "mixer.queries.weight": in_halves(queries),
        "mixer.keys.weight": in_halves(keys),
        "mixer.values.weight": values,
        "mixer.outputs.weight": public["attention.linear.weight"],
        "mixer.query_norm.weight": in_halves(public["attention.Q_layer_norm.scale"]),
        "mixer.key_norm.weight": in_halves(public["attention.K_layer_norm.scale"]),
        "mlp_norm.weight": public["feedforward.layer_norm.scale"],
        "mlp.inputs.weight": public["feedforward.linear_1.weight"],
        "mlp.outputs.weight": public["feedforward.linear_2.weight"],
    }


def test_it_equals_the_public_one() -> None:
    vectors = reference("spacebyte")
    # Heads of 4: three above, two below.
    model = SpaceByte(OPTIONS, vocab_size=256).double()
    for block in model.global_blocks:
        block.mixer.head_size, block.mixer.key_heads = 4, 3
        block.mixer.query_norm = nn.LayerNorm(4, bias=False)
        block.mixer.key_norm = nn.LayerNorm(4, bias=False)
    weights = {
        "embed.weight": vectors["weight.token_embedding.weight"],
        "norm.weight": vectors["weight.logits.layer_norm.scale"],
        "head.weight": vectors["weight.logits.logits_linear.weight"],
    }
    places = {"blocks.0": "initial_blocks.0", "blocks.1": "final_blocks.0"}
    for ours, theirs in (places | {"global_blocks.0": "global_blocks.0"}).items():
        prefix = f"weight.{theirs}."
        public = {
            name.removeprefix(prefix): each
            for name, each in vectors.items()
            if name.startswith(prefix)
        }
        weights |= {f"{ours}.{name}": each for name, each in block_weights(public).items()}
    give_weights(model, weights)
    # It has tables of positions beside the rotary ones.
    below = vectors["weight.local_position_encoding"].double()
    above = F.pad(vectors["weight.global_position_encoding"].double(), (0, 0, 0, 1))
    model.embed.register_forward_hook(lambda _, given, found: found + below[: found.shape[1]])
    model.global_blocks[0].register_forward_pre_hook(
        lambda _, given: (given[0] + above[: given[0].shape[1]], *given[1:])
    )
    model.eval()
    tokens = vectors["input.tokens"]
    # The first row ends one word more than the public model reads; what is before it counts.
    surplus = int((vectors["output.targets_after"][0] == -1).nonzero()[0])
    logits, _ = model(tokens)
    columns = vectors["output.logit_columns"]
    expected = vectors["output.logits_at_columns"]
    torch.testing.assert_close(logits[1][:, columns], expected[1])
    torch.testing.assert_close(logits[0, :surplus][:, columns], expected[0, :surplus])


def test_words_end_at_the_first_of_a_run_of_spacelike_bytes() -> None:
    model = build(OPTIONS, ArchitectureContext(vocab_size=256)).eval()
    text = b"a word, and\n\n  \xc3\xa9t\xc3\xa9 2.0"
    seen: list[Tensor] = []
    model.global_blocks[0].register_forward_pre_hook(lambda _, given: seen.append(given[2]))
    with torch.no_grad():
        model(torch.tensor([list(text)]))
    # " " "," "\n" (also the spaces after it and the first byte of an accent), the second accent's
    # first byte, " ", "."; the comma ends a word, and the space after it is of the same run.
    assert [int(counts) for counts in seen] == [6]


def test_spacelike_bytes_are_those_of_the_paper() -> None:
    spacelike = {byte for byte in range(256) if is_spacelike(byte)}
    letters = set(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
    assert spacelike == set(range(256)) - letters - set(range(0x80, 0xC0))


def test_a_tokenizer_says_which_bytes_a_token_is() -> None:
    flags = spacelike_tokens(6, SpelledIds(b"ab c\n\xa0"))
    np.testing.assert_array_equal(flags.numpy(), [False, False, True, False, True, False])
    assert not spacelike_tokens(300, None)[256:].any()


def test_a_token_inside_a_word_costs_nothing_above() -> None:
    model = build(OPTIONS, ArchitectureContext(vocab_size=256)).eval()
    calls: list[int] = []
    model.global_blocks[0].register_forward_pre_hook(lambda _, given: calls.append(1))
    state = None
    with torch.no_grad():
        for byte in b"seven to":
            _, state = model(torch.tensor([[byte]]), state)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"hidden_size": 20}, "hidden_size 20 is not a multiple of 8, .*use 24"),
        ({"global_size": 260}, "global_size 260 is not a multiple of 8, .*use 264"),
        ({"global_size": 64}, "global_size 64 is less than hidden_size 128; use 128 or more"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_with_a_suggestion(
    given: dict[str, int], says: str
) -> None:
    with pytest.raises(ValidationError, match=says):
        SpaceByteOptions(**given)
