"""An evaluation set from traces: a stratified draw of conversations, without near copies, masked.

Strata are the kind of failure, the kind of request and its length, as fine as the number of
conversations allows. A failure is drawn twice as often as it occurs, and its weight corrects that:
the weighted mean over the set estimates the mean over the traffic.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tuneworthy.files.evalset import split_of
from tuneworthy.measure.engine import conversation_keys
from tuneworthy.measure.hiding import Masker, local_hider
from tuneworthy.measure.personal import mask
from tuneworthy.measure.sample import ALIKE, Sample, duplicate_groups
from tuneworthy.measure.signals.base import on_scale, right, scores_of
from tuneworthy.measure.signals.success import refuses
from tuneworthy.model.case import PersonalPolicy
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
from tuneworthy.text.embedding import embed
from tuneworthy.text.json import (
    UNREAD,
    Validator,
    looks_like_json,
    read_json,
    validator,
)

FRAME_TRACES = 10_000
"""The most traces that are kept for the draw, chosen by a hash of their conversation."""

FRAME_CHARACTERS = 32 << 20  #: Characters of those.

BOOST = 2.0  #: How much oftener than it occurs a failure is drawn.

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
    gold: bool = False,
    policy: PersonalPolicy | None = None,
) -> EvalSample:
    """Draw an evaluation set from traces. The same traces and seed give the same set.

    Results of a test count as one conversation for each test case, whatever arms answered it. The
    shortest of what the arms were asked is kept, as prompts may have been rendered into it. The
    seed decides what is kept where there are too many, and which near copy stands for the rest.

    Args:
        batches: The traces.
        n: About how many cases: conversations stay whole.
        seed: Another seed, another draw.
        schema: JSON Schema of the output, where there is one.
        alike: Share of three-word runs in common from which conversations are near copies.
        gold: Whether the answers are right ones, as in examples to be learnt from.
        policy: What becomes of personal data; words stand in its place where nothing is stated.

    Returns:
        The set; without a case where no trace says what was asked.
    """
    sample = Sample(FRAME_TRACES, FRAME_CHARACTERS)
    read = 0
    for batch in batches:
        names = conversation_names(batch)
        keys = conversation_keys(names, read, salt=f"frame {seed} ")
        sample.add(batch, keys, read)
        read += len(batch)
    kept, cut = sample.batch()
    is_valid, _ = validator(schema)
    failed = dict(failures(kept, is_valid))
    if gold:
        kept.reference = [
            a or b for a, b in zip(kept.column("reference"), kept.output, strict=True)
        ]
    questions = logged_questions(kept)
    logged = _conversations(kept, questions, failed)
    units = _folded(logged, alike, np.random.default_rng(seed))
    rng = np.random.default_rng([seed, 1])
    wanted = _conversations_for(n, units)
    kinds, intent_by, examples = _kinds(units, wanted, rng)
    lengths = _lengths(units)
    stands, strata = _drawn(units, _cells(units, kinds, lengths, wanted), wanted, rng)
    drawn = [
        DrawnConversation(
            unit=units[place],
            stands_for=weight,
            tags=_tags(units[place], kinds[place], lengths[place]),
        )
        for place, weight in stands.items()
    ]
    drawn.sort(key=lambda each: each.unit.row)
    cases, masked, lost = _cases(drawn, seed, policy)
    return EvalSample(
        cases=cases,
        strata=strata,
        intent_by=intent_by,
        examples=examples,
        read=read,
        framed=len(kept),
        without_input=questions.count(None),
        folded=len(logged) - len(units),
        failures=dict(Counter(failed.values())),
        masked=dict(masked),
        lost=lost,
        cut=cut,
        unlabelled=sum(case.reference is None for case in cases),
    )


def _conversations_for(cases: int, units: Sequence[Conversation]) -> int:
    """The number of conversations with about this many cases, if they are drawn by their traces."""
    traces = sum(unit.traces for unit in units)
    traces_by_cases = sum(unit.traces * len(unit.questions) for unit in units)
    return min(len(units), max(1, round(cases * traces / (traces_by_cases or 1))))


def _tags(unit: Conversation, kind: str, length: str) -> tuple[str, ...]:
    tags = (kind, length, "failed" if unit.failed else "")
    return tuple(tag for tag in tags if tag)


# Conversations to draw from: what was asked, and what went wrong.


class LoggedQuestion(NamedTuple):
    """A question to a model."""

    turns: tuple[Message, ...]
    """The conversation up to the question, without the system prompt; at least one turn."""
    reference: str | None
    contexts: tuple[str, ...]
    logged: str = ""  #: The answer in the log.

    @property
    def characters(self) -> int:
        return sum(len(turn.content) for turn in self.turns)


class Conversation(NamedTuple):
    """A conversation, with the number of its near copies."""

    questions: tuple[LoggedQuestion, ...]  #: Different ones, in order; at least one.
    traces: int  #: Traces it stands for, its copies' among them.
    failed: bool  #: Whether any trace of it failed.
    row: int  #: Place of its first trace in the order of reading.

    @property
    def pull(self) -> float:
        """The weight of this conversation in a draw."""
        return self.traces * (BOOST if self.failed else 1.0)

    @property
    def asked(self) -> str:
        """All questions, as one text."""
        texts = [turn.content for turn in self.questions[-1].turns]
        return "\n".join(
            [*texts, *(question.turns[-1].content for question in self.questions)]
        )

    @property
    def answers(self) -> str:
        """The right answers, as one text."""
        return "\n".join(question.reference or "" for question in self.questions)


def conversation_names(batch: Batch) -> list[str | None]:
    """The group of each trace: its test case, else its conversation's case, else the conversation.

    A log may name the case only at the last answer. None: the trace belongs to no group.
    """
    pairs = [*zip(batch.column("case"), batch.column("conversation"), strict=True)]
    case_of = {talk: case for case, talk in pairs if case and talk}
    names: list[str | None] = []
    for case, talk in pairs:
        known = case or (case_of.get(talk) if talk else None)
        if known:
            names.append(f"case {known}")
        else:
            names.append(f"talk {talk}" if talk else None)
    return names


def _conversations(
    batch: Batch, questions: Sequence[LoggedQuestion | None], failed: Mapping[int, str]
) -> list[Conversation]:
    """Logged questions by conversation or test case, each once; of several runs, the shortest.

    ``failed`` maps the row of a trace to the reason of its failure. Traces without a question are
    left out.
    """
    talks = batch.column("conversation")
    groups: dict[str, dict[int, LoggedQuestion]] = defaultdict(dict)
    names = conversation_names(batch)
    for row, (name, question) in enumerate(zip(names, questions, strict=True)):
        # A group without a question keeps its place: the order of all decides what is drawn.
        group = groups[name or f"row {row}"]
        if question is not None:
            group[row] = question
    units = []
    for group in filter(None, groups.values()):
        # Arms of a test answer a case in conversations of their own.
        runs: dict[object, list[LoggedQuestion]] = defaultdict(list)
        for row, question in group.items():
            run = (talks[row] or row) if batch.case else ""
            runs[run].append(question)
        units.append(
            Conversation(
                questions=_shortest([*runs.values()]),
                traces=len(group),
                failed=not failed.keys().isdisjoint(group),
                row=min(group),
            )
        )
    return units


def _shortest(runs: Sequence[Sequence[LoggedQuestion]]) -> tuple[LoggedQuestion, ...]:
    """The different questions of the run with the least text, as other prompts may add text."""
    shortest = min(runs, key=lambda run: sum(question.characters for question in run))
    different: dict[tuple[Message, ...], LoggedQuestion] = {}
    for question in shortest:
        known = different.setdefault(question.turns, question)
        if known.reference is None and question.reference is not None:
            different[question.turns] = question
    first, *others = different.values()
    if not others and first.reference is None:
        # A single question has one right answer, in whatever run that stands.
        for run in runs:
            for question in run:
                if question.reference is not None:
                    return (first._replace(reference=question.reference),)
    return first, *others


def logged_questions(batch: Batch) -> list[LoggedQuestion | None]:
    """The question in each trace; None where it is unknown."""
    names = ("input", "messages", "reference", "contexts", "output")
    columns = (batch.column(name) for name in names)
    questions: list[LoggedQuestion | None] = []
    for text, turns, reference, contexts, output in zip(*columns, strict=True):
        spoken = _spoken(turns or (), text)
        known = reference if reference and reference.strip() else None
        row = LoggedQuestion(spoken, known, tuple(contexts or ()), output or "")
        questions.append(row if spoken else None)
    return questions


def _spoken(turns: Sequence[Message], text: str | None) -> tuple[Message, ...]:
    """The messages to a model without its system prompt; () where they are unknown."""
    spoken = tuple(
        Message(*turn) for turn in turns if turn[0] != "system" and turn[1].strip()
    )
    if len(spoken) > 1 and spoken[-1].role != "assistant":
        return spoken
    if text and text.strip():
        return (Message("user", text),)
    return spoken if spoken and spoken[-1].role == "user" else ()


def failures(batch: Batch, valid: Validator | None) -> Iterator[tuple[int, str]]:
    """Rows of failures with the first reason: error, low_score, refusal, or format.

    ``valid`` tests an output by a schema. Without it, an output that looks like JSON has to be
    JSON.
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
        elif text and not calls and (valid or looks_like_json(text)):
            value, _ = read_json(text)
            if value is UNREAD or not (valid is None or valid(value)):
                yield row, "format"


