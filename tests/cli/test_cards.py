"""`seqzoo card` and `seqzoo reproduce`, and the card that comes with seqzoo."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import REPOSITORY, SMALL, environment, seqzoo
from waiting import wait_until

SMALLEST = REPOSITORY / "docs" / "cards" / "smallest.json"


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the smallest card was reproduced."""
    folder = tmp_path_factory.mktemp("smallest")
    done = seqzoo("reproduce", str(SMALLEST), folder=folder)
    (folder / "stdout").write_text(done.stdout)
    (folder / "stderr").write_text(done.stderr)
    (folder / "code").write_text(str(done.returncode))
    return folder


def test_the_smallest_card_is_reproduced_on_this_machine(repeated: Path) -> None:
    messages = (repeated / "stderr").read_text()
    assert (repeated / "code").read_text() == "0", messages
    verdict, *lines = (repeated / "stdout").read_text().splitlines()
    # Another processor, torch or NumPy gives other last bits; what differs is then listed.
    if verdict == "within noise":
        assert any(line.startswith("Differs: ") for line in lines)
    else:
        assert verdict == "the same bits"
    assert max(map(len, lines)) <= 80


def test_other_scores_in_the_card_are_not_reproduced(repeated: Path) -> None:
    card = json.loads(SMALLEST.read_text())
    for score in (card["result"]["scores"]["test"], *(each["test"] for each in card["seeds"])):
        make_worse(score)
    (repeated / "planted.json").write_text(json.dumps(card))
    done = seqzoo("reproduce", "planted.json", folder=repeated)
    assert done.returncode == 6
    assert done.stdout.splitlines()[0] == "not reproduced"
    assert done.stderr.splitlines()[-1].startswith("error: planted.json: not reproduced: ")
    assert "loading torch" not in done.stderr  # the run was there already


def make_worse(score: dict[str, Any]) -> None:
    """By a fifth, in every number of the score."""
    for key in ("bits_per_byte", "nats"):
        score[key] *= 1.2
    for key in ("blocks", "interval"):
        score[key] = [1.2 * each for each in score[key]]


def test_the_answer_is_also_json(repeated: Path) -> None:
    done = seqzoo("reproduce", str(SMALLEST), "--json", folder=repeated)
    found = json.loads(done.stdout)
    assert set(found) == {"verdict", "reason", "difference", "runs", "environment"}
    assert found["verdict"] in ("the same bits", "within noise")
    assert (repeated / found["runs"][0] / "result.json").is_file()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two seeds of a small run."""
    folder = tmp_path_factory.mktemp("made")
    settings = ("train.budget.steps=20", "evaluate.max_bytes=600", "baselines.include=[]")
    (folder / "small.yaml").write_text(SMALL)
    for seed in ("1", "2"):
        done = seqzoo("run", "small.yaml", *settings, f"train.seed={seed}", folder=folder)
        assert done.returncode == 0, done.stderr
    return folder


def test_a_card_is_written_beside_the_run_or_where_it_is_asked_for(made: Path) -> None:
    beside = seqzoo("card", "small", folder=made)
    assert beside.returncode == 0, beside.stderr
    assert beside.stdout == "runs/small/card.json\n"
    printed = seqzoo("card", "small", "-o", "-", folder=made)
    assert printed.stdout == (made / "runs" / "small" / "card.json").read_text()
    named = seqzoo("card", "small", "small-2", "-o", "mine/both.json", folder=made)
    assert named.returncode == 0, named.stderr
    assert len(json.loads((made / "mine" / "both.json").read_text())["seeds"]) == 1


def test_only_a_card_is_replaced(made: Path) -> None:
    (made / "notes.txt").write_text("mine")
    for place in ("notes.txt", "small.yaml", "runs"):
        done = seqzoo("card", "small", "-o", place, folder=made)
        assert done.returncode == 2
        assert "is no card of seqzoo; choose another name" in done.stderr
    assert (made / "notes.txt").read_text() == "mine"


@pytest.mark.slow
def test_a_repetition_that_is_stopped_is_continued_by_the_same_command(made: Path) -> None:
    seqzoo("card", "small", "-o", "small.json", folder=made)
    process = subprocess.Popen(
        [sys.executable, "-m", "seqzoo", "reproduce", "small.json"],
        cwd=made,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        saved = "runs/small-card-*/checkpoints/step-10"
        wait_until("no checkpoint was saved", lambda: any(made.glob(saved)))
        process.send_signal(signal.SIGINT)
        assert process.wait(60) in (0, 130)  # it may have come to its end
    finally:
        process.kill()
        process.wait()
    done = seqzoo("reproduce", "small.json", folder=made)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "the same bits"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("reproduce nowhere.json", "a card is written by: seqzoo card RUN"),
        ("reproduce small.yaml", "is not a card"),
        ("reproduce runs", "runs/card.json cannot be read"),
        ("reproduce small.json --name a/b", "--name: 'a/b' cannot name a run"),
        ("reproduce small.json --seeds 0", "--seeds is '0'"),
        ("card smal", "Did you mean 'small'"),
        ("card small.yaml", "is not a run of seqzoo"),
        ("card", "needs RUN"),
        ("reproduce", "needs CARD"),
    ],
)
def test_a_wrong_command_is_one_sentence(made: Path, arguments: str, says: str) -> None:
    done = seqzoo(*arguments.split(), folder=made)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
