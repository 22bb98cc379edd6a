"""The lines that a run logs: written, truncated to a checkpoint, and read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqzoo.errors import UsageError
from seqzoo.runs.metrics import (
    Follower,
    Log,
    MetricsLine,
    TimingLine,
    columns,
    read_metrics,
    read_timing,
)

TRAINED = {"step": 10, "bits_per_byte": 6.0, "bytes": 1000}
VALIDATED = {"step": 10, "validation_bits_per_byte": 5.5, "validation_accuracy": 0.25}
LATER = {"step": 20, "bits_per_byte": 5.0, "bytes": 2000}


def text_of(lines: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def test_a_truncated_log_reports_its_true_length(path: Path) -> None:
    log = Log(path, length=0, warn=print)
    log.append({"step": 1})
    kept = log.sync()
    log.append({"step": 2})
    assert log.sync() == 2 * kept
    log.close()
    again = Log(path, length=kept, warn=print)
    assert again.sync() == kept
    again.append({"step": 2})
    assert again.sync() == 2 * kept
    again.close()
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_a_line_can_be_read_as_soon_as_it_is_added(path: Path) -> None:
    log = Log(path, length=0, warn=print)
    log.append({"step": 1})
    assert path.read_text() == '{"step": 1}\n'
    log.close()


def test_a_lost_log_is_reported_and_not_filled_with_zeros(path: Path) -> None:
    warnings: list[str] = []
    log = Log(path, length=100, warn=warnings.append)
    log.append({"step": 9})
    log.close()
    assert path.read_text() == '{"step": 9}\n'
    assert "has 0 bytes, and 100 were written" in warnings[0]


def test_lines_that_are_read_equal_those_written(path: Path) -> None:
    log = Log(path, length=0, warn=print)
    for line in (TRAINED | VALIDATED, LATER):
        log.append(line)
    log.close()
    assert [line.values() for line in read_metrics(path)] == [TRAINED | VALIDATED, LATER]


@pytest.mark.parametrize("old", [[TRAINED, VALIDATED, LATER], [VALIDATED, TRAINED, LATER]])
def test_a_second_line_of_a_step_is_joined_to_the_first(
    path: Path, old: list[dict[str, Any]]
) -> None:
    path.write_text(text_of(old))
    assert [line.step for line in read_metrics(path)] == [10, 20]
    one = path.with_name("new.jsonl")
    one.write_text(text_of([TRAINED | VALIDATED, LATER]))
    assert read_metrics(path) == read_metrics(one)


def test_columns_have_one_row_for_each_step_and_nan_for_missing_values(path: Path) -> None:
    path.write_text(text_of([TRAINED, VALIDATED, LATER]))
    found = columns(read_metrics(path))
    assert set(found) == {
        "step", "bits_per_byte", "bytes", "validation_bits_per_byte", "validation_accuracy"
    }  # fmt: skip
    assert all(column.dtype == np.float64 for column in found.values())
    np.testing.assert_array_equal(found["step"], [10, 20])
    np.testing.assert_array_equal(found["bits_per_byte"], [6.0, 5.0])
    np.testing.assert_array_equal(found["validation_bits_per_byte"], [5.5, np.nan])


def test_times_are_joined_by_step(path: Path) -> None:
    path.write_text(text_of([TRAINED, LATER]))
    timing = path.with_name("timing.jsonl")
    timing.write_text(text_of([{"step": 20, "seconds": 3.5, "bytes_per_second": 9e5}]))
    found = columns(read_metrics(path), read_timing(timing))
    np.testing.assert_array_equal(found["step"], [10, 20])
    np.testing.assert_array_equal(found["seconds"], [np.nan, 3.5])


def test_a_missing_file_gives_an_empty_column_of_steps(path: Path) -> None:
    assert read_metrics(path) == ()
    (only,) = columns(read_metrics(path)).items()
    assert (only[0], len(only[1])) == ("step", 0)


def test_columns_of_a_newer_version_are_kept(path: Path) -> None:
    path.write_text(text_of([{"step": 1, "weight_norm": 2.5, "note": "text"}]))
    found = columns(read_metrics(path))
    np.testing.assert_array_equal(found["weight_norm"], [2.5])
    assert "note" not in found


@given(
    st.lists(
        st.fixed_dictionaries(
            {"step": st.integers(0, 5)},
            optional={
                "bits_per_byte": st.floats(0, 9),
                "validation_bits_per_byte": st.floats(0, 9),
                "epoch": st.integers(0, 3),
            },
        ),
        max_size=12,
    )
)
def test_joined_lines_have_every_step_once_with_its_last_values(
    tmp_path_factory: pytest.TempPathFactory, lines: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("run") / "metrics.jsonl"
    path.write_text(text_of(lines))
    expected: dict[int, dict[str, Any]] = {}
    for line in lines:
        expected.setdefault(line["step"], {}).update(line)
    merged = [line.values() for line in read_metrics(path)]
    assert merged == [expected[step] for step in sorted(expected)]
    path.write_text(text_of(merged))
    assert [line.values() for line in read_metrics(path)] == merged


@pytest.mark.parametrize("torn", ['{"step": 3', "\0\0\0", '{"step": 30, "bits_per_byte": 1.0}'])
def test_text_after_the_last_newline_is_ignored(path: Path, torn: str) -> None:
    path.write_text(text_of([TRAINED]) + torn)
    assert [line.step for line in read_metrics(path)] == [10]
    assert [line.step for line in Follower(path, MetricsLine).added()] == [10]


@pytest.mark.parametrize(
    "damaged",
    ["nonsense", "", "[]", "{}", '{"step": -1}', '{"step": 1, "bits_per_byte": 1e999}', "\0" * 9],
)
def test_a_damaged_line_is_reported_in_one_sentence_with_file_and_line(
    path: Path, damaged: str
) -> None:
    path.write_text(text_of([TRAINED]) + damaged + "\n" + text_of([LATER]))
    follower = Follower(path, MetricsLine)
    for read in (lambda: read_metrics(path), follower.added, follower.added):
        with pytest.raises(UsageError, match=r"metrics\.jsonl:2: the line is damaged") as raised:
            read()
        assert len(str(raised.value).splitlines()) == 1


def test_a_follower_numbers_lines_from_the_start_of_the_file(path: Path) -> None:
    path.write_text(text_of([TRAINED]))
    follower = Follower(path, MetricsLine)
    follower.added()
    with path.open("a") as file:
        file.write("nonsense\n")
    with pytest.raises(UsageError, match=r"metrics\.jsonl:2"):
        follower.added()


def test_a_folder_instead_of_the_file_is_an_error(path: Path) -> None:
    path.mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        read_metrics(path)


@given(cuts=st.lists(st.integers(0, 200), max_size=6))
def test_lines_that_are_read_in_parts_are_those_of_the_whole_file(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    path = tmp_path_factory.mktemp("run") / "metrics.jsonl"
    whole = text_of([TRAINED, LATER, {"step": 30, "bits_per_byte": 4.0}])
    follower, found = Follower(path, MetricsLine), []
    for end in [*sorted(cuts), len(whole)]:
        path.write_text(whole[:end])
        found += follower.added()
    assert tuple(found) == read_metrics(path)
    assert follower.added() == []


def test_a_file_that_was_truncated_and_has_grown_is_read_from_its_start(path: Path) -> None:
    first = [{"step": step, "seconds": float(step)} for step in (1, 2, 3)]
    path.write_text(text_of(first))
    follower = Follower(path, TimingLine)
    assert len(follower.added()) == 3
    resumed = [first[0], *({"step": step, "seconds": step + 0.123} for step in (2, 3, 4, 5))]
    path.write_text(text_of(resumed))
    assert [line.values() for line in follower.added()] == resumed
    path.write_text("")
    assert follower.added() == []
    path.write_text(text_of(first[:1]))
    assert [line.step for line in follower.added()] == [1]
