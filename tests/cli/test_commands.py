"""The command line: real processes, real runs, real mistakes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import SMALL, environment, result_of, seqzoo


def test_a_run_writes_recipe_metrics_checkpoints_samples_and_result(finished: Path) -> None:
    run = finished / "runs" / "small"
    assert (run / "recipe.yaml").is_file()
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "bits_per_byte" in line] == list(range(5, 61, 5))
    assert [line["step"] for line in lines if "validation_accuracy" in line] == [25, 50, 60]
    assert (run / "checkpoints" / "step-60" / "MANIFEST.json").is_file()
    written = {path.name for path in (run / "samples").iterdir()}
    final = f"step-{result_of(run)['step']}-1.txt"
    assert written == {"step-25.txt", "step-50.txt", "step-60.txt", final}
    sample = run / "samples" / final
    assert sample.read_bytes().startswith(b"A:")
    result = result_of(run)
    assert set(result["scores"]) == {"validation", "test", "held_out"}
    assert 0 < result["floor"]["held_out"] < result["scores"]["held_out"]["bits_per_byte"] < 8


def test_held_out_is_every_byte_after_the_training_part(finished: Path) -> None:
    scores = result_of(finished / "runs" / "small")["scores"]
    assert scores["held_out"]["bytes"] == 3000
    assert scores["validation"]["bytes"] + scores["test"]["bytes"] == 3000


def test_a_second_run_does_not_change_the_first(finished: Path) -> None:
    before = (finished / "runs" / "small" / "result.json").read_bytes()
    done = seqzoo("run", "small.yaml", "train.budget.steps=5", "train.seed=2", folder=finished)
    assert done.returncode == 0, done.stderr
    assert (finished / "runs" / "small" / "result.json").read_bytes() == before
    assert result_of(finished / "runs" / "small-2")["steps"] == 5
    refused = seqzoo("run", "small.yaml", "--name", "small", folder=finished)
    assert refused.returncode == 2
    assert "never overwritten" in refused.stderr


def test_eval_repeats_the_score_and_other_chunks_and_lanes_are_close(finished: Path) -> None:
    scores = result_of(finished / "runs" / "small")["scores"]
    again = seqzoo("eval", "runs/small", "--json", "--split", "test", folder=finished)
    assert again.returncode == 0, again.stderr
    found = json.loads(again.stdout)["scores"]["test"]
    assert found["bits_per_byte"] == scores["test"]["bits_per_byte"]
    lanes = seqzoo(
        "eval", "runs/small", "--json", "--split", "test", "--lanes", "3", folder=finished
    )
    answer = json.loads(lanes.stdout)
    assert answer["protocol"] == "static, 3 lanes, 256 tokens of warm-up"
    assert answer["scores"]["test"]["bits_per_byte"] == pytest.approx(
        scores["test"]["bits_per_byte"], abs=0.02
    )


def test_adaptive_scores_are_stored_beside_the_static_ones(finished: Path) -> None:
    run = finished / "runs" / "learner"
    done = seqzoo(
        "run", "small.yaml", "--name", "learner", "evaluate.adaptive={learning_rate: 0}",
        folder=finished,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    still = result_of(run)
    for split, score in still["adaptive"]["scores"].items():
        assert score["bits_per_byte"] == pytest.approx(
            still["scores"][split]["bits_per_byte"], abs=1e-6
        )
    learning = seqzoo("eval", "runs/learner", "--adapt", "learning_rate=3e-3", folder=finished)
    assert learning.returncode == 0, learning.stderr
    assert "while learning" in learning.stdout
    learnt = result_of(run)
    assert learnt["scores"] == still["scores"]
    assert "0.003" in learnt["adaptive"]["method"]
    test = learnt["adaptive"]["scores"]["test"]["bits_per_byte"]
    assert learnt["floor"]["test"] < test < learnt["scores"]["test"]["bits_per_byte"]
    checked = seqzoo(
        "eval", "runs/learner", "--adapt", "decay=0", "--adapt", "learning_rate=3e-3",
        "--split", "test", "--json", folder=finished,
    )  # fmt: skip
    assert json.loads(checked.stdout)["protocol"].startswith("adaptive, 1 lane, dynamic")
    assert result_of(run) == learnt


def test_a_plain_eval_keeps_adaptive_scores_of_the_same_weights(finished: Path) -> None:
    learnt = seqzoo("eval", "runs/small", "--adaptive", folder=finished)
    assert learnt.returncode == 0, learnt.stderr
    before = result_of(finished / "runs" / "small")
    assert seqzoo("eval", "runs/small", folder=finished).returncode == 0
    assert result_of(finished / "runs" / "small")["adaptive"] == before["adaptive"]


def test_a_second_score_keeps_the_runtime_of_training(finished: Path) -> None:
    run = finished / "runs" / "elsewhere"
    shutil.copytree(finished / "runs" / "small", run)
    text = (run / "recipe.yaml").read_text()
    assert "threads: 1" in text
    (run / "recipe.yaml").write_text(text.replace("threads: 1", "threads: 2"))
    assert seqzoo("eval", "runs/elsewhere", folder=finished).returncode == 0
    assert result_of(run)["threads"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--adapt", "learning_rte=1"), "Did you mean 'learning_rate'?"),
        (("--adapt", "decay=2"), "expected a number from 0 to 1"),
        (("--adaptive", "--lanes", "4"), "one lane"),
    ],
)
def test_wrong_adaptive_options_are_reported_in_one_sentence(
    finished: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = seqzoo("eval", "runs/small", *arguments, folder=finished)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_the_largest_seed_gives_the_same_samples_each_time(finished: Path) -> None:
    last = ("--seed", str(2**63 - 1), "--count", "2")
    one, other = (seqzoo("sample", "runs/small", *last, folder=finished) for _ in range(2))
    assert one.returncode == 0, one.stderr
    assert one.stdout == other.stdout


def test_equal_seeds_give_equal_samples_with_any_chain_and_prompt(finished: Path) -> None:
    def text(*arguments: str) -> str:
        done = seqzoo("sample", "runs/small", "-n", "30", *arguments, folder=finished)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert text("-p", "KING") == text("-p", "KING")
    assert text("-p", "KING").startswith("KING")
    assert text("-p", "KING", "--seed", "2") != text("-p", "KING", "--seed", "3")
    assert text("-s", "greedy") == text("-s", "greedy", "--seed", "9")
    assert text("-s", "temperature=0.5", "-s", "top_p=0.9", "-s", "repetition_penalty=1.2")
    (finished / "prompt").write_bytes(bytes(range(256)))
    assert text("--prompt-file", "prompt")


def test_the_leaderboard_lists_runs_and_baselines(finished: Path) -> None:
    table = seqzoo("leaderboard", folder=finished)
    assert table.returncode == 0, table.stderr
    assert "small" in table.stdout
    assert "uniform" in table.stdout
    assert max(map(len, table.stdout.splitlines())) <= 80
    json.loads(seqzoo("leaderboard", "--json", folder=finished).stdout)


def test_compare_shows_two_runs(finished: Path) -> None:
    shown = seqzoo("compare", "runs/small", "runs/small", "--x", "bytes", folder=finished)
    assert shown.returncode == 0, shown.stderr
    assert not shown.stderr
    assert "a tie" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    stored = json.loads(
        seqzoo("compare", "runs/small", "runs/small", "--json", folder=finished).stdout
    )
    scores = result_of(finished / "runs" / "small")["scores"]
    key = "scores.held_out.bits_per_byte"
    assert stored["metrics"][key]["B"] == scores["held_out"]["bits_per_byte"]
    assert stored["settings"] == {}
    rows = stored["by_class"] + stored["by_distance"]
    assert rows
    assert not any(row["contribution"]["B"] for row in rows)
    assert [point[0] for point in stored["curves"]["A"]["validation"]] == [25, 50, 60]


def test_lists_and_schema_are_json(finished: Path) -> None:
    kinds = {row["kind"] for row in json.loads(seqzoo("list", "--json", folder=finished).stdout)}
    assert {"architecture", "tokenizer", "sampler", "corpus", "baseline"} <= kinds
    assert json.loads(seqzoo("schema", folder=finished).stdout)["$schema"]


def test_every_installed_plugin_can_be_shown(finished: Path) -> None:
    listed = json.loads(seqzoo("list", "--json", folder=finished).stdout)
    for row in listed[:: max(1, len(listed) // 4)]:
        shown = seqzoo("show", row["name"], folder=finished)
        assert shown.returncode == 0, shown.stderr
        assert row["name"] in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("run", "smal.yaml"), 2, "Did you mean 'small.yaml'?"),
        (("run", "small.yaml", "architecture.name=lsmt"), 2, "Did you mean 'lstm'?"),
        (("run", "small.yaml", "train.budgt.steps=5"), 2, "Did you mean 'train.budget.steps=5'?"),
        (("run", "small.yaml", "runtime.device=cuda:99"), 3, "cuda:99"),
        (("resume", "runs/smal"), 2, "Did you mean 'small'?"),
        (("sample", "runs/small", "-s", "temprature=1"), 2, "Did you mean 'temperature'?"),
        (("eval", "runs/small", "--split", "tset"), 2, "Did you mean 'test'?"),
        (("compare", *("runs/small",) * 27), 2, "26"),
        (("compare", "runs/small", "runs/smal"), 2, "Did you mean 'small'?"),
        (("eval", "runs/small", "--step", "7"), 2, "no checkpoint of step 7"),
        (("show", "lstn"), 2, "Did you mean 'lstm'?"),
        (("list", "architectur"), 2, "Did you mean 'architecture'?"),
        (("fetch", "file"), 2, "path"),
        (("rnu",), 2, "rnu"),
    ],
)
def test_a_mistake_is_reported_in_one_sentence_with_an_exit_code(
    finished: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = seqzoo(*arguments, folder=finished)
    assert done.returncode == code, done.stderr
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_three_mistakes_are_reported_with_line_and_column(finished: Path) -> None:
    wrong = SMALL.replace("name: lstm", "name: lsmt").replace("batch_size: 8", "batch_size: lots")
    (finished / "wrong.yaml").write_text(wrong.replace("log_every_steps", "log_evry_steps"))
    done = seqzoo("run", "wrong.yaml", folder=finished)
    assert done.returncode == 2
    for place in ("wrong.yaml:4:22:", "wrong.yaml:6:15:", "wrong.yaml:12:3:"):
        assert place in done.stderr
    assert "Traceback" not in done.stderr


def test_help_and_list_import_no_torch(finished: Path) -> None:
    program = (
        "import sys, seqzoo.cli\n"
        "sys.argv = ['seqzoo', *sys.argv[1:]]\n"
        "code = seqzoo.cli._exit_code()\n"
        "heavy = {'torch', 'certifi', 'safetensors'} & set(sys.modules)\n"
        "print('heavy:', sorted(heavy), file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    for arguments in (["--help"], ["list"], ["show", "lstm"], ["schema"], ["leaderboard"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=finished,
            env=environment(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert "heavy: []" in done.stderr, arguments


def test_a_name_outside_the_runs_folder_is_an_error(finished: Path) -> None:
    done = seqzoo("run", "small.yaml", "--name", "../elsewhere", folder=finished)
    assert done.returncode == 2
    assert "cannot name a run" in done.stderr


def test_a_closed_pipe_is_not_an_error(finished: Path) -> None:
    listing = subprocess.Popen(
        [sys.executable, "-m", "seqzoo", "schema"],
        cwd=finished,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert listing.stdout is not None
    assert listing.stderr is not None
    os.close(listing.stdout.fileno())
    listing.stdout = None
    assert listing.stderr.read() == b""
    assert listing.wait() == 0
