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

MOST_GROUPS = 12  #: Groups of similar requests, at most.

_LABEL_CHARACTERS = 80  #: Of a right answer that is a label.
_MOST_LABELS = 200  #: More different right answers than this are texts, not labels.
_FOR_A_GROUP = 15  #: Conversations to be drawn for each group of similar requests.
_EXAMPLE = 60  #: Characters of an example of a kind.
#: Characters that are masked for it: masking a long text is slow.
_READ_FOR_EXAMPLE = 2_000
_OTHER = "other"
_LENGTHS = ("short", "medium", "long")
_DIGITS = 12  #: Hexadecimal digits of a case's name: 48 bits, so no two cases share one by chance.


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
    frame = _frame(batches, seed)
    is_valid, _ = validator(schema)
    failed = dict(failures(frame.batch, is_valid))
    if gold:
        frame.batch.reference = _with_answers(frame.batch)
    questions = logged_questions(frame.batch)
    logged = _conversations(frame.batch, questions, failed)
    # Folding has a generator of its own, so that other near copies leave the draw as it is.
    units = _folded(logged, alike, np.random.default_rng(seed))
    rng = np.random.default_rng([seed, 1])
    wanted = _conversations_for(n, units)
    kinds = _kinds(units, wanted, rng)
    lengths = _lengths(units)
    cells = _cells(units, kinds.names, lengths, wanted)
    stands, strata = _drawn(units, cells, wanted, rng)
    drawn = []
    for place, weight in stands.items():
        unit = units[place]
        tags = _tags(unit, kinds.names[place], lengths[place])
        drawn.append(DrawnConversation(unit=unit, stands_for=weight, tags=tags))
    drawn.sort(key=lambda each: each.unit.row)
    made = _cases(drawn, seed, policy)
    return EvalSample(
        cases=made.cases,
        strata=strata,
        intent_by=kinds.known_by,
        examples=kinds.examples,
        read=frame.read,
        framed=len(frame.batch),
        without_input=questions.count(None),
        folded=len(logged) - len(units),
        failures=dict(Counter(failed.values())),
        masked=dict(made.masked),
        lost=made.lost,
        cut=frame.cut,
        unlabelled=[case.reference for case in made.cases].count(None),
    )


class _Frame(NamedTuple):
    """The traces to draw from."""

    batch: Batch
    read: int  #: Traces that were read, kept or not.
    cut: int  #: Texts that were too long to be kept whole.


def _frame(batches: Iterable[Batch], seed: int) -> _Frame:
    """Read all traces, and keep those of as many conversations as memory should hold."""
    sample = Sample(FRAME_TRACES, FRAME_CHARACTERS)
    read = 0
    for batch in batches:
        names = conversation_names(batch)
        keys = conversation_keys(names, read, salt=f"frame {seed} ")
        sample.add(batch, keys, read)
        read += len(batch)
    kept, cut = sample.batch()
    return _Frame(kept, read, cut)


def _with_answers(batch: Batch) -> list[str | None]:
    """The right answer of each trace; where the log states none, the logged answer."""
    pairs = zip(batch.column("reference"), batch.output, strict=True)
    return [reference or output for reference, output in pairs]


def _conversations_for(cases: int, units: Sequence[Conversation]) -> int:
    """The number of conversations with about this many cases in all; at least one.

    A conversation is drawn with a chance by its traces, so the mean number of cases is weighted by
    them.
    """
    traces = sum(unit.traces for unit in units)
    traces_by_cases = sum(unit.traces * len(unit.questions) for unit in units)
    if not traces_by_cases:
        return min(len(units), 1)
    wanted = max(1, round(cases * traces / traces_by_cases))
    return min(len(units), wanted)


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
        """The weight of this conversation in a draw: its traces, more for a failure."""
        return self.traces * (BOOST if self.failed else 1.0)

    @property
    def asked(self) -> str:
        """All questions as one text, for the search of near copies.

        The last question has most of the conversation before it, but an earlier one may stand
        there in other words, so each question itself is added.
        """
        texts = [turn.content for turn in self.questions[-1].turns]
        texts += [question.turns[-1].content for question in self.questions]
        return "\n".join(texts)

    @property
    def answers(self) -> str:
        """The right answers, as one text."""
        return "\n".join(question.reference or "" for question in self.questions)


def conversation_names(batch: Batch) -> list[str | None]:
    """The group of each trace: its test case, else its conversation's case, else the conversation.

    None: the trace belongs to no group.
    """
    pairs = [*zip(batch.column("case"), batch.column("conversation"), strict=True)]
    # A log may name the case only at the last answer of a conversation.
    case_of = {talk: case for case, talk in pairs if case and talk}
    names: list[str | None] = []
    for case, talk in pairs:
        if case:
            names.append(f"case {case}")
        elif talk in case_of:
            names.append(f"case {case_of[talk]}")
        elif talk:
            names.append(f"talk {talk}")
        else:
            names.append(None)
    return names


