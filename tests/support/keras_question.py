"""The script of the question in docs/answer.md, for Keras 3 on torch.

Two stateful LSTMs read one byte a step, from a generator that fills one pair of arrays again and
again; the text is made by always taking the most probable byte. Keras 3 has no queue behind a
generator, so `queued` is what Keras 1 did. Keras's fast LSTM cannot be trained with a state on
torch, so `use_cudnn` is off.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import torch
from keras import layers
from torch import Tensor
from torch.nn import functional as F

__all__ = ["batches_of", "build", "forward", "generator_of", "queued"]

ROWS, UNITS = 32, 128


def build() -> Any:
    how = {"stateful": True, "use_cudnn": False}
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(ROWS, 1, 256)),
            layers.LSTM(UNITS, return_sequences=True, **how),
            layers.LSTM(UNITS, **how),
            layers.Dropout(0.1),
            layers.Dense(256, activation="softmax"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(), loss="categorical_crossentropy")
    return model


def batches_of(text: bytes) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    x, y = np.zeros((ROWS, 1, 256)), np.zeros((ROWS, 256))
    places = [random.randrange(len(text)) for _ in range(ROWS)]
    while True:
        for row in range(ROWS):
            x[row], y[row] = 0, 0
            x[row, 0, text[places[row]]] = 1
            places[row] = (places[row] + 1) % len(text)
            y[row, text[places[row]]] = 1
        yield x, y


def queued(batches: Iterator[Any]) -> Iterator[Any]:
    """With the queue that Keras 1 put behind a generator: a thread filled it with ten references.

    Both sides slept 0.05 seconds, the thread while the queue was full, the steps while it was
    empty. A step took a millisecond or two, so that the queue was empty when the thread woke up,
    and full when the steps did. This order does not depend on how busy the machine is.
    """
    while True:
        yield from [next(batches) for _ in range(10)]


def forward(model: Any, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
    """The same network without Keras's fixed sizes: any (B, T), and a state that is given."""
    hidden, after = F.one_hot(tokens, 256).float(), []
    for number, layer in enumerate(model.layers[:2]):
        kernel, recurrent, bias = (each.value for each in layer.cell.trainable_weights)
        zeros = hidden.new_zeros(1, len(tokens), UNITS)
        begin = (zeros, zeros) if state is None else state[number]
        weights = [kernel.T, recurrent.T, bias, torch.zeros_like(bias)]
        hidden, *end = torch.lstm(
            hidden,
            begin,
            weights,
            True,
            1,
            0.0,
            False,
            False,
            True,
        )
        after.append(tuple(end))
    # The logarithm of a softmax has the same softmax, so these are logits.
    kernel, bias = (each.value for each in model.layers[-1].trainable_weights)
    return F.log_softmax(hidden @ kernel + bias, -1), after


def generator_of(model: Any) -> Any:
    """(model, ids of a prompt, length) -> ids, greedily: the script's own test."""

    def generate(_: Any, prompt: list[int], length: int) -> list[int]:
        for layer in model.layers[:2]:
            layer.reset_state()

        def following(byte: int) -> int:
            x = np.zeros((ROWS, 1, 256))
            x[0, 0, byte] = 1
            return int(model.predict_on_batch(x)[0].argmax())

        written = [[following(byte) for byte in prompt][-1]]
        while len(written) < length:
            written.append(following(written[-1]))
        return written

    return generate
