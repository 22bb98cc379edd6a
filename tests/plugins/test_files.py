"""The user's own files: as they are or joined in a fixed order, with clear error messages."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import make_run

from seqzoo import Corpus, CorpusContext, UsageError, cache_directory
from seqzoo.plugin.registry import Registry
from seqzoo_plugins.files import corpora
from seqzoo_plugins.files.found import files_below


def open_(registry: Registry, name: str, base: Path, **options: Any) -> Corpus:
    spec = registry.get("corpus", name)
    corpus: Corpus = spec.open(spec.options(**options), CorpusContext(base=base))
    return corpus


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def test_file_gives_every_byte_from_the_recipes_folder(registry: Registry, tmp_path: Path) -> None:
    data = bytes(range(256)) * 3
    write(tmp_path, {"all.bin": data})
    corpus = open_(registry, "file", tmp_path, path="all.bin")
    assert corpus.data.tobytes() == data
    assert not corpus.data.flags.writeable


@pytest.mark.parametrize("pattern", ["**/*", "**/*.txt", "*/*/*"])
def test_runs_and_sweeps_below_a_folder_are_no_part_of_its_text(
    registry: Registry, tmp_path: Path, pattern: str
) -> None:
    """A run is written while it reads the folder, and must find the same bytes to continue."""
    write(tmp_path, {"my/own/a.txt": b"text", "runs/notes/b.txt": b"notes"})
    before = open_(registry, "directory", tmp_path, path=".", pattern=pattern).data.tobytes()
    make_run(tmp_path / "runs" / "one")
    make_run(tmp_path / "runs" / "sizes" / "member")
    for name in ("one", "sizes"):
        write(tmp_path / "runs" / name, {"lock": b"", "samples/step-1.txt": b"ROMEO"})
    write(tmp_path, {"runs/sizes/sweep.yaml": b"name: sizes", "runs/sizes/logs/member.log": b"log"})
    after = open_(registry, "directory", tmp_path, path=".", pattern=pattern).data.tobytes()
    assert after == before
    assert b"notes" in after
    # A run that is named itself is read.
    samples = open_(registry, "directory", tmp_path, path="runs/one", pattern="*/step-1.txt")
    assert samples.data.tobytes() == b"ROMEO"


def test_a_gigabyte_needs_no_memory(tmp_path: Path) -> None:
    with (tmp_path / "large.txt").open("wb") as file:
        file.truncate(1 << 30)  # sparse: takes no disk either
    program = """
