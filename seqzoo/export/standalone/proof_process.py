"""Reads an exported folder in a process of its own, in which seqzoo cannot be imported.

    python proof_process.py FOLDER QUESTION ANSWER

QUESTION: an .npz file with a text and the tokens of two rows. ANSWER: an .npz file with the score
of the text, the tokens of all byte values and their bytes, the logits after each token of the rows,
and the state after the last one.
"""

from __future__ import annotations

import importlib
import importlib.abc
import sys
from typing import Any

import numpy as np


class _WithoutSeqzoo(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        if fullname.partition(".")[0] == "seqzoo":
            raise ModuleNotFoundError("an exported folder must not import seqzoo", name=fullname)


def main(folder: str, question: str, answer: str) -> None:
    """Write what the model in the folder says."""
    sys.meta_path.insert(0, _WithoutSeqzoo())
    sys.path.insert(0, folder)  # as where a user runs Python in the folder
    exported = importlib.import_module("seqzoo_model")
    with np.load(question) as asked:
        text, rows = asked["text"].tobytes(), asked["rows"]
    model = exported.load(folder)
    every = model.tokenizer.encode(bytes(range(256)))
    decoded = np.frombuffer(model.tokenizer.decode(every), dtype=np.uint8)
    found = {"bits_per_byte": model.score(text), "tokens": np.array(every), "decoded": decoded}
    state, logits = model.initial_state(len(rows)), []
    for column in rows.T:
        latest, state = model.step(column, state)
        logits.append(latest)
    if loaded := [name for name in sys.modules if name.partition(".")[0] == "seqzoo"]:
        raise ModuleNotFoundError(f"an exported folder must not import {loaded[0]}")
    leaves = {f"state.{name}": leaf for name, leaf in state.items()}
    np.savez(answer, logits=np.stack(logits, axis=1), **found, **leaves)


if __name__ == "__main__":
    main(*sys.argv[1:])
