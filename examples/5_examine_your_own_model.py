"""What is wrong with a training loop of your own? The doctor looks at it.

    python examples/5_examine_your_own_model.py

The batches below have one fault: the generator fills one array again and again.
"""

import numpy as np
from torch import nn

import seqzoo

WORDS = b"the a cat dog fox log mat sat ran on under by and then it was red old".split()
TEXT = np.frombuffer(b" ".join(np.random.default_rng(0).choice(WORDS, 9000)), np.uint8)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(256, 32)
        self.lstm = nn.LSTM(32, 64, batch_first=True)
        self.head = nn.Linear(64, 256)

    def forward(self, tokens, state=None):
        hidden, state = self.lstm(self.embed(tokens), state)
        return self.head(hidden), state


def batches(rows=8, length=16):
    block = np.empty((rows, length + 1), dtype=np.int64)
    starts = np.arange(rows) * (len(TEXT) // rows)
    for step in range(len(TEXT) // rows // length - 1):
        block[:] = TEXT[starts[:, None] + step * length + np.arange(length + 1)]
        yield block[:, :-1], block[:, 1:]


if __name__ == "__main__":
    diagnosis = seqzoo.examine(model=Network, batches=batches, corpus=TEXT.tobytes(), quick=True)
    print([finding.check.name for finding in diagnosis.causes])
