"""An evaluation set from traces: a stratified draw of conversations, folded and masked.

What is told apart is what went wrong, the kind of request and its length, as finely as the number
of conversations allows. A failure is drawn twice as often as it occurs, and its weight makes up
for that: the weighted mean over the set estimates the mean over the traffic.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneworthy.files.evalset import split_of
from tuneworthy.measure.duplicates import ALIKE, duplicate_groups, mix64
from tuneworthy.measure.engine import conversation_keys
from tuneworthy.measure.personal import Masker, mask
from tuneworthy.measure.sample import Sample, embed
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

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Conversations an evaluation set can be drawn from: what was asked, and what went wrong.

FRAME_TRACES = 10_000
"""Traces that are kept to draw from, at most: conversations by a hash of their names."""
FRAME_CHARACTERS = 32 << 20
"""Characters of those."""


@dataclass(frozen=True, slots=True)
class Question:
    """Something a model was asked."""

    turns: tuple[Message, ...]
    """The conversation up to it, without the system prompt; at least one turn."""
    reference: str | None
    contexts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """A conversation, with the near copies that were folded into it."""

    questions: tuple[Question, ...]
    """Different ones, in order; at least one."""
    traces: int
    """Traces it stands for, its copies' among them."""
    failed: bool
    """Whether any trace of it failed."""
    row: int
    """Place of its first trace in the order of reading."""

    @property
    def characters(self) -> int:
        """Length of what was asked last, with all that came before it."""
        return sum(len(turn.content) for turn in self.questions[-1].turns)

    @property
    def opening(self) -> str:
        """The first question."""
        return self.questions[0].turns[-1].content


@dataclass(frozen=True, slots=True)
class Framed:
    """All that can be drawn from."""

    units: tuple[Unit, ...]
    read: int
    traces: int
    without_input: int
    folded: int
    failures: Mapping[str, int]
    cut: int


def frame(
    batches: Iterable[Batch], *, seed: int, schema: Mapping[str, Any] | None, alike: float
) -> Framed:
    """Read traces into conversations that can be drawn.

    Results of a test count as one conversation for each test case, whatever arms answered it. The
    shortest of what the arms were asked is kept, as prompts may have been rendered into it.

    Args:
        batches: The traces; each batch is let go of after it was looked at.
        seed: For what is kept where there are too many, and which near copy stands for the rest.
        schema: JSON Schema of the output: what breaks it has failed.
        alike: Share of three-word runs in common from which conversations are near copies.
    """
    sample, salt, read = Sample(FRAME_TRACES, FRAME_CHARACTERS), _salt(seed), 0
    for batch in batches:
        keys = conversation_keys(_names(batch), read)
        sample.add(batch, mix64(keys ^ salt), read)
        read += len(batch)
    kept, cut = sample.batch()
    units, failures, lacking = _units(kept, validator(schema)[0])
    folded = _folded(units, alike, np.random.default_rng(seed))
    return Framed(folded, read, len(kept), lacking, len(units) - len(folded), failures, cut)


def _salt(seed: int) -> np.uint64:
    told = hashlib.blake2b(f"frame {seed}".encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(told, "little"))


def _names(batch: Batch) -> list[str | None]:
    """What belongs together: the test case, that of the same conversation, else the conversation.

    A log may name the case beside the last answer alone.
    """
    pairs = [*zip(batch.column("case"), batch.column("conversation"), strict=True)]
    of_talk = {talk: case for case, talk in pairs if case and talk}
    cases = (case or of_talk.get(talk) if talk else case for case, talk in pairs)
    return [
        f"case {case}" if case else f"talk {talk}" if talk else None
        for case, (_, talk) in zip(cases, pairs, strict=True)
    ]


def _units(batch: Batch, valid: Validator | None) -> tuple[list[Unit], dict[str, int], int]:
    """Conversations, failures by kind, and how many traces say nothing of what was asked."""
    groups: dict[str, list[int]] = {}
    for row, name in enumerate(_names(batch)):
        groups.setdefault(name or f"row {row}", []).append(row)
    failed, counts = np.zeros(len(batch), dtype=bool), dict[str, int]()
    for row, why in failures(batch, valid):
        failed[row] = True
        counts[why] = counts.get(why, 0) + 1
    asked = list(_questions(batch))
    talks = batch.column("conversation")
    units = []
    for rows in groups.values():
        known = [(row, one) for row in rows if (one := asked[row]) is not None]
        if known:
            runs: dict[object, list[Question]] = {}
            for row, one in known:
                runs.setdefault(talks[row] or row if batch.case else "", []).append(one)
            wrong = any(failed[row] for row, _ in known)
            units.append(Unit(_shortest(list(runs.values())), len(known), wrong, known[0][0]))
    return units, counts, sum(one is None for one in asked)


