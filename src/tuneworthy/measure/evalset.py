"""An evaluation set from traces: a stratified draw of conversations, folded and masked.

Conversations are distinguished by what went wrong, the kind of request and its length, as finely as
their number allows. A failure is drawn twice as often as it occurs, and its weight makes up for
that: the weighted mean over the set estimates the mean over the traffic.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tuneworthy.files.evalset import split_of
from tuneworthy.measure.engine import conversation_keys
from tuneworthy.measure.personal import Masker, mask
from tuneworthy.measure.sample import ALIKE, Sample, duplicate_groups, embed
from tuneworthy.measure.signals.base import on_scale, right, scores_of
from tuneworthy.measure.signals.success import refuses
from tuneworthy.model.evalset import (
    CaseMessage,
    CasePassage,
    EvalCase,
    EvalSample,
    IntentBy,
    Stratum,
)
from tuneworthy.model.evidence import Batch, Message
from tuneworthy.stats.clustered import allocate, draw, kmeans
from tuneworthy.text.json import UNREAD, Validator, looks_like_json, read_json, validator

FRAME_TRACES = 10_000
"""Traces that are kept to draw from, at most: conversations by a hash of their names."""

FRAME_CHARACTERS = 32 << 20
"""Characters of those."""

BOOST = 2.0
"""How much oftener than it occurs a failure is drawn."""

MOST_GROUPS = 12

_LABEL_CHARACTERS = 80
_MOST_LABELS = 200
_FOR_A_GROUP = 15  # conversations to be drawn for each group of alike requests
_EXAMPLE = 60  # characters
_OTHER = "other"
_LENGTHS = ("short", "medium", "long")
_DIGITS = 12


def build_evalset(
    batches: Iterable[Batch],
    *,
    n: int,
    seed: int = 0,
    schema: Mapping[str, Any] | None = None,
    alike: float = ALIKE,
) -> EvalSample:
    """Draw an evaluation set from traces. The same traces and seed give the same set.

    Args:
        batches: The traces.
        n: About how many cases: conversations stay whole.
        seed: Another seed, another draw.
        schema: JSON Schema of the output, where there is one.
        alike: Share of three-word runs in common from which conversations are near copies.

    Returns:
        The set; without a case where no trace says what was asked.
    """
    logged = read_conversations(batches, seed=seed, schema=schema, alike=alike)
    units = logged.units
    rng = np.random.default_rng([seed, 1])
    wanted = conversations_for(units, n)
    kinds = kinds_of(units, wanted, rng)
    stands, strata = _drawn(units, cells_of(units, kinds.names, wanted), wanted, rng)
    cases = CaseBuilder(seed)
    lengths = _lengths(units) if units else []
    for place in sorted(stands, key=lambda place: units[place].row):
        unit = units[place]
        tags = (kinds.names[place], lengths[place], "failed" if unit.failed else "")
        cases.add(unit, stands[place], tuple(tag for tag in tags if tag))
    made = cases.all()
    return EvalSample(
        cases=made,
        strata=strata,
        intent_by=kinds.by,
        examples=dict(kinds.examples),
        read=logged.read,
        framed=logged.traces,
        without_input=logged.without_input,
        folded=logged.folded,
        failures=dict(logged.failures),
        masked=dict(cases.masked),
        lost=cases.lost,
        cut=logged.cut,
        unlabelled=sum(one.reference is None for one in made),
    )


# Conversations to draw from: what was asked, and what went wrong.


@dataclass(frozen=True, slots=True)
class LoggedQuestion:
    """Something a model was asked."""

    turns: tuple[Message, ...]
    """The conversation up to it, without the system prompt; at least one turn."""
    reference: str | None
    contexts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation, with the near copies that were folded into it."""

    questions: tuple[LoggedQuestion, ...]
    """Different ones, in order; at least one."""
    traces: int
    """Traces it stands for, its copies' among them."""
    failed: bool
    """Whether any trace of it failed."""
    row: int
    """Place of its first trace in the order of reading."""

    @property
    def characters(self) -> int:
        return sum(len(turn.content) for turn in self.questions[-1].turns)

    @property
    def opening(self) -> str:
        return self.questions[0].turns[-1].content


@dataclass(frozen=True, slots=True)
class Conversations:
    """All that can be drawn from."""

    units: tuple[Conversation, ...]
    read: int
    traces: int
    without_input: int
    folded: int
    failures: Mapping[str, int]
    cut: int


