"""Text from a run's model, with several sampling chains.

    python examples/3_generate_with_a_chain.py [RUN] [PROMPT]

Without arguments it reads runs/example, which example 1 makes.
"""

import sys

import seqzoo

CHAINS = {
    "the most probable byte": ["greedy"],
    "the model's own probabilities": [],
    "sharper, without the tail": [{"temperature": 0.8}, {"top_p": 0.95}],
    "few repetitions": [{"repetition_penalty": 1.3}, {"top_k": 20}],
}

if __name__ == "__main__":
    path, prompt = (*sys.argv[1:], *("runs/example", "A:")[len(sys.argv) - 1 :])
    run = seqzoo.open_run(path)
    for title, chain in CHAINS.items():
        print(f"--- {title}: {chain}")
        print(prompt, end="")
        for text in run.generate(prompt, length=150, chain=chain, seed=1):
            print(text, end="", flush=True)
        print()