def _folded(
    units: Sequence[Conversation], alike: float, rng: np.random.Generator
) -> list[Conversation]:
    """One conversation of each group of near copies, drawn by its traces, for the whole group."""
    if not units:
        return []
    group = duplicate_groups(
        [unit.asked for unit in units], alike, [unit.answers for unit in units]
    )
    sizes = np.array([unit.traces for unit in units], dtype=np.float64)
    total = np.bincount(group, weights=sizes, minlength=len(units))
    # Of a group the one that comes first is drawn; each comes with a chance by its size.
    time = rng.exponential(size=len(units)) / sizes
    order = np.lexsort((time, group))
    _, first = np.unique(group[order], return_index=True)
    places = sorted(order[first].tolist())
    return [units[place]._replace(traces=int(total[group[place]])) for place in places]


# Strata: failed or not, the kind of request, its length.

Cell = tuple[bool | None, str, str]
"""Failed, kind of request, length; None and empty where they can't be distinguished."""


def _kinds(
    units: Sequence[Conversation], wanted: int, rng: np.random.Generator
) -> tuple[list[str], IntentBy, dict[str, str]]:
    """The kind of each request, how it is known, and an example of each kind without a name.

    The right answer is the kind if there are few labels. Otherwise similar vectors are one kind.
    """
    references = [unit.questions[0].reference for unit in units]
    labels = {each for each in references if each is not None}
    short = all(len(each) <= _LABEL_CHARACTERS and "\n" not in each for each in labels)
    few = 2 <= len(labels) <= min(_MOST_LABELS, len(units) // 5)
    if short and few and None not in references:
        return [mask(each or "") for each in references], "reference", {}
    groups = min(MOST_GROUPS, wanted // _FOR_A_GROUP)
    openings = [unit.questions[0].turns[-1].content for unit in units]
    if groups <= 1:
        return [""] * len(units), "nothing", {}
    member, away = kmeans(embed(openings), groups, rng)
    names = [f"group {place + 1}" for place in member.tolist()]
    examples = {}
    for place in np.unique(member).tolist():
        inside = np.flatnonzero(member == place)
        middle = int(inside[np.argmin(away[inside])])
        flat = " ".join(mask(openings[middle][:2_000]).split())
        examples[names[middle]] = (
            flat if len(flat) <= _EXAMPLE else flat[: _EXAMPLE - 1] + "…"
        )
    return names, "embedding", examples


def _lengths(units: Sequence[Conversation]) -> list[str]:
    """The third of each conversation by the length of its questions."""
    if not units:
        return []
    sizes = np.array([unit.questions[-1].characters for unit in units])
    ends = np.quantile(sizes, (1 / 3, 2 / 3), method="lower")
    return [
        _LENGTHS[place] for place in np.searchsorted(ends, sizes, side="left").tolist()
    ]


def _cells(
    units: Sequence[Conversation],
    kinds: Sequence[str],
    lengths: Sequence[str],
    wanted: int,
) -> list[Cell]:
    """The stratum of each conversation, each large enough for at least one draw."""
    pulls = np.array([unit.pull for unit in units])
    share = (pulls * wanted / max(pulls.sum(), 1.0)).tolist()
    failed = (unit.failed for unit in units)
    cells: list[Cell] = list(zip(failed, kinds, lengths, strict=True))
    cells = _merged(cells, share, lambda cell: (cell[0], cell[1], ""), whole=True)
    cells = _merged(cells, share, lambda cell: (cell[0], _OTHER, ""), whole=False)
    if len(set(cells)) > wanted:
        cells = _merged(cells, share, lambda _: (None, "", ""), whole=True)
    if len({cell[1] for cell in cells}) == 1:
        cells = [(cell[0], "", cell[2]) for cell in cells]
    return cells


def _merged(
    cells: Sequence[Cell],
    share: Sequence[float],
    coarser: Callable[[Cell], Cell],
    *,
    whole: bool,
) -> list[Cell]:
    """Put cells with less than one draw under a coarser name.

    ``share`` is the number of draws for each conversation. With ``whole``, all cells of a coarser
    name move when one of them does.
    """
    totals: dict[Cell, float] = defaultdict(float)
    for cell, value in zip(cells, share, strict=True):
        totals[cell] += value
    small = {cell for cell, total in totals.items() if total < 1}
    names = {coarser(cell) for cell in small}
    joined = []
    for cell in cells:
        is_joined = coarser(cell) in names if whole else cell in small
        joined.append(coarser(cell) if is_joined else cell)
    return joined


def _drawn(
    units: Sequence[Conversation],
    cells: Sequence[Cell],
    wanted: int,
    rng: np.random.Generator,
) -> tuple[dict[int, float], tuple[Stratum, ...]]:
    """The number of traces that each drawn conversation represents, by its place; and the strata."""
    members: dict[Cell, list[int]] = defaultdict(list)
    for place, cell in enumerate(cells):
        members[cell].append(place)
    if not members:
        return {}, ()
    pulls = [
        sum(units[at].traces for at in rows) * (BOOST if cell[0] else 1.0)
        for cell, rows in members.items()
    ]
    most = np.array([len(rows) for rows in members.values()])
    counts = allocate(np.array(pulls), most, wanted).tolist()
    stands: dict[int, float] = {}
    strata = []
    for cell, count in zip(members, counts, strict=True):
        failed, intent, length = cell
        rows = members[cell]
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
    strata.sort(key=lambda s: (not s.failed, -s.traces, s.intent, s.length))
    return stands, tuple(strata)


# Conversations as cases: masked, named by what they say, and split.


class DrawnConversation(NamedTuple):
    """A drawn conversation, with its weight."""

    unit: Conversation
    stands_for: float  #: Traces that it stands for.
    tags: tuple[str, ...]


def _cases(
    drawn: Iterable[DrawnConversation], seed: int, policy: PersonalPolicy | None
) -> tuple[tuple[EvalCase, ...], Counter[str], int]:
    """A case for each question, with a mean weight of 1, and the cases with hidden data by kind.

    The last value counts right answers that were left out, as only they have the hidden data.
    """
    cases: list[EvalCase] = []
    ids = Counter[str]()
    masked = Counter[str]()
    lost = 0
    for each in drawn:
        unit = each.unit
        # One for the conversation: its cases say the same words again.
        masker = local_hider(policy, f"{seed} {unit.row}")
        for question in unit.questions:
            masker.learn(question.reference)
            masker.learn(question.logged)
        weight = each.stands_for / len(unit.questions)
        own_cases: list[EvalCase] = []
        for question in unit.questions:
            case = _masked_case(question, masker, ids)
            lost += question.reference is not None and case.reference is None
            fields = {"tags": each.tags, "weight": weight}
            own_cases.append(case.model_copy(update=fields))
        cases += _placed(own_cases, seed)
        masked.update(dict.fromkeys(masker.kinds, len(own_cases)))
    scale = len(cases) / (sum(case.weight for case in cases) or 1.0)
    weighed = (
        case.model_copy(update={"weight": case.weight * scale}) for case in cases
    )
    return tuple(weighed), masked, lost


def _masked_case(
    question: LoggedQuestion, masker: Masker, ids: Counter[str]
) -> EvalCase:
    """A question as a case, named by its text. ``ids`` counts how often each name was used.

    A right answer with a hidden value that the question lacks is left out: nobody could give it.
    """
    turns = [
        CaseMessage(role=turn.role, content=masker(turn.content))
        for turn in question.turns
    ]
    passages = tuple(CasePassage(text=masker(text)) for text in question.contexts)
    hidden = masker.count_hidden()
    reference = None if question.reference is None else masker(question.reference)
    if masker.count_hidden() > hidden:
        reference = None
    logged = None
    if reference is None and question.logged:
        logged = masker(question.logged)
    # By what is asked, so that the same case is called the same in another draw.
    text = "\n".join(f"{turn.role}: {turn.content}" for turn in turns)
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()[:_DIGITS]
    ids[digest] += 1
    first, *others = turns
    alone = not others and first.role == "user"
    return EvalCase(
        id=digest if ids[digest] == 1 else f"{digest}-{ids[digest]}",
        input=first.content if alone else None,
        messages=() if alone else tuple(turns),
        reference=reference,
        logged=logged,
        contexts=passages,
    )


def _placed(cases: Sequence[EvalCase], seed: int) -> list[EvalCase]:
    """The cases of one conversation, with its name if there are several, and with its split."""
    first, *others = cases
    talk = {"conversation_id": f"talk {first.id}" if others else None}
    fields = {**talk, "split": split_of(first.model_copy(update=talk), seed=seed)}
    return [case.model_copy(update=fields) for case in cases]