def _shortest(runs: Sequence[Sequence[Question]]) -> tuple[Question, ...]:
    """Different questions of the run with the least text: the others' prompts may say more."""
    run = min(runs, key=lambda each: sum(len(turn.content) for one in each for turn in one.turns))
    different: dict[tuple[Message, ...], Question] = {}
    for one in run:
        before = different.get(one.turns)
        if before is None or (before.reference is None and one.reference is not None):
            different[one.turns] = one
    told = tuple(different.values())
    if len(told) == 1 and told[0].reference is None:
        known = (one.reference for each in runs for one in each if one.reference is not None)
        told = (replace(told[0], reference=next(known, None)),)
    return told


def _questions(batch: Batch) -> Iterator[Question | None]:
    names = ("input", "messages", "reference", "contexts")
    columns: Sequence[Sequence[Any]] = [batch.column(name) for name in names]
    for text, turns, reference, contexts in zip(*columns, strict=True):
        spoken = _spoken(turns or (), text)
        told = reference if reference and reference.strip() else None
        yield Question(spoken, told, tuple(contexts or ())) if spoken else None


def _spoken(turns: Sequence[Message], text: str | None) -> tuple[Message, ...]:
    """What a model was given beside its system prompt; () where nothing is known of it."""
    said = tuple(Message(*turn) for turn in turns if turn[0] != "system" and turn[1].strip())
    if len(said) > 1 and said[-1].role != "assistant":
        return said
    if text and text.strip():
        return (Message("user", text),)
    return said if said and said[-1].role == "user" else ()


def failures(batch: Batch, valid: Validator | None) -> Iterator[tuple[int, str]]:
    """Traces that went wrong, with why: the first of error, low_score, refusal, format that fits.

    Args:
        batch: The traces.
        valid: The test of an output that has to fit a schema; without one, an output that looks
            like JSON has to be some.

    Yields:
        Place and reason; a trace that nothing speaks against is left out.
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


def _folded(units: Sequence[Unit], alike: float, rng: np.random.Generator) -> tuple[Unit, ...]:
    """One unit of each group of near copies, drawn by its traces; it stands for all of them."""
    if not units:
        return ()
    sizes = np.array([unit.traces for unit in units], dtype=np.float64)
    group = duplicate_groups([_compared(unit) for unit in units], alike)
    late = rng.exponential(size=len(units)) / sizes  # the first to come is drawn by its size
    order: NDArray[np.int64] = np.lexsort((late, group))
    first = order[np.concatenate(([True], group[order][1:] != group[order][:-1]))]
    total = np.bincount(group, weights=sizes, minlength=len(units))
    chosen = sorted((int(place), int(total[group[place]])) for place in first)
    return tuple(
        Unit(units[at].questions, traces, units[at].failed, units[at].row) for at, traces in chosen
    )


def _compared(unit: Unit) -> str:
    """What of a conversation has to be alike: all that was asked, and the right answers."""
    last = "\n".join(turn.content for turn in unit.questions[-1].turns)
    asked = "\n".join(one.turns[-1].content for one in unit.questions)
    return "\n".join([last, asked, *(one.reference or "" for one in unit.questions)])


# Drawn conversations as cases: masked, named by what they say, and split.

_DIGITS = 12


class Cases:
    """Gathers cases.

    Args:
        seed: For the split.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._found: list[EvalCase] = []
        self._ids: dict[str, int] = {}
        self.masked: dict[str, int] = {}
        """Cases with something hidden, by kind."""
        self.lost = 0
        """Right answers left out because only they hold what masking hid."""

    def add(self, unit: Unit, weight: float, tags: tuple[str, ...]) -> None:
        """Take a conversation.

        Args:
            unit: The conversation; each of its questions becomes a case.
            weight: Traces it stands for, all its questions together.
            tags: Words to group its cases by.
        """
        each = weight / len(unit.questions)
        masker = Masker()  # one for the conversation: its cases say the same words again
        made = [self._case(one, masker, each, tags) for one in unit.questions]
        talk = f"talk {made[0].id}" if len(made) > 1 else None
        placed = [one.model_copy(update={"conversation_id": talk}) for one in made]
        side = split_of(placed[0], seed=self._seed)
        self._found += [one.model_copy(update={"split": side}) for one in placed]
        for kind in masker.kinds:
            self.masked[kind] = self.masked.get(kind, 0) + len(made)

    def all(self) -> tuple[EvalCase, ...]:
        """The cases so far, with a mean weight of 1."""
        total = sum(one.weight for one in self._found)
        scale = len(self._found) / total if total else 1.0
        return tuple(one.model_copy(update={"weight": one.weight * scale}) for one in self._found)

    def _case(
        self, asked: Question, masker: Masker, weight: float, tags: tuple[str, ...]
    ) -> EvalCase:
        turns = [CaseMessage(role=t.role, content=masker(_whole(t.content))) for t in asked.turns]
        passages = tuple(CasePassage(text=masker(_whole(text))) for text in asked.contexts)
        known = masker.seen()
        reference = None if asked.reference is None else masker(_whole(asked.reference))
        if masker.seen() > known:  # what isn't in the question can't be asked for any more
            reference, self.lost = None, self.lost + 1
        alone = len(turns) == 1 and turns[0].role == "user"
        return EvalCase(
            id=self._id([f"{one.role}: {one.content}" for one in turns]),
            input=turns[0].content if alone else None,
            messages=() if alone else tuple(turns),
            reference=reference,
            contexts=passages,
            tags=tags,
            weight=weight,
        )

    def _id(self, said: Sequence[str]) -> str:
        """A name by what is asked, so that the same case is called the same in another draw."""
        told = hashlib.sha256("\n".join(said).encode("utf-8")).hexdigest()[:_DIGITS]
        number = self._ids[told] = self._ids.get(told, 0) + 1
        return told if number == 1 else f"{told}-{number}"


