"""Papers of a tuned model from what a case already knows: fields that nobody filled are named.

A model card, a summary of the training data, and the training compute beside the threshold of the
EU's guidelines on general-purpose models. It is arithmetic with its sources, and no legal advice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tuneworthy.facts.ends import end_text
from tuneworthy.facts.load import facts_on
from tuneworthy.facts.records import KnownFacts, ModelFact
from tuneworthy.files.stores import read_pilot, read_training
from tuneworthy.model.case import Case, Model
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.pilot import PilotResult, Recipe
from tuneworthy.model.training import TrainingExample, TrainingSet
from tuneworthy.report import blocks as b
from tuneworthy.report.sections.common import about
from tuneworthy.training.gate import tokens_of
from tuneworthy.words import (
    amount,
    count,
    counted,
    day,
    listing,
    plain,
    sentence,
    several,
)

_NO_ADVICE = (
    "This is arithmetic with its sources, and not legal advice. Have a lawyer read it."
)
_FLOP_PER_TOKEN = (
    6  # of a parameter: forward and back; an adapter takes less, never more
)
_BILLION = 1e9
_MTOK = 1e6


class PaperField(NamedTuple):
    """A field of a paper."""

    name: str
    value: str  #: Empty where nobody filled it.
    source: str  #: Where the value is from; of an open field, what would fill it.


class Papers(NamedTuple):
    """The papers of a case."""

    card: tuple[PaperField, ...]
    data: tuple[PaperField, ...]
    threshold: tuple[PaperField, ...]

    @property
    def open_fields(self) -> int:
        """Fields that nobody filled."""
        return sum(
            not field.value for field in (*self.card, *self.data, *self.threshold)
        )

    @property
    def fields(self) -> int:
        """All of them."""
        return len(self.card) + len(self.data) + len(self.threshold)


class _PaperSources(NamedTuple):
    """What the papers are written from."""

    case: Case
    dossier: Dossier
    pilot: PilotResult | None
    training: TrainingSet | None
    examples: Sequence[TrainingExample]
    facts: KnownFacts

    @property
    def tuned(self) -> Model | None:
        """The tuned model that the case lists."""
        return next(
            (model for model in self.case.models if model.kind == "tuned"), None
        )

    @property
    def base(self) -> str:
        """The id of the base: the pilot's, else the tuned model's own; empty for unknown."""
        if self.pilot is not None:
            return self.pilot.plan.base
        return "" if self.tuned is None else self.tuned.id

    @property
    def weights(self) -> ModelFact | None:
        """What is known of the base's weights, whoever serves them."""
        fact = self.facts.model(self.base) if self.base else None
        name = self.base.partition(":")[2]
        if name:
            own = self.facts.model(f"open:{name.removesuffix('-Reference')}")
        else:
            own = None
        return own or fact


def write_papers(case: Case, dossier: Dossier) -> Papers:
    """The papers of a case, from its dossier, its training set and its pilot."""
    stored = read_training(case)
    training, examples = stored if stored is not None else (None, ())
    known = _PaperSources(
        case=case,
        dossier=dossier,
        pilot=read_pilot(case),
        training=training,
        examples=examples,
        facts=facts_on(dossier.as_of),
    )
    return Papers(tuple(_card(known)), tuple(_data(known)), tuple(_threshold(known)))


# The model card.


def _card(known: _PaperSources) -> Iterator[PaperField]:
    case = known.case
    tuned = known.tuned
    name = "" if tuned is None else tuned.id
    yield PaperField(
        "Model", name, "models" if name else "list the tuned model (models: kind)"
    )
    yield from _base(known)
    yield PaperField("Purpose", case.description or case.name, "name and description")
    goals = listing([plain(goal) for goal in case.goals])
    yield PaperField("Tuned for", goals, "goals" if goals else "state goals")
    yield PaperField("Not meant for", "", "write down what it must not be used for")
    yield from _how(known)
    yield from _scores(known)
    owner = case.decision.owner or ""
    yield PaperField(
        "Owner", owner, "decision.owner" if owner else "state decision.owner"
    )
    signed = case.decision.signed
    if signed is None:
        text = ""
    else:
        text = f"{signed.by} on {day(signed.on)}: {plain(signed.answer)}"
    fix = "tuneworthy decide CASE --sign NAME"
    yield PaperField("Signed", text, "decision.signed" if text else fix)


