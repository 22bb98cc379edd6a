"""What `seqzoo bench` prints."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from seqzoo.bench.targets import Measurement
from seqzoo.cli.bench import _print_table


def test_ratios_are_printed_below_their_size_in_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    size = "hidden_size=128, num_layers=2, B32 T64"
    found = [
        Measurement(
            "lstm", size, "sampling, bytes/s, over plain torch, 16 streams", 12.5, 4, 1e6, 8e4
        ),
        Measurement("lstm", size, "losses of 3 forms, 100 updates", 0.004, None, 4e-7, 1e-4),
        Measurement("gru", size, "training, bytes/s, over plain torch", 1.25, 1.2, 250.0, 200.0),
    ]
    _print_table("2 threads", [asdict(measured) for measured in found], with_targets=True)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if "B32" in line] == [f"lstm {size}", f"gru {size}"]
    words = [line.split() for line in lines]
    assert any(line[-4:] == ["12.50", "4", "1,000,000", "80,000"] for line in words)
    assert any(line[-3:] == ["0.00", "4e-07", "0.0001"] for line in words)
    assert any(line[-4:] == ["1.25", "1.2", "250", "200"] for line in words)
