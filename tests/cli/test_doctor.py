"""`seqzoo doctor` on the command line: what it examines, and the recipe that it writes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from commands import SMALL, seqzoo
from made_runs import make_run

from seqzoo.plugin.registry import load_registry
from seqzoo.recipes.load import load_recipe, recipe


def test_the_recipe_of_a_healthy_subject_is_written_unchanged(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    target = tmp_path / "a folder" / "better.yaml"
    target.parent.mkdir()
    done = seqzoo(
        "doctor", "small.yaml", "train.seed=7", "--only", "environment.torch",
        "--fixed", str(target), folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"seqzoo run '{target}'" in done.stderr
    assert "fixed recipe" not in done.stderr
    registry = load_registry()
    expected = load_recipe(tmp_path / "small.yaml", registry, overrides=["train.seed=7"])
    assert load_recipe(target, registry) == expected
    assert recipe(target).name == "small"


def test_a_shipped_recipe_can_be_named_and_a_path_of_an_override_stays_right(
    tmp_path: Path,
) -> None:
    (tmp_path / "own.txt").write_text("a text of our own, " * 500)
    (tmp_path / "out").mkdir()
    done = seqzoo(
        "doctor", "quick", "corpus=file", "corpus.options.path=own.txt",
        "--only", "environment.torch", "--fixed", "out/better.yaml", folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = recipe(tmp_path / "out" / "better.yaml")
    assert made.name == "quick"
    assert (tmp_path / "out" / made.corpus.options.path).resolve() == tmp_path / "own.txt"


def test_the_name_of_a_recipe_means_the_recipe_whatever_runs_there_are(tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "quick")
    make_run(tmp_path / "quick")
    done = seqzoo(
        "doctor", "quick", "train.budget.steps=5", "--only", "environment.torch", folder=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "recipe quick: healthy" in done.stdout
    assert "to examine the run: seqzoo doctor runs/quick" in done.stderr


@pytest.mark.parametrize("given", ["runs/quick", "mine"])
def test_a_run_is_named_by_its_folder_or_by_a_name_that_no_recipe_has(
    finished: Path, given: str
) -> None:
    for name in ("quick", "mine"):
        if not (target := finished / "runs" / name).exists():
            shutil.copytree(finished / "runs" / "small", target)
    done = seqzoo("doctor", given, "--only", "environment.torch", folder=finished)
    assert done.returncode == 0, done.stderr
    expected = given if "/" in given else f"runs/{given}"
    assert f"run {expected}: healthy" in done.stdout


def test_the_text_of_a_user_is_examined_and_is_in_the_fixed_recipe(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("a text of our own, " * 500)
    done = seqzoo(
        "doctor", "quick", "train.seed=7", "--text", "own.txt",
        "--only", "environment.torch", "--fixed", "better.yaml", folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "own.txt repeats the same bytes" in done.stderr
    made = recipe(tmp_path / "better.yaml")
    assert (made.corpus.name, made.train.seed) == ("file", 7)
    assert (tmp_path / made.corpus.options.path).resolve() == tmp_path / "own.txt"
    assert made.sample.prompt in (tmp_path / "own.txt").read_text()
    assert made.corpus.fallback is None


def test_a_finding_without_a_setting_also_leaves_a_recipe(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "own.py").write_text(
        "from seqzoo import Check, Outcome, hookimpl\n\n\n"
        "@hookimpl\n"
        "def register_checks():\n"
        '    bad = Outcome.failed("it is wrong", why="because", remedy="correct it")\n'
        '    return [Check(name="own.bad", summary="is right", examine=lambda subject: bad)]\n'
    )
    done = seqzoo(
        "doctor", "small.yaml", "plugins=[own.py]", "--only", "own.bad",
        "--fixed", "better.yaml", folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 6, done.stderr
    assert "no finding proposes a setting" in done.stderr
    assert recipe(tmp_path / "better.yaml").name == "small"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nope",), "there is no recipe or run nope."),
        (("smal.yaml",), "there is no recipe or run smal.yaml. Did you mean small.yaml?"),
        (("smal",), "there is no recipe or run smal. Did you mean small.yaml?"),
        (("traned",), "there is no recipe or run traned. Did you mean runs/trained?"),
        (("runs/traned",), "there is no recipe or run runs/traned. Did you mean runs/trained?"),
        (("--fixed", "a.yaml"), "--fixed writes a recipe; give the recipe or the run to examine."),
        (
            ("--text", "a b.txt"),
            "--text needs a recipe; for example: seqzoo doctor quick --text 'a b.txt'",
        ),
        (
            ("runs/trained", "--text", "a"),
            "runs/trained is a run, whose settings are fixed; give a recipe to change '--text'.",
        ),
        (("small.yaml", "--fixed", "a"), "--fixed: a must end in .yaml, as every recipe."),
    ],
)
def test_what_cannot_be_examined_or_written_is_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "runs" / "trained").mkdir(parents=True)
    (tmp_path / "runs" / "trained" / "recipe.yaml").write_text(SMALL)
    done = seqzoo("doctor", *arguments, folder=tmp_path)
    assert (done.returncode, done.stderr) == (2, f"error: {sentence}\n")
