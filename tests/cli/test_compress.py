"""Compressing, decompressing and proving, as users do it in a shell."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from commands import seqzoo

import seqzoo as api
from seqzoo.results.result import read_result

TEXT = b"A: My lord, the text is short.\nB: So is the file, my lord, so is the file.\n" * 20


@pytest.fixture(scope="module")
def folder(finished: Path) -> Path:
    """A folder with the run `small`, a copy of it with other weights, and a text."""
    (finished / "text").write_bytes(TEXT)
    done = seqzoo(
        "run", "small.yaml", "name=other", "train.seed=2", "train.budget.steps=20", folder=finished
    )
    assert done.returncode == 0, done.stderr
    done = seqzoo("compress", "text", "--run", "small", folder=finished)
    assert done.returncode == 0, done.stderr
    return finished


def failed(code: int, *arguments: str, folder: Path) -> str:
    """The error of a command, in one line."""
    done = seqzoo(*arguments, folder=folder)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.partition("error:")[2].split())


def test_a_file_comes_back_by_the_run_that_has_its_weights(folder: Path) -> None:
    done = seqzoo("decompress", "text.sqz", "-o", "again", "--json", folder=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "again").read_bytes() == TEXT
    assert json.loads(done.stdout)["compressed"] == (folder / "text.sqz").stat().st_size


def test_a_learning_model_restores_its_file_with_settings_of_its_own(folder: Path) -> None:
    arguments = ("--adapt", "learning_rate=0.003", "--adapt", "segment_length=16")
    done = seqzoo("compress", "text", "--run", "small", "-o", "learnt", *arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    done = seqzoo("decompress", "learnt", "--run", "small", "-o", "from_learnt", folder=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "from_learnt").read_bytes() == TEXT
    # A text of repeats is learnt.
    assert (folder / "learnt").stat().st_size < (folder / "text.sqz").stat().st_size


def test_the_size_is_what_the_score_says(folder: Path) -> None:
    run = api.open_run(folder / "runs/small")
    expected = run.score(TEXT).bits.sum() / 8
    size = (folder / "text.sqz").stat().st_size
    assert expected < size <= expected * 1.001 + 32
    assert run.decompress(folder / "text.sqz") == TEXT
    assert run.compress(TEXT) == (folder / "text.sqz").read_bytes()


def test_an_empty_file_comes_back(folder: Path) -> None:
    (folder / "empty").write_bytes(b"")
    done = seqzoo("compress", "empty", "--run", "small", folder=folder)
    assert done.returncode == 0, done.stderr
    done = seqzoo("decompress", "empty.sqz", "-o", "nothing", folder=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "nothing").read_bytes() == b""


def test_a_wrong_run_is_refused_with_the_right_one(folder: Path) -> None:
    error = failed(4, "decompress", "text.sqz", "--run", "other", "-o", "new", folder=folder)
    assert "text.sqz was compressed with other weights" in error
    assert "those are of step" in error
    assert "--run runs/small --step" in error
    assert not (folder / "new").exists()


def test_a_wrong_tokenizer_state_is_refused(folder: Path) -> None:
    """The weights alone do not decide what is decoded."""
    content = bytearray((folder / "text.sqz").read_bytes())
    content[9] ^= 1  # of the hash of how the text is read
    import zlib

    (folder / "other_reading").write_bytes(content[:-4] + zlib.crc32(content[:-4]).to_bytes(4))
    error = failed(4, "decompress", "other_reading", "--run", "small", "-o", "new", folder=folder)
    assert "but the tokenizer, the precision was another one" in error


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("compress", "missing", "--run", "small"), 2, "there is no file missing"),
        (("compress", "text", "--run", "smal", "-o", "x"), 2, "Did you mean 'small'?"),
        (("compress", "text", "--run", "small"), 2, "text.sqz exists"),
        (("compress", "text", "--run", "small", "-o", "text"), 2, "is the file that is read"),
        (("compress", "text", "--run", "small", "-o", "no/x"), 2, "there is no folder no"),
        (("compress", "text"), 2, "seqzoo compress needs --run RUN, and it is missing."),
        (("compress", "runs", "--run", "small"), 2, "runs cannot be read"),
        (("compress", "text", "--run", "small", "-o", "pipe", "--force"), 2, "no regular file"),
        (("compress", "text", "--run", "small", "-o", "-"), 2, "- is no file"),
        (("decompress", "text.sqz", "-o", "pipe", "--force"), 2, "no regular file"),
        (("decompress", "text", "-o", "x"), 4, "is not a file that seqzoo compress has made"),
        (("decompress", "text"), 2, "does not end with .sqz"),
        (("decompress", "text.sqz"), 2, "text exists"),
        (("decompress", "text.sqz", "-o", "x", "--runs", "empty_folder"), 2, "no run in"),
        (("eval", "small", "--prove", "--file", "text"), 2, "--prove is for the scores"),
        (("eval", "small", "--prove", "--split", "train"), 2, "--prove is for the scores"),
        (("eval", "small", "--prove=often"), 2, "--prove=often: expected --prove, --prove static"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_done_is_one_sentence(
    folder: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    (folder / "empty_folder").mkdir(exist_ok=True)
    if not (folder / "pipe").exists():
        os.mkfifo(folder / "pipe")
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir() if path.is_file()}
    error = failed(code, *arguments, folder=folder)
    assert said in error
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir() if path.is_file()} == before


def test_a_file_of_another_processor_is_announced(folder: Path) -> None:
    import zlib

    content = bytearray((folder / "text.sqz").read_bytes())
    content[11] ^= 1  # of the hash of the environment
    (folder / "from_elsewhere").write_bytes(content[:-4] + zlib.crc32(content[:-4]).to_bytes(4))
    done = seqzoo("decompress", "from_elsewhere", "-o", "restored", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "another kind of processor" in " ".join(done.stderr.split())
    assert (folder / "restored").read_bytes() == TEXT


@pytest.mark.parametrize("kind", ["static", "adaptive"])
def test_a_proof_is_stored_and_shown(folder: Path, kind: str) -> None:
    done = seqzoo("eval", "small", "--prove", kind, folder=folder)
    assert done.returncode == 0, done.stderr
    result = read_result(folder / "runs/small/result.json")
    record = result.scores if kind == "static" else result.adaptive.scores  # type: ignore[union-attr]
    score = record["test"]
    assert score.proven_bytes is not None
    assert score.bits / 8 < score.proven_bytes <= score.bits / 8 * 1.001 + 32
    assert f"Proven: test{'' if kind == 'static' else ' while learning'} is" in done.stdout
    shown = seqzoo("leaderboard", "--columns", "run,proven", folder=folder)
    assert kind in shown.stdout
    assert seqzoo("verify", "small", folder=folder).returncode == 0


def test_a_result_with_a_made_up_proof_is_damaged(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "runs/small/result.json", tmp_path)
    stored = json.loads((tmp_path / "result.json").read_text())
    stored["scores"]["test"]["proven_bytes"] = 100
    (tmp_path / "result.json").write_text(json.dumps(stored))
    with pytest.raises(api.UsageError, match="proven_bytes is not the size"):
        read_result(tmp_path / "result.json")
