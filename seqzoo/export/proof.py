"""An exported folder is read in another process and compared with seqzoo, score and state."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from seqzoo.data.tokens import encode_span
from seqzoo.errors import FindingsError
from seqzoo.export.config import ProofRecord
from seqzoo.interpreter import python
from seqzoo.model import state as states
from seqzoo.model.runtime import Runtime, in_inference_mode
from seqzoo.plugin.contracts import SequenceModel, Tokenizer
from seqzoo.plugin.span import Span
from seqzoo.scoring.chunks import SplitReader
from seqzoo.scoring.static import score_split

__all__ = ["MOST_BITS", "Expected", "expected_of", "prove"]

MOST_BITS = 1e-4
"""How far the two scores may be apart, in bits per byte."""

_EVERY = bytes(range(256))
_STEPS = 64
_MOST_APART = 1e-3
"""Of logits and leaves, relative to the largest of them, at least 1: float32 sums in another order
differ by 1e-6 in a step, and by up to 1e-4 after many."""

_SCRIPT = Path(__file__).parent / "standalone" / "proof_process.py"


@dataclass(frozen=True, eq=False)
class Expected:
    """What seqzoo says, of which an exported folder must say the same.

    text: the scored bytes; source: where they are from. tokens: of all byte values. rows: (2, T)
    tokens of different texts. logits: (2, T, V) after each token. state: the leaves after the last.
    """

    text: bytes
    source: str
    bits_per_byte: float
    tokens: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    logits: npt.NDArray[Any]
    state: dict[str, npt.NDArray[Any]]


def expected_of(
    model: SequenceModel, tokenizer: Tokenizer, text: bytes, *, source: str, threads: int
) -> Expected:
    """What seqzoo says of a text, on the CPU and in float32."""
    runtime = Runtime(torch.device("cpu"), "float32", threads)
    data = np.frombuffer(text, dtype=np.uint8)
    encoded = encode_span(tokenizer, Span(data, 0, len(data)))
    tally = score_split(model, SplitReader(encoded), runtime=runtime, chunk_length=1024)
    tokens = np.asarray(encoded.tokens, dtype=np.int64)
    steps = min(_STEPS, len(tokens) // 2)
    rows = np.stack([tokens[:steps], tokens[-steps:]])
    with in_inference_mode(model):
        logits, state = model(torch.from_numpy(rows))
    leaves = {name: leaf.numpy().copy() for name, leaf in states.flatten(state).items()}
    every = np.asarray(tokenizer.encode(np.frombuffer(_EVERY, dtype=np.uint8)), dtype=np.int64)
    bits, last = tally.bits_per_byte, logits.numpy().copy()
    return Expected(text, source, bits, tokens=every, rows=rows, logits=last, state=leaves)


def prove(folder: Path, expected: Expected, *, name: str) -> ProofRecord:
    """Compare a folder with what seqzoo says; it is read in a process that cannot import seqzoo.

    name: what messages call the model. Raises FindingsError, with both figures, if they differ.
    """
    with tempfile.TemporaryDirectory(prefix="seqzoo-export-") as place:
        question, answer = Path(place) / "question.npz", Path(place) / "answer.npz"
        text = np.frombuffer(expected.text, dtype=np.uint8)
        np.savez(question, text=text, rows=expected.rows)
        _read_alone(folder, question, answer)
        with np.load(answer) as stored:
            found = {key: stored[key] for key in stored.files}
    bits = float(found.pop("bits_per_byte"))
    if not abs(bits - expected.bits_per_byte) <= MOST_BITS:  # also where one is NaN
        raise FindingsError(
            f"the export of {name} is wrong and was removed: on {len(expected.text):,} bytes of "
            f"{expected.source} it has {bits:.6f} bits per byte, and seqzoo has "
            f"{expected.bits_per_byte:.6f}; please report this."
        )
    is_same = np.array_equal(found["tokens"], expected.tokens)
    if not is_same or found["decoded"].tobytes() != _EVERY:
        raise FindingsError(
            f"the export of {name} is wrong and was removed: its tokenizer gives other tokens for "
            f"the byte values 0 to 255 than seqzoo, or other bytes for these; please report this."
        )
    leaves = {f"state.{leaf}": value for leaf, value in expected.state.items()}
    for part, wanted in {"logits": expected.logits, **leaves}.items():
        apart = _apart(found.get(part), wanted)
        if not apart <= _MOST_APART:
            raise FindingsError(
                f"the export of {name} is wrong and was removed: after {expected.rows.shape[1]} "
                f"tokens in each of two rows, its {part} differs from that of seqzoo by "
                f"{apart:.2g}, and by at most {_MOST_APART:g} is expected; please report this."
            )
    return ProofRecord(
        bytes=len(expected.text),
        text=expected.source,
        bits_per_byte=bits,
        bits_per_byte_in_seqzoo=expected.bits_per_byte,
        steps=expected.rows.shape[1],
    )


def _apart(found: Any, wanted: npt.NDArray[Any]) -> float:
    """The largest difference, relative to the largest value; infinite where the form differs."""
    if found is None or found.shape != wanted.shape or found.dtype != wanted.dtype:
        return float("inf")
    if not wanted.size:
        return 0.0
    exact, other = wanted.astype(np.float64), found.astype(np.float64)
    return float(np.abs(exact - other).max() / max(1.0, np.abs(exact).max()))


def _read_alone(folder: Path, question: Path, answer: Path) -> None:
    # Not -I: torch may be in the user's own packages. The script keeps seqzoo away by itself.
    command = [*python(), "-W", "ignore", *map(str, (_SCRIPT, folder, question, answer))]
    ended = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if ended.returncode:
        lines = ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"]
        raise FindingsError(
            f"the exported folder cannot be read without seqzoo, and was removed: {lines[-1][:300]}"
        )
