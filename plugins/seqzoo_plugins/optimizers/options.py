"""The options of the optimizers; no torch, which a declaration must not import."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field, model_validator

import seqzoo

__all__ = ["AdamWOptions", "MuonOptions", "RMSpropOptions", "SGDOptions"]

_Decay: TypeAlias = Annotated[float, Field(ge=0, lt=1)]


class AdamOptions(seqzoo.OptimizerOptions):
    """What AdamW needs, also where another optimizer uses it for some of the parameters."""

    learning_rate: float = Field(
        default=3e-3, gt=0, description="learning rate of AdamW, before the schedule"
    )
    weight_decay: float = Field(
        default=0.01, ge=0, description="decoupled weight decay, on matrices only"
    )
    betas: tuple[_Decay, _Decay] = Field(
        default=(0.9, 0.99), description="decay of the first and second moment in AdamW"
    )
    epsilon: float = Field(default=1e-8, gt=0, description="added to the denominator in AdamW")


class AdamWOptions(AdamOptions):
    """Recipes and runs of earlier versions give every optimizer the two options of Muon as well.

    They are read, so that these recipes and runs stay valid, and stored nowhere.
    """

    matrix_learning_rate: float | None = Field(
        default=None, gt=0, exclude=True, description="of muon; has no effect with adamw"
    )
    momentum: float | None = Field(
        default=None, ge=0, lt=1, exclude=True, description="of muon; has no effect with adamw"
    )


class MuonOptions(AdamOptions):
    learning_rates = ("learning_rate", "matrix_learning_rate")
    matrix_learning_rate: float = Field(
        default=0.02, gt=0, description="learning rate of Muon, before the schedule"
    )
    momentum: _Decay = Field(default=0.95, description="momentum of Muon")


class SGDOptions(seqzoo.OptimizerOptions):
    learning_rate: float = Field(
        default=0.1, gt=0, description="learning rate, before the schedule"
    )
    weight_decay: float = Field(
        default=0.0, ge=0, description="added to the gradient, times the weights; matrices only"
    )
    momentum: _Decay = Field(default=0.9, description="share of the last step that is repeated")
    nesterov: bool = Field(default=False, description="whether the step looks ahead along momentum")

    @model_validator(mode="after")
    def _has_momentum(self) -> SGDOptions:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0; found 0")
        return self


class RMSpropOptions(seqzoo.OptimizerOptions):
    weight_decay: float = Field(
        default=0.0, ge=0, description="added to the gradient, times the weights; matrices only"
    )
    smoothing: _Decay = Field(default=0.95, description="decay of the mean squared gradient")
    momentum: _Decay = Field(default=0.0, description="share of the last step that is repeated")
    epsilon: float = Field(default=1e-8, gt=0, description="added to the root of the mean square")
