"""A model that seqzoo exported, in NumPy arrays; this file needs no seqzoo.

    python seqzoo_model.py score FILE           bits per byte of a file
    python seqzoo_model.py generate "Once "     continues a text

    model = load(".")
    model.score(b"To be, or not to be")
    logits, state = model.step(tokens, model.initial_state(len(tokens)))

B batch, T time, V vocabulary. A state is a dict of arrays (B, ...).
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

State = dict[str, Any]
Read = Callable[[Any, State], tuple[Any, State]]

_CHUNK = 1024


class Model:
    """A causal model of tokens with a carried state, and its tokenizer.

    config: what config.json says.
    """

    def __init__(self, folder: Path) -> None:
        self.config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        for name, record in self.config["files"].items():
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != record["sha256"]:
                raise ValueError(f"{folder / name} is damaged: its sha256 is not in config.json.")
        self.tokenizer = _module(folder / "seqzoo_tokenizer.py").Tokenizer(
            self.config["tokenizer"]["state"]
        )
        self._first, self._read = _RUNTIMES[self.config["format"]](folder, self.config)

    def initial_state(self, batch_size: int = 1) -> State:
        """The state before the first token."""
        return {name: np.repeat(leaf, batch_size, axis=0) for name, leaf in self._first.items()}

    def step(self, tokens: Any, state: State) -> tuple[Any, State]:
        """Logits (B, V) after one token of each row, (B,), and the next state."""
        logits, state = self._read(np.asarray(tokens, dtype=np.int64)[:, None], state)
        return logits[:, -1], state

    def forward(self, tokens: Any, state: State | None = None) -> tuple[Any, State]:
        """Logits (B, T, V) of the tokens after (B, T) tokens, and the state after the last one."""
        tokens = np.asarray(tokens, dtype=np.int64)
        return self._read(tokens, self.initial_state(len(tokens)) if state is None else state)

    def score(self, data: bytes) -> float:
        """Bits per byte of a text, from the empty state; token 0 stands before the first one.

        Raises ValueError for an empty text.
        """
        if not data:
            raise ValueError("the text is empty; a score needs at least one byte")
        tokens = np.asarray(self.tokenizer.encode(data), dtype=np.int64)
        inputs = np.concatenate([[0], tokens[:-1]])
        state, bits = self.initial_state(), 0.0
        for start in range(0, len(tokens), _CHUNK):
            part = slice(start, start + _CHUNK)
            logits, state = self.forward(inputs[None, part], state)
            chances = _log_softmax(logits[0])
            bits -= chances[np.arange(len(chances)), tokens[part]].sum() / np.log(2)
        return float(bits / len(data))

    def generate(
        self, prompt: bytes = b"", *, length: int = 200, temperature: float = 1.0, seed: int = 1
    ) -> Iterator[bytes]:
        """The bytes of `length` tokens after a prompt, piece by piece. temperature: above 0."""
        if not temperature > 0:
            raise ValueError(f"temperature is {temperature}, expected a number above 0")
        draw, waiting = np.random.default_rng(seed), []
        logits, state = self.forward([[0, *self.tokenizer.encode(prompt)]])
        last = logits[:, -1]
        for _ in range(length):
            chances = np.exp(_log_softmax(last[0] / temperature))
            token = int(draw.choice(len(chances), p=chances / chances.sum()))
            waiting.append(token)
            if piece := self.tokenizer.decode(waiting):
                yield piece
                waiting = []
            last, state = self.step([token], state)


def load(folder: str | Path = ".") -> Model:
    """The model in an exported folder. Raises ValueError if a file is damaged."""
    return Model(Path(folder))


def _network(folder: Path, config: dict[str, Any]) -> tuple[State, Read]:
    """The weights in the network of seqzoo_network.py, which is plain torch."""
    import torch
    from safetensors.torch import load_file

    network = _module(folder / "seqzoo_network.py").Network(
        config["architecture"], config["vocab_size"]
    )
    network.load_state_dict(load_file(folder / "model.safetensors"))
    network.eval()

    @torch.inference_mode()
    def read(tokens: Any, state: State) -> tuple[Any, State]:
        leaves = {name: torch.from_numpy(leaf) for name, leaf in state.items()}
        logits, leaves = network(torch.from_numpy(tokens), leaves)
        return logits.numpy(), {name: leaf.numpy() for name, leaf in leaves.items()}

    with torch.inference_mode():
        return {name: leaf.numpy() for name, leaf in network.initial_state(1).items()}, read


def _onnx(folder: Path, config: dict[str, Any]) -> tuple[State, Read]:
    """One step as a graph of ONNX, computed by onnxruntime; needs no torch."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    names = list(config["state"])

    def step(token: Any, state: State) -> tuple[Any, State]:
        given = {f"state.{name}": state[name] for name in names}
        logits, *leaves = session.run(None, {"token": token, **given})
        return logits, dict(zip(names, leaves, strict=True))

    return _initial_state(folder), _one_by_one(step)


def _program(folder: Path, config: dict[str, Any]) -> tuple[State, Read]:
    """One step as a program of torch.export."""
    import torch

    program: Any = torch.export.load(folder / "model.pt2").module()
    names = list(config["state"])

    @torch.inference_mode()
    def step(token: Any, state: State) -> tuple[Any, State]:
        leaves = tuple(torch.from_numpy(state[name]) for name in names)
        logits, leaves = program(torch.from_numpy(token), leaves)
        return logits.numpy(), {
            name: leaf.numpy() for name, leaf in zip(names, leaves, strict=True)
        }

    return _initial_state(folder), _one_by_one(step)


_RUNTIMES = {"folder": _network, "onnx": _onnx, "torch": _program}


def _one_by_one(step: Read) -> Read:
    """Reads (B, T) tokens with a function that reads (B,)."""

    def read(tokens: Any, state: State) -> tuple[Any, State]:
        logits = []
        for column in tokens.T:
            latest, state = step(np.ascontiguousarray(column), state)
            logits.append(latest)
        return np.stack(logits, axis=1), state

    return read


def _initial_state(folder: Path) -> State:
    from safetensors.numpy import load_file

    state: State = load_file(folder / "initial_state.safetensors")
    return state


def _log_softmax(logits: Any) -> Any:
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _module(path: Path) -> Any:
    """A file beside this one as a module, whatever folders Python looks in."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(arguments: list[str]) -> None:
    """The commands in the first lines of this file."""
    here = Path(__file__).parent
    if len(arguments) == 2 and arguments[0] == "score":
        score = load(here).score(Path(arguments[1]).read_bytes())
        sys.stdout.write(f"{score:.4f} bits per byte\n")
    elif arguments[:1] == ["generate"] and len(arguments) <= 2:
        prompt = os.fsencode("".join(arguments[1:]))
        sys.stdout.buffer.write(prompt)
        for piece in load(here).generate(prompt):
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        sys.stdout.buffer.write(b"\n")
    else:
        sys.exit('usage: python seqzoo_model.py score FILE | generate ["TEXT"]')


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BrokenPipeError:  # the reader wants no more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, ImportError) as error:
        sys.exit(f"error: {error}")