def read_conversations(
    batches: Iterable[Batch], *, seed: int, schema: Mapping[str, Any] | None, alike: float
) -> Conversations:
    """Read traces into conversations that can be drawn.

    Results of a test count as one conversation for each test case, whatever arms answered it. The
    shortest of what the arms were asked is kept, as prompts may have been rendered into it. The
    seed decides what is kept where there are too many, and which near copy stands for the rest.
    """
    sample, read = Sample(FRAME_TRACES, FRAME_CHARACTERS), 0
    for batch in batches:
        sample.add(batch, conversation_keys(_names(batch), read, salt=f"frame {seed} "), read)
        read += len(batch)
    kept, cut = sample.batch()
    units, failed, lacking = _units(kept, validator(schema)[0])
    folded = _folded(units, alike, np.random.default_rng(seed))
    return Conversations(folded, read, len(kept), lacking, len(units) - len(folded), failed, cut)


def _names(batch: Batch) -> list[str | None]:
    """What belongs together: the test case, that of the same conversation, else the conversation.

    A log may name the case beside the last answer alone.
    """
    pairs = [*zip(batch.column("case"), batch.column("conversation"), strict=True)]
    case_of = {talk: case for case, talk in pairs if case and talk}
    names: list[str | None] = []
    for case, talk in pairs:
        known = case or (case_of.get(talk) if talk else None)
        names.append(f"case {known}" if known else f"talk {talk}" if talk else None)
    return names


def _units(batch: Batch, valid: Validator | None) -> tuple[list[Conversation], dict[str, int], int]:
    """Conversations, failures by kind, and how many traces don't say what was asked."""
    failed = dict(failures(batch, valid))
    questions = list(_questions(batch))
    talks = batch.column("conversation")
    groups: dict[str, list[tuple[int, LoggedQuestion]]] = defaultdict(list)
    for row, (name, question) in enumerate(zip(_names(batch), questions, strict=True)):
        group = groups[name or f"row {row}"]
        if question is not None:
            group.append((row, question))
    units = []
    for pairs in filter(None, groups.values()):
        runs: dict[object, list[LoggedQuestion]] = defaultdict(list)
        for row, question in pairs:
            runs[talks[row] or row if batch.case else ""].append(question)
        wrong = any(row in failed for row, _ in pairs)
        units.append(Conversation(_shortest([*runs.values()]), len(pairs), wrong, pairs[0][0]))
    return units, dict(Counter(failed.values())), questions.count(None)


def _shortest(runs: Sequence[Sequence[LoggedQuestion]]) -> tuple[LoggedQuestion, ...]:
    """Different questions of the run with the least text: the others' prompts may say more."""
    run = min(runs, key=lambda each: sum(len(turn.content) for one in each for turn in one.turns))
    different: dict[tuple[Message, ...], LoggedQuestion] = {}
    for one in run:
        before = different.get(one.turns)
        if before is None or (before.reference is None and one.reference is not None):
            different[one.turns] = one
    first, *others = different.values()
    if not others and first.reference is None:
        known = (one.reference for each in runs for one in each if one.reference is not None)
        first = replace(first, reference=next(known, None))
    return first, *others


def _questions(batch: Batch) -> Iterator[LoggedQuestion | None]:
    names = ("input", "messages", "reference", "contexts")
    columns: Sequence[Sequence[Any]] = [batch.column(name) for name in names]
    for text, turns, reference, contexts in zip(*columns, strict=True):
        spoken = _spoken(turns or (), text)
        known = reference if reference and reference.strip() else None
        yield LoggedQuestion(spoken, known, tuple(contexts or ())) if spoken else None


def _spoken(turns: Sequence[Message], text: str | None) -> tuple[Message, ...]:
    """What a model was given beside its system prompt; () where nothing is known of it."""
    spoken = tuple(Message(*turn) for turn in turns if turn[0] != "system" and turn[1].strip())
    if len(spoken) > 1 and spoken[-1].role != "assistant":
        return spoken
    if text and text.strip():
        return (Message("user", text),)
    return spoken if spoken and spoken[-1].role == "user" else ()


def failures(batch: Batch, valid: Validator | None) -> Iterator[tuple[int, str]]:
    """Rows that went wrong, with why: the first of error, low_score, refusal, format that fits.

    ``valid`` tests an output that has to fit a schema; without it, an output that looks like JSON
    has to be some.
    """
    low = (right(on_scale(scores_of(batch))) == 0).tolist()
    columns = (batch.output, batch.column("error"), batch.column("tool_calls"))
    for row, (output, error, calls) in enumerate(zip(*columns, strict=True)):
        text = output or ""
        if error is not None:
            yield row, "error"
        elif low[row]:
            yield row, "low_score"
        elif refuses(text):
            yield row, "refusal"
        elif text and not calls and not _reads(text, valid):
            yield row, "format"


def _reads(text: str, valid: Validator | None) -> bool:
    if valid is None and not looks_like_json(text):
        return True
    value, _ = read_json(text)
    return value is not UNREAD and (valid is None or valid(value))