import resource, sys
from pathlib import Path
from seqzoo_plugins.files.corpora import open_file
small = open_file(Path(sys.argv[1], "small.txt"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
large = open_file(Path(sys.argv[1], "large.txt"))
assert len(large.data) == 1 << 30 and large.data[-1] == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    write(tmp_path, {"small.txt": b"small"})
    command = [sys.executable, "-c", program, str(tmp_path)]
    grown_kib = int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    assert grown_kib < 4096


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("hamlte.txt", "does not exist. Did you mean 'hamlet.txt'?"),
        ("absent/x.txt", "does not exist."),
        ("empty.txt", "is empty"),
        ("folder", "is not a file; for a folder use the corpus 'directory'"),
    ],
)
def test_file_reports_the_mistake(registry: Registry, tmp_path: Path, path: str, says: str) -> None:
    write(tmp_path, {"hamlet.txt": b"x", "empty.txt": b"", "folder/y": b"y"})
    with pytest.raises(UsageError) as caught:
        open_(registry, "file", tmp_path, path=path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_a_usage_error(registry: Registry, tmp_path: Path) -> None:
    write(tmp_path, {"locked.txt": b"x"})
    (tmp_path / "locked.txt").chmod(0)
    with pytest.raises(UsageError, match="cannot be read"):
        open_(registry, "file", tmp_path, path="locked.txt")


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ("circle", "is a link that leads in a circle; give the text itself."),
        ("gone", "is a link that leads to {folder}/none, which does not exist; give the text"),
        ("null", "is neither a file nor a folder; give a text file."),
        ("folder/../folder/../none", "corpus path {folder}/none does not exist."),
        ("folder/../empty.txt", "corpus file {folder}/empty.txt is empty"),
        ("a\nb", "corpus path {folder}/a\ufffdb does not exist."),
    ],
)
@pytest.mark.parametrize("corpus", ["file", "files"])
def test_what_is_wrong_with_a_path_is_named(
    registry: Registry, tmp_path: Path, corpus: str, link: str, says: str
) -> None:
    write(tmp_path, {"empty.txt": b"", "folder/x": b"x"})
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "gone").symlink_to(tmp_path / "none")
    (tmp_path / "null").symlink_to(os.devnull)
    given = {"path": link} if corpus == "file" else {"paths": [link]}
    with pytest.raises(UsageError) as caught:
        open_(registry, corpus, tmp_path, **given)
    expected = says.format(folder=tmp_path)
    if corpus == "files":
        expected = expected.removeprefix("corpus file ").removesuffix("empty.txt is empty")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pipe_is_named_before_it_is_read(
    registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    said_before: list[str] = []

    def write_text() -> None:
        with pipe.open("wb") as file:  # waits for the reader
            said_before.append(capsys.readouterr().err)
            file.write(b"through a pipe")

    writer = threading.Thread(target=write_text)
    writer.start()
    for_texts = registry.get("corpus", "stdin").for_texts
    assert for_texts is not None
    options = for_texts((str(pipe),))
    writer.join()
    assert said_before == [f"Reading the text from the pipe {pipe} until it ends.\n"]
    assert options is not None
    spec = registry.get("corpus", "stdin")
    assert spec.open(options, CorpusContext(base=tmp_path)).data.tobytes() == b"through a pipe"


def test_two_dots_after_a_link_to_a_folder_are_kept(registry: Registry, tmp_path: Path) -> None:
    write(tmp_path, {"one/two/x": b"x", "one/a.txt": b"right", "a.txt": b"wrong"})
    (tmp_path / "link").symlink_to(tmp_path / "one" / "two")
    corpus = open_(registry, "file", tmp_path, path="link/../a.txt")
    assert corpus.data.tobytes() == b"right"


def test_a_name_that_cannot_be_shown_is_one_line(registry: Registry, tmp_path: Path) -> None:
    write(tmp_path, {"a\nb\x1b[1m/c\rd": b"x"})
    file = open_(registry, "file", tmp_path, path="a\nb\x1b[1m/c\rd")
    folder = open_(registry, "directory", tmp_path, path="a\nb\x1b[1m")
    several = open_(registry, "files", tmp_path, paths=["a\nb\x1b[1m/c\rd"])
    for corpus in (file, folder, several):
        assert corpus.name.isprintable()
        assert corpus.origin.isprintable()
        assert [path for path, _, _ in corpus.files] == [str(tmp_path / "a\nb\x1b[1m/c\rd")]


@pytest.mark.parametrize("hidden", [{}, {".a.txt": b"x", ".b/c": b"y"}])
def test_an_empty_folder_is_named(
    registry: Registry, tmp_path: Path, hidden: dict[str, bytes]
) -> None:
    write(tmp_path, hidden)
    with pytest.raises(UsageError) as caught:
        open_(registry, "directory", tmp_path)
    assert str(caught.value) == (
        f"The folder {tmp_path} has no files to read (hidden files and runs of seqzoo are "
        f"left out)."
    )


names = st.lists(
    st.sampled_from(["a", "b.txt", "B", "é.txt", ".hidden", "z"]), min_size=1, max_size=3
)


@given(st.dictionaries(names.map("/".join), st.binary(max_size=20), min_size=1, max_size=6))
def test_directory_joins_visible_files_in_path_order(
    registry: Registry, tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("joined")
    prefixes = {"/".join(name.split("/")[:depth]) for name in files for depth in range(1, 3)}
    files = {
        name: data for name, data in files.items() if name + "/" not in _folders(prefixes, files)
    }
    write(folder, files)
    visible = {
        name: data
        for name, data in files.items()
        if not any(part.startswith(".") for part in name.split("/"))
    }
    expected = b"--".join(visible[name] for name in sorted(visible))
    if not any(visible.values()):
        with pytest.raises(UsageError):
            open_(registry, "directory", folder, separator="--")
    else:
        corpus = open_(registry, "directory", folder, separator="--")
        assert corpus.data.tobytes() == expected


def _folders(prefixes: set[str], files: dict[str, bytes]) -> set[str]:
    """Names that are folders of other names, and so cannot be files."""
    return {f"{p}/" for p in prefixes if any(name.startswith(f"{p}/") for name in files)}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**/*", b"1|2|3|4"),
        ("**/*.txt", b"1|2|3"),
        ("*.txt", b"1"),
        ("b/*", b"2"),
        ("b/**/*.txt", b"2|3"),
        ("./d.[a-m]*", b"4"),
    ],
)
def test_patterns_match_like_globs(
    registry: Registry, tmp_path: Path, pattern: str, expected: bytes
) -> None:
    write(tmp_path, {"a.txt": b"1", "b/b.txt": b"2", "b/c/c.txt": b"3", "d.md": b"4"})
    corpus = open_(registry, "directory", tmp_path, pattern=pattern, separator="|")
    assert corpus.data.tobytes() == expected
    globbed = sorted(path for path in tmp_path.glob(pattern) if path.is_file())
    assert corpus.data.tobytes() == b"|".join(path.read_bytes() for path in globbed)


def test_a_changed_file_is_read_again(registry: Registry, tmp_path: Path) -> None:
    write(tmp_path, {"a": b"old", "b": b"b"})
    assert open_(registry, "directory", tmp_path, separator="").data.tobytes() == b"oldb"
    write(tmp_path, {"a": b"newer"})
    assert open_(registry, "directory", tmp_path, separator="").data.tobytes() == b"newerb"


def test_a_truncated_joined_file_is_written_again(registry: Registry, tmp_path: Path) -> None:
    write(tmp_path, {"a": b"first", "b": b"second"})
    open_(registry, "directory", tmp_path)
    for joined in (cache_directory() / "directory").iterdir():
        joined.write_bytes(b"cut")
    assert open_(registry, "directory", tmp_path).data.tobytes() == b"first\n\nsecond"


