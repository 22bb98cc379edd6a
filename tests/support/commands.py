"""Runs the command line in a process and returns its two streams and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from prepared_process import is_possible, run_prepared

REPOSITORY = Path(__file__).parents[2]

SMALL = """\
name: small
corpus: {name: pastiche, options: {size_bytes: 30000}}
tokenizer: {name: bytes}
architecture: {name: lstm, options: {hidden_size: 16, dropout: 0.1}}
train:
  batch_size: 8
  bptt_length: 16
  optimizer: {name: muon, learning_rate: 0.01}
  budget: {steps: 60}
  validation: {every_steps: 25}
  checkpoint: {every_steps: 10}
  log_every_steps: 5
sample: {prompt: "A:", length: 20, chain: [{temperature: 0.8}, {top_k: 40}]}
runtime: {threads: 1, device: cpu}
"""


def environment(**changes: str) -> dict[str, str]:
    """The environment of this process, in which the tests have a cache of their own.

    One thread, so that two runs have the same bits however busy the machine is.
    """
    return {
        "OMP_NUM_THREADS": "1",
        **os.environ,
        "NO_COLOR": "1",
        "COLUMNS": "80",
        **changes,
    }


def seqzoo(
    *arguments: str, folder: Path, timeout_s: float = 120, **changes: str
) -> subprocess.CompletedProcess[str]:
    """Run `python -m seqzoo` in a folder.

    In a process that has torch already, unless a variable is set that Python or torch read when
    they start.
    """
    prepared = environment(**changes)
    if is_possible(prepared):
        return run_prepared(
            ["seqzoo", *arguments], folder=folder, environment=prepared, timeout_s=timeout_s
        )
    return subprocess.run(
        [sys.executable, "-m", "seqzoo", *arguments],
        cwd=folder,
        env=prepared,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout_s,
        stdin=subprocess.DEVNULL,
    )


def result_of(run: Path) -> dict[str, Any]:
    """The content of a run's result.json."""
    return dict(json.loads((run / "result.json").read_text()))
