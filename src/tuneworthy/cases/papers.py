"""Papers of a tuned model, written from a case; open fields are named.

The papers are a model card, a summary of the training data, and the training compute beside the
threshold of the EU's guidelines on general-purpose models. They are arithmetic with its sources,
and no legal advice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tuneworthy.facts.load import end_text, facts_on
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
# of a parameter: forward and back; an adapter takes less, never more
_FLOP_PER_TOKEN = 6
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
        """The number of open fields."""
        return sum(
            not field.value for field in (*self.card, *self.data, *self.threshold)
        )

    @property
    def fields(self) -> int:
        """The number of all fields."""
        return len(self.card) + len(self.data) + len(self.threshold)


class _PaperSources(NamedTuple):
    """Everything that the papers are written from."""

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
        """The known facts about the base's weights, no matter who serves them."""
        fact = self.facts.model(self.base) if self.base else None
        name = self.base.partition(":")[2]
        if name:
            own = self.facts.model(f"open:{name.removesuffix('-Reference')}")
        else:
            own = None
        return own or fact

    @property
    def looked_up(self) -> str:
        """The source of the facts about the weights; empty where none are known."""
        if self.weights is None:
            return ""
        return f"the catalogue, looked up on {day(self.weights.dated)}"


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


def _paper_field(name: str, value: str, *, source: str, ask: str) -> PaperField:
    """A field with the source of its value; an open one with the step that would fill it."""
    return PaperField(name, value, source if value else ask)


def _card(known: _PaperSources) -> Iterator[PaperField]:
    """The rows of the model card."""
    case = known.case
    name = "" if known.tuned is None else known.tuned.id
    ask = "list the tuned model (models: kind)"
    yield _paper_field("Model", name, source="models", ask=ask)
    yield from _base(known)
    yield PaperField("Purpose", case.description or case.name, "name and description")
    goals = listing([plain(goal) for goal in case.goals])
    yield _paper_field("Tuned for", goals, source="goals", ask="state goals")
    yield PaperField("Not meant for", "", "write down what it must not be used for")
    yield from _how(known)
    yield from _scores(known)
    owner = case.decision.owner or ""
    ask = "state decision.owner"
    yield _paper_field("Owner", owner, source="decision.owner", ask=ask)
    signed = case.decision.signed
    text = ""
    if signed is not None:
        text = f"{signed.by} on {day(signed.on)}: {plain(signed.answer)}"
    ask = "tuneworthy decide CASE --sign NAME"
    yield _paper_field("Signed", text, source="decision.signed", ask=ask)


def _base(known: _PaperSources) -> Iterator[PaperField]:
    """The rows on the base model: its size, license and end."""
    source = "the pilot" if known.pilot is not None else "models"
    ask = "run a pilot, or list it"
    yield _paper_field("Base", known.base, source=source, ask=ask)
    size = ""
    license_ = ""
    weights = known.weights
    if weights is not None:
        license_ = weights.license or ""
        if weights.parameters_b is not None:
            size = f"{amount(weights.parameters_b)} billion"
    source = known.looked_up
    ask = "look it up with its maker"
    yield _paper_field("Parameters", size, source=source, ask=ask)
    yield _paper_field("License of the base", license_, source=source, ask=ask)
    fact = known.facts.model(known.base) if known.base else None
    ends = end_text(fact, known.dossier.as_of)
    ask = "ask who serves it"
    yield _paper_field("End of the base", ends, source=source, ask=ask)


def _how(known: _PaperSources) -> Iterator[PaperField]:
    pilot = known.pilot
    text = "" if pilot is None else _recipe(pilot.plan.recipe, pilot.plan.seeds)
    source = "the pilot's plan, written down before it began"
    ask = "tuneworthy pilot CASE"
    yield _paper_field("How it was trained", text, source=source, ask=ask)


def _recipe(recipe: Recipe, seeds: int) -> str:
    method = {"sft": "supervised", "dpo": "preference pairs"}[recipe.method]
    return (
        f"{method}, adapter of rank {recipe.rank}, {several(recipe.epochs, 'epoch')}, rate "
        f"{recipe.rate:g}, batches of {recipe.batch}, {several(seeds, 'seed')}"
    )


def _scores(known: _PaperSources) -> Iterator[PaperField]:
    """The measurements of the tuned model: each row of the pilot's card."""
    pilot = known.dossier.pilot
    if pilot is None:
        for name in ("Quality", "General skills", "Refusals", "Secrets of the data"):
            yield PaperField(name, "", "tuneworthy pilot CASE")
        return
    for row in pilot.rows:
        if row.id in ("quality", "gain", "general", "refusals", "canaries", "latency"):
            says = f"{row.says} ({row.state})"
            yield PaperField(row.title, says, f"{row.rests_on}, {day(pilot.on)}")


# The training data.


