"""Which of two runs is better, and whether the difference is more than noise.

    python examples/4_compare_two_runs.py

Trains the GRU of example 1 and an LSTM of the same size, and compares them block by block.
"""

from importlib import import_module

import numpy as np

import seqzoo

RECIPE = import_module("1_train_from_a_dict").RECIPE

if __name__ == "__main__":
    blocks = {}
    for name in ("gru", "lstm"):
        overrides = {"name": f"example-{name}", "architecture.name": name}
        run = seqzoo.run(RECIPE, overrides, root="runs/compared", show_progress=True)
        assert run.result is not None
        blocks[name] = np.array(run.result.scores["test"].blocks)
    for row in seqzoo.leaderboard("runs/compared"):
        rank = "" if row.rank is None else row.rank
        score = row.static.get("test")
        print(f"{rank:>3} {row.name:<16} {'' if score is None else f'{score:.3f}'}")
    # Both scores are of the same blocks of text, so what is hard for both cancels.
    difference = blocks["lstm"] - blocks["gru"]
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    print(f"lstm - gru: {difference.mean():+.1f} ± {1.96 * error:.1f} bits in a block of text")
