"""Plugin files with one fault each, and the full name of the law that each breaks."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["FILES", "HEALTHY_FILE"]


class PlantedFile(NamedTuple):
    """The text of a file, the law that finds its fault, and laws that may fail with it."""

    text: str
    law: str
    also: str = ""


HEALTHY_FILE = """
from pydantic import Field
import seqzoo

class Mine(seqzoo.Options):
    size: int = Field(300, ge=4, le=1000, multiple_of=4, description="units")

def build(options, context):
    import numpy as np

    class Ids(seqzoo.Tokenizer):
        vocab_size = 256 + options.size
        def encode(self, data):
            return data.astype(np.uint16)
        def decode(self, tokens):
            return bytes(int(token) % 256 for token in tokens)
        def byte_lengths(self, tokens):
            return np.ones(len(tokens), dtype=np.int64)
        def restore(self, state):
            if state:
                raise ValueError("expected nothing")

    return Ids()

@seqzoo.hookimpl
def register_tokenizers():
    return [seqzoo.TokenizerSpec(name="mine", summary="ids", options=Mine, build=build)]
"""

HASHED = """
import seqzoo

def build(options, context):
    import numpy as np

    class Ids(seqzoo.Tokenizer):
        vocab_size = 256
        order = list(range(256))
        def learn(self, training):
            found = {chr(byte) for byte in training.tolist()}
            seen = [ord(each) for each in found]
            self.order = seen + [byte for byte in range(256) if byte not in seen]
        def encode(self, data):
            return np.argsort(self.order).astype(np.uint8)[data]
        def decode(self, tokens):
            return bytes(self.order[int(token)] for token in tokens)
        def byte_lengths(self, tokens):
            return np.ones(len(tokens), dtype=np.int64)
        def state(self):
            return {"order": self.order}
        def restore(self, state):
            if set(state) != {"order"}:
                raise ValueError("expected the order")
            self.order = state["order"]

    return Ids()

@seqzoo.hookimpl
def register_tokenizers():
    return [seqzoo.TokenizerSpec(name="mine", summary="ids", build=build)]
"""

FOLDER = """
import seqzoo

def opens(options, context):
    import numpy as np
    words = " ".join({"one", "two", "three", "four", "five", "six", "seven"})
    return seqzoo.Corpus("mine", np.frombuffer(words.encode(), np.uint8), "words")

@seqzoo.hookimpl
def register_corpora():
    return [seqzoo.CorpusSpec(name="mine", summary="words", open=opens)]
"""

FILES: dict[str, PlantedFile] = {
    "torch at import": PlantedFile("import torch\n" + HEALTHY_FILE, "plugin.no_torch"),
    "default dtype at import": PlantedFile(
        "import torch\ntorch.set_default_dtype(torch.float64)\n" + HEALTHY_FILE,
        "plugin.global_state",
        "plugin.no_torch",
    ),
    "a variable at import": PlantedFile(
        "import os\nos.environ['MINE'] = '1'\n" + HEALTHY_FILE, "plugin.global_state"
    ),
    "a seed at import": PlantedFile(
        "import random\nrandom.seed(1)\n" + HEALTHY_FILE, "plugin.global_state"
    ),
    "print at import": PlantedFile("print('hello')\n" + HEALTHY_FILE, "plugin.silent"),
    "a syntax error": PlantedFile("def build(:\n" + HEALTHY_FILE, "plugin.loads"),
    "a missing package": PlantedFile("import a_package_of_mine\n" + HEALTHY_FILE, "plugin.loads"),
    "sys.exit at import": PlantedFile("import sys\nsys.exit(3)\n" + HEALTHY_FILE, "plugin.loads"),
    "a misspelt hook": PlantedFile(
        HEALTHY_FILE.replace("register_tokenizers", "register_tokeniser"), "plugin.loads"
    ),
    "no description": PlantedFile(
        HEALTHY_FILE.replace(', description="units"', ""), "tokenizer.described"
    ),
    "no summary": PlantedFile(
        HEALTHY_FILE.replace('summary="ids"', 'summary=""'), "tokenizer.described"
    ),
    "an option that changes": PlantedFile(
        HEALTHY_FILE.replace(
            "class Mine(seqzoo.Options):",
            "from pydantic import field_validator\n\nclass Mine(seqzoo.Options):\n"
            "    @field_validator('size')\n    @classmethod\n    def grows(cls, size):\n"
            "        return min(1000, size + 4)\n",
        ),
        "tokenizer.options",
    ),
    "refuses its defaults": PlantedFile(
        HEALTHY_FILE.replace(
            "    import numpy as np\n",
            "    raise ValueError('size must be 7')\n    import numpy as np\n",
            1,
        ),
        "tokenizer.calls",
        "tokenizer.described tokenizer.options tokenizer.api",
    ),
    "the form before API 1": PlantedFile(
        HEALTHY_FILE.replace("def build(options, context):", "def build(options):"),
        "tokenizer.api",
    ),
    "an order of a set, learnt": PlantedFile(HASHED, "tokenizer.elsewhere"),
    "an order of a set, opened": PlantedFile(FOLDER, "corpus.same_bytes"),
}
