"""Laws of every installed architecture."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
import yaml
from installed_architectures import (
    SMALL,
    VOCAB_SIZE,
    build,
    every_architecture,
    options_of,
    random_tokens,
)
from torch import Tensor
from torch.nn import functional as F

from seqzoo.model import state as states
from seqzoo.plugin.contracts import SequenceModel, State
from seqzoo.plugin.registry import Registry
from seqzoo.plugin.roles import fault_in_roles
from seqzoo.plugin.specs import ArchitectureSpec

LENGTH = 130


def in_chunks(
    model: SequenceModel, tokens: Tensor, lengths: list[int], state: State = None
) -> tuple[Tensor, State]:
    pieces = []
    for chunk in tokens.split(lengths, dim=1):
        logits, state = model(chunk, state)
        pieces.append(logits)
    return torch.cat(pieces, dim=1), state


def floating(state: State) -> Iterator[Tensor]:
    return (leaf for leaf in states.flatten(state).values() if leaf.is_floating_point())


@pytest.fixture
def spec(registry: Registry, name: str) -> ArchitectureSpec:
    spec: ArchitectureSpec = registry.get("architecture", name)
    return spec


@every_architecture
@pytest.mark.parametrize(("rows", "length"), [(1, 1), (3, 1), (1, 7), (3, 40)])
def test_logits_are_finite_and_one_row_of_vocabulary_for_each_token(
    spec: ArchitectureSpec, rows: int, length: int
) -> None:
    logits, _ = build(spec)(random_tokens(rows, length))
    assert logits.shape == (rows, length, VOCAB_SIZE)
    assert logits.isfinite().all()


@every_architecture
def test_initial_state_is_batch_first_and_the_default(spec: ArchitectureSpec) -> None:
    model = build(spec).eval()
    for rows in (1, 5):
        assert {leaf.shape[0] for leaf in states.flatten(model.initial_state(rows)).values()} in (
            {rows},
            set(),
        )
    tokens = random_tokens(3, 20)
    assert torch.equal(model(tokens)[0], model(tokens, model.initial_state(3))[0])


@every_architecture
def test_initial_state_is_on_the_device_of_the_parameters(spec: ArchitectureSpec) -> None:
    model = build(spec).to("meta")
    assert all(leaf.is_meta for leaf in states.flatten(model.initial_state(2)).values())


CUTS = {
    "1": [1] * LENGTH,
    "7": [7] * (LENGTH // 7) + [LENGTH % 7],
    "64": [64, 64, LENGTH - 128],
    "random": np.diff(
        [0, *sorted(np.random.default_rng(5).choice(range(1, LENGTH), 9, replace=False)), LENGTH]
    ).tolist(),
}


@every_architecture
@pytest.mark.parametrize("lengths", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("with_graph", [False, True], ids=["inference", "graph"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-9)])
def test_one_pass_equals_any_cut_with_the_state_carried(
    spec: ArchitectureSpec,
    lengths: list[int],
    with_graph: bool,
    dtype: torch.dtype,
    tolerance: float,
) -> None:
    model = build(spec).to(dtype).eval()
    tokens = random_tokens(2, LENGTH)
    with torch.set_grad_enabled(with_graph):
        whole, last = model(tokens)
        cut, last_of_cut = in_chunks(model, tokens, lengths)
        again = random_tokens(2, 3, seed=2)
        torch.testing.assert_close(cut, whole, atol=tolerance, rtol=0)
        torch.testing.assert_close(
            model(again, last_of_cut)[0], model(again, last)[0], atol=tolerance, rtol=0
        )


@every_architecture
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_token_changes_no_logits_before_it(spec: ArchitectureSpec, mode: str) -> None:
    model = build(spec, dropout=0.0).train(mode == "train")
    tokens = random_tokens(2, 40)
    before, _ = model(tokens)
    for position in (1, 20, 39):
        changed = tokens.clone()
        changed[:, position] = (changed[:, position] + 1) % VOCAB_SIZE
        after, _ = model(changed)
        torch.testing.assert_close(after[:, :position], before[:, :position], atol=1e-6, rtol=0)
        assert not torch.allclose(after[:, position], before[:, position], atol=1e-6)


@every_architecture
def test_a_rows_logits_do_not_depend_on_the_other_rows(spec: ArchitectureSpec) -> None:
    model = build(spec).eval()
    first, second = random_tokens(4, 40), random_tokens(4, 5, seed=2)
    logits, state = model(first)
    for row in range(4):
        alone, _ = model(first[row : row + 1])
        torch.testing.assert_close(alone[0], logits[row], atol=1e-5, rtol=0)
    rows = torch.tensor([2, 0, 2])
    chosen, _ = model(second[rows], states.select_rows(state, rows))
    torch.testing.assert_close(chosen, model(second, state)[0][rows], atol=1e-5, rtol=0)


@every_architecture
def test_rows_with_different_lengths_of_history_can_share_a_batch(spec: ArchitectureSpec) -> None:
    model = build(spec).eval()
    states_of_rows = [model(random_tokens(1, length, seed=length))[1] for length in (1, 5, 40)]
    leaves = [states.flatten(state) for state in states_of_rows]
    joined = states.unflatten(
        {path: torch.cat([row[path] for row in leaves]) for path in leaves[0]}, states_of_rows[0]
    )
    tokens = random_tokens(3, 6)
    together, _ = model(tokens, joined)
    for row, state in enumerate(states_of_rows):
        alone, _ = model(tokens[row : row + 1], state)
        torch.testing.assert_close(alone[0], together[row], atol=1e-5, rtol=0)


@every_architecture
def test_forward_does_not_change_the_given_state(spec: ArchitectureSpec) -> None:
    model = build(spec).eval()
    _, state = model(random_tokens(2, 20))
    before = {path: leaf.clone() for path, leaf in states.flatten(state).items()}
    for length in (1, 30):
        model(random_tokens(2, length), state)
    after = states.flatten(state)
    assert all(torch.equal(after[path], leaf) for path, leaf in before.items())


@every_architecture
def test_state_depends_on_the_tokens_that_were_read(spec: ArchitectureSpec) -> None:
    model = build(spec).eval()
    tokens = random_tokens(1, 4)
    after_one, after_other = (model(random_tokens(1, 4, seed=seed))[1] for seed in (2, 3))
    assert not torch.allclose(model(tokens, after_one)[0], model(tokens, after_other)[0])


@every_architecture
def test_gradient_flows_through_the_state_until_it_is_detached(spec: ArchitectureSpec) -> None:
    model = build(spec)
    tokens = random_tokens(2, 12)
    _, state = model(tokens)
    logits, _ = model(tokens, state)
    carrying = [leaf for leaf in floating(state) if leaf.requires_grad]
    gradients = torch.autograd.grad(logits.square().sum(), carrying, allow_unused=True)
    assert any(g is not None and g.abs().sum() > 0 for g in gradients)
    detached = states.detach(state)
    assert not any(leaf.requires_grad for leaf in floating(detached))
    for _ in range(2):  # a graph that reached back would be freed by the first pass
        logits, detached = model(tokens, detached)
        logits.square().sum().backward()
        detached = states.detach(detached)


@every_architecture
def test_state_does_not_grow_or_change_type(spec: ArchitectureSpec) -> None:
    model = build(spec).eval()

    def form(state: State) -> dict[str, Any]:
        return {path: (leaf.shape, leaf.dtype) for path, leaf in states.flatten(state).items()}

    with torch.no_grad():
        _, after_300 = model(random_tokens(2, 300))
        _, after_600 = model(random_tokens(2, 300, seed=2), after_300)
        _, after_601 = model(random_tokens(2, 1), after_600)
    assert form(after_300) == form(after_600) == form(after_601)
    assert form(after_300) == form(model.initial_state(2))


@every_architecture
def test_state_keeps_its_type_under_bfloat16_autocast(spec: ArchitectureSpec) -> None:
    model = build(spec)
    state = model.initial_state(2)
    expected = [leaf.dtype for leaf in states.flatten(state).values()]
    for length in (20, 1):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits, state = model(random_tokens(2, length), states.detach(state))
        logits.float().square().sum().backward()
        assert [leaf.dtype for leaf in states.flatten(state).values()] == expected
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        _, state = model.eval()(random_tokens(2, 1), state)
    assert [leaf.dtype for leaf in states.flatten(state).values()] == expected


@every_architecture
def test_every_parameter_receives_a_gradient(spec: ArchitectureSpec) -> None:
    model = build(spec)
    tokens = random_tokens(4, 40)
    logits, _ = model(tokens[:, :-1])
    F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()).backward()
    without = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().sum() > 0
    ]
    assert without == []


@every_architecture
def test_every_parameter_has_a_role_and_no_embedding_is_a_matrix(spec: ArchitectureSpec) -> None:
    model = build(spec)
    roles = model.parameter_roles()
    assert fault_in_roles(model, roles) == ""
    matrices = [p for name, p in model.named_parameters() if roles[name].use == "matrix"]
    assert all(VOCAB_SIZE not in matrix.shape for matrix in matrices)


@every_architecture
def test_weights_saved_and_loaded_give_the_same_logits(spec: ArchitectureSpec) -> None:
    model, other = build(spec).eval(), build(spec, seed=1).eval()
    tokens = random_tokens(2, 30)
    assert not torch.equal(model(tokens)[0], other(tokens)[0])
    saved = safetensors.torch.save(
        {name: tensor.clone().contiguous() for name, tensor in model.state_dict().items()}
    )
    other.load_state_dict(safetensors.torch.load(saved))
    assert torch.equal(model(tokens)[0], other(tokens)[0])


@every_architecture
def test_options_round_trip_through_yaml(spec: ArchitectureSpec) -> None:
    for options in (spec.options(), options_of(spec, **SMALL)):
        text = yaml.safe_dump(options.model_dump(mode="json"))
        assert spec.options.model_validate(yaml.safe_load(text)) == options


@every_architecture
def test_it_overfits_64_bytes(spec: ArchitectureSpec) -> None:
    model = build(spec, dropout=0.0, hidden_size=32, embedding_size=32, num_layers=1)
    tokens = random_tokens(1, 65)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    loss = torch.tensor(torch.inf)
    for _ in range(300):
        logits, _ = model(tokens[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        if loss < 0.1:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1


@every_architecture
def test_eval_mode_is_deterministic_and_dropout_acts_in_training_only(
    spec: ArchitectureSpec,
) -> None:
    model = build(spec, dropout=0.5)
    tokens = random_tokens(2, 30)
    with torch.no_grad():
        model.eval()
        assert torch.equal(model(tokens)[0], model(tokens)[0])
        model.train()
        if getattr(options_of(spec, dropout=0.5), "dropout", 0.0):
            assert not torch.equal(model(tokens)[0], model(tokens)[0])


@every_architecture
def test_one_seed_builds_one_model(spec: ArchitectureSpec) -> None:
    first, second = build(spec, seed=3).state_dict(), build(spec, seed=3).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_declaring_imports_no_torch() -> None:
    program = (
        "import sys\n"
        "from seqzoo.plugin.registry import load_registry\n"
        "assert load_registry().names('architecture')\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