def _whole(text: str) -> str:
    """Half a pair of UTF-16 can't be written to a file."""
    return text.encode("utf-8", "replace").decode()


# An evaluation set from traces: a stratified draw of conversations, folded and masked.

BOOST = 2.0
"""How much oftener than it occurs a failure is drawn."""
MOST_GROUPS = 12
_LABEL_CHARACTERS = 80
_MOST_LABELS = 200
_FOR_A_GROUP = 15  # conversations to be drawn for each group of alike requests
_EXAMPLE = 60  # characters
_OTHER = "other"
_LENGTHS = ("short", "medium", "long")

Cell = tuple[bool | None, str, str]
"""Failed, kind of request, length; None and empty where that isn't told apart."""


@dataclass(frozen=True, slots=True)
class Kinds:
    """The kind of request of each conversation."""

    names: tuple[str, ...]
    by: IntentBy
    examples: Mapping[str, str]


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
    framed = frame(batches, seed=seed, schema=schema, alike=alike)
    rng = np.random.default_rng([seed, 1])
    units = framed.units
    wanted = conversations_for(units, n)
    kinds = kinds_of(units, wanted, rng)
    cells = cells_of(units, kinds.names, wanted)
    stands, strata = _drawn(units, cells, wanted, rng)
    return _told(framed, kinds, stands, strata, seed)


def conversations_for(units: Sequence[Unit], n: int) -> int:
    """How many conversations give about ``n`` cases, when one is drawn by its traces."""
    traces = sum(unit.traces for unit in units)
    if not traces:
        return 0
    cases = sum(unit.traces * len(unit.questions) for unit in units) / traces
    return min(len(units), max(1, round(n / cases)))


