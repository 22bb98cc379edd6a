"""python -m seqzoo.bench.speed '{...}': the training speed of this process, as JSON on stdout."""

from __future__ import annotations

import json
import sys
import time

from seqzoo.bench.loops import OwnTraining, random_text
from seqzoo.bench.targets import bench_section
from seqzoo.model.runtime import make_runtime
from seqzoo.plugin.registry import load_registry
from seqzoo.recipes.load import plugin_options
from seqzoo.recipes.sections import RuntimeSection
from seqzoo.terminal.streams import prepare_streams, write_data

_UPDATES = 4
"""Between two looks at the clock."""


def main(asked: str) -> None:
    """asked: JSON with architecture, options, batch_size and bptt_length; seconds: 4 by default."""
    wanted = json.loads(asked)
    spec = load_registry().get("architecture", wanted["architecture"])
    runtime = make_runtime(RuntimeSection(device="cpu"))
    section = bench_section(wanted["batch_size"], wanted["bptt_length"])
    tokens = wanted["batch_size"] * wanted["bptt_length"]
    training = OwnTraining(
        spec,
        plugin_options(spec, wanted["options"]),
        section,
        runtime,
        random_text(50 * tokens + 1),
    )
    training.run(2)  # memory pools and caches are filled
    updates, began = 0, time.perf_counter()
    while (seconds := time.perf_counter() - began) < wanted.get("seconds", 4.0):
        training.run(_UPDATES)
        updates += _UPDATES
    training.close()
    found = {"bytes_per_second": updates * tokens / seconds, "threads": runtime.threads}
    write_data(json.dumps(found))


if __name__ == "__main__":
    prepare_streams()
    main(sys.argv[1])
