"""What was seen of a training loop, as plain data in the order in which it happened.

`when` is the number of an event: it orders passes, steps and calls against each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

__all__ = [
    "Backward",
    "Clip",
    "Divergence",
    "ForwardPass",
    "Function",
    "LossTerm",
    "Moved",
    "RateChange",
    "Step",
    "Visit",
]

_TINY = 0.01


@dataclass(kw_only=True)
class ForwardPass:
    """One call of the model.

    content: a hash of what it read, None if it was not looked at. ids: (B, T), a copy.
    original: the tensor that it was given, under the name `keyword` if not by place.
    has_state: whether it was given a state that the pass before it had returned, or began with the
    one that this had left in the model, as the sums of the states show.
    states: what the pass returned beside its output, until the next pass.
    kept_before, kept_after: sums of what the model keeps in itself, see `kept_in`.
    used_by: the number of the backward pass that reached its output first.
    """

    when: int
    is_training: bool
    with_gradients: bool
    content: int | None = None
    ids: Tensor | None = None
    original: Tensor | None = None
    is_one_hot: bool = False
    has_state: bool = False
    num_arguments: int = 1
    keyword: str = ""
    state_sums: tuple[float, ...] = ()
    states: tuple[Tensor, ...] = ()
    kept_before: dict[tuple[str, str], float] = field(default_factory=dict)
    kept_after: dict[tuple[str, str], float] = field(default_factory=dict)
    output_shape: tuple[int, ...] = ()
    fingerprints: Tensor | None = None
    used_by: int | None = None


@dataclass(frozen=True)
class Function:
    """A function that the logits pass through before the softmax of a loss.

    low, high: between which its values are. scale: what they are multiplied with after it, infinite
    if that is not known.
    """

    name: str
    low: float
    high: float
    scale: float = 1.0


@dataclass(kw_only=True)
class LossTerm:
    """A negative log-likelihood inside a loss.

    dimension: the axis of the softmax below it, counted from the end. functions: what the logits
    pass through before it, the last one first. num_classes: 0 if it is not known.
    without_weight: the classes whose targets count nothing.
    normalised: the share of rows whose probabilities sum to 1.
    rows: (N, few) log-probabilities, to find the output that each comes from.
    targets: (N,), in the order of the rows, -1 if they are ignored. nats: their mean cost.
    gradient: what arrived at it, the mean over its values. is_even: whether they are all equal.
    forward: the number of the pass that it comes from. is_viewed: the classes of the output were
    made another axis, and no operation moved them there.
    """

    name: str
    is_mean: bool = True
    dimension: int | None = None
    functions: tuple[Function, ...] = ()
    num_classes: int = 0
    without_weight: tuple[int, ...] = ()
    normalised: float = 1.0
    rows: Tensor | None = None
    targets: Tensor | None = None
    ignore_index: int | None = None
    ignored: int = 0
    nats: float | None = None
    gradient: float | None = None
    is_even: bool = True
    forward: int | None = None
    is_viewed: bool = False


@dataclass(kw_only=True)
class Divergence:
    """A Kullback-Leibler divergence inside a loss, between given targets and the model's output.

    reads: "log-probabilities", "probabilities" or "logits", which it takes for log-probabilities;
    "" if it is not known. is_mean: over its rows and its classes.
    gradient: what arrived at its values, the mean over them. is_even: whether they are all equal.
    """

    reads: str
    is_mean: bool
    num_rows: int
    num_classes: int
    gradient: float | None = None
    is_even: bool = True


@dataclass(kw_only=True)
class Backward:
    """One backward pass. cleared: which parameters had no gradient, or zeros, before it.

    forwards: the passes that its graph reaches. nodes: how many nodes the graph has.
    norm: of all gradients after it. is_whole: whether all of the graph was walked.
    picked: log-probabilities that a loss of the user's own picks from the output.
    losses, outputs: how many graphs of earlier losses, and outputs of the model, there were, and
    how many of them are still in memory.
    log_softmaxes: of the output, whatever the loss makes of them.
    divergences: those of the model's output from targets that need no gradient.
    """

    when: int
    value: float | None = None
    retained: bool = False
    nodes: int = 0
    is_whole: bool = True
    forwards: tuple[int, ...] = ()
    terms: list[LossTerm] = field(default_factory=list)
    picked: list[LossTerm] = field(default_factory=list)
    log_softmaxes: list[LossTerm] = field(default_factory=list)
    divergences: list[Divergence] = field(default_factory=list)
    reaches_parameters: bool = True
    all_cleared: bool = False
    scale: float | None = None
    norm: float | None = None
    in_step: bool = False
    losses: tuple[int, int] = (0, 0)
    outputs: tuple[int, int] = (0, 0)


@dataclass
class Moved:
    """Of one parameter: sampled values that had a gradient in a step, and those that changed.

    shares: of a matrix, how far each step moved them, as a share of their size before it.
    """

    with_gradient: int = 0
    moved: int = 0
    steps: int = 0
    shares: list[float] = field(default_factory=list)


@dataclass(kw_only=True)
class Step:
    """One step of an optimizer that has parameters of the model, from `when` to `ended`.

    backwards: passes since the gradients were cleared or used. dirty: parameters whose gradient
    still contains that of an earlier step. norm: of the gradients that it used.
    kind: the name of the optimizer's class. maximizes: it goes up the gradient. parameters: those
    of the model that it has. is_first: it had no moments before this step, and has them after it.
    shrinkage, decay: how much weight decay takes of a weight, and adds to a gradient, see sizes.py.
    """

    when: int
    ended: int = 0
    optimizer: int
    kind: str = ""
    maximizes: bool = False
    parameters: frozenset[str] = frozenset()
    is_first: bool = False
    rates: tuple[float, ...] = ()
    backwards: int = 0
    dirty: int = 0
    known: int = 0
    empty: int = 0
    norm: float | None = None
    shrinkage: float = 0.0
    decay: float | None = None
    has_closure: bool = False
    is_fused_scaler: bool = False
    trained_forwards: int = 0
    eval_forwards: int = 0


@dataclass(frozen=True)
class Clip:
    """A call that clips gradients: to a norm (`limit`), from the norm that they had."""

    when: int
    limit: float
    norm: float


@dataclass
class RateChange:
    """How the learning rate of an optimizer developed: its peak, and since when it is tiny.

    turned: after how many steps a rate that had only fallen, to almost 0, rose again.
    """

    peak: float = 0.0
    last: float = 0.0
    tiny_since: int | None = None
    steps: int = 0
    turned: int | None = None
    highest_after: float = 0.0
    largest_rise: float = 0.0

    def note(self, rate: float) -> None:
        """The rate of one more step; below a hundredth of the peak it is tiny."""
        if rate > self.last and self.steps:
            if not self.largest_rise and self.peak and self.last <= _TINY * self.peak:
                self.turned = self.steps
            self.largest_rise = max(self.largest_rise, rate - self.last)
        if self.turned is not None:
            self.highest_after = max(self.highest_after, rate)
        self.steps += 1
        self.last = rate
        self.peak = max(self.peak, rate)
        if rate > _TINY * self.peak:
            self.tiny_since = None
        elif self.tiny_since is None:
            self.tiny_since = self.steps


@dataclass(kw_only=True)
class Visit:
    """A watched loop.

    frozen: parameters that required no gradient at first. unfrozen: of them, those that got one
    later and are in no optimizer. late: parameters that were added later and are in none.
    steps_seen: all steps; `steps` has those that were looked at. errors: what failed inside the
    watch. exception: what ended the loop. moved_by_hand: a weight changed, whether or not an
    optimizer made a step. put_back: how often a step began with the weights of an earlier one.
    changed_between: how often it began with others than the step before it had left.
    """

    forwards: list[ForwardPass] = field(default_factory=list)
    backwards: list[Backward] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    clips: list[Clip] = field(default_factory=list)
    scheduler_steps: list[int] = field(default_factory=list)
    scheduled: bool = False
    rates: dict[int, RateChange] = field(default_factory=dict)
    moved: dict[str, Moved] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    frozen: frozenset[str] = frozenset()
    late: frozenset[str] = frozenset()
    unfrozen: frozenset[str] = frozenset()
    owned: set[str] = field(default_factory=set)
    with_gradient: set[str] = field(default_factory=set)
    without_gradient: set[str] = field(default_factory=set)
    twice: set[str] = field(default_factory=set)
    dtypes: dict[str, str] = field(default_factory=dict)
    moved_by_hand: bool = False
    put_back: int = 0
    changed_between: int = 0
    foreign_steps: int = 0
    given_optimizer_is_foreign: bool = False
    steps_seen: int = 0
    forwards_seen: int = 0
    backwards_seen: int = 0
    training_passes_in_eval: int = 0
    scoring_passes_in_training: int = 0
    scoring_passes: int = 0
    has_modes: str = ""
    has_time_first_layers: bool = False
    errors: list[str] = field(default_factory=list)
    exception: BaseException | None = None
