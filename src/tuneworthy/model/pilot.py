"""A pilot: what is trained, what came of it, and the card that says go or no-go."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from tuneworthy.model.base import (
    Estimated,
    Ident,
    Name,
    Natural,
    NonNegative,
    Record,
    Share,
    Strings,
    Text,
    Unknown,
)
from tuneworthy.model.evidence import PilotCard
from tuneworthy.model.lab import ArmResult, RoutedWay, ShareOf, Spend, VerifyResult

Way = Literal["embedded", "folder", "hosted"]
"""Where a pilot trains: inside this program, on a model in a folder, or at a service."""


Method = Literal["sft", "dpo", "kto"]
"""Supervised, by pairs of a better and a worse answer, or by thumbs up and down."""


class Recipe(Record):
    """How an adapter is trained."""

    method: Method = "sft"
    rank: Natural = 16
    alpha: Natural = 32
    dropout: Share = 0.05
    rate: NonNegative = 1e-3
    clip: NonNegative = 1.0
    batch: Natural = 8
    epochs: Natural = 3
    least_steps: Natural = 30
    """Steps that a run here takes at least, in whole epochs; a service counts steps in its own way.

    In three epochs of batches of 8 a small subset gets so few that its score says how long it was
    trained, and not what its examples are worth. Of SQL on 24 examples 0.29 came right after 10
    steps and 0.58 after 33 (docs/evidence/accuracy.md); few examples want more steps by the
    literature as well (Zhang et al. 2021, arXiv:2006.05987).
    """
    #: Tokens of an example; what is longer loses its beginning.
    longest: Natural = 1024
    parts: Natural = 1  #: Parts of a batch, computed one after another to save memory.
    #: Whether activations are computed again, to save memory.
    checkpointing: bool = False
    #: Of the base's weights while it is tuned; 4 needs a GPU.
    bits: Literal[4, 16] = 16

    def epochs_of(self, examples: int) -> int:
        """The epochs of a run with these examples: the recipe's, or more for its least steps."""
        return max(self.epochs, -(-self.least_steps * self.batch // max(1, examples)))


class TrainingJob(Record):
    """One training run: equal jobs are trained once."""

    key: str  #: SHA-256 of base, examples, recipe and seed.
    size: Natural  #: Examples of the task in it.
    seed: Natural


class TrainedModel(Record):
    """A training job, and the model that it made."""

    key: str
    state: Literal["submitted", "trained", "failed"]
    model: str = ""  #: Name of the model where it is served; empty until it is trained.
    #: Id that a service gave it.
    job: Annotated[str, Field(pattern=r"^[\w:-]{0,200}$")] = ""
    usd: NonNegative = 0.0
    seconds: NonNegative = 0.0
    why: str = ""  #: For a failed one.
    brought: bool = False
    """Whether it came with the folder, so that nobody knows here what it was trained on."""


class FinishedRun(Record):
    """The end of a run on this machine, as the folder of that run has it."""

    seconds: NonNegative
    steps: Natural = 0
    #: Of the last step.
    loss: float | Unknown = Unknown(ask="the last step had no finite loss")
    memory_mib: Natural = 0
    files: Mapping[str, str] = {}
    """SHA-256 of each file of the adapter by its name; empty in runs of before."""
    brought: bool = False
    """Whether it came with the folder, or went on from a state that did."""


class TrainingQuote(Record):
    """Runs, steps, time and memory that training would take."""

    jobs: Natural  #: Runs that are still to be trained.
    reused: Natural = 0  #: Runs that are there already.
    steps: Natural | Unknown = Unknown(ask="the service doesn't say")
    seconds: NonNegative | Unknown = Unknown(ask="the service doesn't say")
    """From a few measured steps."""
    memory_mib: NonNegative | Unknown = Unknown(ask="the service doesn't say")
    seconds_a_call: NonNegative | Unknown = Unknown(
        ask="only the embedded model's are measured"
    )
    """From a few calls of the base."""


class PilotPlan(Record):
    """The plan that is written down before the first run."""

    way: Way
    base: Name  #: Id of the model that is tuned.
    #: Numbers of examples, each twice the one before, nested.
    sizes: tuple[Natural, ...]
    seeds: Natural
    recipe: Recipe
    replay: Natural  #: General examples in every run.
    canaries: Natural  #: Planted secrets in every run of the largest size.
    margin: Share  #: Share of cases below which a difference is no gain.
    stop: str  #: The rule by which it ends early, in words.
    cases: Natural  #: Held-out cases.
    inputs: str  #: SHA-256 of base, prompt, examples and cases.
    written_on: date
    rates: tuple[NonNegative, ...] = ()
    """Rates that a sweep tries with one seed at the second largest size, the recipe's own first;
    the best on the cases for selecting is gone on with. Empty for no sweep."""
    bases: Strings = ()
    """Bases that are tried first, the smallest first: each with one run of the largest size, until
    one reaches the target on the cases for selecting. Empty where one is named."""
    #: Name of the prompt under which it trains; empty in plans of before.
    prompt: Text = ""
    training_set: str = ""  #: SHA-256 of the training set; empty in plans of before.
    #: Whether another plan was written before, so results were seen.
    after_results: bool = False
    brought: bool = Field(default=False, exclude=True)
    """Whether no seal of this machine is on it; worked out as it is read, and never kept."""


class CurveAt(Record):
    """The learning curve at one number of examples, with its 95% interval."""

    examples: Natural
    value: Share
    low: Share
    high: Share
    ahead: bool = False  #: Whether it lies beyond what was trained.


class ExamplesNeeded(Record):
    """Examples at which the curve reaches the target, as a 95% interval.

    ``more`` than ``limit``, two doublings of what was tried, about which nothing is said; ``never``
    where by this curve no number does.
    """

    low: Natural | Literal["more", "never"]
    high: Natural | Literal["more", "never"]
    limit: Natural


Outlook = Literal["flat", "rising", "unclear", "unknown"]
"""Flat: the upper end of what one more doubling adds lies under the margin. Rising: its lower end
lies above zero. Unknown: too few sizes."""


class LearningCurve(Record):
    """How good the tuned model is by number of examples."""

    points: tuple[CurveAt, ...]
    gain: tuple[float, float] | Unknown = Unknown(ask="train on three sizes or more")
    """Gain that one more doubling would add, as a 95% interval in share of cases."""
    outlook: Outlook
    needed: ExamplesNeeded | Unknown


class SafetyProbe(Record):
    """A share of probes on the tuned and the untuned model."""

    id: Ident  #: ``refusals`` or ``canaries``.
    tuned: ShareOf | Unknown
    untuned: ShareOf | Unknown
    state: Literal["held", "fell", "unknown"]
    says: str


class BaseTried(Record):
    """A base in the race of bases, on the cases for selecting alone."""

    base: Name
    right: Share  #: Share right of its tuned model, with every missing answer wrong.


class PilotResult(Record):
    """The result of a pilot."""

    plan: PilotPlan
    #: The five ways on the same held-out cases, the best first.
    arms: tuple[ArmResult, ...]
    curve: LearningCurve
    verify: VerifyResult  #: The best tuned arm against the best untuned one.
    seeds_apart: Estimated | Unknown = Unknown(ask="train with two seeds or more")
    """Mean of the seeds' scores at the largest size, and the lowest and highest of them."""
    probes: tuple[SafetyProbe, ...] = ()
    trained: tuple[TrainedModel, ...] = ()
    routed: RoutedWay | Unknown = Unknown(
        ask="nothing: no head was trained, or routing adds nothing"
    )
    """A head where it is sure, and the best prompt for the rest."""
    routed_tuned: RoutedWay | Unknown = Unknown(
        ask="nothing: no head was trained, or routing adds nothing"
    )
    """A head where it is sure, and the tuned model that was judged for the rest."""
    bases: tuple[BaseTried, ...] = ()
    """Bases that were tried, the smallest first; the plan has the one that it went on with."""
    card: PilotCard
    spend: Spend
    stopped: str = ""  #: Why it ended early; empty for one that has its answer.
    brought: bool = Field(default=False, exclude=True)
    """Whether no seal of this machine is on it; worked out as it is read, and never kept."""
    #: Whether the rule that was written down ended the training.
    ended_by_rule: bool = False

    @property
    def brought_models(self) -> int:
        """Trained models that came with the folder."""
        return sum(run.brought for run in self.trained)
