"""The watch in loops of other libraries: Lightning, the Trainer of Hugging Face, Keras 3."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import REPOSITORY
from torch import Tensor
from torch.utils.data import DataLoader
from watched_loops import Attention, V, loss_of, windows

import seqzoo
from seqzoo.doctor.watching.watch import WatchedLoop

pytestmark = pytest.mark.slow

_REASON = "pip install lightning transformers accelerate keras"


def said(visit: WatchedLoop) -> list[tuple[str, str]]:
    assert visit.errors == []
    return [(each.check.name, each.outcome.seen) for each in visit.diagnosis.causes]


def fitted(*, accumulate: int = 1, manual: bool = False, **how: Any) -> WatchedLoop:
    """Two epochs of Lightning with validation. manual: a loop of its own that clears nothing."""
    lightning: Any = pytest.importorskip("lightning", reason=_REASON)

    class Lit(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = Attention()
            self.automatic_optimization = not manual

        def training_step(self, batch: Any, number: int) -> Tensor:
            loss = loss_of(self.model(batch[0]), batch[1])
            if manual:
                self.manual_backward(loss)
                self.optimizers().step()
            return loss

        def validation_step(self, batch: Any, number: int) -> None:
            self.log("loss", loss_of(self.model(batch[0]), batch[1]))

        def configure_optimizers(self) -> Any:
            optimizer = torch.optim.AdamW(self.parameters(), 1e-3)
            return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.9)]

    module = Lit()
    trainer = lightning.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accumulate_grad_batches=accumulate,
        **how,
    )
    batches: Any = list(windows(20))
    training: Any = DataLoader(batches, batch_size=None)
    validation: Any = DataLoader(batches[:4], batch_size=None)
    with warnings.catch_warnings(), seqzoo.watch(module.model, show=False) as visit:
        warnings.simplefilter("ignore")
        trainer.fit(module, training, validation)
    return visit


def test_lightning_is_healthy_with_and_without_accumulation() -> None:
    visit = fitted()
    assert said(visit) == []
    assert (visit.forwards_seen, visit.backwards_seen, visit.steps_seen) == (50, 40, 40)
    assert visit.scoring_passes == 10
    visit = fitted(accumulate=2, gradient_clip_val=1.0)
    assert said(visit) == []
    assert (visit.backwards_seen, visit.steps_seen, len(visit.clips)) == (40, 20, 20)


def test_a_manual_loop_in_lightning_that_clears_nothing_is_named() -> None:
    assert "loop.gradients" in dict(said(fitted(manual=True)))


class Rows(torch.utils.data.Dataset[Any]):
    def __init__(self, shift: int) -> None:
        rows = [row for x, _ in windows(30) for row in x]
        self._items = [{"input_ids": row, "labels": row.roll(-shift)} for row in rows]

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, place: int) -> Any:
        return self._items[place]


def trained(folder: Path, *, shift: int = 0, accumulate: int = 1) -> WatchedLoop:
    """GPT-2 with random weights in the Trainer. shift: places by which the labels are moved."""
    pytest.importorskip("accelerate", reason=_REASON)
    transformers: Any = pytest.importorskip("transformers", reason=_REASON)
    torch.manual_seed(0)
    shape = transformers.GPT2Config(
        vocab_size=V, n_positions=32, n_embd=16, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
    )
    model = transformers.GPT2LMHeadModel(shape)
    arguments = transformers.TrainingArguments(
        str(folder),
        per_device_train_batch_size=8,
        gradient_accumulation_steps=accumulate,
        max_steps=25,
        eval_strategy="epoch",
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    rows = Rows(shift)
    with seqzoo.watch(model, show=False) as visit:
        transformers.Trainer(model, arguments, train_dataset=rows, eval_dataset=rows).train()
    return visit


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_trainer_of_hugging_face_is_healthy(tmp_path: Path, accumulate: int) -> None:
    visit = trained(tmp_path, accumulate=accumulate)
    assert said(visit) == []
    assert (visit.backwards_seen, visit.steps_seen) == (25 * accumulate, 25)
    seen = {each.check.name: each.outcome for each in visit.diagnosis.examined}
    assert seen["stream.targets"].seen.startswith("100%")


def test_labels_that_are_shifted_although_the_model_shifts_them_are_named(tmp_path: Path) -> None:
    found = dict(said(trained(tmp_path, shift=1)))
    assert "token after next" in found["stream.targets"]


_QUESTION = """
import os
os.environ["KERAS_BACKEND"] = "torch"
import sys
from functools import partial
import keras
import seqzoo
from keras_question import batches_of, build, forward, generator_of, queued

keras.utils.set_random_seed(1)
text = open(sys.argv[1], "rb").read()
model = build()
with seqzoo.watch(
    model, model.optimizer, corpus=text, batches=partial(batches_of, text), forward=forward,
    generate=generator_of(model), show=False,
) as visit:
    model.fit(queued(batches_of(text)), steps_per_epoch=int(sys.argv[2]), epochs=1, verbose=0)
assert visit.errors == [], visit.errors
for each in visit.diagnosis.findings:
    print(each.check.name, "|", each.outcome.seen)
print("causes", *[each.check.name for each in visit.diagnosis.causes])
"""


def test_the_question_gets_its_answer_from_its_own_script(tinyshakespeare: Path) -> None:
    """In another process: the backend of Keras is chosen when it is first imported."""
    if find_spec("keras") is None:  # an import would choose the backend of this process
        pytest.skip(_REASON)
    path = os.pathsep.join(
        [str(REPOSITORY), str(REPOSITORY / "plugins"), str(REPOSITORY / "tests" / "support")]
    )
    ended = subprocess.run(
        [sys.executable, "-c", _QUESTION, str(tinyshakespeare), "20000"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    found = dict(line.split(" | ") for line in ended.stdout.splitlines() if " | " in line)
    assert "255 of 256 batches changed" in found["stream.aliasing"]
    assert "crosses 0 steps" in found["memory.horizon"]
    assert "order-1 rung" in found["verdict.rung"]
    assert "the text of generate repeats itself" in found["decoding.loop"]
    assert "causes stream.aliasing memory.horizon" in ended.stdout
