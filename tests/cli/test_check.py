"""`seqzoo check`: its report, its exit codes, and what it answers to wrong targets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import SMALL, seqzoo
from planted_files import FILES, HEALTHY_FILE

WRONG_PLACES = HEALTHY_FILE.replace(
    "return np.ones(len(tokens), dtype=np.int64)",
    "return np.arange(len(tokens)) % 2 * 2 if len(tokens) % 2 == 0 else np.ones(len(tokens), int)",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(HEALTHY_FILE)
    (tmp_path / "broken.py").write_text(WRONG_PLACES)
    return tmp_path


def test_a_healthy_plugin_exits_with_0_and_says_what_was_tried(folder: Path) -> None:
    done = seqzoo("check", "mine.py", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "tokenizer 'mine'" in done.stdout
    assert "round_trip" in done.stdout
    assert "choices of options" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("mine.py: ")
    assert "laws hold." in done.stdout.splitlines()[-1]
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_finding_has_all_its_parts_and_the_exit_code_6(folder: Path) -> None:
    done = seqzoo("check", "broken.py", "--only", "byte_places", folder=folder)
    assert done.returncode == 6, done.stderr
    said = " ".join(done.stdout.split())
    assert "1. tokenizer 'mine' breaks tokenizer.byte_places" in said
    for part in ("law the first k tokens", "seen the tokens up to number 1", "smallest input text=",
                 "options size=16", "usual cause lengths that are right in sum"):  # fmt: skip
        assert part in said
    assert said.endswith("1 broken; fix first: tokenizer.byte_places.")


def test_json_has_every_law_with_its_finding(folder: Path) -> None:
    done = seqzoo("check", "broken.py", "--json", "--only", "byte_places", folder=folder)
    assert done.returncode == 6
    said = json.loads(done.stdout)
    (law,) = said["laws"]
    assert said["healthy"] is False
    assert (law["name"], law["status"]) == ("tokenizer.mine.byte_places", "broken")
    assert law["finding"]["options"] == {"size": 16}
    assert law["finding"]["smallest"]["text"].startswith("b'")


def test_what_a_plugin_prints_is_not_in_the_json(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FILES["print at import"].text)
    done = seqzoo("check", "mine.py", "--json", "--only", "plugin.silent", folder=tmp_path)
    assert done.returncode == 6
    assert json.loads(done.stdout)["laws"][0]["finding"]["seen"] == (
        "loading it printed 'hello\\n'"
    )


def test_a_file_that_cannot_be_loaded_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import a_package_of_mine\n")
    done = seqzoo("check", "mine.py", folder=tmp_path)
    assert done.returncode == 6
    assert "a_package_of_mine" in done.stdout
    assert "Traceback" not in done.stderr + done.stdout


def test_an_option_can_be_given(folder: Path) -> None:
    done = seqzoo("check", "mine.py", "-o", "size=8", "--only", "options", "--json", folder=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["laws"][0]["choices"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lstmm"], "Did you mean 'lstm'?"),
        (["minee.py"], "there is no plugin file minee.py. Did you mean 'mine.py'?"),
        (["quick"], "quick is a recipe; to examine it: seqzoo doctor quick"),
        (["small.yaml"], "small.yaml is a recipe; to examine it: seqzoo doctor small.yaml"),
        (["done"], "done is a run; to examine it: seqzoo doctor runs/done"),
        (["mine.py", "-o", "siz=3"], "Did you mean 'size'?"),
        (["mine.py", "-o", "size"], "expected option=value"),
        (["mine.py", "-o", "size=7"], "size is 7"),
        (["mine.py", "--only", "round_tripp"], "Did you mean 'round_trip'?"),
        ([], "seqzoo check needs NAME|FILE|PACKAGE"),
    ],
)
def test_a_mistake_is_answered_in_one_line(
    folder: Path, arguments: list[str], message: str
) -> None:
    (folder / "small.yaml").write_text(SMALL)
    (folder / "runs" / "done").mkdir(parents=True)
    (folder / "runs" / "done" / "recipe.yaml").write_text(SMALL)
    done = seqzoo("check", *arguments, folder=folder)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_the_laws_can_be_listed_without_trying_them(folder: Path) -> None:
    done = seqzoo("check", "broken.py", "--list", folder=folder)
    assert done.returncode == 0
    assert "tokenizer.byte_places" in done.stdout
    listed = json.loads(seqzoo("check", "broken.py", "--list", "--json", folder=folder).stdout)
    assert {"plugin.loads", "tokenizer.byte_places"} <= {each["name"] for each in listed}
