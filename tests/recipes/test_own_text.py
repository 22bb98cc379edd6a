"""Own text replaces a recipe's corpus; which corpus opens it is the corpus's own answer."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seqzoo.data.corpus import open_data
from seqzoo.errors import CorpusUnavailable, PluginError, SeqzooError, UsageError
from seqzoo.plugin.hooks import hookimpl
from seqzoo.plugin.registry import Owner, Registry, load_registry
from seqzoo.plugin.specs import CorpusSpec, Options
from seqzoo.recipes.load import Recipe, recipe
from seqzoo.storage import cache_directory

RECIPE: dict[str, Any] = {
    "name": "small",
    "corpus": {
        "name": "tinyshakespeare",
        "fallback": "pastiche",
        "split": {"train": 0.5, "validation": 0.25, "test": 0.25},
    },
    "tokenizer": {"name": "bytes"},
    "architecture": {"name": "lstm"},
    "train": {"budget": {"steps": 1}},
    "sample": {"prompt": "ROMEO:"},
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {"a.txt": "AAAA", "b.md": "BBBB", "notes/c.md": "CCCC", "notes/d/e.md": "EEEE",
             "notes/f.txt": "FFFF", "[odd]/g.md": "GGGG", ".hidden": "HHHH"}  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def content(checked: Recipe) -> str:
    data = open_data(checked, announce=pytest.fail)
    return data.corpus.data.tobytes().decode().replace("\n\n", "|")


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ("a.txt", "AAAA"),
        ("./a.txt", "AAAA"),
        (Path("a.txt"), "AAAA"),
        ("notes", "CCCC|EEEE|FFFF"),
        ("notes/", "CCCC|EEEE|FFFF"),
        (".", "GGGG|AAAA|BBBB|CCCC|EEEE|FFFF"),
        ("*.md", "BBBB"),
        ("notes/*.md", "CCCC"),
        ("**/*.md", "GGGG|BBBB|CCCC|EEEE"),
        ("notes/**/*.md", "CCCC|EEEE"),
        ("n*/c.md", "CCCC"),
        ("?.txt", "AAAA"),
        ("[ab].*", "AAAA|BBBB"),
        ("[odd]/g.md", "GGGG"),
        ("[odd]", "GGGG"),
        ("[odd]/*.md", "GGGG"),
        (["b.md", "a.txt"], "BBBB|AAAA"),
        (["a.txt"], "AAAA"),
        (["notes", "a.txt"], "CCCC|EEEE|FFFF|AAAA"),
        (["notes/*.md", "b.md"], "CCCC|BBBB"),
        (["a.txt", "a.txt", "*.txt"], "AAAA"),
    ],
)
def test_files_folders_and_patterns_are_read(here: Path, texts: Any, expected: str) -> None:
    assert content(recipe(RECIPE, text=texts)) == expected


def test_a_home_folder_is_expanded(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here / "notes"))
    assert content(recipe(RECIPE, text="~/f.txt")) == "FFFF"
    assert content(recipe(RECIPE, text="~/*.md")) == "CCCC"


def test_the_fallback_is_replaced_and_the_split_is_kept(here: Path) -> None:
    checked = recipe(RECIPE, text="a.txt")
    assert checked.corpus.fallback is None
    assert checked.corpus.split is not None
    assert checked.corpus.split.train == 0.5


def test_a_recipe_with_own_text_is_the_same_text_from_any_folder(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for texts in ("a.txt", "notes/*.md", ["a.txt", "notes"]):
        monkeypatch.chdir(here)
        checked = recipe(RECIPE, text=texts)
        (here / "kept.yaml").write_text(checked.to_yaml())
        expected = content(checked)
        monkeypatch.chdir("/")
        assert content(recipe(here / "kept.yaml")) == expected


def test_overrides_beside_own_text_are_kept(here: Path) -> None:
    checked = recipe(
        RECIPE,
        ["corpus.options.separator=+", "corpus.split={train: 0.8, validation: 0.1, test: 0.1}"],
        text="notes",
    )
    assert content(checked) == "CCCC+EEEE+FFFF"
    assert checked.corpus.split is not None
    assert checked.corpus.split.train == 0.8
    assert recipe(checked, {"name": "other"}, text="a.txt").corpus.name == "file"


@pytest.mark.parametrize(
    ("overrides", "is_own_text"),
    [
        ([], True),
        (["train.budget.steps=2"], True),
        (["sample.prompt=A"], False),
        (["sample={prompt: A}"], False),
    ],
)
def test_a_prompt_that_is_given_fits_own_text(
    here: Path, overrides: list[str], is_own_text: bool
) -> None:
    assert recipe(RECIPE, overrides, text="a.txt").is_own_text is is_own_text
    chosen = ["corpus={name: file, options: {path: a.txt}}", *overrides]
    assert recipe(RECIPE, chosen).is_own_text is is_own_text
    first = recipe(RECIPE, text="a.txt")
    assert recipe(first, overrides).is_own_text is is_own_text
    assert recipe(RECIPE, overrides).is_own_text is False


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ("b.mdx", "b.mdx does not exist. Did you mean 'b.md'?"),
        ("absent/x", "absent/x does not exist."),
        ("nots/*.md", "nots does not exist. Did you mean 'notes'?"),
        ("*.pdf", "matches '*.pdf' (files in it that are not hidden: 6)"),
        (["a.txt", "x.txt"], "x.txt does not exist."),
        (["a.txt", "*.pdf"], "matches '*.pdf'"),
        ("", "text is empty"),
        (["a.txt", " "], "text is empty"),
        ("x" * 300, "does not exist"),
        ("a.txt/x", "does not exist"),
        ("a\0b", "not UTF-8"),
        ("/dev/null", "/dev/null is neither a file nor a folder"),
        (["a.txt", "-"], "'-' is a pipe and must be the only text"),
    ],
)
def test_a_mistake_is_one_sentence_with_the_full_path(here: Path, texts: Any, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_data(recipe(RECIPE, text=texts), announce=pytest.fail)
    message = str(caught.value)
    assert says in message
    assert "\n" not in message
    if "does not exist" in says or "matches" in says:
        assert str(here) in message


@pytest.mark.parametrize("override", ["corpus.name=file", "corpus={name: pastiche}"])
def test_a_corpus_and_a_text_exclude_each_other(here: Path, override: str) -> None:
    with pytest.raises(UsageError, match="the text chooses the corpus"):
        recipe(RECIPE, [override], text="a.txt")


class Pipe(io.TextIOWrapper):
    def __init__(self, data: bytes, *, is_terminal: bool = False) -> None:
        super().__init__(io.BytesIO(data))
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def test_a_pipe_can_be_read_again(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Pipe(b"piped in"))
    checked = recipe(RECIPE, text="-")
    assert content(checked) == "piped in"
    (here / "kept.yaml").write_text(checked.to_yaml())
    assert content(recipe(here / "kept.yaml")) == "piped in"
    for kept in (cache_directory() / "stdin").iterdir():
        kept.write_bytes(b"piped IN")
    with pytest.raises(CorpusUnavailable, match="was changed; put the same bytes there"):
        content(checked)
    shutil.rmtree(cache_directory() / "stdin")
    with pytest.raises(CorpusUnavailable, match="is no longer there; put the same bytes there"):
        content(checked)


@pytest.mark.parametrize(
    ("pipe", "says"),
    [
        (Pipe(b""), "is empty"),
        (Pipe(b"", is_terminal=True), "nothing is piped in"),
        (None, "nothing is piped in"),
    ],
)
def test_a_pipe_without_text_is_reported_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pipe: Pipe | None, says: str
) -> None:
    monkeypatch.setenv("SEQZOO_CACHE", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", pipe)
    with pytest.raises(UsageError, match=says):
        recipe(RECIPE, text="-")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_pipe_of_the_shell_is_read_like_stdin(here: Path) -> None:
    os.mkfifo(here / "pipe")
    writer = subprocess.Popen(["sh", "-c", "printf named > pipe"], cwd=here)
    assert content(recipe(RECIPE, text="pipe")) == "named"
    assert writer.wait() == 0


class Stranger:
    """Opens files whose name ends in .alien."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    @hookimpl
    def register_corpora(self) -> list[CorpusSpec]:
        spec = CorpusSpec(
            name="alien", summary="a", open=lambda *_: pytest.fail("opened"), for_texts=self.answer
        )
        return [spec]


