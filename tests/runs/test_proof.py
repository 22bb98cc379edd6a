"""A score that leaks cannot be proven."""

from __future__ import annotations

from pathlib import Path

from commands import SMALL, seqzoo

from seqzoo.results.result import read_result

_LEAK = """
import torch
from torch import nn
from seqzoo import ArchitectureSpec, SequenceModel, hookimpl

class Leak(SequenceModel):
    def __init__(self, vocab_size):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(vocab_size))
    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 1)
    def forward(self, tokens, state=None):
        logits = self.bias.expand(*tokens.shape, -1)
        following = torch.roll(tokens, -1, dims=1)  # within a chunk, the next byte
        seen = nn.functional.one_hot(following, len(self.bias)).float()
        seen[:, -1] = 0
        return logits + 6 * seen, torch.zeros(len(tokens), 1)

@hookimpl
def register_architectures():
    yield ArchitectureSpec(
        name="leak", summary="looks ahead", build=lambda options, context: Leak(context.vocab_size)
    )
"""


def test_a_score_that_sees_the_byte_it_predicts_is_not_proven(tmp_path: Path) -> None:
    (tmp_path / "leak.py").write_text(_LEAK)
    recipe = SMALL.replace("{name: lstm, options: {hidden_size: 16, dropout: 0.1}}", "{name: leak}")
    (tmp_path / "small.yaml").write_text(f"{recipe}plugins: [leak.py]\n")
    done = seqzoo("run", "small.yaml", "--trust", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    done = seqzoo("eval", "small", "--trust", "--prove", folder=tmp_path)
    assert done.returncode == 6, done.stderr
    assert "is not proven: it says" in " ".join(done.stderr.split())
    result = read_result(tmp_path / "runs/small/result.json")
    assert result.scores["test"].bits_per_byte < 2
    assert result.scores["test"].proven_bytes is None