def kinds_of(units: Sequence[Unit], wanted: int, rng: np.random.Generator) -> Kinds:
    """Kinds of request: by the right answer where those are few labels, else by alike vectors."""
    references = [unit.questions[0].reference for unit in units]
    labels = {each for each in references if each is not None}
    short = all(len(each) <= _LABEL_CHARACTERS and "\n" not in each for each in labels)
    few = 2 <= len(labels) <= min(_MOST_LABELS, len(units) // 5)
    if short and few and None not in references:
        return Kinds(tuple(mask(each or "") for each in references), "reference", {})
    groups = min(MOST_GROUPS, wanted // _FOR_A_GROUP)
    vectors = embed([unit.opening for unit in units]) if groups > 1 else None
    if vectors is None:
        return Kinds(("",) * len(units), "nothing", {})
    member, away = kmeans(vectors, groups, rng)
    names = tuple(f"group {place + 1}" for place in member.tolist())
    examples = {}
    for place in np.unique(member).tolist():
        inside = np.flatnonzero(member == place)
        middle = units[int(inside[np.argmin(away[inside])])]
        examples[f"group {place + 1}"] = _short(mask(middle.opening[:2_000]))
    return Kinds(names, "embedding", examples)


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _EXAMPLE else flat[: _EXAMPLE - 1] + "…"


def cells_of(units: Sequence[Unit], kinds: Sequence[str], wanted: int) -> list[Cell]:
    """The stratum of each conversation, each large enough to be drawn from at least once."""
    if not units:
        return []
    sizes = np.array([_pull(unit.failed, unit.traces) for unit in units])
    share = sizes * wanted / sizes.sum()
    fine: list[Cell] = [
        (unit.failed, kind, length)
        for unit, kind, length in zip(units, kinds, _lengths(units), strict=True)
    ]
    without_length = _merged(fine, share, lambda cell: (cell[0], cell[1], ""), whole=True)
    others = _merged(without_length, share, lambda cell: (cell[0], _OTHER, ""), whole=False)
    if len(set(others)) > wanted:
        others = _merged(others, share, lambda _: (None, "", ""), whole=True)
    if len({cell[1] for cell in others}) == 1:
        others = [(cell[0], "", cell[2]) for cell in others]
    return others


def _pull(failed: bool, traces: float) -> float:
    return traces * (BOOST if failed else 1.0)


def _lengths(units: Sequence[Unit]) -> list[str]:
    """Thirds of the conversations by what was asked."""
    found = np.array([unit.characters for unit in units])
    ends = np.quantile(found, (1 / 3, 2 / 3), method="lower")
    return [_LENGTHS[int(place)] for place in np.searchsorted(ends, found, side="left")]


def _totals(cells: Sequence[Cell], share: NDArray[np.float64]) -> dict[Cell, float]:
    found: dict[Cell, float] = {}
    for cell, value in zip(cells, share.tolist(), strict=True):
        found[cell] = found.get(cell, 0.0) + value
    return found


def _merged(
    cells: Sequence[Cell], share: NDArray[np.float64], coarser: Any, *, whole: bool
) -> list[Cell]:
    """Cells that would give less than one draw under a coarser name.

    Args:
        cells: The cell of each conversation.
        share: Draws each conversation would get.
        coarser: The name of a cell to be merged.
        whole: Whether all cells of that name go when one of them does.
    """
    small = {cell for cell, total in _totals(cells, share).items() if total < 1}
    names = {coarser(cell) for cell in small}
    return [
        coarser(cell) if (coarser(cell) in names if whole else cell in small) else cell
        for cell in cells
    ]


def _drawn(
    units: Sequence[Unit], cells: Sequence[Cell], wanted: int, rng: np.random.Generator
) -> tuple[dict[int, float], tuple[Stratum, ...]]:
    """The traces each drawn conversation stands for, by its place; and the strata."""
    members: dict[Cell, list[int]] = {}
    for place, cell in enumerate(cells):
        members.setdefault(cell, []).append(place)
    if not members:
        return {}, ()
    pulls = [
        sum(_pull(bool(cell[0]), units[at].traces) for at in rows) for cell, rows in members.items()
    ]
    most = np.array([len(rows) for rows in members.values()])
    given = allocate(np.array(pulls, dtype=np.float64), most, wanted)
    stands: dict[int, float] = {}
    strata = []
    for (cell, rows), count in zip(members.items(), given.tolist(), strict=True):
        sizes = np.array([units[at].traces for at in rows], dtype=np.float64)
        chosen, weights = draw(sizes, count, rng)
        picked = [rows[at] for at in chosen.tolist()]
        stands |= dict(zip(picked, weights.tolist(), strict=True))
        strata.append(
            Stratum(
                failed=cell[0],
                intent=cell[1],
                length=cell[2],
                traces=int(sizes.sum()),
                conversations=len(rows),
                drawn=len(picked),
                cases=sum(len(units[at].questions) for at in picked),
            )
        )
    strata.sort(key=lambda one: (not one.failed, -one.traces, one.intent, one.length))
    return stands, tuple(strata)


def _told(
    framed: Framed,
    kinds: Kinds,
    stands: Mapping[int, float],
    strata: tuple[Stratum, ...],
    seed: int,
) -> EvalSample:
    cases = Cases(seed)
    lengths = _lengths(framed.units) if framed.units else []
    for place, weight in sorted(stands.items(), key=lambda one: framed.units[one[0]].row):
        unit = framed.units[place]
        tags = (kinds.names[place], lengths[place], "failed" if unit.failed else "")
        cases.add(unit, weight, tuple(tag for tag in tags if tag))
    found = cases.all()
    return EvalSample(
        cases=found,
        strata=strata,
        intent_by=kinds.by,
        examples=dict(kinds.examples),
        read=framed.read,
        framed=framed.traces,
        without_input=framed.without_input,
        folded=framed.folded,
        failures=dict(framed.failures),
        masked=cases.masked,
        lost=cases.lost,
        cut=framed.cut,
        unlabelled=sum(one.reference is None for one in found),
    )