def _conversations(
    batch: Batch, questions: Sequence[LoggedQuestion | None], failed: Mapping[int, str]
) -> list[Conversation]:
    """Logged questions by conversation or test case, each once; of several runs, the shortest.

    ``failed`` maps the row of a trace to the reason of its failure. Traces without a question are
    left out.
    """
    groups: dict[str, dict[int, LoggedQuestion]] = defaultdict(dict)
    names = conversation_names(batch)
    for row, (name, question) in enumerate(zip(names, questions, strict=True)):
        # A group without a question keeps its place: the order of all decides what is drawn.
        group = groups[name or f"row {row}"]
        if question is not None:
            group[row] = question
    units = []
    for group in groups.values():
        if not group:
            continue
        units.append(
            Conversation(
                questions=_shortest(_runs(batch, group)),
                traces=len(group),
                failed=not failed.keys().isdisjoint(group),
                row=min(group),
            )
        )
    return units


def _runs(
    batch: Batch, group: Mapping[int, LoggedQuestion]
) -> list[list[LoggedQuestion]]:
    """The questions of one group, by row, as runs: each arm of a test asked a case again.

    Arms answer a case in conversations of their own. Where no test is logged, there is one run.
    """
    if not batch.case:
        return [[*group.values()]]
    talks = batch.column("conversation")
    runs: dict[object, list[LoggedQuestion]] = defaultdict(list)
    for row, question in group.items():
        runs[talks[row] or row].append(question)
    return [*runs.values()]


def _shortest(runs: Sequence[Sequence[LoggedQuestion]]) -> tuple[LoggedQuestion, ...]:
    """The different questions of the run with the least text, as other prompts may add text."""
    shortest = min(runs, key=lambda run: sum(question.characters for question in run))
    different: dict[tuple[Message, ...], LoggedQuestion] = {}
    for question in shortest:
        earlier = different.get(question.turns)
        # Asked twice, a question stands where it came first, with the first known right answer.
        if earlier is None or (
            earlier.reference is None and question.reference is not None
        ):
            different[question.turns] = question
    first, *others = different.values()
    if not others and first.reference is None:
        # A single question has one right answer, in whatever run that stands.
        return (first._replace(reference=_first_reference(runs)),)
    return first, *others


def _first_reference(runs: Sequence[Sequence[LoggedQuestion]]) -> str | None:
    """The first right answer that any run knows; None where no run does."""
    for run in runs:
        for question in run:
            if question.reference is not None:
                return question.reference
    return None


def logged_questions(batch: Batch) -> list[LoggedQuestion | None]:
    """The question in each trace; None where it is unknown."""
    names = ("input", "messages", "reference", "contexts", "output")
    columns = (batch.column(name) for name in names)
    questions: list[LoggedQuestion | None] = []
    for text, turns, reference, contexts, output in zip(*columns, strict=True):
        spoken = _spoken(turns or (), text)
        if not spoken:
            questions.append(None)
            continue
        is_known = reference is not None and reference.strip()
        questions.append(
            LoggedQuestion(
                turns=spoken,
                reference=reference if is_known else None,
                contexts=tuple(contexts or ()),
                logged=output or "",
            )
        )
    return questions


def _spoken(turns: Sequence[Message], text: str | None) -> tuple[Message, ...]:
    """The messages to a model without its system prompt; () where they are unknown.

    ``text`` is the logged input. A conversation of several turns says more than it does.
    """
    spoken = []
    for turn in turns:
        # Readers of logs may give a plain tuple.
        message = Message(*turn)
        if message.role != "system" and message.content.strip():
            spoken.append(message)
    if len(spoken) > 1 and spoken[-1].role != "assistant":
        return tuple(spoken)
    if text and text.strip():
        return (Message("user", text),)
    # Where an answer comes last, the log doesn't say what it answered.
    if spoken and spoken[-1].role == "user":
        return tuple(spoken)
    return ()


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
        # Beside a call of a tool, a text is only a remark.
        elif text and not calls and _breaks_format(text, valid):
            yield row, "format"


def _breaks_format(text: str, valid: Validator | None) -> bool:
    """Whether an output isn't the JSON that it should be; a text without a schema may be prose."""
    if valid is None and not looks_like_json(text):
        return False
    value, _ = read_json(text)
    if value is UNREAD:
        return True
    return valid is not None and not valid(value)


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
    # Waiting times with these rates: each is the shortest of its group with a chance by its traces.
    time = rng.exponential(size=len(units)) / sizes
    order = np.lexsort((time, group))
    _, first = np.unique(group[order], return_index=True)
    places = sorted(order[first].tolist())
    return [units[place]._replace(traces=int(total[group[place]])) for place in places]


