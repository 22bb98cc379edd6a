"""Whether decoding gives back the bytes that were encoded.

Method: decode(encode(bytes)) is compared with the bytes, on stretches of the training and
validation parts, on all 256 byte values and on random bytes. Cost: about 0.2 MB through the
tokenizer. Pass rule: every byte is the same; a tokenizer that loses one scores another text.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from seqzoo.doctor.checks.stream._byte_samples import byte_samples
from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.contracts import Tokenizer

__all__ = ["examine"]


def examine(subject: Subject) -> Outcome:
    tokenizer = subject.tokenizer
    samples = byte_samples(subject)
    losses = {name: _loss(tokenizer, data) for name, data in samples.items()}
    lossy = {name: loss for name, loss in losses.items() if loss}
    if not lossy:
        total = sum(len(data) for data in samples.values())
        return Outcome.passed(
            f"{total} bytes of text, all 256 values and random ones come back unchanged",
            lossy_samples=0.0,
        )
    name, loss = next(iter(lossy.items()))
    return Outcome.failed(
        f"in {name}, {loss}",
        why="The model learns and is scored on another text than the corpus: bits per byte are too "
        "low, because lost bytes need not be predicted, and generated text cannot contain them.",
        remedy="Give every byte value an id or an escape of its own (no lower-casing, no "
        "decode(errors='ignore'), no normalising), so that decode(encode(b)) == b.",
        numbers={"lossy_samples": float(len(lossy))},
    )


def _loss(tokenizer: Tokenizer, data: npt.NDArray[np.uint8]) -> str:
    """What is lost first, and where; empty if everything comes back."""
    try:
        returned = np.frombuffer(tokenizer.decode(tokenizer.encode(data)), dtype=np.uint8)
    except Exception as error:
        said = " ".join(str(error).split())[:100]
        return f"it raises {type(error).__name__}: {said}"
    both = min(len(data), len(returned))
    changed = np.flatnonzero(data[:both] != returned[:both])
    if len(changed):
        place = int(changed[0])
        return f"byte {_shown(data[place])} at {place} comes back as {_shown(returned[place])}"
    if len(data) != len(returned):
        return f"{len(data)} bytes come back as {len(returned)}"
    return ""


def _shown(value: Any) -> str:
    return repr(bytes([int(value)]))[1:]
