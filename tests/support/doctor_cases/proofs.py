"""Ways to see a fault by hand: what the model gives if its input changes, without the doctor.

Each takes the arguments of `seqzoo.examine` and says whether the fault is there. A healthy case
has none of those in `HEALTHY_HAS_NONE`.
"""

from __future__ import annotations

import copy
import inspect
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["HEALTHY_HAS_NONE"]

Arguments: TypeAlias = Mapping[str, Any]


def ignores_order(arguments: Arguments) -> bool:
    """Whether the last logits stay the same if the tokens before are put in another order."""
    inputs, _ = first_batch(arguments)
    other = inputs.clone()
    other[:, :-1] = inputs[:, :-1].flip(1)
    read = reader(arguments)
    return close(read(inputs)[:, -1], read(other)[:, -1])


def reads_the_future(arguments: Arguments) -> bool:
    """Whether another last token changes the logits before it, in training or in eval mode."""
    inputs, _ = first_batch(arguments)
    other = with_another_token(inputs, -1)
    return any(
        not close(read(inputs)[:, :-1], read(other)[:, :-1])
        for read in (reader(arguments), reader(arguments, training=True))
    )


def depends_on_the_length(arguments: Arguments) -> bool:
    """Whether the first half of a text has other logits alone than with the second half."""
    inputs, _ = first_batch(arguments)
    read, half = reader(arguments), inputs.shape[1] // 2
    return not close(read(inputs[:, :half]), read(inputs)[:, :half])


def mixes_rows(arguments: Arguments) -> bool:
    """Whether another first or last row changes the logits of the rows between them."""
    inputs, _ = first_batch(arguments)
    others = inputs.clone(), inputs.clone()
    others[0][0], others[1][-1] = inputs[1].flip(0), inputs[1].flip(0)
    return any(
        not close(read(inputs)[1:-1], read(other)[1:-1])
        for other in others
        for read in (reader(arguments), reader(arguments, training=True))
    )


def depends_on_the_row(arguments: Arguments) -> bool:
    """Whether a row has other logits at another place of the batch."""
    inputs, _ = first_batch(arguments)
    read = reader(arguments)
    return not close(read(inputs).flip(0), read(inputs.flip(0)))


def ignores_the_current_token(arguments: Arguments) -> bool:
    """Whether the last logits stay the same if the last token changes."""
    inputs, _ = first_batch(arguments)
    read = reader(arguments)
    return close(read(inputs)[:, -1], read(with_another_token(inputs, -1))[:, -1])


def differs_in_eval_mode(arguments: Arguments) -> bool:
    """Whether two passes in eval mode differ."""
    inputs, _ = first_batch(arguments)
    torch.manual_seed(1)
    read = reader(arguments, seed=None)
    return not close(read(inputs), read(inputs))


def forgets(arguments: Arguments) -> bool:
    """Whether text read in two pieces, with the state, has other logits than read at once."""
    inputs, _ = first_batch(arguments)
    module, call = built(arguments)
    module.eval()
    half = inputs.shape[1] // 2
    with torch.no_grad():
        whole, _ = call(inputs, None)
        first, state = call(inputs[:, :half], None)
        second, _ = call(inputs[:, half:], state)
    return not close(torch.cat([first, second], 1), whole)


def has_another_loss(arguments: Arguments) -> bool:
    """Whether the loss of random logits is not their mean cross-entropy."""
    inputs, targets = first_batch(arguments)
    V = reader(arguments)(inputs).shape[-1]

    def differs(seed: int) -> bool:
        draw = torch.Generator().manual_seed(seed)
        logits = 2 * torch.randn(*inputs.shape, V, generator=draw)
        expected = F.cross_entropy(*flat(logits, targets)).item()
        return not math.isclose(loss_of(arguments, logits, targets).item(), expected, rel_tol=1e-4)

    return any(map(differs, range(4)))


def gives_probabilities(arguments: Arguments) -> bool:
    """Whether the outputs are at least 0, or sum to 1 in exponents along another axis than V."""
    outputs = reader(arguments)(first_batch(arguments)[0])
    normalised = any(close(outputs.logsumexp(axis), torch.zeros(())) for axis in (0, 1))
    return bool((outputs >= 0).all()) or normalised


def is_confident(arguments: Arguments) -> bool:
    """Whether a new model's loss is far above that of uniform guesses."""
    inputs, targets = first_batch(arguments)
    logits = reader(arguments)(inputs)
    loss = F.cross_entropy(*flat(logits, targets)).item()
    return loss > math.log(logits.shape[-1]) + 1


def is_not_finite(arguments: Arguments) -> bool:
    """Whether logits, loss or a gradient of the first batch are infinite or not numbers."""
    return any(not bool(each.isfinite().all()) for each in gradients(arguments))


