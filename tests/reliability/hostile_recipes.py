"""Recipes that were written to break the reader, each with its name."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["GOOD", "HOSTILE"]

GOOD = """\
name: good
corpus: {name: pastiche, options: {size_bytes: 30000}}
tokenizer: {name: bytes}
architecture: {name: rnn, options: {hidden_size: 8}}
train: {budget: {steps: 3}}
"""

_BOMB = "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9) if before else 'x'}]\n"
    for before, name in zip(["", *"abcdefgh"], "abcdefghi", strict=True)
)


def _with(old: str, new: str) -> str:
    assert old in GOOD, old
    return GOOD.replace(old, new, 1)


HOSTILE: Mapping[str, str | bytes] = {
    "alias bomb": _BOMB + GOOD,
    "self reference": "a: &a [*a]\n" + GOOD,
    "self reference of a mapping": "&a {name: *a}",
    "undefined alias": _with("name: good", "name: *nothing"),
    "merge key": _with("train: {", "train: {<<: {batch_size: 2}, "),
    "100,000 brackets": "[" * 100_000,
    "100,000 braces": "{" * 100_000,
    "closed brackets": "a: " + "[" * 50_000 + "]" * 50_000,
    "deep block": "".join(f"{' ' * n}a:\n" for n in range(900)),
    "tag of Python": _with("name: good", "name: !!python/object/apply:os.system ['touch canary']"),
    "tag of a name": _with("name: good", "name: !!python/name:os.system"),
    "tag of a module": _with("name: good", "name: !!python/module:os"),
    "own tag": _with("name: good", "name: !mine good"),
    "binary tag": _with("name: good", "name: !!binary Z29vZA=="),
    "duplicate key": GOOD + "name: again\n",
    "duplicate inner key": _with("steps: 3", "steps: 3, steps: 4"),
    "NaN": _with("steps: 3", "epochs: .nan"),
    "infinity": _with("steps: 3", "epochs: .inf"),
    "negative infinity": _with("steps: 3", "seconds: -.inf"),
    "10**9 hidden": _with("hidden_size: 8", "hidden_size: 1000000000"),
    "10**400": _with("hidden_size: 8", f"hidden_size: 1{'0' * 400}"),
    "integer of 10,000 digits": _with("steps: 3", f"steps: {'9' * 10_000}"),
    "float of 10,000 digits": _with("steps: 3", f"epochs: 0.{'3' * 10_000}"),
    "exponent": _with("steps: 3", "epochs: 1e999999999"),
    "hexadecimal": _with("steps: 3", f"steps: 0x{'f' * 5_000}"),
    "sexagesimal": _with("steps: 3", "steps: 190:20:30"),
    "negative steps": _with("steps: 3", "steps: -3"),
    "zero steps": _with("steps: 3", "steps: 0"),
    "steps as text": _with("steps: 3", "steps: '3'"),
    "true steps": _with("steps: 3", "steps: true"),
    "date": _with("name: good", "name: 2026-01-01"),
    "name outside": _with("name: good", "name: ../../outside"),
    "absolute name": _with("name: good", "name: /tmp/outside"),
    "name of dots": _with("name: good", "name: .."),
    "name of an option": _with("name: good", "name: --help"),
    "long name": _with("name: good", f"name: {'n' * 5_000}"),
    "name with a break": _with("name: good", 'name: "a\\nb"'),
    "name with escape": _with("name: good", 'name: "a\\e]0;owned\\a"'),
    "NUL": GOOD.encode() + b"description: a\0b\n",
    "escaped NUL": _with("name: good", 'name: "a\\0b"'),
    "NUL in a path": _with("name: pastiche, options: {size_bytes: 30000}",
                           'name: file, options: {path: "a\\0b"}'),
    "control bytes": GOOD.encode() + b"description: \x1b]0;owned\x07\n",
    "C1 control": GOOD + "description: \x9b31m\n",
    "BOM": b"\xef\xbb\xbf" + GOOD.encode(),
    "UTF-16": GOOD.encode("utf-16"),
    "UTF-32": GOOD.encode("utf-32"),
    "latin-1": GOOD.encode() + b"description: \xfc\n",
    "cut UTF-8": GOOD.encode() + b"description: \xe2\x82",
    "surrogate": GOOD + 'description: "\\ud800"\n',
    "line separator": GOOD + "description: a\u2028b\n",
    "CRLF": GOOD.replace("\n", "\r\n"),
    "CR alone": GOOD.replace("\n", "\r"),
    "tabs": GOOD.replace("train:", "\ttrain:"),
    "10 MB of spaces": GOOD + " " * 10_000_000,
    "10 MB of one value": GOOD + "description: " + "x" * 10_000_000,
    "10 MB of comments": GOOD + "# comment\n" * 1_000_000,
    "100,000 keys": GOOD + "".join(f"key{n}: 1\n" for n in range(100_000)),
    "1,900 wrong keys": GOOD + "".join(f"key{n}: 1\n" for n in range(1_900)),
    "100,000 plugins": GOOD + "plugins: [" + "x.py, " * 100_000 + "]\n",
    "missing plugin": _with("name: rnn", "name: no_such_architecture"),
    "missing plugin file": GOOD + "plugins: [no_such_file.py]\n",
    "plugin file is a folder": GOOD + "plugins: [.]\n",
    "plugin file is a device": GOOD + "plugins: [/dev/null]\n",
    "plugin file is a recipe": GOOD + "plugins: [recipe.yaml]\n",
    "plugin file with an escape": GOOD + 'plugins: ["\\e[2Jx.py"]\n',
    "plugin with another kind's name": _with("name: rnn", "name: bytes"),
    "empty": b"",
    "only a comment": "# nothing\n",
    "null": "null\n",
    "a list": "- 1\n- 2\n",
    "a text": "hello\n",
    "two documents": GOOD + "---\n" + GOOD,
    "directive": "%YAML 9.9\n---\n" + GOOD,
    "end mark": GOOD + "...\nmore: 1\n",
    "key is a list": "? [a, b]\n: 1\n" + GOOD,
    "key is null": "~: 1\n" + GOOD,
    "key is a number": "1: 1\n" + GOOD,
    "not closed text": GOOD + 'description: "never closed\n',
    "percent": _with("name: good", "name: %s%n%x"),
    "section is a list": _with("train: {budget: {steps: 3}}", "train: [1, 2]"),
    "section is null": _with("train: {budget: {steps: 3}}", "train:"),
    "chain of 1,900": GOOD + "sample: {chain: [" + "greedy, " * 1_900 + "]}\n",
    "wrong split": _with("size_bytes: 30000}", "size_bytes: 30000}, split: {train: 2}"),
    "image": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20,
}  # fmt: skip
