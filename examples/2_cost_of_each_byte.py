"""What every byte of a text costs a run's model, in bits.

    python examples/2_cost_of_each_byte.py [RUN] [TEXT]

Without arguments it reads runs/example, which example 1 makes.
"""

import sys

import seqzoo

TEXT = "Nothing stays the same, and nothing ends."

if __name__ == "__main__":
    path, text = (*sys.argv[1:], *("runs/example", TEXT)[len(sys.argv) - 1 :])
    run = seqzoo.open_run(path)
    score = run.score(text)
    print(f"{score.bits_per_byte:.3f} bits per byte, accuracy {score.accuracy:.0%}")
    data = text.encode()
    for place, bits in enumerate(score.bits):
        probabilities = run.predict(data[:place])
        best = bytes([int(probabilities.argmax())])
        bar = "#" * round(4 * bits)
        print(f"{data[place : place + 1]!r:>8} {bits:6.2f} bits, expected {best!r:<8} {bar}")
