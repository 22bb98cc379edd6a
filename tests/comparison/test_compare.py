from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from rich.text import Text
from small_result import SPLITS, make_result

from seqzoo.comparison.compare import Comparison, compare
from seqzoo.comparison.differences import Difference, NoDifference
from seqzoo.comparison.finished import read_finished_runs
from seqzoo.comparison.to_json import comparison_to_json
from seqzoo.comparison.views import print_comparison
from seqzoo.errors import UsageError
from seqzoo.results.result import (
    AdaptiveRecord,
    PartScore,
    ProtocolRecord,
    SplitScore,
    write_result,
)

RECIPE = "name: one\ntrain: {seed: 1, steps: 10}\nchain: [{greedy: {}}]\n"
METRICS = [
    {"step": 10, "bits_per_byte": 6.0, "bytes": 1000, "learning_rate": 0.1},
    {"step": 15, "validation_bits_per_byte": 5.5, "validation_accuracy": 0.1},
    {"step": 20, "bits_per_byte": 5.0, "bytes": 3000},
]

CLASSES = ("lower case", "space", "newline")
DISTANCES = ("0", "1", "2", "4", "8", "16", "32", "256", "1024", "2048", "8192")


def make_score(seed: int, *, size: int = 20_500, block: int = 1000, shift: float = 0) -> SplitScore:
    """A score whose blocks, classes and distances all add up to its bits."""
    generator = np.random.default_rng(seed)
    sizes = np.full(-(-size // block), block)
    sizes[-1] = size - block * (len(sizes) - 1)
    # What blocks have in common is large beside what tells two scores apart.
    common = np.random.default_rng(99).uniform(1, 4, len(sizes))
    bits = sizes * (common + shift + generator.uniform(-0.1, 0.1, len(sizes)))
    total = float(bits.sum())

    def parts(names: tuple[str, ...]) -> tuple[PartScore, ...]:
        shares = generator.dirichlet(np.ones(len(names)))
        counts = np.random.default_rng(7).multinomial(size, np.ones(len(names)) / len(names))
        return tuple(
            PartScore(name=name, bits=total * share, bytes=count)
            for name, share, count in zip(names, shares, counts.tolist(), strict=True)
        )

    return SplitScore(
        bits_per_byte=total / size,
        nats=total * np.log(2),
        bytes=size,
        accuracy=0.5,
        interval=(0, 8),
        blocks=tuple(bits.tolist()),
        block_bytes=block,
        by_class=parts(CLASSES),
        by_distance=parts(DISTANCES),
    )


def adaptive(score: SplitScore, **changes: Any) -> AdaptiveRecord:
    protocol = {"name": "adaptive, 1 lane", "adaptive": True} | changes
    return AdaptiveRecord(
        protocol=ProtocolRecord(**protocol),
        method="sgd",
        scores=dict.fromkeys(SPLITS, score),
    )


def leave(
    folder: Path,
    *,
    score: SplitScore | None = None,
    recipe: str = RECIPE,
    metrics: list[dict[str, Any]] | None = METRICS,
    **changes: Any,
) -> Path:
    folder.mkdir(parents=True)
    if score is not None:
        changes["scores"] = dict.fromkeys(SPLITS, score)
    write_result(folder / "result.json", make_result(**changes))
    (folder / "recipe.yaml").write_text(recipe)
    if metrics is not None:
        lines = "".join(json.dumps(line) + "\n" for line in metrics)
        (folder / "metrics.jsonl").write_text(lines)
    return folder


def compared(*folders: Path, **options: Any) -> Comparison:
    return compare(read_finished_runs(folders), **options)


def drawn(comparison: Comparison, width: int, *, colour: bool = False) -> str:
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=colour,
        color_system="truecolor" if colour else None,
        no_color=not colour,
        highlight=False,
    )
    print_comparison(comparison, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def two(folder: Path, **changes: Any) -> Comparison:
    """A run, and another that is better by about 0.05."""
    first = leave(folder / "first", score=make_score(1))
    second = leave(folder / "second", score=make_score(2, shift=-0.05), **changes)
    return compared(first, second)


def test_the_paired_interval_is_that_of_a_naive_bootstrap(tmp_path: Path) -> None:
    (found,) = two(tmp_path).differences
    assert isinstance(found, Difference)
    first, second = make_score(1), make_score(2, shift=-0.05)
    sizes = [1000] * 20 + [500]
    generator = np.random.default_rng(5)
    changes = []
    for _ in range(4000):
        bits, size = 0.0, 0
        for _ in range(21):
            block = int(generator.integers(21))
            bits += second.blocks[block] - first.blocks[block]
            size += sizes[block]
        changes.append(bits / size)
    # Other draws: an end of the interval is off by about 0.02 of its width.
    low, high = np.quantile(changes, [0.025, 0.975])
    assert found.interval == pytest.approx((low, high), abs=0.1 * (high - low))
    assert found.bits_per_byte == second.bits_per_byte - first.bits_per_byte
    # Paired: the blocks' common difficulty, which varies by 1 bit, does not widen it.
    assert high - low < 0.2


def test_the_verdict_says_who_is_better_and_by_how_much() -> None:
    better = Difference("A", "B", False, -0.169, (-0.178, -0.160))
    assert better.verdict == "B is better by 0.169 (0.160 to 0.178)"
    worse = Difference("A", "B", False, 0.169, (0.160, 0.178))
    assert worse.verdict == "A is better by 0.169 (0.160 to 0.178)"
    slightly = Difference("A", "B", False, -0.00012, (-0.0002, -0.00004))
    assert slightly.verdict == "B is better by 0.00012 (0.00004 to 0.00020)"
    noise = Difference("A", "B", False, -0.1, (-0.3, 0.1))
    assert noise.verdict.startswith("a tie: the difference is inside the noise of the split")


def test_swapped_runs_swap_the_sign(tmp_path: Path) -> None:
    comparison = two(tmp_path)
    swapped = compare(comparison.runs[::-1])
    (one,), (other,) = comparison.differences, swapped.differences
    assert isinstance(one, Difference)
    assert isinstance(other, Difference)
    assert other.bits_per_byte == -one.bits_per_byte
    assert other.interval == pytest.approx((-one.interval[1], -one.interval[0]), abs=1e-12)


def test_a_run_against_itself_is_a_tie_with_zero(tmp_path: Path) -> None:
    score = make_score(1)
    run = leave(tmp_path / "run", score=score, adaptive=adaptive(make_score(3)))
    repetition = leave(tmp_path / "again", score=score, adaptive=adaptive(make_score(3)))
    for comparison in (compared(run, run), compared(run, repetition)):
        assert [each.adaptive for each in comparison.differences] == [False, True]
        for each in comparison.differences:
            assert isinstance(each, Difference)
            assert each.is_tie
            assert (each.bits_per_byte, each.interval) == (0.0, (0.0, 0.0))
        assert comparison.settings == ()
        assert all(row.contributions[1] == 0 for row in comparison.by_class)


def test_static_is_never_held_against_adaptive(tmp_path: Path) -> None:
    first = leave(tmp_path / "first", score=make_score(1))
    learning = {"protocol": {"name": "adaptive, 1 lane", "adaptive": True}}
    second = leave(tmp_path / "second", score=make_score(1), **learning)
    third = leave(tmp_path / "third", score=make_score(1), adaptive=adaptive(make_score(2)))
    differences = compared(first, second, third).differences
    assert [type(each) for each in differences] == [NoDifference, Difference, NoDifference]
    assert differences[2] == NoDifference("A", "C", True, "A has no adaptive scores")
    both = compared(third, first, third).differences
    assert [(each.second, each.adaptive, type(each)) for each in both] == [
        ("B", False, Difference),
        ("C", False, Difference),
        ("B", True, NoDifference),
        ("C", True, Difference),
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sha256": "b" * 64, "corpus_name": "verse"}, ["corpus", "verse bbbbbbbb"]),
        ({"split": "0.8/0.1/0.1"}, ["split", "0.8/0.1/0.1"]),
        ({"protocol": {"name": "static, 8 lanes", "lanes": 8}}, ["protocol", "8 lanes"]),
        ({"protocol": {"name": "static, 1 lane", "warmup_tokens": 9}}, ["protocol"]),
        (
            {"split": "0.8/0.1/0.1", "protocol": {"name": "static, 8 lanes", "lanes": 8}},
            ["split", "protocol"],
        ),
    ],
)
def test_what_is_unlike_has_no_difference_and_a_reason(
    tmp_path: Path, changes: dict[str, Any], said: list[str]
) -> None:
    comparison = two(tmp_path, **changes)
    (found,) = comparison.differences
    assert isinstance(found, NoDifference)
    for words in said:
        assert words in found.reason
    unsaid = {"corpus", "split", "protocol"} - set(said)
    assert not any(f"{word} (" in found.reason for word in unsaid)
    rows = comparison.by_class + comparison.by_distance
    assert all(row.contributions == (None, None) for row in rows)
    shown = drawn(comparison, 120)
    assert found.reason in " ".join(shown.split())
    assert "is better" not in shown
    assert "loss curves" in shown


@pytest.mark.parametrize(
    ("score", "said"),
    [
        (make_score(2, block=500), "size of blocks (1,000 and 500)"),
        (make_score(2, size=20_400), "bytes of the split (20,500 and 20,400)"),
        (make_score(2).model_copy(update={"blocks": ()}), "B keeps no scores by block"),
    ],
)
def test_blocks_that_are_unlike_have_no_difference(
    tmp_path: Path, score: SplitScore, said: str
) -> None:
    first = leave(tmp_path / "first", score=make_score(1))
    (found,) = compared(first, leave(tmp_path / "second", score=score)).differences
    assert isinstance(found, NoDifference)
    assert said in found.reason


def test_a_run_without_the_split_has_no_difference(tmp_path: Path) -> None:
    first = leave(tmp_path / "first", score=make_score(1))
    second = leave(tmp_path / "second", scores={"validation": make_score(1)})
    (found,) = compared(first, second).differences
    assert isinstance(found, NoDifference)
    assert found.reason == "B has no score for test"
    drawn(compared(first, second), 80)
    drawn(compared(second, first), 80)


def test_contributions_add_up_to_the_difference(tmp_path: Path) -> None:
    comparison = two(tmp_path)
    (found,) = comparison.differences
    assert isinstance(found, Difference)
    for rows in (comparison.by_class, comparison.by_distance):
        added = sum(row.contributions[1] or 0 for row in rows)
        assert added == pytest.approx(found.bits_per_byte, rel=1e-9)
        assert sum(row.shares[0] or 0 for row in rows) == pytest.approx(1)


def test_a_class_weighs_its_share_of_bytes(tmp_path: Path) -> None:
    for row in two(tmp_path).by_class:
        assert row.shares[0] is not None
        (first, second) = row.bits_per_byte
        assert first is not None
        assert second is not None
        assert row.contributions[1] == pytest.approx(row.shares[0] * (second - first))


def test_doublings_of_distance_become_readable_ranges(tmp_path: Path) -> None:
    names = [row.name for row in two(tmp_path).by_distance]
    assert names == ["0–15", "16–63", "256–1023", "1 k–4 k", "4 k–…"]


def test_a_name_is_no_setting_and_one_recipe_may_lack_a_setting(tmp_path: Path) -> None:
    other = "name: two\ntrain: {seed: 2, clip: 1.0, steps: 10}\nchain: [{greedy: {}}]\n"
    settings = two(tmp_path, recipe=other).settings
    assert [(setting.path, dict(setting.values)) for setting in settings] == [
        ("train.seed", {"A": 1, "B": 2}),
        ("train.clip", {"B": 1.0}),
    ]


def test_curves_are_read_over_steps_and_over_bytes(tmp_path: Path) -> None:
    comparison = two(tmp_path)
    assert comparison.curves[0].training == ((10, 6.0), (20, 5.0))
    assert comparison.curves[0].validation == ((15, 5.5),)
    over_bytes = compare(comparison.runs, axis="bytes").curves[0]
    assert over_bytes.training == ((1000, 6.0), (3000, 5.0))
    assert over_bytes.validation == ((2000, 5.5),)


@pytest.mark.parametrize("metrics", [None, [], [{"step": 5, "gradient_norm": 1.0}]])
def test_a_run_without_metrics_is_named(
    tmp_path: Path, metrics: list[dict[str, Any]] | None
) -> None:
    assert "without metrics: B" in drawn(two(tmp_path, metrics=metrics), 80)
    compare(two(tmp_path / "more", metrics=metrics).runs, axis="bytes")


def test_half_a_line_at_the_end_of_the_metrics_is_no_damage(tmp_path: Path) -> None:
    runs = two(tmp_path).runs
    with (runs[1].path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3')
    assert compared(*(run.path for run in runs)).curves[1].training == ((10, 6.0), (20, 5.0))


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("count", [2, 3, 7])
@pytest.mark.parametrize("colour", [False, True])
def test_the_screen_keeps_to_its_width(
    tmp_path: Path, width: int, count: int, colour: bool
) -> None:
    folders = [
        leave(
            tmp_path / f"shakespeare_transformer_of_size_{number}",
            score=make_score(number),
            adaptive=adaptive(make_score(number + 50)),
            recipe=RECIPE.replace("seed: 1", f"seed: {number}, prompt: '{'word ' * 30}{number}'"),
            versions={"seqzoo": f"0.{number}"},
            protocol={"name": "static, 1 lane", "lanes": 1 + number // 6},
        )
        for number in range(count)
    ]
    text = drawn(compared(*folders), width, colour=colour)
    plain = Console(width=10_000, file=io.StringIO())
    with plain.capture() as capture:
        plain.print(Text.from_ansi(text))
    lines = capture.get().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= width
    for letter in "ABCDEFG"[:count]:
        assert any(letter in line.split() for line in lines)


def test_every_score_is_printed_whole(tmp_path: Path) -> None:
    folders = [leave(tmp_path / str(number), score=make_score(number)) for number in range(5)]
    text = drawn(compared(*folders), 80)
    for number in range(5):
        assert f"{make_score(number).bits_per_byte:.4f}" in text


def test_json_gives_back_every_number_unrounded(tmp_path: Path) -> None:
    comparison = two(tmp_path, adaptive=adaptive(make_score(3)))
    stored = json.loads(comparison_to_json(comparison))
    for row in comparison.quantities:
        assert list(stored["metrics"][row.key].values()) == list(row.values)
    assert stored["metrics"]["scores.test.bits_per_byte"]["A"] == make_score(1).bits_per_byte
    found, _ = comparison.differences
    assert isinstance(found, Difference)
    difference, lacking = stored["differences"]
    assert lacking["bits_per_byte"] is None
    assert difference["bits_per_byte"] == found.bits_per_byte
    assert tuple(difference["interval"]) == found.interval
    for row, part in zip(comparison.by_class, stored["by_class"], strict=True):
        assert tuple(part["contribution"].values()) == row.contributions
        assert tuple(part["bits_per_byte"].values()) == row.bits_per_byte
    for letter, curve in zip("AB", comparison.curves, strict=True):
        assert [tuple(point) for point in stored["curves"][letter]["training"]] == list(
            curve.training
        )
    assert stored["settings"] == {}


def test_folders_of_one_name_are_told_apart(tmp_path: Path) -> None:
    folders = [leave(tmp_path / place / "quick") for place in ("here", "there")]
    folders += [leave(tmp_path / "other"), folders[0]]
    labels = [run.label for run in read_finished_runs(folders)]
    assert labels == ["here/quick", "there/quick", "other", "here/quick (2)"]


def test_metrics_that_are_equal_everywhere_are_shown_only_where_they_say_something(
    tmp_path: Path,
) -> None:
    keys = {row.key for row in two(tmp_path).quantities}
    assert {"parameters", "seed", "threads"} <= keys
    assert not keys & {"versions.seqzoo", "cpu", "corpus.sha256"}
    other = two(tmp_path / "more", versions={"seqzoo": "1", "torch": "2"}, cpu="another")
    values = {row.key: row.values for row in other.quantities}
    assert values["versions.seqzoo"] == ("0", "1")
    assert values["versions.torch"] == (None, "2")
    assert values["cpu"] == ("a processor", "another")


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("result.json", "{", "is damaged"),
        ("result.json", None, "seqzoo eval"),
        ("recipe.yaml", "a: [", "recipe.yaml"),
        ("recipe.yaml", "- a\n", "is damaged"),
        ("metrics.jsonl", '{"step": 1}\nnonsense\n', "metrics.jsonl:2: the line is damaged"),
        ("metrics.jsonl", '{"step": 1, "bits_per_byte": 1e999}\n', "metrics.jsonl:1"),
        ("recipe.yaml", None, "is not a run of seqzoo"),
    ],
)
def test_damage_is_one_sentence(tmp_path: Path, file: str, text: str | None, said: str) -> None:
    run = leave(tmp_path / "run")
    if text is None:
        (run / file).unlink()
    else:
        (run / file).write_text(text)
    with pytest.raises(UsageError, match=said) as caught:
        read_finished_runs([run, run])
    assert len(str(caught.value).splitlines()) == 1


def test_mistakes_name_what_is_near(tmp_path: Path) -> None:
    run = leave(tmp_path / "quick")
    with pytest.raises(UsageError, match="Did you mean 'quick'"):
        read_finished_runs([run, tmp_path / "quik"])
    with pytest.raises(UsageError, match="Did you mean 'test'"):
        compared(run, run, split="tset")
    with pytest.raises(UsageError, match="was given 1"):
        compared(run)


def test_neither_torch_nor_a_plugin_is_imported(tmp_path: Path) -> None:
    run = leave(tmp_path / "run")
    program = (
        "import sys, pathlib\n"
        "from seqzoo.cli.compare import compare\n"
        f"compare(runs=[pathlib.Path({str(run)!r})] * 2)\n"
        "for name in ('torch', 'seqzoo_plugins'):\n"
        "    assert name not in sys.modules, f'{name} was imported'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
