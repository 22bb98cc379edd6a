"""Train a small GRU from a recipe that is a dict, and read its result.

    python examples/1_train_from_a_dict.py

Takes less than a minute and needs no network. The run is kept in runs/example.
"""

import seqzoo

RECIPE = {
    "name": "example",
    "corpus": {"name": "pastiche", "options": {"size_bytes": 200_000}},
    "tokenizer": {"name": "bytes"},
    "architecture": {"name": "gru", "options": {"hidden_size": 64}},
    "train": {
        "batch_size": 16,
        "optimizer": {"learning_rate": 0.01},
        "budget": {"steps": 200},
        "validation": {"every_steps": 50},
    },
    "sample": {"prompt": "A:", "length": 200, "chain": [{"temperature": 0.8}]},
}

if __name__ == "__main__":
    run = seqzoo.run(RECIPE, show_progress=True)
    result = run.result
    assert result is not None  # a run that has ended has a result
    print(f"{run.path}: {result.scores['test'].bits_per_byte:.3f} bits per byte on the test part")
    print(result.placement)
    metrics = run.metrics()
    for step, bits in zip(metrics["step"], metrics["validation_bits_per_byte"], strict=True):
        if bits == bits:  # NaN where a step was not validated
            print(f"step {step:.0f}: validation {bits:.3f}")
