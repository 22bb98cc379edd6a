"""Messages, help, comments and docs use the words of technical English.

A word is refused where most readers have to read the sentence twice; the table says what to write.
All strings, docstrings and comments of the code are read, all pages, the recipes, and the help.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from commands import REPOSITORY
from typer.testing import CliRunner

REFUSED = {
    r"mend(?:s|ed|ing)?": "fix, repair, correct",
    r"anew": "again",
    r"n[oa]ught": "zero, nothing",
    r"be had": "available",
    r"(?:is|are|was|were|be|been|being)(?: \w+ly)? told(?! apart)": "is reported, receives",
    r"bear(?:s|ing)?|bore|borne": "has, carries, can be",
    r"who(?:m)?ever": "users, the person who",
    r"st(?:and|ands|anding|ood) behind": "is the reason for, follows",
    r"hear(?:s|d|ing)?": "receives, is called with, is reported to",
    r"(?:go|goes|going|went|gone) on": "continues, resumes",
    r"alike": "equal, the same, both",
    r"ought": "should",
}

ACCEPTED: dict[str, tuple[tuple[str, ...], str]] = {
    # file or folder: (words, why they stay)
}


class Found(NamedTuple):
    place: str
    line: int
    word: str
    instead: str

    def __str__(self) -> str:
        return f"{self.place}:{self.line}: '{self.word}': say {self.instead}"


def words_in(text: str) -> Iterator[tuple[int, str, str]]:
    """Offset, what stands there, and what to say instead; a phrase may be broken over lines."""
    for pattern, instead in REFUSED.items():
        # `_`, `-` and `.` are parts of names here; a comment's next line begins with `#`.
        spaced = pattern.replace(" ", r"(?:\s|#)+")
        for match in re.finditer(rf"(?<![\w.])(?:{spaced})(?![\w]|\.\w)", text, re.IGNORECASE):
            yield match.start(), " ".join(match[0].replace("#", " ").split()).lower(), instead


def prose_of(source: str) -> Iterator[tuple[int, str]]:
    """Strings and comments of Python code with the line where each begins.

    Neighbouring strings are one, as for Python, and so are comments on consecutive lines.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            texts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            yield node.lineno, "".join(str(text) for text in texts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    block: list[tuple[int, str]] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if block and token.start[0] > block[-1][0] + 1:
                yield block[0][0], "\n".join(text for _, text in block)
                block = []
            block.append((token.start[0], token.string))
    if block:
        yield block[0][0], "\n".join(text for _, text in block)


def found_in(place: str, text: str) -> list[Found]:
    """Refused words of a file, by its ending."""
    parts = prose_of(text) if place.endswith(".py") else [(1, text)]
    found = {
        Found(place, first + part.count("\n", 0, offset), word, instead)
        for first, part in parts
        for offset, word, instead in words_in(part)
    }
    return sorted(found)


def accepted(found: Found) -> bool:
    return any(
        found.place.startswith(place) and found.word in words
        for place, (words, _) in ACCEPTED.items()
    )


def files() -> list[str]:
    patterns = [
        "*.md", "docs/**/*.md", "docs/**/*.py", "seqzoo/**/*.py", "plugins/**/*.py",
        "examples/**/*.py", "recipes/**/*.yaml", "recipes/**/*.py",
    ]  # fmt: skip
    paths = {path for pattern in patterns for path in REPOSITORY.glob(pattern)}
    return sorted(path.relative_to(REPOSITORY).as_posix() for path in paths)


def helps() -> dict[str, str]:
    """What `seqzoo --help` and each command's `--help` print, without the frame around it."""
    from seqzoo.cli import app

    names = [str(command.name) for command in app.registered_commands]
    printed = {}
    for words in ([], *([name] for name in names)):
        ran = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "100", "NO_COLOR": "1"})
        assert ran.exit_code == 0, ran.output
        plain = re.sub(r"[\u2500-\u257f]", " ", ran.output)
        printed[" ".join(["seqzoo", *words, "--help"])] = plain
    return printed


@pytest.mark.parametrize("place", files())
def test_the_words_of_a_file_are_plain(place: str) -> None:
    text = Path(REPOSITORY, place).read_text(encoding="utf-8")
    found = [each for each in found_in(place, text) if not accepted(each)]
    assert not found, "\n" + "\n".join(map(str, found))


def test_the_words_of_every_help_are_plain() -> None:
    printed = helps()
    assert len(printed) > 10
    found = [each for command, text in printed.items() for each in found_in(command, text)]
    assert not found, "\n" + "\n".join(map(str, found))


def test_all_parts_of_the_repository_are_read() -> None:
    read = files()
    for part in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/recipes.md",
                 "seqzoo/errors.py", "plugins/seqzoo_plugins/recurrent/lstm.py",
                 "recipes/quick.yaml", "recipes/clinic/models.py", "docs/generate.py"):  # fmt: skip
        assert part in read


@pytest.mark.parametrize(
    "sentence",
    [
        "Mend it.", "it was mended", "mending", "drawn anew", "falls to nought",
        "what cannot be had", "the user is told", "all are plainly told", "it bears this",
        "for whoever asks", "what stands behind it", "it hears of the end", "it goes on",
        "Going on from there", "used alike", "you ought to", "goes\non", "can\n    be had",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "form",
    [
        ('x = """{}"""', "a.py"), ('def f():\n    """Yes.\n\n    {}\n    """', "a.py"),
        ('raise E(f"{{x}} {}")', "a.py"), ("{}", "a.md"), ("# {}\nname: x", "a.yaml"),
    ],
)  # fmt: skip
def test_each_word_is_found_in_each_kind_of_text(sentence: str, form: tuple[str, str]) -> None:
    template, place = form
    if "\n" in sentence and 'f"' in template:
        template = template.replace('"', '"""')
    assert len(found_in(place, template.format(sentence))) == 1


@pytest.mark.parametrize(
    "source",
    [
        'fail("it " "is told")', "# it goes\n# on", "x = 1  # anew", 'help="See who" "ever."',
        'y = f"is {z} told" f" anew"',
    ],
)  # fmt: skip
def test_phrases_over_several_strings_or_comment_lines_are_found(source: str) -> None:
    assert len(found_in("a.py", source)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "recommend", "amendment", "thought", "bought", "shear", "hearth", "forbearance",
        "is told apart", "going one step", "question_mended", "_mending.py", "behind a queue",
        "be hadron", "a.mend.b",
    ],
)  # fmt: skip
def test_other_words_and_names_are_left_alone(text: str) -> None:
    assert found_in("a.md", text) == []
    assert found_in("a.py", f"mended = {text!r}") == []


def test_the_line_of_a_finding_is_right() -> None:
    assert found_in("a.md", "one\ntwo\nmend")[0].line == 3
    assert found_in("a.py", 'x = 1\ny = """a\nanew"""')[0].line == 3
    assert str(found_in("a.md", "anew")[0]) == "a.md:1: 'anew': say again"


def test_every_exception_is_used() -> None:
    for place, (words, why) in ACCEPTED.items():
        assert why
        read = [name for name in files() if name.startswith(place)]
        used = {
            each.word
            for name in read
            for each in found_in(name, Path(REPOSITORY, name).read_text(encoding="utf-8"))
        }
        assert used >= set(words), f"{place} needs no exception for {set(words) - used}"