def _base(known: _PaperSources) -> Iterator[PaperField]:
    source = "the pilot" if known.pilot is not None else "models"
    yield PaperField(
        "Base", known.base, source if known.base else "run a pilot, or list it"
    )
    weights = known.weights
    if weights is None:
        looked_up = ""
    else:
        looked_up = f"the catalogue, looked up on {day(weights.dated)}"
    size = weights.parameters_b if weights is not None else None
    text = "" if size is None else f"{amount(size)} billion"
    ask = "look it up with its maker"
    yield PaperField("Parameters", text, looked_up if text else ask)
    license_ = (weights.license if weights is not None else None) or ""
    yield PaperField("License of the base", license_, looked_up if license_ else ask)
    fact = known.facts.model(known.base) if known.base else None
    ends = end_text(fact, known.dossier.as_of)
    yield PaperField(
        "End of the base", ends, looked_up if ends else "ask who serves it"
    )


def _how(known: _PaperSources) -> Iterator[PaperField]:
    pilot = known.pilot
    text = "" if pilot is None else _recipe(pilot.plan.recipe, pilot.plan.seeds)
    source = "the pilot's plan, written down before it began"
    yield PaperField(
        "How it was trained", text, source if text else "tuneworthy pilot CASE"
    )


def _recipe(recipe: Recipe, seeds: int) -> str:
    method = {"sft": "supervised", "dpo": "preference pairs"}[recipe.method]
    return (
        f"{method}, adapter of rank {recipe.rank}, {several(recipe.epochs, 'epoch')}, rate "
        f"{recipe.rate:g}, batches of {recipe.batch}, {several(seeds, 'seed')}"
    )


def _scores(known: _PaperSources) -> Iterator[PaperField]:
    """What was measured of it: each row of the pilot's card."""
    pilot = known.dossier.pilot
    if pilot is None:
        for name in ("Quality", "General skills", "Refusals", "Secrets of the data"):
            yield PaperField(name, "", "tuneworthy pilot CASE")
        return
    for row in pilot.rows:
        if row.id in ("quality", "gain", "general", "refusals", "canaries", "latency"):
            state = {"met": "met", "missed": "missed", "unknown": "unknown"}[row.state]
            says = f"{row.says} ({state})"
            yield PaperField(row.title, says, f"{row.rests_on}, {day(pilot.on)}")


# The training data.


def _data(known: _PaperSources) -> Iterator[PaperField]:
    training = known.training
    if training is None:
        fix = "gate the examples: tuneworthy data CASE"
        for name in ("Examples", "Digest", "Reviewed by people", "Kept out"):
            yield PaperField(name, "", fix)
    else:
        yield from _set(training)
    case = known.case
    files = listing(
        sorted({example.source.rpartition(":")[0] for example in known.examples})
    )
    yield PaperField(
        "Files", files, "the training set" if files else "state data.training"
    )
    tokens = sum(map(tokens_of, known.examples))
    text = f"about {amount(float(f'{tokens:.2g}'))}" if tokens else ""
    if text:
        says = "by characters: up to 1.5 times more or fewer"
    else:
        says = "gate the examples first"
    yield PaperField("Tokens", text, says)
    reviewed = case.safety.data_reviewed
    words = {"yes": "reviewed for bias, harm and personal data", "no": "not reviewed"}
    said = words.get(reviewed, "")
    source = "safety.data_reviewed"
    yield PaperField("Review for safety", said, source if said else f"state {source}")
    for name, ask in (
        (
            "Where it comes from",
            "write down who made it, when, and by what right it is used",
        ),
        ("Languages", "write down which languages are in it"),
        (
            "Rights of others",
            "write down whether texts of others are in it, and their terms",
        ),
    ):
        yield PaperField(name, "", ask)


def _set(training: TrainingSet) -> Iterator[PaperField]:
    source = "the gate"
    held = counted(training.validation, "example")
    yield PaperField(
        "Examples", f"{count(training.train)}, and {held} to validate on", source
    )
    yield PaperField("Digest", f"sha256:{training.digest}", source)
    people = f"{count(training.accepted)} accepted, {count(training.edited)} edited"
    if training.reviewers:
        people += f" by {several(len(training.reviewers), 'reviewer')}"
    people += f"; {count(training.stated)} as the team stated them"
    yield PaperField("Reviewed by people", sentence(people).rstrip("."), source)
    gates = [
        f"{count(each.examples)} {plain(each.id)}"
        for each in training.gates
        if each.examples
    ]
    yield PaperField("Kept out", listing(gates) or "nothing", source)