@pytest.mark.parametrize("byte", [0, 6, 12, 13, 40])
def test_a_joined_file_with_another_byte_is_written_again(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, byte: int
) -> None:
    monkeypatch.setenv("SEQZOO_CACHE", str(tmp_path / "cache"))
    write(tmp_path / "text", {"a": b"first", "b": b"second"})
    open_(registry, "directory", tmp_path, path="text")
    (kept,) = (tmp_path / "cache" / "directory").iterdir()
    content = bytearray(kept.read_bytes())
    content[byte] ^= 1
    kept.write_bytes(content)
    again = open_(registry, "directory", tmp_path, path="text")
    assert again.data.tobytes() == b"first\n\nsecond"


def test_files_that_change_while_they_are_joined_are_no_corpus(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQZOO_CACHE", str(tmp_path / "cache"))
    write(tmp_path / "text", {"a": b"first", "b": b"second"})
    parts = corpora._parts

    def slow_parts(paths: list[Path], separator: bytes) -> Iterator[bytes]:
        yield from parts(paths, separator)
        write(tmp_path / "text", {"a": b"third"})

    monkeypatch.setattr(corpora, "_parts", slow_parts)
    with pytest.raises(UsageError, match="files changed while they were read"):
        open_(registry, "directory", tmp_path, path="text")
    assert list((tmp_path / "cache" / "directory").iterdir()) == []


def test_a_file_that_changes_with_its_time_set_back_is_read_again(
    registry: Registry, tmp_path: Path
) -> None:
    write(tmp_path, {"a": b"old", "b": b"b"})
    open_(registry, "directory", tmp_path, separator="")
    stat = (tmp_path / "a").stat()
    write(tmp_path, {"a": b"new"})
    os.utime(tmp_path / "a", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert open_(registry, "directory", tmp_path, separator="").data.tobytes() == b"newb"


@given(st.dictionaries(st.sampled_from("abcde"), st.binary(max_size=20), min_size=1))
def test_the_parts_of_a_corpus_are_its_files(
    registry: Registry, tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    write(folder, files)
    if not any(files.values()):
        return
    corpus = open_(registry, "files", folder, paths=[str(folder / name) for name in files])
    parts = {path: corpus.data[start:stop].tobytes() for path, start, stop in corpus.files}
    assert parts == {str(folder / name): data for name, data in files.items()}


def test_links_to_folders_are_not_followed(registry: Registry, tmp_path: Path) -> None:
    write(tmp_path, {"a/x": b"x"})
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert open_(registry, "directory", tmp_path).data.tobytes() == b"x"


_PARTS = st.lists(
    st.sampled_from(["**", "*", "a", "b", "?", "[ab]c", "x*"]), min_size=1, max_size=6
)


@given(st.lists(st.sampled_from(["a", "b", "ac", "xy"]), min_size=1, max_size=5), _PARTS)
def test_a_path_matches_a_pattern_part_by_part(
    tmp_path_factory: pytest.TempPathFactory, path: list[str], pattern: list[str]
) -> None:
    def matches(parts: list[str], patterns: list[str]) -> bool:
        """Every way to divide the path among the parts of the pattern."""
        if not patterns or not parts:
            return not parts and all(each == "**" for each in patterns)
        if patterns[0] == "**":
            return matches(parts, patterns[1:]) or matches(parts[1:], patterns)
        return fnmatchcase(parts[0], patterns[0]) and matches(parts[1:], patterns[1:])

    folder = tmp_path_factory.mktemp("one")
    file = "/".join(path)
    write(folder, {file: b"x"})
    if matches(path, pattern):
        assert files_below(folder, "/".join(pattern)) == [folder / file]
    else:
        with pytest.raises(UsageError, match=r"no file in .* matches"):
            files_below(folder, "/".join(pattern))


@pytest.mark.parametrize("pattern", ["**/" * 60 + "x", "**/d/" * 20 + "**/x", "*" * 60 + "x"])
def test_many_wildcards_take_no_longer_than_a_few(tmp_path: Path, pattern: str) -> None:
    """With one try for each way to divide the path, this does not end."""
    write(tmp_path, {"d/" * 60 + "y": b"y"})
    with pytest.raises(UsageError, match=r"no file in .* matches"):
        files_below(tmp_path, pattern)


def test_a_pattern_without_matches_reports_the_number_of_files(
    registry: Registry, tmp_path: Path
) -> None:
    write(tmp_path, {"a.md": b"x", ".b.txt": b"y"})
    with pytest.raises(UsageError, match=r"matches '\*\.txt' \(.*not hidden: 1\)"):
        open_(registry, "directory", tmp_path, pattern="*.txt")


def test_a_file_is_no_directory(registry: Registry, tmp_path: Path) -> None:
    write(tmp_path, {"a.md": b"x"})
    with pytest.raises(UsageError, match="for a single file use the corpus 'file'"):
        open_(registry, "directory", tmp_path, path="a.md")