# Strata: failed or not, the kind of request, its length.


class StratumKey(NamedTuple):
    """A stratum. None and empty: too few conversations to distinguish."""

    failed: bool | None
    kind: str
    length: str


class _RequestKinds(NamedTuple):
    """The kinds of requests."""

    names: list[str]  #: The kind of each conversation; empty where it is unknown.
    known_by: IntentBy
    examples: dict[str, str]  #: A request of each kind that has no name of its own.


def _kinds(
    units: Sequence[Conversation], wanted: int, rng: np.random.Generator
) -> _RequestKinds:
    """Sort conversations by the kind of request; ``wanted`` of them are going to be drawn.

    The right answer is the kind if there are few labels. Otherwise similar vectors are one kind.
    """
    references = [unit.questions[0].reference for unit in units]
    if _are_labels(references):
        labels = [mask(each or "") for each in references]
        return _RequestKinds(labels, "reference", {})
    groups = min(MOST_GROUPS, wanted // _FOR_A_GROUP)
    if groups <= 1:
        return _RequestKinds([""] * len(units), "nothing", {})
    openings = [unit.questions[0].turns[-1].content for unit in units]
    member, distance = kmeans(embed(openings), groups, rng)
    names = [f"group {place + 1}" for place in member.tolist()]
    examples = {}
    for place in np.unique(member).tolist():
        inside = np.flatnonzero(member == place)
        middle = int(inside[np.argmin(distance[inside])])
        examples[names[middle]] = _example(openings[middle])
    return _RequestKinds(names, "embedding", examples)


def _are_labels(references: Sequence[str | None]) -> bool:
    """Whether every conversation has a right answer, and all of these are a few short labels."""
    labels = set()
    for each in references:
        if each is None or len(each) > _LABEL_CHARACTERS or "\n" in each:
            return False
        labels.add(each)
    # A label comes back: with fewer than five conversations for each, the answers are mere texts.
    return 2 <= len(labels) <= min(_MOST_LABELS, len(references) // 5)


def _example(request: str) -> str:
    """The masked beginning of a request, on one line."""
    line = " ".join(mask(request[:_READ_FOR_EXAMPLE]).split())
    if len(line) <= _EXAMPLE:
        return line
    return line[: _EXAMPLE - 1] + "…"


def _lengths(units: Sequence[Conversation]) -> list[str]:
    """The third of each conversation by the length of its last question with all before it."""
    if not units:
        return []
    sizes = np.array([unit.questions[-1].characters for unit in units])
    # The longest of a third is in it, so conversations of one length are all in one third.
    ends = np.quantile(sizes, (1 / 3, 2 / 3), method="lower")
    thirds = np.searchsorted(ends, sizes, side="left")
    return [_LENGTHS[third] for third in thirds.tolist()]


def _cells(
    units: Sequence[Conversation],
    kinds: Sequence[str],
    lengths: Sequence[str],
    wanted: int,
) -> list[StratumKey]:
    """The stratum of each conversation, each large enough for at least one draw.

    Small strata lose their length first, then their kind, and at last whether they failed.
    """
    pulls = np.array([unit.pull for unit in units])
    # Without a conversation there is no pull to divide by.
    share = (pulls * wanted / max(pulls.sum(), 1.0)).tolist()
    cells = [
        StratumKey(unit.failed, kind, length)
        for unit, kind, length in zip(units, kinds, lengths, strict=True)
    ]
    cells = _merged(cells, share, _without_length, whole=True)
    # Only the small kinds are put together: the large ones keep their names.
    cells = _merged(cells, share, _of_other_kind, whole=False)
    if len(set(cells)) > wanted:
        cells = _merged(cells, share, _undistinguished, whole=True)
    if len({cell.kind for cell in cells}) == 1:
        # A single kind distinguishes nothing.
        cells = [cell._replace(kind="") for cell in cells]
    return cells


def _without_length(cell: StratumKey) -> StratumKey:
    return cell._replace(length="")


def _of_other_kind(cell: StratumKey) -> StratumKey:
    return StratumKey(cell.failed, _OTHER, "")


def _undistinguished(_: StratumKey) -> StratumKey:
    return StratumKey(None, "", "")


def _merged(
    cells: Sequence[StratumKey],
    share: Sequence[float],
    coarser: Callable[[StratumKey], StratumKey],
    *,
    whole: bool,
) -> list[StratumKey]:
    """Put cells with less than one draw under a coarser name.

    ``share`` is the number of draws for each conversation. With ``whole``, all cells of a coarser
    name move when one of them does.
    """
    totals: dict[StratumKey, float] = defaultdict(float)
    for cell, draws in zip(cells, share, strict=True):
        totals[cell] += draws
    small = {cell for cell, draws in totals.items() if draws < 1}
    moving = small
    if whole:
        names = {coarser(cell) for cell in small}
        moving = {cell for cell in totals if coarser(cell) in names}
    return [coarser(cell) if cell in moving else cell for cell in cells]


def _drawn(
    units: Sequence[Conversation],
    cells: Sequence[StratumKey],
    wanted: int,
    rng: np.random.Generator,
) -> tuple[dict[int, float], tuple[Stratum, ...]]:
    """The number of traces that each drawn conversation represents, by its place; and the strata."""
    members: dict[StratumKey, list[int]] = defaultdict(list)
    for place, cell in enumerate(cells):
        members[cell].append(place)
    if not members:
        return {}, ()
    pulls = [
        sum(units[place].traces for place in places) * (BOOST if cell.failed else 1.0)
        for cell, places in members.items()
    ]
    most = np.array([len(places) for places in members.values()])
    counts = allocate(np.array(pulls), most, wanted).tolist()
    stands: dict[int, float] = {}
    strata = []
    for (cell, places), count in zip(members.items(), counts, strict=True):
        sizes = np.array([units[place].traces for place in places], dtype=np.float64)
        chosen, weights = draw(sizes, count, rng)
        picked = [places[number] for number in chosen.tolist()]
        stands |= dict(zip(picked, weights.tolist(), strict=True))
        strata.append(
            Stratum(
                failed=cell.failed,
                intent=cell.kind,
                length=cell.length,
                traces=int(sizes.sum()),
                conversations=len(places),
                drawn=len(picked),
                cases=sum(len(units[place].questions) for place in picked),
            )
        )
    # Failures first, then the largest; names decide among equals, so the order is always the same.
    strata.sort(key=lambda s: (not s.failed, -s.traces, s.intent, s.length))
    return stands, tuple(strata)


# Conversations as cases: masked, named by what they say, and split.


class DrawnConversation(NamedTuple):
    """A drawn conversation, with its weight."""

    unit: Conversation
    stands_for: float  #: Traces that it stands for.
    tags: tuple[str, ...]


class _MadeCases(NamedTuple):
    """The cases of an evaluation set."""

    cases: tuple[EvalCase, ...]
    masked: Counter[str]  #: Cases with hidden data, by the kind of data.
    lost: int  #: Right answers that were left out, because only they have the hidden data.


def _cases(
    drawn: Iterable[DrawnConversation], seed: int, policy: PersonalPolicy | None
) -> _MadeCases:
    """Make a case of each question, masked; the mean weight of all cases is 1."""
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
            if question.reference is not None and case.reference is None:
                lost += 1
            fields = {"tags": each.tags, "weight": weight}
            own_cases.append(case.model_copy(update=fields))
        cases += _placed(own_cases, seed)
        for kind in masker.kinds:
            masked[kind] += len(own_cases)
    return _MadeCases(_scaled(cases), masked, lost)


def _scaled(cases: Sequence[EvalCase]) -> tuple[EvalCase, ...]:
    """The cases with their weights scaled to a mean of 1."""
    if not cases:
        return ()
    scale = len(cases) / sum(case.weight for case in cases)
    return tuple(
        case.model_copy(update={"weight": case.weight * scale}) for case in cases
    )


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
    hidden_in_question = masker.count_hidden()
    reference = None if question.reference is None else masker(question.reference)
    if masker.count_hidden() > hidden_in_question:
        reference = None
    logged = None
    if reference is None and question.logged:
        logged = masker(question.logged)
    # A case is one input or a conversation, never both.
    first, *others = turns
    is_input = not others and first.role == "user"
    return EvalCase(
        id=_case_id(turns, ids),
        input=first.content if is_input else None,
        messages=() if is_input else tuple(turns),
        reference=reference,
        logged=logged,
        contexts=passages,
    )


def _case_id(turns: Sequence[CaseMessage], ids: Counter[str]) -> str:
    """Name a case by its question, so that it has the same name in another draw.

    The same question again gets a number: ``ids`` counts how often each name was used.
    """
    text = "\n".join(f"{turn.role}: {turn.content}" for turn in turns)
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()[:_DIGITS]
    ids[digest] += 1
    if ids[digest] == 1:
        return digest
    return f"{digest}-{ids[digest]}"


def _placed(cases: Sequence[EvalCase], seed: int) -> list[EvalCase]:
    """Put the cases of one conversation into one split, under a common name if there are several.

    The conversation is named by its first case, and the split is drawn by that name.
    """
    first, *others = cases
    talk = f"talk {first.id}" if others else None
    named = first.model_copy(update={"conversation_id": talk})
    split = split_of(named, seed=seed)
    fields = {"conversation_id": talk, "split": split}
    return [case.model_copy(update=fields) for case in cases]
