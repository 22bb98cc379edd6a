"""README.md of an exported folder: a model card, with the front matter that model hubs read."""

from __future__ import annotations

from collections.abc import Iterator

from seqzoo.export.config import ExportConfig, Format
from seqzoo.recipes.yaml_scalars import dump_yaml
from seqzoo.results.result import Result

__all__ = ["model_card"]

_NEEDS: dict[Format, str] = {
    "folder": "torch safetensors numpy",
    "onnx": "onnxruntime safetensors numpy",
    "torch": "torch safetensors numpy",
}
_FILES: dict[Format, str] = {
    "folder": "`model.safetensors` has the weights, `seqzoo_network.py` the network in plain torch",
    "onnx": "`model.onnx` is one step of the model: token and state in, logits and next state out",
    "torch": "`model.pt2` is one step of the model, a program of torch.export: token and state in, "
    "logits and next state out",
}
_LONGEST_SAMPLE = 1000


def model_card(config: ExportConfig, *, summary: str, source: str, sample: bytes) -> str:
    """The card as Markdown.

    summary, source: what the architecture's plugin says of it. sample: what the model wrote.
    """
    parts = [_title(config, summary, source), _scores(config), _origin(config), _use(config)]
    parts += [_sample(sample), _limits(config)]
    return _front_matter(config) + "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _front_matter(config: ExportConfig) -> str:
    data: dict[str, object] = {
        "library_name": "seqzoo",
        "pipeline_tag": "text-generation",
        "tags": ["seqzoo", "byte-level", config.architecture.name, config.format],
        "datasets": [config.corpus.name],
        "metrics": ["bits_per_byte"],
    }
    if config.result is not None:
        scores = [
            {"type": "bits_per_byte", "name": f"bits per byte ({split})", "value": value}
            for split, value in _bits(config.result)
        ]
        dataset = {"type": config.corpus.name, "name": config.corpus.name}
        task = {"type": "text-generation"}
        results = [{"task": task, "dataset": dataset, "metrics": scores}]
        data["model-index"] = [{"name": config.run, "results": results}]
    # A comment, because a license is the choice of the person who publishes the model.
    return f"---\n# license: choose one before you publish the model\n{dump_yaml(data)}---\n\n"


def _bits(result: Result) -> list[tuple[str, float]]:
    return [(name, round(score.bits_per_byte, 4)) for name, score in result.scores.items()]


def _title(config: ExportConfig, summary: str, source: str) -> str:
    by = f" ({source})" if source else ""
    return (
        f"# {config.run}\n\n"
        f"A model of sequences of bytes: `{config.architecture.name}`, {summary}{by}. It has "
        f"{config.parameters:,} parameters and tokenizer `{config.tokenizer.name}` with "
        f"{config.vocab_size:,} tokens."
    )


def _scores(config: ExportConfig) -> str:
    result, proof = config.result, config.proof
    lines = ["## Scores", ""]
    if result is None:
        lines.append("These weights were not scored on their corpus.")
    else:
        lines += _table(result)
        lines += ["", f"Bits per byte, lower is better ({result.protocol.name})."]
        lines += [result.placement] if result.placement else []
    if proof is not None:
        lines += [
            "",
            f"This folder was read without seqzoo and compared with it: on {proof.bytes:,} bytes "
            f"of {proof.text} it has {proof.bits_per_byte:.6f} bits per byte, and seqzoo has "
            f"{proof.bits_per_byte_in_seqzoo:.6f}.",
        ]
    return "\n".join(lines)


def _table(result: Result) -> Iterator[str]:
    splits = list(result.scores)
    yield f"| model | {' | '.join(splits)} |"
    yield f"|---|{'---:|' * len(splits)}"
    rows = [(f"**{result.run}**", {split: s.bits_per_byte for split, s in result.scores.items()})]
    for rung in result.rungs:
        kind = ", adaptive" if rung.adaptive else ""
        rows.append((f"{rung.title or rung.name}{kind}", dict(rung.bits_per_byte)))
    order = splits[1] if len(splits) > 1 else splits[0]
    for name, bits in sorted(rows, key=lambda row: row[1].get(order, float("inf"))):
        if bits:
            shown = (f"{bits[split]:.4f}" if split in bits else "" for split in splits)
            yield f"| {name} | {' | '.join(shown)} |"


def _origin(config: ExportConfig) -> str:
    result, corpus = config.result, config.corpus
    lines = [
        "## How it was made",
        "",
        f"- corpus: `{corpus.name}`, {corpus.bytes:,} bytes, sha256 `{corpus.sha256}`",
        f"- split: {config.split}",
        f"- weights: step {config.step:,}, sha256 `{config.weights_sha256}`",
    ]
    if result is not None:
        lines += [
            f"- training: {result.steps:,} updates on {result.training_bytes:,} bytes (repeats "
            f"counted), {result.training_seconds:,.0f} s on {result.accelerator or result.cpu}, "
            f"seed {result.seed}",
        ]
    lines.append(f"- versions: {', '.join(f'{k} {v}' for k, v in config.versions.items())}")
    lines += ["", "The recipe, with all its settings, is in `config.json`."]
    return "\n".join(lines)


def _use(config: ExportConfig) -> str:
    own = ""
    if config.format == "folder":
        own = (
            "\nseqzoo reads the folder too: `seqzoo.open_run(FOLDER)`, `seqzoo sample FOLDER`, and "
            "`train.start_from: FOLDER` in a recipe.\n"
        )
    return f"""## How to use it

{_FILES[config.format]}. `seqzoo_model.py` reads the folder and needs no seqzoo:

```sh
pip install {_NEEDS[config.format]}
python seqzoo_model.py score FILE
python seqzoo_model.py generate "Once upon a time"
```

```python
from seqzoo_model import load

model = load(".")
model.score(b"To be, or not to be")  # bits per byte
state = model.initial_state(1)                   # {{name: array (1, ...)}}
logits, state = model.step([0], state)           # (1, {config.vocab_size}) and the next state
```
{own}"""


def _sample(sample: bytes) -> str:
    text = sample[:_LONGEST_SAMPLE].decode("utf-8", errors="replace")
    shown = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
    # Indented, because a text may have the marks of a block of code in it.
    return "## A sample\n\n" + "\n".join(f"    {line}" for line in shown.split("\n"))


def _limits(config: ExportConfig) -> str:
    return f"""## Limits

The model knows the training part of its corpus of {config.corpus.bytes:,} bytes and nothing else:
what it writes has the style and the faults of that text, and is not true. It can repeat passages of
it word for word. The score is of the frozen model in float32, read from the beginning; other texts
have other scores."""