def leaves_weights_alone(arguments: Arguments) -> bool:
    """Whether a tensor that the logits depend on gets no gradient of `parameters()`."""
    module, call = built(arguments)
    inputs, targets = first_batch(arguments)
    logits, _ = call(inputs, None)
    loss = loss_of(arguments, logits, targets)
    if not loss.requires_grad:
        return True
    torch.autograd.backward(loss)
    known = {id(parameter) for parameter in module.parameters()}
    silent = any(p.grad is None or not p.grad.any() for p in module.parameters())
    hidden = any(
        leaf.requires_grad and leaf.is_leaf and id(leaf) not in known for leaf in leaves(loss)
    )
    return silent or hidden


def moves_none(arguments: Arguments) -> bool:
    """Whether an update leaves most of the model's parameters as they were."""
    module, call = built(arguments)
    before = [parameter.detach().clone() for parameter in module.parameters()]
    optimizer = arguments["optimizer"](module.parameters())
    inputs, targets = first_batch(arguments)
    torch.autograd.backward(loss_of(arguments, call(inputs, None)[0], targets))
    optimizer.step()
    same = [torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True)]
    return sum(same) > len(same) // 2


def loses_updates(arguments: Arguments) -> bool:
    """Whether ten updates leave more than half of the weights bit for bit as they were."""
    module, call = built(arguments)
    before = torch.cat([parameter.detach().flatten() for parameter in module.parameters()])
    optimizer = arguments["optimizer"](module.parameters())
    inputs, targets = first_batch(arguments)
    for _ in range(10):
        optimizer.zero_grad()
        torch.autograd.backward(loss_of(arguments, call(inputs, None)[0].float(), targets))
        optimizer.step()
    after = torch.cat([parameter.detach().flatten() for parameter in module.parameters()])
    used = torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None]) != 0
    return bool((before == after)[used].double().mean() > 0.5)


def shares_modules(arguments: Arguments) -> bool:
    """Whether one module with weights is in several places."""
    module, _ = built(arguments)
    places = [m for _, m in module.named_modules(remove_duplicate=False) if list(m.parameters())]
    return len(places) > len({id(each) for each in places})


def leaves_rows_of_the_embedding_alone(arguments: Arguments) -> bool:
    """Whether a symbol that occurs has an embedding or head row that gets no gradient."""
    module, call = built(arguments)
    inputs, targets = first_batch(arguments)
    logits, _ = call(inputs, None)
    torch.autograd.backward(loss_of(arguments, logits, targets))
    used = inputs.unique()
    embedding = next(each for each in module.modules() if isinstance(each, nn.Embedding))
    gradient = embedding.weight.grad
    return gradient is None or bool((gradient[used] == 0).all(-1).any())


def has_targets_elsewhere(arguments: Arguments) -> bool:
    """Whether a target within a row is not the next input, or the last one is the first input."""
    pairs = [first_batch(arguments, skip=skip) for skip in range(4)]
    inputs, targets = (torch.cat(each) for each in zip(*pairs, strict=True))
    inside = (targets[:, :-1] == inputs[:, 1:]).double().mean().item()
    return inside < 0.95 or bool((targets[:, -1] == inputs[:, 0]).all())


def does_not_continue(arguments: Arguments) -> bool:
    """Whether rows begin elsewhere than where those of the batch before ended."""
    joints = [
        (
            first_batch(arguments, skip=skip)[1][:, -1],
            first_batch(arguments, skip=skip + 1)[0][:, 0],
        )
        for skip in range(4)
    ]
    ends, begins = (torch.cat(each) for each in zip(*joints, strict=True))
    return (ends == begins).double().mean().item() < 0.5


def ends_and_begins_again(arguments: Arguments) -> bool:
    """Whether the batches come again, and the first does not continue the last."""
    first, _ = first_batch(arguments)
    for skip in range(1, 60):
        inputs, _ = first_batch(arguments, skip=skip)
        if torch.equal(inputs, first):
            ends = first_batch(arguments, skip=skip - 1)[1][:, -1]
            return not torch.equal(ends, first[:, 0])
    return False


def is_not_in_the_corpus(arguments: Arguments) -> bool:
    """Whether rows of bytes are not found in the corpus."""
    rows = [bytes(row.tolist()) for row in first_batch(arguments, skip=2)[0]]
    return sum(row not in arguments["corpus"] for row in rows) > len(rows) // 4


def keeps_text(arguments: Arguments) -> bool:
    """Whether a second pass over the same text gives other logits."""
    inputs, _ = first_batch(arguments)
    module, call = built(arguments)
    module.eval()
    with torch.no_grad():
        return not close(call(inputs, None)[0], call(inputs, None)[0])