# The threshold of the guidelines on general-purpose models.


def _threshold(known: _PaperSources) -> Iterator[PaperField]:
    """The compute of the tuning beside a third of the base's, or of what stands in for it."""
    if known.pilot is not None:
        epochs = known.pilot.plan.recipe.epochs
    else:
        epochs = Recipe().epochs
    if known.pilot is not None:
        whose = "the pilot's epochs"
    else:
        whose = "the default of a pilot"
    tokens = float(sum(map(tokens_of, known.examples)) * epochs)
    weights = known.weights
    size = weights.parameters_b if weights is not None else None
    trained = weights.trained_mtok if weights is not None else None
    share = known.facts.assumptions.get("gpai_modifier_share")
    stand_in = known.facts.assumptions.get("gpai_indicative_flop")
    tune = _compute(size, tokens)
    text = "" if tune is None else f"at most {tune:.2g} operations"
    how = f"6 × parameters × tokens × {count(epochs)} epochs ({whose})"
    lacks = "gate the examples, and name a base whose size is known"
    yield PaperField("Compute of the tuning", text, how if text else lacks)
    base = None if trained is None else _compute(size, trained * _MTOK)
    if weights is None:
        looked_up = ""
    else:
        looked_up = f"the catalogue, looked up on {day(weights.dated)}"
    text = "" if base is None else f"about {base:.2g} operations"
    fix = "its tokens of pretraining aren't published, or nobody looked them up"
    yield PaperField("Compute of the base", text, looked_up if text else fix)
    if share is None or stand_in is None:
        yield PaperField(
            "Beside the threshold", "", "the catalogue of this day has no guidelines"
        )
        return
    limit = share.likely * (base if base is not None else stand_in.likely)
    of = "a third of the base's"
    if base is None:
        of = f"a third of {stand_in.likely:.0e}, as the base's is unknown"
    value = "" if tune is None else _beside(tune, limit, of)
    source = f"{share.says} Looked up on {day(share.dated)}: {share.sources[0]}"
    yield PaperField("Beside the threshold", value, source if value else lacks)


def _compute(parameters_b: float | None, tokens: float) -> float | None:
    if parameters_b is None or not tokens:
        return None
    return _FLOP_PER_TOKEN * parameters_b * _BILLION * tokens


def _beside(tune: float, limit: float, of: str) -> str:
    times = limit / tune
    if times >= 1:
        return f"below {of} ({limit:.2g}), {amount(float(f'{times:.2g}'))} times"
    return f"above {of} ({limit:.2g}), {amount(float(f'{1 / times:.2g}'))} times"


# What is shown of them.


def papers_document(papers: Papers, dossier: Dossier) -> b.Document:
    """The papers with what is open."""
    says = f"{papers.open_fields} of {papers.fields} fields are open"
    sections = [
        _section("card", "Model card", papers.card),
        _section("data", "Summary of the training data", papers.data),
        _section(
            "threshold",
            "EU AI Act: training compute beside its threshold",
            papers.threshold,
        ),
        b.section("advice", "", _NO_ADVICE),
    ]
    return about(dossier, *sections, says=sentence(says))


def _section(id_: str, title: str, fields: Sequence[PaperField]) -> b.Section:
    filled = [
        (field.name, field.value, field.source) for field in fields if field.value
    ]
    lacks = [f"{field.name}: {field.source}" for field in fields if not field.value]
    if filled:
        table = b.table(title, "Field | What is known | From", filled, quiet=True)
    else:
        table = None
    return b.section(
        id_, title, table, b.part("Open", b.bullets(lacks)) if lacks else None
    )


def papers_dict(papers: Papers) -> dict[str, Any]:
    """The papers as plain JSON values; an open field has no value, and says what would fill it."""
    whole: dict[str, Any] = {"schema": "tuneworthy/papers/1"}
    for part in ("card", "data", "threshold"):
        fields: Sequence[PaperField] = getattr(papers, part)
        whole[part] = [
            {"name": each.name, "value": each.value or None, "source": each.source}
            for each in fields
        ]
    return whole
