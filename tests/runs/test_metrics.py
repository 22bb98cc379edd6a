"""The lines that a run logs, cut back to where a checkpoint left them."""

from __future__ import annotations

from pathlib import Path

import pytest

from seqzoo.runs.metrics import Log


def test_a_log_cut_back_tells_its_true_length(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = Log(path, length=0)
    log.append({"step": 1})
    kept = log.sync()
    log.append({"step": 2})
    assert log.sync() == 2 * kept
    log.close()
    again = Log(path, length=kept)
    assert again.sync() == kept
    again.append({"step": 2})
    assert again.sync() == 2 * kept
    again.close()
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_a_line_can_be_read_as_soon_as_it_is_added(tmp_path: Path) -> None:
    log = Log(tmp_path / "metrics.jsonl", length=0)
    log.append({"step": 1})
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1}\n'
    log.close()


def test_a_lost_log_is_told_and_not_filled_with_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Log(tmp_path / "metrics.jsonl", length=100)
    log.append({"step": 9})
    log.close()
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 9}\n'
    assert "holds 0 bytes, and 100 were written" in capsys.readouterr().err