def _folded(
    units: Sequence[Conversation], alike: float, rng: np.random.Generator
) -> tuple[Conversation, ...]:
    """One of each group of near copies, drawn by its traces; it stands for all of them."""
    if not units:
        return ()
    sizes = np.array([unit.traces for unit in units], dtype=np.float64)
    group = duplicate_groups([_compared(unit) for unit in units], alike)
    late = rng.exponential(size=len(units)) / sizes  # the first to come is drawn by its size
    order = np.lexsort((late, group))
    _, first = np.unique(group[order], return_index=True)
    total = np.bincount(group, weights=sizes, minlength=len(units))
    return tuple(
        replace(units[place], traces=int(total[group[place]]))
        for place in sorted(order[first].tolist())
    )


def _compared(unit: Conversation) -> str:
    """What of a conversation has to be alike: all that was asked, and the right answers."""
    last = [turn.content for turn in unit.questions[-1].turns]
    questions = [one.turns[-1].content for one in unit.questions]
    return "\n".join([*last, *questions, *(one.reference or "" for one in unit.questions)])


# Strata: failed or not, the kind of request, its length.

Cell = tuple[bool | None, str, str]
"""Failed, kind of request, length; None and empty where that can't be distinguished."""


@dataclass(frozen=True, slots=True)
class RequestKinds:
    """The kind of request of each conversation."""

    names: tuple[str, ...]
    by: IntentBy
    examples: Mapping[str, str]


def conversations_for(units: Sequence[Conversation], n: int) -> int:
    """How many conversations give about ``n`` cases, when one is drawn by its traces."""
    traces = sum(unit.traces for unit in units)
    if not traces:
        return 0
    cases = sum(unit.traces * len(unit.questions) for unit in units) / traces
    return min(len(units), max(1, round(n / cases)))


