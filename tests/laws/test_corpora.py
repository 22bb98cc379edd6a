"""Laws of every installed corpus that opens offline with its default options."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seqzoo import Corpus, CorpusContext, CorpusUnavailable, UsageError
from seqzoo.data.corpus import sha256_of
from seqzoo.plugin.registry import Registry, load_registry

NAMES = load_registry().names("corpus")


@pytest.fixture(params=NAMES)
def corpus(request: pytest.FixtureRequest, registry: Registry, tmp_path: Path) -> Corpus:
    (tmp_path / "corpus.txt").write_bytes(b"Some bytes, for corpora that ask for the user's own.\n")
    spec = registry.get("corpus", request.param)
    try:
        opened: Corpus = spec.open(spec.options(), CorpusContext(base=tmp_path))
    except CorpusUnavailable as error:
        pytest.skip(f"not available offline: {error}")
    return opened


@pytest.mark.parametrize("name", NAMES)
def test_a_corpus_opens_or_reports_the_reason_in_one_sentence(
    registry: Registry, tmp_path: Path, name: str
) -> None:
    spec = registry.get("corpus", name)
    message = ""
    try:
        spec.open(spec.options(), CorpusContext(base=tmp_path))
    except (CorpusUnavailable, UsageError) as error:
        message = str(error)
    assert message == "" or message.endswith((".", "?"))
    assert "\n" not in message


@pytest.mark.parametrize("name", NAMES)
def test_options_round_trip(registry: Registry, name: str) -> None:
    options = registry.get("corpus", name).options()
    assert type(options).model_validate(options.model_dump()) == options


def test_bytes_are_read_only(corpus: Corpus) -> None:
    assert corpus.data.dtype == np.uint8
    assert corpus.data.ndim == 1
    assert len(corpus.data) > 0
    assert not corpus.data.flags.writeable


def test_opening_again_gives_the_same_bytes(
    corpus: Corpus, registry: Registry, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    spec = registry.get("corpus", request.node.callspec.params["corpus"])
    assert sha256_of(spec.open(spec.options(), CorpusContext(base=tmp_path)).data) == sha256_of(
        corpus.data
    )


def test_code_lengths_are_bits_of_each_byte(corpus: Corpus) -> None:
    if corpus.code_lengths is None:
        pytest.skip("its source is not known")
    start, stop = len(corpus.data) // 2, min(len(corpus.data), len(corpus.data) // 2 + 1000)
    bits = corpus.code_lengths(start, stop)
    assert bits.dtype == np.float64
    assert bits.shape == (stop - start,)
    assert (bits >= 0).all()
    middle = (start + stop) // 2
    parts = [corpus.code_lengths(start, middle), corpus.code_lengths(middle, stop)]
    np.testing.assert_array_equal(np.concatenate(parts), bits)


@pytest.mark.parametrize("name", NAMES)
def test_declaring_a_corpus_imports_no_torch(registry: Registry, name: str) -> None:
    (home,) = {
        found.owner.plugin for found in registry.registered("corpus") if found.spec.name == name
    }
    program = f"""
import sys
from importlib.metadata import entry_points
from seqzoo.plugin.registry import Owner, Registry
(found,) = entry_points(group="seqzoo", name={home!r})
Registry().add(found.load(), Owner({home!r}))
sys.exit("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