def with_stranger(answer: Any) -> Registry:
    registry = load_registry()
    registry.add(Stranger(answer), Owner("stranger"))
    return registry


def test_a_strangers_corpus_is_asked_too(here: Path) -> None:
    asked = []

    def answer(texts: tuple[str, ...]) -> Options | None:
        asked.append(texts)
        return None

    recipe(RECIPE, text=["a.txt", "b.md"], registry=with_stranger(answer))
    assert asked == [(str(here / "a.txt"), str(here / "b.md"))]
    with pytest.raises(UsageError, match=r"'a\.txt' can be opened by the corpora alien and file"):
        recipe(RECIPE, text="a.txt", registry=with_stranger(lambda texts: Options()))


@pytest.mark.parametrize("answer", [lambda texts: {"path": "x"}, lambda texts: 1 // 0])
def test_a_strangers_mistake_is_reported_with_its_name(here: Path, answer: Any) -> None:
    with pytest.raises(PluginError, match="alien") as caught:
        recipe(RECIPE, text="a.txt", registry=with_stranger(answer))
    assert isinstance(caught.value, SeqzooError)
    assert "\n" not in str(caught.value)


def test_a_text_that_no_corpus_opens_is_reported(here: Path) -> None:
    empty = Registry()
    for kind in ("tokenizer", "architecture"):
        assert empty.names(kind) == []
    with pytest.raises(UsageError, match=r"no installed corpus opens 'a\.txt'"):
        recipe(RECIPE, text="a.txt", registry=empty)
