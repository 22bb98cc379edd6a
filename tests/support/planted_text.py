"""Tokenizers, samplers and streams with one fault each, and the law that each breaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from planted_architectures import Planted
from torch import Tensor

from seqzoo import (
    Batch,
    Sampler,
    SamplerSpec,
    Stream,
    StreamSpec,
    Tokenizer,
    TokenizerSpec,
)

__all__ = ["SAMPLERS", "STREAMS", "TOKENIZERS", "healthy_text_plugins"]


class Pairs(Tokenizer):
    """Frequent pairs of bytes are one id; all other bytes are their value."""

    def __init__(self) -> None:
        self.use([])

    def use(self, pairs: list[list[int]]) -> None:
        self.pairs = [list(pair) for pair in pairs]
        self.id_of = {tuple(pair): 256 + number for number, pair in enumerate(self.pairs)}
        self.vocab_size = 256 + len(self.pairs)

    def learn(self, training: np.ndarray) -> None:
        pairs = np.stack([training[:-1], training[1:]], axis=1)
        found, counts = np.unique(pairs, axis=0, return_counts=True)
        self.use(found[np.argsort(-counts, kind="stable")][:20].tolist())

    def encode(self, data: np.ndarray) -> np.ndarray:
        ids, place = [], 0
        while place < len(data):
            pair = self.id_of.get(tuple(data[place : place + 2].tolist()))
            ids.append(int(data[place]) if pair is None else pair)
            place += 1 if pair is None else 2
        return np.array(ids, dtype=np.min_scalar_type(self.vocab_size - 1))

    def decode(self, tokens: np.ndarray) -> bytes:
        return b"".join(map(self.bytes_of, np.asarray(tokens).tolist()))

    def bytes_of(self, token: int) -> bytes:
        return bytes([token]) if token < 256 else bytes(self.pairs[token - 256])

    def byte_lengths(self, tokens: np.ndarray) -> np.ndarray:
        return np.where(np.asarray(tokens) < 256, 1, 2).astype(np.int64)

    def state(self) -> Mapping[str, Any]:
        return {"pairs": self.pairs}

    def restore(self, state: Mapping[str, Any]) -> None:
        if set(state) != {"pairs"}:
            raise ValueError(f"expected 'pairs', found {sorted(state)}")
        self.use(state["pairs"])


class WrongLengths(Pairs):
    def byte_lengths(self, tokens: np.ndarray) -> np.ndarray:
        return np.ones(len(tokens), dtype=np.int64)


class WrongPlaces(Pairs):
    def byte_lengths(self, tokens: np.ndarray) -> np.ndarray:
        return super().byte_lengths(tokens)[::-1].copy()


class OfEnglish(Pairs):
    """One pair that no training part decides, with its two bytes counted one token too late."""

    def __init__(self) -> None:
        self.use([list(b"th")])

    def learn(self, training: np.ndarray) -> None:
        pass

    def byte_lengths(self, tokens: np.ndarray) -> np.ndarray:
        return np.roll(super().byte_lengths(tokens), 1)


class StateForgotten(Pairs):
    def state(self) -> Mapping[str, Any]:
        return {"pairs": []}


class StateTakesAll(Pairs):
    def restore(self, state: Mapping[str, Any]) -> None:
        self.use(state.get("pairs", []))


class StateOfTuples(Pairs):
    def state(self) -> Mapping[str, Any]:
        return {"pairs": dict.fromkeys(self.id_of)}


class LosesBytes(Pairs):
    def decode(self, tokens: np.ndarray) -> bytes:
        return super().decode(tokens).decode("utf-8", "ignore").encode()


class WideIds(Pairs):
    def encode(self, data: np.ndarray) -> np.ndarray:
        return super().encode(data).astype(np.int64)


class TooHighIds(Pairs):
    def use(self, pairs: list[list[int]]) -> None:
        super().use(pairs)
        self.vocab_size = max(256, self.vocab_size - 1)


class ChangesData(Pairs):
    def encode(self, data: np.ndarray) -> np.ndarray:
        ids = super().encode(data)
        if data.flags.writeable:
            data[:] = 0
        return ids


class RefusesOtherIds(Pairs):
    def decode(self, tokens: np.ndarray) -> bytes:
        if np.asarray(tokens).dtype == np.int64:
            raise ValueError("ids of another type")
        return super().decode(tokens)


def tokenizer(kind: type[Tokenizer]) -> TokenizerSpec:
    return TokenizerSpec(name="mine", summary="pairs", build=lambda options, context: kind())


TOKENIZERS: dict[str, Planted] = {
    "wrong byte_lengths": Planted(tokenizer(WrongLengths), "byte_lengths", "byte_places"),
    "byte_lengths in wrong places": Planted(tokenizer(WrongPlaces), "byte_places"),
    "the bytes of 'th' counted one token later": Planted(tokenizer(OfEnglish), "byte_places"),
    "state() forgotten": Planted(tokenizer(StateForgotten), "state"),
    "restore takes anything": Planted(tokenizer(StateTakesAll), "state"),
    "state() is no JSON": Planted(tokenizer(StateOfTuples), "state"),
    "loses invalid UTF-8": Planted(
        tokenizer(LosesBytes), "round_trip", "byte_places any_ids state"
    ),
    "ids of int64": Planted(tokenizer(WideIds), "ids"),
    "ids above vocab_size": Planted(tokenizer(TooHighIds), "ids"),
    "changes its data": Planted(tokenizer(ChangesData), "argument"),
    "refuses torch's ids": Planted(tokenizer(RefusesOtherIds), "any_ids"),
}


class Damping(Sampler):
    """Lowers the logits of tokens that have occurred lately."""

    history_length = 4

    def __init__(self, vocab_size: int) -> None:
        self.calls = 0

    def begin(self, prompt: Tensor, count: int) -> None:
        self.calls = 0

    def __call__(self, logits: Tensor, history: Tensor) -> Tensor:
        self.calls += 1
        occurred = torch.zeros_like(logits, dtype=torch.bool).scatter_(1, history, True)
        return self.changed(torch.where(occurred, logits - 1, logits), history)

    def changed(self, logits: Tensor, history: Tensor) -> Tensor:
        return logits


class OtherShape(Damping):
    def changed(self, logits: Tensor, history: Tensor) -> Tensor:
        return logits[:, :-1]


class OtherShapeLater(Damping):
    def changed(self, logits: Tensor, history: Tensor) -> Tensor:
        return logits if self.calls < 11 else logits[:1]


class ExcludesAll(Damping):
    def changed(self, logits: Tensor, history: Tensor) -> Tensor:
        return logits.masked_fill(logits > -1e30, -torch.inf)


class MakesNan(Damping):
    def changed(self, logits: Tensor, history: Tensor) -> Tensor:
        return logits / logits.std(dim=1, keepdim=True)


class ReturnsExcluded(Damping):
    def changed(self, logits: Tensor, history: Tensor) -> Tensor:
        return logits.clamp(min=-50)


class OwnNoise(Damping):
    def changed(self, logits: Tensor, history: Tensor) -> Tensor:
        return logits + torch.rand_like(logits)


class OwnGenerator(Damping):
    generator = np.random.default_rng()

    def changed(self, logits: Tensor, history: Tensor) -> Tensor:
        return logits + float(self.generator.random())


class Draws(Damping):
    def changed(self, logits: Tensor, history: Tensor) -> Tensor:
        drawn = torch.multinomial(logits.softmax(-1), 1)
        return torch.full_like(logits, -torch.inf).scatter_(1, drawn, 0.0)


class MixesRows(Damping):
    def changed(self, logits: Tensor, history: Tensor) -> Tensor:
        finite = logits.masked_fill(~logits.isfinite(), 0)
        return logits + finite.mean(0, keepdim=True)


class WritesHistory(Damping):
    def changed(self, logits: Tensor, history: Tensor) -> Tensor:
        history.fill_(0)
        return logits


class SharedMemory(Damping):
    seen: list[int] = []  # noqa: RUF012 (shared by all objects: the fault)

    def changed(self, logits: Tensor, history: Tensor) -> Tensor:
        self.seen.append(0)
        return logits - 0.01 * len(self.seen) * torch.arange(logits.shape[1])


class BeginForgotten(Damping):
    def begin(self, prompt: Tensor, count: int) -> None:
        pass

    def changed(self, logits: Tensor, history: Tensor) -> Tensor:
        return logits - 0.01 * self.calls * torch.arange(logits.shape[1])


class NeedsHistory(Damping):
    def changed(self, logits: Tensor, history: Tensor) -> Tensor:
        return logits.scatter(1, history[:, -1:], 0.0) if history[0, -4] >= 0 else logits


class HidesNan(Damping):
    def changed(self, logits: Tensor, history: Tensor) -> Tensor:
        return logits.nan_to_num(neginf=-torch.inf)


class PrintsLogits(Damping):
    def changed(self, logits: Tensor, history: Tensor) -> Tensor:
        print(logits)
        return logits


class WrongDone(Damping):
    def done(self) -> Any:
        return torch.zeros(3)


def sampler(kind: type[Damping]) -> SamplerSpec:
    return SamplerSpec(
        name="mine",
        summary="damps",
        build=lambda options, context: kind(context.vocab_size),
    )


SAMPLERS: dict[str, Planted] = {
    "another shape": Planted(sampler(OtherShape), "calls"),
    "another shape from the 11th call": Planted(sampler(OtherShapeLater), "many_calls"),
    "excludes all": Planted(sampler(ExcludesAll), "finite", "many_calls short_history"),
    "makes nan": Planted(sampler(MakesNan), "finite", "many_calls short_history nan_shown"),
    "returns what was excluded": Planted(sampler(ReturnsExcluded), "finite"),
    "own noise": Planted(sampler(OwnNoise), "no_chance", "rows fresh"),
    "own generator": Planted(sampler(OwnGenerator), "no_chance", "rows fresh"),
    "draws itself": Planted(sampler(Draws), "no_chance", "rows fresh nan_shown finite"),
    "mixes rows": Planted(sampler(MixesRows), "rows", "nan_shown"),
    "writes into history": Planted(sampler(WritesHistory), "history_kept"),
    "remembers in the class": Planted(sampler(SharedMemory), "fresh", "rows no_chance"),
    "begin is forgotten": Planted(sampler(BeginForgotten), "fresh"),
    "needs a full history": Planted(
        sampler(NeedsHistory), "short_history", "finite no_chance many_calls fresh nan_shown"
    ),
    "hides nan": Planted(sampler(HidesNan), "nan_shown"),
    "prints": Planted(sampler(PrintsLogits), "silent"),
    "done is no row of flags": Planted(sampler(WrongDone), "many_calls"),
}


class Order(Stream):
    """Contiguous lanes, in the simplest form."""

    ahead, shift = 1, 0

    def __init__(self, tokens: np.ndarray, batch_size: int) -> None:
        self.tokens, self.batch_size, self.place = tokens, batch_size, 0
        self.lane = (len(tokens) - 2) // batch_size
        if self.lane < 1:
            import seqzoo

            raise seqzoo.UsageError(f"{len(tokens)} tokens do not fill {batch_size} rows.")

    def next(self, length: int) -> Batch:
        if self.place >= self.lane:
            self.place, self.epoch = 0, self.epoch + 1
        time = min(length, self.lane - self.place)
        starts = np.arange(self.batch_size) * self.lane + self.place
        restarts = torch.full((self.batch_size,), self.place == 0)
        self.place += time
        return self.made(starts, time, restarts)

    def made(self, starts: np.ndarray, time: int, restarts: Tensor) -> Batch:
        places = starts[:, None] + np.arange(time)
        inputs, targets = (
            torch.from_numpy(self.tokens[places + by].astype(np.int64)) for by in (0, self.ahead)
        )
        return Batch(
            inputs=inputs,
            targets=targets,
            restarts=restarts,
            positions=torch.from_numpy(starts + self.shift),
        )

    def state(self) -> Mapping[str, Any]:
        return {"place": self.place, "epoch": self.epoch}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.place, self.epoch = state["place"], state["epoch"]


class RestoresNothing(Order):
    def restore(self, state: Mapping[str, Any]) -> None:
        pass


class RestoresNoEpoch(Order):
    def restore(self, state: Mapping[str, Any]) -> None:
        self.place = state["place"]


class StateIsArray(Order):
    def state(self) -> Mapping[str, Any]:
        return {"place": np.int64(self.place), "epoch": self.epoch}


class PositionsOff(Order):
    shift = 1


class TwoAhead(Order):
    ahead = 2


class OneBuffer(Order):
    buffer: Any = None

    def made(self, starts: np.ndarray, time: int, restarts: Tensor) -> Batch:
        batch = super().made(starts, time, restarts)
        if self.buffer is None or self.buffer.inputs.shape != batch.inputs.shape:
            self.buffer = batch
        self.buffer.inputs.copy_(batch.inputs)
        self.buffer.targets.copy_(batch.targets)
        return Batch(
            inputs=self.buffer.inputs,
            targets=self.buffer.targets,
            restarts=batch.restarts,
            positions=batch.positions,
        )


class NarrowIds(Order):
    def made(self, starts: np.ndarray, time: int, restarts: Tensor) -> Batch:
        batch = super().made(starts, time, restarts)
        return Batch(
            inputs=batch.inputs.int(), targets=batch.targets.int(), restarts=batch.restarts
        )


class Shuffled(Order):
    def made(self, starts: np.ndarray, time: int, restarts: Tensor) -> Batch:
        order = np.random.default_rng(int(starts[0])).permutation(len(starts))
        return super().made(starts[order], time, restarts)


class GlobalOrder(Order):
    def next(self, length: int) -> Batch:
        starts = np.random.randint(0, len(self.tokens) - length - 1, self.batch_size)
        return self.made(starts, length, torch.ones(self.batch_size, dtype=torch.bool))


class EpochFromOne(Order):
    epoch = 1


class EmptyIfShort(Order):
    def __init__(self, tokens: np.ndarray, batch_size: int) -> None:
        self.tokens, self.batch_size, self.place = tokens, batch_size, 0
        self.lane = max(0, (len(tokens) - 2) // batch_size)


class OneFlag(Order):
    def made(self, starts: np.ndarray, time: int, restarts: Tensor) -> Batch:
        return super().made(starts, time, restarts[:1])


def stream(kind: type[Order]) -> StreamSpec:
    return StreamSpec(
        name="mine",
        summary="in order",
        open=lambda options, context: kind(context.tokens, context.batch_size),
    )


STREAMS: dict[str, Planted] = {
    "restore ignores the state": Planted(stream(RestoresNothing), "restored", "foreign_state"),
    "restore forgets the epoch": Planted(stream(RestoresNoEpoch), "restored"),
    "state() is no JSON": Planted(stream(StateIsArray), "restored"),
    "positions off by one": Planted(stream(PositionsOff), "positions"),
    "targets two ahead": Planted(stream(TwoAhead), "targets", "continues too_short"),
    "one buffer for all batches": Planted(stream(OneBuffer), "unchanged", "continues"),
    "ids of int32": Planted(stream(NarrowIds), "batches"),
    "shuffled rows": Planted(stream(Shuffled), "continues"),
    "a global random generator": Planted(stream(GlobalOrder), "repeatable", "restored too_short"),
    "epochs from 1": Planted(stream(EpochFromOne), "epochs"),
    "empty batches of a short text": Planted(stream(EmptyIfShort), "too_short"),
    "one flag for all rows": Planted(stream(OneFlag), "batches"),
}

healthy_text_plugins: dict[str, Callable[[], Any]] = {
    "tokenizer": lambda: tokenizer(Pairs),
    "sampler": lambda: sampler(Damping),
    "stream": lambda: stream(Order),
}