def _data(known: _PaperSources) -> Iterator[PaperField]:
    """The rows of the summary of the training data."""
    training = known.training
    if training is None:
        fix = "gate the examples: tuneworthy data CASE"
        for name in ("Examples", "Digest", "Reviewed by people", "Kept out"):
            yield PaperField(name, "", fix)
    else:
        yield from _training_set_fields(training)
    case = known.case
    paths = set()
    for example in known.examples:
        path, _, _ = example.source.rpartition(":")  # without its line
        paths.add(path)
    files = listing(sorted(paths))
    ask = "state data.training"
    yield _paper_field("Files", files, source="the training set", ask=ask)
    tokens = sum(map(tokens_of, known.examples))
    text = f"about {amount(float(f'{tokens:.2g}'))}" if tokens else ""
    source = "by characters: up to 1.5 times more or fewer"
    ask = "gate the examples first"
    yield _paper_field("Tokens", text, source=source, ask=ask)
    words = {"yes": "reviewed for bias, harm and personal data", "no": "not reviewed"}
    text = words.get(case.safety.data_reviewed, "")
    source = "safety.data_reviewed"
    ask = f"state {source}"
    yield _paper_field("Review for safety", text, source=source, ask=ask)
    for name, ask in _FOR_THE_TEAM.items():
        yield PaperField(name, "", ask)


_FOR_THE_TEAM = {
    "Where it comes from": "write down who made it, when, and by what right it is used",
    "Languages": "write down which languages are in it",
    "Rights of others": "write down whether texts of others are in it, and their terms",
}
"""Fields that only the team can fill, each with what to do."""


def _training_set_fields(training: TrainingSet) -> Iterator[PaperField]:
    """The rows on the set that passed the gates."""
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
    """The compute of the tuning beside a third of the base's, or of its stand-in in the guidelines."""
    if known.pilot is not None:
        epochs = known.pilot.plan.recipe.epochs
        whose = "the pilot's epochs"
    else:
        epochs = Recipe().epochs
        whose = "the default of a pilot"
    tokens = float(sum(map(tokens_of, known.examples)) * epochs)
    tuning = None
    base = None
    weights = known.weights
    if weights is not None:
        size = weights.parameters_b
        tuning = _compute(size, tokens)
        if weights.trained_mtok is not None:
            base = _compute(size, weights.trained_mtok * _MTOK)
    text = "" if tuning is None else f"at most {tuning:.2g} operations"
    how = f"6 × parameters × tokens × {count(epochs)} epochs ({whose})"
    ask = "gate the examples, and name a base whose size is known"
    yield _paper_field("Compute of the tuning", text, source=how, ask=ask)
    text = "" if base is None else f"about {base:.2g} operations"
    fix = "its tokens of pretraining aren't published, or nobody looked them up"
    yield _paper_field("Compute of the base", text, source=known.looked_up, ask=fix)
    yield _beside_threshold(known.facts, tuning, base, ask=ask)


def _beside_threshold(
    facts: KnownFacts, tuning: float | None, base: float | None, *, ask: str
) -> PaperField:
    """The compute of the tuning beside the threshold of the guidelines, in operations."""
    name = "Beside the threshold"
    share = facts.assumptions.get("gpai_modifier_share")
    stand_in = facts.assumptions.get("gpai_indicative_flop")
    if share is None or stand_in is None:
        return PaperField(name, "", "the catalogue of this day has no guidelines")
    if base is not None:
        limit = share.likely * base
        whose = "a third of the base's"
    else:
        limit = share.likely * stand_in.likely
        whose = f"a third of {stand_in.likely:.0e}, as the base's is unknown"
    text = "" if tuning is None else _times_text(tuning, limit, whose)
    source = f"{share.says} Looked up on {day(share.dated)}: {share.sources[0]}"
    return _paper_field(name, text, source=source, ask=ask)


def _compute(parameters_b: float | None, tokens: float) -> float | None:
    if parameters_b is None or not tokens:
        return None
    return _FLOP_PER_TOKEN * parameters_b * _BILLION * tokens


def _times_text(tuning: float, limit: float, whose: str) -> str:
    """Say how many times it is below or above a limit; ``whose`` names the limit."""
    times = limit / tuning
    if times >= 1:
        return f"below {whose} ({limit:.2g}), {amount(float(f'{times:.2g}'))} times"
    return f"above {whose} ({limit:.2g}), {amount(float(f'{1 / times:.2g}'))} times"


# What is shown of them.


def papers_document(papers: Papers, dossier: Dossier) -> b.Document:
    """The papers, with their open fields."""
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
    """A section with the fields that are known, and below them what is still open."""
    filled = [
        (field.name, field.value, field.source) for field in fields if field.value
    ]
    asks = [f"{field.name}: {field.source}" for field in fields if not field.value]
    parts: list[b.Block] = []
    if filled:
        titles = "Field | What is known | From"
        parts.append(b.table(title, titles, filled, quiet=True))
    if asks:
        parts.append(b.part("Open", b.bullets(asks)))
    return b.section(id_, title, parts)


def papers_dict(papers: Papers) -> dict[str, Any]:
    """The papers as plain JSON values. An open field has no value, and says what would fill it."""
    whole: dict[str, Any] = {"schema": "tuneworthy/papers/1"}
    for part in ("card", "data", "threshold"):
        fields: Sequence[PaperField] = getattr(papers, part)
        whole[part] = [
            {"name": each.name, "value": each.value or None, "source": each.source}
            for each in fields
        ]
    return whole
