"""An unexpected error in a plugin's code is reported with the plugin, file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import seqzoo

CELL = """
import seqzoo

def build(options, context):
    from torch import nn

    class Thirteen(seqzoo.SequenceModel):
        def __init__(self):
            super().__init__()
            self.embed, self.head, self.calls = nn.Embedding(256, 4), nn.Linear(4, 256), 0

        def initial_state(self, batch_size):
            return self.head.weight.new_zeros(batch_size, 1)

        def forward(self, tokens, state=None):
            self.calls += 1
            if self.calls == 13:
                raise RuntimeError("at the\\n13th call")
            return self.head(self.embed(tokens)), self.initial_state(len(tokens))

    return Thirteen()

@seqzoo.hookimpl
def register_architectures():
    return [seqzoo.ArchitectureSpec(name="thirteen", summary="", build=build)]
"""

TOKENIZER = """
import numpy as np
import seqzoo

@seqzoo.hookimpl
def register_tokenizers():
    class Doubled(seqzoo.Tokenizer):
        vocab_size = 256
        def encode(self, data): return data
        def decode(self, tokens): return tokens.astype(np.uint8).tobytes()
        def byte_lengths(self, tokens): return np.full(len(tokens), 2)
    return [seqzoo.TokenizerSpec(name="doubled", summary="", build=lambda *_: Doubled())]
"""

STREAM = """
import seqzoo

@seqzoo.hookimpl
def register_streams():
    import torch

    class Narrow(seqzoo.Stream):
        batch_size = 2
        def next(self, length):
            tokens = torch.zeros(2, length, dtype=torch.int32)
            return seqzoo.Batch(inputs=tokens, targets=tokens, restarts=torch.ones(2).bool())
        def state(self): return {}
        def restore(self, state): pass
    return [seqzoo.StreamSpec(name="narrow", summary="", open=lambda *_: Narrow())]
"""

RECIPE = """
name: faulty
plugins: [./theirs.py]
corpus: {name: pastiche, options: {size_bytes: 20000}}
tokenizer: {name: bytes}
architecture: {name: gru, options: {hidden_size: 8}}
train: {batch_size: 2, bptt_length: 8, budget: {steps: 30}}
baselines: {include: []}
"""

CASES = {
    "architecture={name: thirteen, options: {}}": (
        CELL,
        ["plugin 'theirs.py'", "RuntimeError: at the 13th call (theirs.py, line 18)"],
    ),
    "tokenizer=doubled": (TOKENIZER, ["byte_lengths of tokenizer Doubled add up to 2,000 for"]),
    "train.stream={name: narrow}": (
        STREAM,
        ["stream 'narrow' of plugin 'theirs.py'", "inputs of a batch to be int64", "int32"],
    ),
}


@pytest.mark.parametrize("setting", CASES)
def test_a_fault_during_the_run_names_the_plugin_and_is_no_internal_error(
    setting: str, tmp_path: Path
) -> None:
    source, said = CASES[setting]
    (tmp_path / "theirs.py").write_text(source)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    ran = seqzoo("run", "--trust", "recipe.yaml", setting, folder=tmp_path)
    assert ran.returncode == 3
    last = " ".join(ran.stderr.split())
    assert "internal error" not in last
    assert "Traceback" not in last
    for words in said:
        assert words in last
