"""A model that another process cannot read as it was trained is an error wherever it is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import SMALL, seqzoo

_TOKENIZER = """
from collections import Counter
import numpy as np
from seqzoo import Tokenizer, TokenizerSpec, hookimpl

class Renumbered(Tokenizer):
    vocab_size = 256
    def __init__(self):
        self.numbers = np.arange(256, dtype=np.uint8)
{learn}
    def encode(self, data):
        return self.numbers[data]
    def decode(self, tokens):
        return bytes(np.argsort(self.numbers)[np.asarray(tokens)].astype(np.uint8))
    def byte_lengths(self, tokens):
        return np.ones(len(tokens), dtype=np.int64)

@hookimpl
def register_tokenizers():
    yield TokenizerSpec(
        name="renumbered", summary="numbers bytes", build=lambda options, context: Renumbered()
    )
"""
_SET_ORDER = """
        self.numbers[[int(each) for each in {str(byte) for byte in range(256)}]] = range(256)
"""
_FORGOTTEN_STATE = """
    def learn(self, training):
        order = np.argsort(-np.bincount(training, minlength=256), kind="stable")
        self.numbers[order] = np.arange(256, dtype=np.uint8)
"""
_ARCHITECTURE = """
import numpy as np
import torch
from torch import nn
from seqzoo import ArchitectureSpec, SequenceModel, hookimpl

class Counted(SequenceModel):
    def __init__(self, vocab_size):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(vocab_size))
        self.counts = torch.zeros(vocab_size)  # an attribute, where a buffer was meant
    def before_training(self, tokens):
        if not self.counts.any():
            counts = np.bincount(tokens, minlength=len(self.scale))
            self.counts = torch.log(torch.from_numpy(counts + 0.1).float())
    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 1)
    def forward(self, tokens, state=None):
        logits = (self.scale * self.counts).expand(*tokens.shape, -1)
        return logits, torch.zeros(len(tokens), 1)

@hookimpl
def register_architectures():
    yield ArchitectureSpec(
        name="counted",
        summary="counts bytes",
        build=lambda options, context: Counted(context.vocab_size),
    )
"""

FAULTS = {
    "set order": (_TOKENIZER.format(learn=_SET_ORDER), "tokenizer 'renumbered' has other ids now"),
    "forgotten state": (
        _TOKENIZER.format(learn=_FORGOTTEN_STATE),
        "tokenizer 'renumbered' has other ids now",
    ),
    "no buffer": (_ARCHITECTURE, "of architecture 'counted' has changed, or it keeps something"),
}


@pytest.fixture(scope="module")
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run `small` of a faulty plugin, which scored well in its own process."""
    folder = tmp_path_factory.mktemp("faulty")
    source, _ = FAULTS[request.param]
    (folder / "faulty.py").write_text(source)
    recipe = f"{SMALL}plugins: [faulty.py]\n"
    if request.param == "no buffer":
        recipe = recipe.replace(
            "{name: lstm, options: {hidden_size: 16, dropout: 0.1}}", "{name: counted}"
        )
    else:
        recipe = recipe.replace("{name: bytes}", "{name: renumbered}")
    (folder / "small.yaml").write_text(recipe)
    done = seqzoo("run", "small.yaml", "--trust", folder=folder, PYTHONHASHSEED="1")
    assert done.returncode == 0, done.stderr
    (folder / "fault").write_text(request.param)
    return folder


COMMANDS = {
    "sample": ("sample", "small"),
    "eval": ("eval", "small"),
    "resume": ("resume", "small", "train.budget.steps=80"),
    "start_from": ("run", "small.yaml", "train.start_from=runs/small", "name=later"),
}


@pytest.mark.parametrize(
    ("trained", "command"),
    [("set order", command) for command in COMMANDS.values()]
    + [("forgotten state", COMMANDS["eval"]), ("no buffer", COMMANDS["eval"])],
    indirect=["trained"],
)
def test_weights_are_refused_that_another_process_reads_otherwise(
    trained: Path, command: tuple[str, ...]
) -> None:
    before = (trained / "runs/small/result.json").read_bytes()
    done = seqzoo(*command, "--trust", folder=trained, PYTHONHASHSEED="2")
    assert done.returncode == 4, done.stderr
    _, said = FAULTS[(trained / "fault").read_text()]
    message = " ".join(done.stderr.split())
    assert said in message
    assert "Traceback" not in message
    assert (trained / "runs/small/result.json").read_bytes() == before
