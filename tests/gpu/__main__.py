"""python tests/gpu [FILE]: the tests of this folder, then ratios, as a table in Markdown.

It takes about 5 minutes. FILE: where the table is written too. The exit code is the tests'.
"""

from __future__ import annotations

import importlib.util
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from seqzoo.bench.loops import OwnTraining, random_text
from seqzoo.bench.ratios import sampling_ratio, training_ratio
from seqzoo.bench.targets import bench_section
from seqzoo.model.runtime import Runtime, make_runtime
from seqzoo.plugin.registry import Registry, load_registry
from seqzoo.recipes.sections import RuntimeSection

HERE = Path(__file__).parent
ROUNDS, UPDATES = 3, 12

SIZES: list[tuple[str, dict[str, Any], int, int]] = [
    ("lstm", {"hidden_size": 512}, 32, 64),
    ("lstm", {"hidden_size": 1024, "num_layers": 2}, 64, 128),
    ("gru", {"hidden_size": 512}, 32, 64),
    ("rnn", {"hidden_size": 512}, 32, 64),
    ("ngram_lstm", {"hidden_size": 512}, 32, 64),
    ("transformer", {"hidden_size": 384, "num_layers": 6, "num_heads": 6, "window": 256}, 64, 256),
]
"""Architecture, options, B, T."""

COMPILED = {("transformer", 384)}


def main(file: Path | None) -> int:
    """Test, measure and print."""
    if not torch.cuda.is_available():
        sys.stderr.write("torch finds no CUDA GPU here\n")
        return 3
    began = time.monotonic()
    code, summary = _tested()
    lines = [
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}, cuDNN "
        f"{torch.backends.cudnn.version()}, Python {platform.python_version()}, "
        f"{datetime.now(UTC):%Y-%m-%d}. Tests: {summary}.",
        "",
        "| | B, T | training, float32 | bfloat16 | compiled, bfloat16 | one text | 16 texts |",
        "|---|---|---|---|---|---|---|",
        *_rows(load_registry()),
        "",
        f"The whole took {time.monotonic() - began:.0f} s.",
    ]
    text = "\n".join(lines) + "\n"
    sys.stdout.write(text)
    if file is not None:
        file.write_text(text, encoding="utf-8")
    return code


def _tested() -> tuple[int, str]:
    """Exit code and last line of the tests."""
    workers = ["-n", "6"] if importlib.util.find_spec("xdist") else []
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-rfE", str(HERE), *workers]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    sys.stderr.write(done.stdout[-6000:])
    last = done.stdout.strip().rpartition("\n")[2]
    return done.returncode, last.strip("= ")


def _rows(registry: Registry) -> Iterator[str]:
    for name, options, batch_size, length in SIZES:
        spec = registry.get("architecture", name)
        chosen, section = spec.options(**options), bench_section(batch_size, length)
        single, half = (
            make_runtime(RuntimeSection(device="cuda", precision=precision, threads=4))
            for precision in ("float32", "bfloat16")
        )
        ratios = [
            training_ratio(
                spec, chosen, section, runtime=runtime, rounds=ROUNDS, updates=UPDATES
            ).ratio
            for runtime in (single, half)
        ]
        compiled = ""
        if (name, options["hidden_size"]) in COMPILED:
            compiled = f"{_gain_of_compiling(registry, name, options, section, half):.2f}"
        texts = [
            sampling_ratio(spec, chosen, runtime=single, rounds=2, length=200, streams=streams)
            for streams in (1, 16)
        ]
        figures = [f"{ratio:.2f}" for ratio in ratios] + [compiled]
        figures += [f"{ratio.ratio:.2f}" for ratio in texts]
        size = ", ".join(f"{key}={value}" for key, value in options.items())
        yield f"| {name} {size} | {batch_size}, {length} | " + " | ".join(figures) + " |"


def _gain_of_compiling(
    registry: Registry, name: str, options: dict[str, Any], section: Any, runtime: Runtime
) -> float:
    """The speed of training with `runtime.compile` over that without."""
    spec = registry.get("architecture", name)
    text = random_text(section.batch_size * section.bptt_length_at(0.0) * UPDATES * 2 + 1)
    seconds = []
    for is_compiled in (False, True):
        own = OwnTraining(spec, spec.options(**options), section, runtime, text)
        if is_compiled:
            own.training.model.compile()
        own.run(UPDATES)
        torch.cuda.synchronize()
        began = time.perf_counter()
        own.run(2 * UPDATES)
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
        own.close()
    return seconds[0] / seconds[1]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