def kinds_of(units: Sequence[Conversation], wanted: int, rng: np.random.Generator) -> RequestKinds:
    """Kinds of request: by the right answer where those are few labels, else by alike vectors."""
    references = [unit.questions[0].reference for unit in units]
    labels = {each for each in references if each is not None}
    short = all(len(each) <= _LABEL_CHARACTERS and "\n" not in each for each in labels)
    few = 2 <= len(labels) <= min(_MOST_LABELS, len(units) // 5)
    if short and few and None not in references:
        return RequestKinds(tuple(mask(each or "") for each in references), "reference", {})
    groups = min(MOST_GROUPS, wanted // _FOR_A_GROUP)
    vectors = embed([unit.opening for unit in units]) if groups > 1 else None
    if vectors is None:
        return RequestKinds(("",) * len(units), "nothing", {})
    member, away = kmeans(vectors, groups, rng)
    examples = {}
    for place in np.unique(member).tolist():
        inside = np.flatnonzero(member == place)
        middle = units[int(inside[np.argmin(away[inside])])]
        flat = " ".join(mask(middle.opening[:2_000]).split())
        cut = flat if len(flat) <= _EXAMPLE else flat[: _EXAMPLE - 1] + "…"
        examples[f"group {place + 1}"] = cut
    names = tuple(f"group {place + 1}" for place in member.tolist())
    return RequestKinds(names, "embedding", examples)


def cells_of(units: Sequence[Conversation], kinds: Sequence[str], wanted: int) -> list[Cell]:
    """The stratum of each conversation, each large enough to be drawn from at least once."""
    if not units:
        return []
    sizes = np.array([_pull(unit) for unit in units])
    share = (sizes * wanted / sizes.sum()).tolist()
    fine: list[Cell] = [
        (unit.failed, kind, length)
        for unit, kind, length in zip(units, kinds, _lengths(units), strict=True)
    ]
    cells = _merged(fine, share, lambda cell: (cell[0], cell[1], ""), whole=True)
    cells = _merged(cells, share, lambda cell: (cell[0], _OTHER, ""), whole=False)
    if len(set(cells)) > wanted:
        cells = _merged(cells, share, lambda _: (None, "", ""), whole=True)
    if len({cell[1] for cell in cells}) == 1:
        cells = [(cell[0], "", cell[2]) for cell in cells]
    return cells


def _pull(unit: Conversation, failed: bool | None = None) -> float:
    return unit.traces * (BOOST if (unit.failed if failed is None else failed) else 1.0)


def _lengths(units: Sequence[Conversation]) -> list[str]:
    """Thirds of the conversations by what was asked."""
    sizes = np.array([unit.characters for unit in units])
    ends = np.quantile(sizes, (1 / 3, 2 / 3), method="lower")
    return [_LENGTHS[place] for place in np.searchsorted(ends, sizes, side="left").tolist()]


def _merged(
    cells: Sequence[Cell], share: Sequence[float], coarser: Callable[[Cell], Cell], *, whole: bool
) -> list[Cell]:
    """Cells that would give less than one draw under a coarser name.

    ``share`` is the draws each conversation would get; ``whole`` says that all cells of a coarser
    name go when one of them does.
    """
    totals: dict[Cell, float] = defaultdict(float)
    for cell, value in zip(cells, share, strict=True):
        totals[cell] += value
    small = {cell for cell, total in totals.items() if total < 1}
    names = {coarser(cell) for cell in small}
    return [
        coarser(cell) if (coarser(cell) in names if whole else cell in small) else cell
        for cell in cells
    ]


def _drawn(
    units: Sequence[Conversation], cells: Sequence[Cell], wanted: int, rng: np.random.Generator
) -> tuple[dict[int, float], tuple[Stratum, ...]]:
    """The traces each drawn conversation stands for, by its place; and the strata."""
    members: dict[Cell, list[int]] = defaultdict(list)
    for place, cell in enumerate(cells):
        members[cell].append(place)
    if not members:
        return {}, ()
    pulls = [sum(_pull(units[at], bool(cell[0])) for at in rows) for cell, rows in members.items()]
    most = np.array([len(rows) for rows in members.values()])
    counts = allocate(np.array(pulls, dtype=np.float64), most, wanted).tolist()
    stands: dict[int, float] = {}
    strata = []
    for ((failed, intent, length), rows), count in zip(members.items(), counts, strict=True):
        sizes = np.array([units[at].traces for at in rows], dtype=np.float64)
        chosen, weights = draw(sizes, count, rng)
        picked = [rows[at] for at in chosen.tolist()]
        stands |= dict(zip(picked, weights.tolist(), strict=True))
        strata.append(
            Stratum(
                failed=failed,
                intent=intent,
                length=length,
                traces=int(sizes.sum()),
                conversations=len(rows),
                drawn=len(picked),
                cases=sum(len(units[at].questions) for at in picked),
            )
        )
    strata.sort(key=lambda one: (not one.failed, -one.traces, one.intent, one.length))
    return stands, tuple(strata)


# EvalSample conversations as cases: masked, named by what they say, and split.


class CaseBuilder:
    """Gathers cases; the seed is for the split."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._cases: list[EvalCase] = []
        self._ids = Counter[str]()
        self.masked = Counter[str]()
        """Cases with something hidden, by kind."""
        self.lost = 0
        """Right answers left out because only they hold what masking hid."""

    def add(self, unit: Conversation, weight: float, tags: tuple[str, ...]) -> None:
        """Take a conversation that stands for ``weight`` traces: each question becomes a case."""
        each = weight / len(unit.questions)
        masker = Masker()  # one for the conversation: its cases say the same words again
        made = [self._case(one, masker, each, tags) for one in unit.questions]
        talk = f"talk {made[0].id}" if len(made) > 1 else None
        placed = [one.model_copy(update={"conversation_id": talk}) for one in made]
        side = split_of(placed[0], seed=self._seed)
        self._cases += [one.model_copy(update={"split": side}) for one in placed]
        self.masked.update(dict.fromkeys(masker.kinds, len(made)))

    def all(self) -> tuple[EvalCase, ...]:
        """The cases so far, with a mean weight of 1."""
        total = sum(one.weight for one in self._cases)
        scale = len(self._cases) / total if total else 1.0
        return tuple(one.model_copy(update={"weight": one.weight * scale}) for one in self._cases)

    def _case(
        self, question: LoggedQuestion, masker: Masker, weight: float, tags: tuple[str, ...]
    ) -> EvalCase:
        turns = [
            CaseMessage(role=t.role, content=masker(_whole(t.content))) for t in question.turns
        ]
        passages = tuple(CasePassage(text=masker(_whole(text))) for text in question.contexts)
        known = masker.seen()
        reference = None if question.reference is None else masker(_whole(question.reference))
        if masker.seen() > known:  # what isn't in the question can't be asked for any more
            reference, self.lost = None, self.lost + 1
        alone = len(turns) == 1 and turns[0].role == "user"
        return EvalCase(
            id=self._id("\n".join(f"{turn.role}: {turn.content}" for turn in turns)),
            input=turns[0].content if alone else None,
            messages=() if alone else tuple(turns),
            reference=reference,
            contexts=passages,
            tags=tags,
            weight=weight,
        )

    def _id(self, text: str) -> str:
        """A name by what is asked, so that the same case is called the same in another draw."""
        digest = hashlib.sha256(text.encode("utf-8")).hexdigest()[:_DIGITS]
        self._ids[digest] += 1
        number = self._ids[digest]
        return digest if number == 1 else f"{digest}-{number}"


def _whole(text: str) -> str:
    """Half a pair of UTF-16 can't be written to a file."""
    return text.encode("utf-8", "replace").decode()
