"""A recipe's tokenizer gives the same ids in every process."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import REPOSITORY

import seqzoo
from seqzoo.doctor.checks import select_checks
from seqzoo.doctor.diagnosis import diagnose
from seqzoo.doctor.subject import Settings
from seqzoo.doctor.subjects.recipe import subject_of_recipe
from seqzoo.plugin.check import Outcome

TOKENIZERS = '''
import numpy as np
import seqzoo


class Words(seqzoo.Tokenizer):
    """Each character of the training part has an id; bytes that it does not have are 0."""

    vocab_size = 257

    def __init__(self):
        self.number(range(256))

    def number(self, order):
        self.order = list(order)
        self.id_of = np.zeros(256, np.uint16)
        self.id_of[self.order] = np.arange(1, len(self.order) + 1)

    def learn(self, training):
        characters = {chr(byte) for byte in training.tolist()}
        self.number(map(ord, self.ordered(characters)))

    ordered = staticmethod(sorted)

    def encode(self, data):
        return self.id_of[data]

    def decode(self, tokens):
        return bytes(self.order[token - 1] for token in tokens.tolist())

    def byte_lengths(self, tokens):
        return np.ones(len(tokens), np.int64)

    def state(self):
        return {"order": self.order}

    def restore(self, state):
        if "order" not in state:
            raise ValueError("no order")
        self.number(state["order"])


class ByASet(Words):
    ordered = staticmethod(list)


class Forgetful(Words):
    def state(self):
        return {}

    def restore(self, state):
        pass


@seqzoo.hookimpl
def register_tokenizers():
    for name, kind in (("sorted", Words), ("by_a_set", ByASet), ("forgetful", Forgetful)):
        yield seqzoo.TokenizerSpec(
            name=name, summary="characters", options=seqzoo.Options, build=lambda o, c, k=kind: k()
        )
'''


def examined(name: str, folder: Path) -> Outcome:
    (folder / "tokenizers.py").write_text(TOKENIZERS, encoding="utf-8")
    recipe = folder / "recipe.yaml"
    lines = (REPOSITORY / "recipes" / "clinic" / "lossy_tokenizer.yaml").read_text(encoding="utf-8")
    recipe.write_text(lines.replace("lower_case", name), encoding="utf-8")
    subject = subject_of_recipe(
        seqzoo.recipe(recipe, trust=True), title="", settings=Settings(quick=True)
    )
    (only,) = diagnose(subject, select_checks(subject.registry, ["stream.stable_ids"])).examined
    assert not only.crashed
    return only.outcome


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("sorted", "pass", "another process"),
        ("by_a_set", "fail", "learnt in another process"),
        ("forgetful", "fail", "state() does not have all that was learnt"),
        ("bytes", "pass", "learns nothing"),
    ],
)
def test_ids_that_another_process_numbers_otherwise_are_named(
    name: str, status: str, said: str, tmp_path: Path
) -> None:
    found = examined(name, tmp_path)
    assert found.status == status, found.seen
    assert said in found.seen
