"""What tokenizer and model said of a short text when a checkpoint was saved, and whether they still
do.

A tokenizer whose ids depend on the order of a set, or whose `state` leaves something out, and a
model that keeps something outside of its parameters and buffers, score well in their own process
and badly in every other. Every checkpoint therefore has the answers to a probe, and they are asked
for again when it is loaded.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from seqzoo.data.tokens import encode_span
from seqzoo.errors import CheckpointError
from seqzoo.model.runtime import in_inference_mode
from seqzoo.plugin.contracts import SequenceModel, Tokenizer
from seqzoo.plugin.span import Span
from seqzoo.recipes.load import Recipe
from seqzoo.scoring.nats import nats_of
from seqzoo.training.checkpoint import Checkpoint

__all__ = ["Probe", "probe_of", "require_same_answers", "require_same_tokens"]

_BYTES = 256
_MOST_IDS = 1 << 16
_TOLERANCE = 1e-3
"""Relative, and in bits per token. Rounding on another processor changes such a cost by a ten
thousandth of it; a forgotten part was seen to change it by a tenth and more."""


class Probe(BaseModel):
    """ids: of the first bytes of validation, whose sha256 is text. vocabulary: sha256 of the bytes
    of each id. bits_per_token: what the model needs for the ids after the first.
    """

    model_config = ConfigDict(frozen=True)

    ids: tuple[Annotated[int, Field(ge=0, lt=1 << 31)], ...] = Field(min_length=1, max_length=1024)
    text: str
    vocabulary: str
    bits_per_token: FiniteFloat | None = None

    def answered_by(self, model: SequenceModel) -> dict[str, Any]:
        """What a checkpoint of the model keeps, as plain data."""
        return {**self.model_dump(), "bits_per_token": _bits_per_token(model, list(self.ids))}


def probe_of(tokenizer: Tokenizer, text: Span) -> Probe:
    """A probe of the first bytes of a text, which no model has answered yet."""
    found = encode_span(tokenizer, text.first(_BYTES))
    return Probe(
        ids=found.tokens.tolist(),
        text=_hash(found.data.tobytes()),
        vocabulary=_vocabulary(tokenizer),
    )


def require_same_tokens(tokenizer: Tokenizer, checkpoint: Checkpoint, recipe: Recipe) -> None:
    """Raises CheckpointError if a tokenizer has other ids than when a checkpoint was saved."""
    probe = _stored_probe(checkpoint)
    if probe is None:
        return
    ids = np.array(probe.ids)
    is_same = _vocabulary(tokenizer) == probe.vocabulary and max(ids) < tokenizer.vocab_size
    if is_same:
        text = tokenizer.decode(ids)
        again = tokenizer.encode(np.frombuffer(text, dtype=np.uint8))
        is_same = _hash(text) == probe.text and again.tolist() == ids.tolist()
    if not is_same:
        name = recipe.tokenizer.name
        raise CheckpointError(
            f"tokenizer '{name}' has other ids now than when step {checkpoint.step} was saved, so "
            f"the weights are of no use with it: its code has changed, its ids depend on the order "
            f"of a set, or its state() leaves something out; repair it and train again (seqzoo "
            f"check {name} says which)."
        )


def require_same_answers(model: SequenceModel, checkpoint: Checkpoint, recipe: Recipe) -> None:
    """Raises CheckpointError if a model with the weights of a checkpoint answers otherwise than
    when it was saved.
    """
    probe = _stored_probe(checkpoint)
    if probe is None or probe.bits_per_token is None:
        return
    now, before = _bits_per_token(model, list(probe.ids)), probe.bits_per_token
    if now is None or abs(now - before) > _TOLERANCE * (1 + before):
        name = recipe.architecture.name
        said = "no finite number" if now is None else f"{now:.3f}"
        raise CheckpointError(
            f"the model of step {checkpoint.step} costs {said} bits per token on a short text, and "
            f"{before:.3f} when it was saved: its weights or its options are not those of then, "
            f"the code of architecture '{name}' has changed, or it keeps something that its logits "
            f"depend on outside of its parameters and buffers; register that as a buffer and train "
            f"again (seqzoo check {name})."
        )


def _stored_probe(checkpoint: Checkpoint) -> Probe | None:
    """None for a checkpoint of an older version."""
    stored = checkpoint.state.get("probe")
    if stored is None:
        return None
    try:
        return Probe.model_validate(stored)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise CheckpointError(
            f"what was stored with the weights of step {checkpoint.step} is damaged: probe.{where}."
        ) from error


def _bits_per_token(model: SequenceModel, ids: list[int]) -> float | None:
    """None if it is not a finite number, or if there is one id only."""
    if len(ids) < 2:
        return None
    device = next((each.device for each in model.parameters()), torch.device("cpu"))
    tokens = torch.tensor([ids], device=device)
    # `forward`, because a call of a compiled model would compile it for this length. In float32,
    # as the weights are: the same probe on every device.
    with in_inference_mode(model):
        logits, _ = model.forward(tokens[:, :-1], None)
    bits = float(nats_of(logits, tokens[:, 1:]).mean()) / np.log(2)
    return bits if np.isfinite(bits) else None


def _vocabulary(tokenizer: Tokenizer) -> str:
    digest = hashlib.sha256(str(tokenizer.vocab_size).encode())
    for number in range(min(tokenizer.vocab_size, _MOST_IDS)):
        piece = tokenizer.decode(np.array([number]))
        digest.update(len(piece).to_bytes(4) + piece)
    return digest.hexdigest()


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