def keeps_the_graph(arguments: Arguments) -> bool:
    """Whether a second update fails because it reaches back into the first."""
    inputs, targets = first_batch(arguments)
    _, call = built(arguments)
    torch.autograd.backward(loss_of(arguments, call(inputs, None)[0], targets))
    try:
        torch.autograd.backward(loss_of(arguments, call(inputs, None)[0], targets))
    except RuntimeError as error:
        return "second time" in str(error)
    return False


HEALTHY_HAS_NONE: tuple[Callable[[Arguments], bool], ...] = (
    ignores_order,
    reads_the_future,
    depends_on_the_length,
    mixes_rows,
    ignores_the_current_token,
    differs_in_eval_mode,
    is_confident,
    is_not_finite,
)


# What they are made of


def built(arguments: Arguments) -> tuple[nn.Module, Callable[[Tensor, Any], tuple[Tensor, Any]]]:
    """A copy of the model, and how it is called."""
    model = arguments["model"]
    torch.manual_seed(0)
    module = copy.deepcopy(model) if isinstance(model, nn.Module) else model()
    forward = arguments.get("forward")
    takes_state = len(inspect.signature(module.forward).parameters) > 1

    def call(tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        if forward is not None:
            answer = forward(module, tokens, state)
        else:
            answer = module(tokens, state) if takes_state else module(tokens)
        if isinstance(answer, dict):
            return answer["logits"], answer["state"]
        return answer if isinstance(answer, tuple) else (answer, None)

    return module, call


def reader(
    arguments: Arguments, *, training: bool = False, seed: int | None = 1
) -> Callable[[Tensor], Tensor]:
    """Tokens (B, T) to logits (B, T, V), always by a model with the same weights."""
    module, call = built(arguments)
    with torch.no_grad():  # layers that are made at the first call
        call(first_batch(arguments)[0], None)
        for parameter in module.parameters():  # a head of zeros would hide everything before it
            if not parameter.any():
                nn.init.normal_(parameter, std=0.1)
    module.train(training)

    def read(tokens: Tensor) -> Tensor:
        if seed is not None:
            torch.manual_seed(seed)
        kept = copy.deepcopy(module.state_dict())
        with torch.no_grad():
            logits, _ = call(tokens, None)
        module.load_state_dict(kept)
        return logits.float()

    return read


def first_batch(arguments: Arguments, *, skip: int = 0) -> tuple[Tensor, Tensor]:
    """Inputs and targets (B, T) as ids."""
    batches = arguments["batches"]
    iterator = iter(batches() if callable(batches) else batches)
    given = next(itertools.islice(iterator, skip, None))
    inputs, targets = (ids_of(part) for part in given)
    return inputs, targets


def ids_of(part: Any) -> Tensor:
    """(B, T) of ids or one-hot rows."""
    tensor = part if isinstance(part, Tensor) else torch.from_numpy(np.array(part))
    return (tensor.argmax(-1) if tensor.ndim == 3 else tensor).long()


def with_another_token(tokens: Tensor, place: int) -> Tensor:
    """Tokens with those of one place replaced by others that occur."""
    known = tokens.unique()
    other = tokens.clone()
    at = torch.searchsorted(known, tokens[:, place].contiguous())
    other[:, place] = known[(at + 1) % len(known)]
    return other


def loss_of(arguments: Arguments, logits: Tensor, targets: Tensor) -> Tensor:
    """As the doctor calls a loss: with (B, T, V), or flattened if it takes only that."""
    loss = arguments.get("loss") or (lambda y, t: F.cross_entropy(*flat(y, t)))
    try:
        return loss(logits, targets)
    except (RuntimeError, ValueError, IndexError):
        return loss(*flat(logits, targets))


def flat(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """(B T, V) and (B T,), padding as torch has it."""
    return logits.flatten(0, 1), targets.masked_fill(targets < 0, -100).flatten()


def gradients(arguments: Arguments) -> list[Tensor]:
    """Logits, loss and the gradients of a first update."""
    module, call = built(arguments)
    inputs, targets = first_batch(arguments)
    logits, _ = call(inputs, None)
    loss = loss_of(arguments, logits, targets)
    torch.autograd.backward(loss)
    found = [p.grad for p in module.parameters() if p.grad is not None]
    return [logits, loss, *(each.coalesce().values() if each.is_sparse else each for each in found)]


def leaves(loss: Tensor) -> list[Tensor]:
    """The tensors that a loss was computed from and that want a gradient."""
    found, seen, waiting = [], set(), [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.append(node.variable)
        waiting += [next_node for next_node, _ in node.next_functions]
    return found


def close(first: Tensor, second: Tensor) -> bool:
    """Whether they differ by rounding alone."""
    return bool(torch.allclose(first.double(), second.double(), rtol=1e-3, atol=1e-4))
