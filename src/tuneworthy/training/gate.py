"""The gates between candidates and the training set, each with its count and its lines.

A log's candidate enters the set only if a person accepted or edited it. An example of a file under
data.training enters unless a person rejected it. Every one has to pass all gates. A line that is
only odd is marked and stays, unless the user is strict. A line that a person accepted isn't marked,
as that person has looked at it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from tuneworthy.errors import argument
from tuneworthy.files.evalset import named_evalset
from tuneworthy.files.stores import (
    ADJUDICATED,
    latest_labels,
    read_labels,
    write_training,
)
from tuneworthy.measure.hiding import Masker, hider
from tuneworthy.measure.personal import KINDS, excerpt, persons, shared_scanner, spans
from tuneworthy.measure.sample import ALIKE, duplicate_groups
from tuneworthy.measure.signals.base import CHARACTERS_A_TOKEN
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import Case, Hiding, PersonalPolicy
from tuneworthy.model.evalset import EvalCase, Label, digest_of
from tuneworthy.model.training import (
    BetterThanModel,
    GateFinding,
    PlantedSwaps,
    TrainingExample,
    TrainingSet,
    set_digest,
)
from tuneworthy.pipeline import framework_of, load_case
from tuneworthy.report import blocks as b
from tuneworthy.report.named import named
from tuneworthy.stats.intervals import cases_to_exclude, wilson
from tuneworthy.text.json import UNREAD, looks_like_json, read_json
from tuneworthy.training.candidates import (
    LABEL,
    Candidate,
    Candidates,
    random_part,
    read_candidates,
    tools_today,
    turn_shown,
)
from tuneworthy.training.oddities import ODDITIES, name_odd_lines
from tuneworthy.training.wrong_labels import check_labels
from tuneworthy.words import (
    amount,
    count,
    counted,
    listing,
    quality_interval,
    sentence,
    share,
)

VALIDATION = 0.1  #: Share of conversations that are held back to validate on.
_SAMPLES = 5  # lines of a gate that the report shows
_SHORT = 80  # characters up to which an answer can be a label
_CHANGED = 0.25  # share of a question's last words that may be others in a near copy
_TEMPLATE = 5  # from so many questions on, a beginning they share is a template
_FEW_WORDS = 3  # with fewer words, a shared beginning of two conversations says nothing
_QUOTED = 8  # words of a question from which on a text that holds it quotes it
_FULL_SENTENCE = 8  # words from which on an answer is one of sentences
# words that end no sentence ("a" isn't listed, as some sentences end with it)
_OPEN = frozenset({"the", "and", "of", "with"})
_WORD = re.compile(r"\w+")

GATES = named("data_gates")
"""Gates that keep a candidate out, in the order in which they are shown."""

NAMED = named("data_oddities")
"""Oddities that only mark a candidate and don't keep it out."""


class Reviewed(NamedTuple):
    """The review of a candidate: accept, edit, reject, differ, or empty for none yet."""

    said: str = ""
    text: str = ""  #: The better answer, of an edit; why, of a rejection.


@dataclass(slots=True)
class _Row:
    """A candidate, the example that would be learned, and the gates that keep it out."""

    candidate: Candidate
    example: TrainingExample
    review: Reviewed
    out: set[str] = field(default_factory=set)
    odd: dict[str, str] = field(default_factory=dict)
    """Oddities that mark it without keeping it out, each with a remark, which may be empty."""

    @property
    def may_enter(self) -> bool:
        """Whether it may enter: a reviewer accepted it, or the user named its file."""
        return bool(self.review.said) or self.example.origin == "file"

    @property
    def order(self) -> tuple[bool, bool, str]:
        """A sort key among equal examples: reviewed ones first, then those of files."""
        return not self.review.said, self.example.origin != "file", self.example.id


class DataReport(NamedTuple):
    """The training set that passed the gates, with the counts for its report."""

    case: str
    folder: str  #: How the user named the case.
    made: TrainingSet
    read: Candidates
    #: Accepted or edited, of those drawn at random that were reviewed.
    random: tuple[int, int]
    tokens: tuple[int, ...]  #: Of each example of the set, estimated, in order.
    evaluation: int  #: Cases of the evaluation set.
    masked: int  #: Examples of which personal data was masked.


def pass_gates(
    source: str | Path, *, seed: int = 0, mask: bool = False, strict: bool = False
) -> DataReport:
    """Gate the candidates of a case, and write the set that passed beside it.

    Equal files and labels give an equal set, whatever the order of files and lines. Another seed
    holds out other conversations for validation. ``mask`` puts words in place of personal data in
    the set, not in the user's files. ``strict`` leaves out lines that are otherwise only marked.
    Raises CaseError if the case names no training data, or a file of it can't be read.
    """
    case = load_case(source)
    read = read_candidates(case)
    reviews = read_reviews(case)
    # a framework that has no threshold for near copies gets the usual one
    rules = _GateRules(
        cases=named_evalset(case) or (),
        near=framework_of(case).threshold("near_copy") or ALIKE,
        tools=tools_today(case),
        hiding=HidingRule(case.data.personal, mask),
    )
    rows = _reviewed_rows(read, reviews)
    content = _gate(rows, rules)
    oddities = _name_oddities(rows, strict=strict)
    passed = _split_examples(_entered(rows, rules), seed)
    disliked = _gate_disliked(read, rows, rules)
    checked = _lines_checked(rows, read, content.calling, len(reviews.counts))
    findings = (
        *_kept_out(rows, read, checked),
        *_marked(rows, oddities.looked_at, strict=strict),
    )
    training = _training_set(
        rows, passed, disliked, findings, oddities.label_check, reviews
    )
    write_training(case, training, passed, disliked)
    return DataReport(
        case=case.name,
        folder=str(source),
        made=training,
        read=read,
        random=_usable_at_random(read, reviews),
        tokens=tuple(sorted(tokens_of(example) for example in passed)),
        evaluation=len(rules.cases),
        masked=content.masked,
    )


class _GateRules(NamedTuple):
    """What the gates compare examples with."""

    cases: Sequence[EvalCase]  #: The evaluation set.
    near: float  #: The likeness from which on a text is a near copy.
    tools: Mapping[str, Mapping[str, Any]] | None
    """Tools that a model may call today; None if nobody states them."""
    hiding: HidingRule


def _gate(rows: Sequence[_Row], rules: _GateRules) -> _ContentCounts:
    """Put the name of each gate beside the rows that it keeps out.

    The evaluation set goes first, as hiding changes texts; duplicates go last, as they are looked
    for among what is left.
    """
    _gate_by_evaluation(rows, rules)
    tools = None if rules.tools is None else frozenset(rules.tools)
    counts = _gate_by_content(rows, tools, rules.hiding)
    _gate_contradictions(rows)
    _gate_duplicates(rows, rules.near)
    return counts


def _entered(rows: Sequence[_Row], rules: _GateRules) -> list[TrainingExample]:
    """The examples that passed, with today's tools."""
    return [
        _with_tools(row.example, rules.tools or {})
        for row in rows
        if row.may_enter and not row.out
    ]


def _usable_at_random(read: Candidates, reviews: Reviews) -> tuple[int, int]:
    """How many of the candidates drawn at random were accepted or edited, and how many were drawn."""
    ids = random_part(read.found, reviews.counts)
    usable = [id_ for id_ in ids if reviews.counts[id_].said in ("accept", "edit")]
    return len(usable), len(ids)


def _training_set(
    rows: Sequence[_Row],
    passed: Sequence[TrainingExample],
    disliked: Sequence[TrainingExample],
    findings: tuple[GateFinding, ...],
    label_check: PlantedSwaps | Unknown,
    reviews: Reviews,
) -> TrainingSet:
    """The record of a set: its size, its gates, and how much of it people reviewed."""
    validation = [example for example in passed if example.split == "validation"]
    stated = [
        row for row in rows if row.may_enter and not row.out and not row.review.said
    ]
    unreviewed = [row for row in rows if not row.may_enter]
    by_review = Counter(row.review.said for row in rows)
    reasons = Counter(row.review.text for row in rows if row.review.said == "reject")
    reviewers = {name for views in reviews.people.values() for name in views}
    # candidates that two people or more reviewed
    shared = [
        list(views.values()) for views in reviews.people.values() if len(views) > 1
    ]
    agreed = [views for views in shared if _agreed_review(views).said != "differ"]
    return TrainingSet(
        digest=set_digest(passed),
        train=len(passed) - len(validation),
        validation=len(validation),
        accepted=by_review["accept"],
        edited=by_review["edit"],
        stated=len(stated),
        rejected=by_review["reject"],
        reasons={text or "no reason given": n for text, n in sorted(reasons.items())},
        unreviewed=len(unreviewed),
        gates=findings,
        label_check=label_check,
        reviewers=tuple(sorted(reviewers)),
        twice=len(shared),
        agreed=len(agreed),
        better=reviews.better,
        disliked=len(disliked),
        disliked_digest=set_digest(disliked) if disliked else "",
    )


def _gate_disliked(
    read: Candidates, rows: Sequence[_Row], rules: _GateRules
) -> list[TrainingExample]:
    """Logged answers with a bad score that pass the same gates, each once, for thumbs down.

    An answer that a person accepted, or that is in a file, is left out.
    """
    liked = {row.candidate.example.id for row in rows if row.may_enter}
    by_id = {}
    for candidate in read.disliked:
        if candidate.example.id not in liked:
            by_id[candidate.example.id] = candidate
    disliked = [_Row(each, each.example, Reviewed()) for each in by_id.values()]
    if not disliked:
        return []
    _gate_by_evaluation(disliked, rules)
    # any tool may be called: nobody is to learn that call
    _gate_by_content(disliked, None, rules.hiding)
    return [
        row.example.as_disliked()
        for row in disliked
        if not row.out and row.example.answer.content
    ]


def _reviewed_rows(read: Candidates, reviews: Reviews) -> list[_Row]:
    """The candidates with their reviews: an edit replaces the example, a rejection keeps it out."""
    rows = []
    for candidate in read.found:
        example = candidate.example
        review = reviews.counts.get(example.id, Reviewed())
        if review.said == "edit":
            example = example.with_answer(review.text)
        row = _Row(candidate, example, review)
        if review.said == "differ":
            row.out.add("disagreement")
        elif review.said == "reject":
            row.out.add("rejected")
        rows.append(row)
    return rows


def tokens_of(example: TrainingExample) -> int:
    """Estimate the tokens of an example by its characters, and four for the frame of each message.

    The real number may differ by ``ESTIMATE_FACTOR``.
    """
    characters = sum(len(text) for text in _texts(example))
    return round(characters / CHARACTERS_A_TOKEN) + 4 * len(example.messages)


def called(example: TrainingExample) -> set[str]:
    """Return the names of the tools that an example calls."""
    names = set[str]()
    for turn in example.messages:
        names.update(call.function.name for call in turn.tool_calls)
    return names


def _with_tools(example: TrainingExample, tools: Mapping[str, Any]) -> TrainingExample:
    """The example with today's definitions of the tools it calls, if it has none of its own."""
    names = called(example)
    if example.tools or not tools or not names:
        return example
    definitions = tuple(dict(tools[name]) for name in sorted(names))
    return example.model_copy(update={"tools": definitions})


def _split_examples(
    examples: Sequence[TrainingExample], seed: int
) -> list[TrainingExample]:
    """Examples by id, each with its part: training or validation.

    A hash of their name draws conversations: none is in both parts, and a new file moves no earlier
    one.
    """
    draws = {}  # for each conversation, a number between 0 and 1 drawn from its name
    for example in examples:
        digest = digest_of(str(seed), example.cluster)
        draws[example.cluster] = int(digest, 16) / 2**64  # a digest has 64 bits
    validation = {name for name, draw in draws.items() if draw < VALIDATION}
    if not validation and len(draws) >= 1 / VALIDATION:
        # none was drawn by chance, though there are enough examples for one
        validation = {min(draws, key=lambda name: draws[name])}
    split = []
    for example in sorted(examples, key=lambda example: example.id):
        part = "validation" if example.cluster in validation else "train"
        split.append(example.model_copy(update={"split": part}))
    return split


# What people said.

_WON = {"first": 1.0, "tie": 0.5}
"""Wins of the label by what a person said of the pair; the label is the first arm."""


class Reviews(NamedTuple):
    """People's reviews of candidates, and their preferences between a label and a model's answer."""

    people: dict[str, dict[str, Reviewed]]  #: By candidate and reviewer.
    #: The label that was settled, else the one that all reviewers gave.
    counts: dict[str, Reviewed]
    better: BetterThanModel | None


def read_reviews(case: Case) -> Reviews:
    """Read people's reviews and comparisons; a settled review goes before the others."""
    people: dict[str, dict[str, Reviewed]] = defaultdict(dict)
    settled = dict[str, Reviewed]()
    compared = _Comparisons()
    for name, labels in read_labels(case).items():
        for label in latest_labels(labels).values():
            if label.task == "training":
                review = Reviewed(label.value, label.text)
                if name == ADJUDICATED:
                    settled[label.case] = review
                else:
                    people[label.case][name] = review
            elif label.task == "pairwise" and label.arm == LABEL:
                compared.add(name, label)
    counts = {
        id_: _agreed_review(list(views.values())) for id_, views in people.items()
    }
    counts |= settled
    return Reviews(people, counts, compared.better())


def _agreed_review(views: Sequence[Reviewed]) -> Reviewed:
    """The review that all people gave, else "differ"; two edits agree only by equal texts."""
    # reasons for a rejection may differ
    different = {view if view.said == "edit" else view.said for view in views}
    if len(different) > 1:
        return Reviewed("differ")
    # the least by its text, so that the order of files doesn't matter
    return min(views)


class _Comparisons:
    """People's preferences between labels and a model's own answers."""

    def __init__(self) -> None:
        self._people = set[str]()
        self._arms = set[str]()
        self._wins: dict[str, list[float]] = defaultdict(list)  # by pair

    def add(self, name: str, label: Label) -> None:
        """Count what one person said of a pair."""
        self._people.add(name)
        self._arms.add(label.against)
        self._wins[label.case].append(_WON.get(label.value, 0.0))

    def better(self) -> BetterThanModel | None:
        """How often people prefer the label, a tie as half; each pair counts once. None without any."""
        pairs = len(self._wins)
        if not pairs:
            return None
        won = sum(sum(wins) / len(wins) for wins in self._wins.values())
        low, high = wilson(won, pairs)
        needed = None
        if low <= 0.5 <= high:  # more pairs may tell which is better
            needed = cases_to_exclude(won / pairs, 0.5)
        return BetterThanModel(
            arm=", ".join(sorted(self._arms)),
            people=tuple(sorted(self._people)),
            share=won / pairs,
            low=low,
            high=high,
            pairs=pairs,
            needed=needed,
        )


# The gates: each puts its name beside the rows that it keeps out.


def _gate_by_evaluation(rows: Sequence[_Row], rules: _GateRules) -> None:
    """Keep out examples that ask, quote, begin or nearly ask what a case of the evaluation set asks.

    Cases may have been masked in the draw. A set with fakes shares no text word for word with the
    examples, so both are compared with words in place of personal data.
    """
    policy = rules.hiding.policy
    fakes = policy if policy is not None and policy.local == "fakes" else None
    case_talks = {_asked_in_case(case, fakes) for case in rules.cases}
    case_texts = _CaseTexts(case_talks)
    leaked = {case.conversation_id for case in rules.cases}
    texts = ["\n".join(talk) for talk in sorted(case_talks)]
    for row in rows:
        as_it_is, *others = _asked_in_example(row.example, fakes)
        if case_texts.are_asked_in([as_it_is, *others]):
            row.out.add("evaluation")
            leaked.add(row.example.conversation_id)
        elif case_texts.are_begun_in([as_it_is, *others]):
            row.out.add("conversation")
        texts.append("\n".join(as_it_is))
    leaked.discard(None)  # an example without a conversation stands alone
    # other turns of a conversation that is in the evaluation set give its answers away
    for row in rows:
        if row.example.conversation_id in leaked and "evaluation" not in row.out:
            row.out.add("conversation")
    _gate_near_copies(rows, case_talks, texts, rules.near)


def _gate_near_copies(
    rows: Sequence[_Row], case_talks: set[_Talk], texts: Sequence[str], near: float
) -> None:
    """Keep out near copies of cases; ``texts`` are the cases' texts, followed by the rows' texts."""
    asked = [_asked_texts(_turns_before_answer(row.example)) for row in rows]
    endings = _Endings(case_talks, asked)
    # for each text the place of the first text of its group; those of cases come first
    firsts = duplicate_groups(texts, near).tolist()
    firsts_of_rows = firsts[len(case_talks) :]
    for row, talk, first in zip(rows, asked, firsts_of_rows, strict=True):
        if row.out & {"evaluation", "conversation"}:
            continue  # out for a better reason
        if first < len(case_talks) or endings.differs_at_its_end(talk):
            row.out.add("near_evaluation")


_Talk: TypeAlias = tuple[str, ...]  # what a conversation asks, a text a turn


class _CaseTexts:
    """The questions of the evaluation set, to find them again in examples."""

    def __init__(self, whole: set[_Talk]) -> None:
        self._whole = whole
        self._begun = set[_Talk]()  # beginnings that are long enough to be no greeting
        for talk in whole:
            words = 0
            for turns, text in enumerate(talk, 1):
                words += len(text.split())
                if words >= _FEW_WORDS:
                    self._begun.add(talk[:turns])
        # cases that are long enough to be looked for inside an example
        self._long = whole & self._begun
        self._lengths = {len(talk) for talk in self._long}
        self._quotes = _CaseQuotes(whole)

    def are_asked_in(self, talks: Sequence[_Talk]) -> bool:
        """Whether an example is a case, asks one in a later turn, or quotes one."""
        for talk in talks:
            if talk in self._whole or self._is_asked_later(talk):
                return True
            if any(self._quotes.are_in(text) for text in talk):
                return True
        return False

    def _is_asked_later(self, talk: _Talk) -> bool:
        """Whether a later turn alone is a case, or all turns from it on are."""
        for start in range(1, len(talk)):
            for length in (1, len(talk) - start):
                if (
                    length in self._lengths
                    and talk[start : start + length] in self._long
                ):
                    return True
        return False

    def are_begun_in(self, talks: Sequence[_Talk]) -> bool:
        """Whether an example begins like a case."""
        for talk in talks:
            for turns in range(1, len(talk) + 1):
                if talk[:turns] in self._begun:
                    return True
        return False


class _Endings:
    """Questions of the evaluation set, to recognize them with other last words."""

    def __init__(self, cases: Iterable[_Talk], asked: Iterable[_Talk]) -> None:
        questions = {_words_of(talk) for talk in cases}
        self._begins = {
            _without_end(words) for words in questions if len(words) >= _QUOTED
        }
        self._lengths = sorted({len(begin) for begin in self._begins})
        every = questions | {_words_of(talk) for talk in asked}
        shared = Counter[tuple[str, ...]]()
        for words in every:
            shared.update(self._begins_of(words))
        self._templates = {begin for begin, n in shared.items() if n > _TEMPLATE}

    def _begins_of(self, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        """Beginnings of cases that a text shares. They are most of the text, not only a quote."""
        for length in self._lengths:
            begin = words[:length]
            if begin in self._begins and length >= (1 - _CHANGED) * len(words):
                yield begin

    def differs_at_its_end(self, talk: _Talk) -> bool:
        """Whether a text is a case with other last words, and not one of many from a template."""
        begins = self._begins_of(_words_of(talk))
        return any(begin not in self._templates for begin in begins)


def _words_of(talk: _Talk) -> tuple[str, ...]:
    return tuple(_WORD.findall(" ".join(talk)))


def _without_end(words: tuple[str, ...]) -> tuple[str, ...]:
    """A question without the last words that a near copy may change."""
    changed = int(_CHANGED * len(words))
    return words[: len(words) - changed]


class _CaseQuotes:
    """One-question cases, to find them word for word inside texts, unless they are short.

    Cases are stored by their first ``_QUOTED`` words, so that a text is only compared with cases
    whose beginning it contains.
    """

    def __init__(self, whole: Iterable[_Talk]) -> None:
        self._by_start: dict[tuple[str, ...], list[list[str]]] = defaultdict(list)
        for talk in whole:
            if len(talk) != 1:
                continue
            (question,) = talk
            words = _WORD.findall(question)
            if len(words) >= _QUOTED:
                self._by_start[tuple(words[:_QUOTED])].append(words)

    def are_in(self, text: str) -> bool:
        """Whether a text holds the question of a case, word for word."""
        if not self._by_start:
            return False
        words = _WORD.findall(text)
        for place in range(len(words) - _QUOTED + 1):
            start = tuple(words[place : place + _QUOTED])
            for question in self._by_start.get(start, ()):
                if words[place : place + len(question)] == question:
                    return True
        return False


class _ContentCounts(NamedTuple):
    """Counts of the gate by content."""

    calling: int  #: Rows with a call of a tool.
    masked: int  #: Rows of which personal data was masked.


def _gate_by_content(
    rows: Sequence[_Row], tools: frozenset[str] | None, hiding: HidingRule
) -> _ContentCounts:
    """Keep out empty and cut-off examples, those with personal data or secrets, and unknown tools."""
    # Turns stand apart: what one begins with is no name under the regards that end another.
    texts = ["\n\n\n\n".join(_texts(row.example)) for row in rows]
    definitions = [json.dumps(row.example.tools) for row in rows]
    scanner = shared_scanner()
    text_kinds = scanner.bits(texts).tolist()
    tool_kinds = scanner.bits(definitions).tolist()
    secrets = _secret_bits()
    calling = 0
    masked = 0
    for row, text, bits, tool_bits in zip(
        rows, texts, text_kinds, tool_kinds, strict=True
    ):
        if row.example.answer.empty:
            row.out.add("empty")
        elif _is_cut_off(row):
            row.out.add("cut_off")
        if bits & secrets or tool_bits & secrets:
            row.out.add("secret")
        # definitions of tools describe fields and hold nobody's data
        if bits & ~secrets or persons(text):
            if hiding.hides:
                row.example = hiding.hide_personal(row.example)
                masked += 1
            elif not hiding.allows(row.example, text):
                row.out.add("personal")
        if called(row.example):
            calling += 1
        if _calls_unknown_tool(row.example, tools):
            row.out.add("unknown_tool")
    return _ContentCounts(calling, masked)


def _secret_bits() -> int:
    """The bits of the scanner that mean a secret."""
    bits = 0
    for place, kind in enumerate(KINDS):
        if kind.sort == "secret":
            bits |= 1 << place
    return bits


def _calls_unknown_tool(example: TrainingExample, tools: frozenset[str] | None) -> bool:
    """Whether it calls a tool that it doesn't define, or that isn't among today's ``tools``.

    An example without definitions may call any of these; any at all if ``tools`` is None, as nobody
    states them.
    """
    names = called(example)
    defined = {_name_of(tool) for tool in example.tools}
    if defined and not names <= defined:
        return True
    return tools is not None and not names <= tools


def _gate_contradictions(rows: Sequence[_Row]) -> None:
    """Keep out examples with equal turns but different short answers: one of them is wrong.

    Long answers may differ in words and both be right.
    """
    by_turns: dict[tuple[str, ...], list[tuple[str, _Row]]] = defaultdict(list)
    for row in rows:
        raw_answer = row.example.answer.content
        answer = _plain(raw_answer)
        is_short = len(answer) <= _SHORT or looks_like_json(raw_answer)
        # an answer that people don't accept contradicts nothing
        if answer and is_short and not row.out & {"rejected", "disagreement"}:
            before = row.example.messages[:-1]
            turns = tuple(f"{turn.role} {_plain(turn.content)}" for turn in before)
            by_turns[turns].append((answer, row))
    for answered in by_turns.values():
        different = {answer for answer, _ in answered}
        if len(different) > 1:
            for _, row in answered:
                row.out.add("contradiction")


def _gate_duplicates(rows: Sequence[_Row], near: float) -> None:
    """Of equal rows that are still in, keep the first: reviewed ones first, then those of files."""
    left = sorted((row for row in rows if not row.out), key=lambda row: row.order)
    questions = [
        "\n".join(_asked_texts(_turns_before_answer(row.example))) for row in left
    ]
    answers = [
        f"{turn_shown(row.example.answer)}\n{row.example.rejected}" for row in left
    ]
    # for each row the place of the first row of its group
    firsts = duplicate_groups(questions, near, answers).tolist()
    for place, (row, first) in enumerate(zip(left, firsts, strict=True)):
        if place != first:
            row.out.add("duplicate")


class _Oddities(NamedTuple):
    """How oddities were looked for."""

    looked_at: dict[str, int]  #: Lines that were checked, by oddity.
    label_check: PlantedSwaps | Unknown  #: How well wrong labels are recognized.


def _name_oddities(rows: Sequence[_Row], *, strict: bool) -> _Oddities:
    """Mark examples that are odd or likely have a wrong label, among those that could enter."""
    left = sorted((row for row in rows if not row.out), key=lambda row: row.example.id)
    examples = [row.example for row in left]
    check = check_labels(examples)
    for row, names in zip(left, name_odd_lines(examples), strict=True):
        for name in names:
            row.odd[name] = ""
    for likely in check.likely_wrong:
        by = f"{min(likely.odds, _MOST_ODDS):,.0f} times likelier"
        left[likely.place].odd[WRONG] = f"rather {likely.better}, {by}"
    for row in left:
        if row.review.said in ("accept", "edit"):  # a person has looked at it
            row.odd.clear()
        if strict:
            row.out |= set(row.odd)
    looked_at = {name: len(left) for name in ODDITIES}
    looked_at[WRONG] = check.looked_at
    return _Oddities(looked_at, check.planted)


WRONG = "likely_wrong"
_MOST_ODDS = 1000  # above this, the odds of a head say nothing


def _lines_checked(
    rows: Sequence[_Row], read: Candidates, calling: int, reviewed: int
) -> dict[str, int]:
    """How many lines each gate could keep out."""
    checked = {name: len(rows) for name in GATES}
    checked["unknown_tool"] = calling
    checked["disagreement"] = reviewed
    checked["rejected"] = reviewed
    # lines that never became a row count as well
    checked["unreadable"] += len(read.unread)
    checked["duplicate"] += len(read.repeated)
    return checked


def _kept_out(
    rows: Sequence[_Row], read: Candidates, checked: Mapping[str, int]
) -> list[GateFinding]:
    """The finding of each gate, in the order of ``GATES``."""
    ordered = sorted(rows, key=lambda row: _file_and_line(row.example.source))
    findings = []
    for name in GATES:
        lines = [_example_line(row.example) for row in ordered if name in row.out]
        if name == "unreadable":  # these never became rows
            lines = [excerpt(line, 0, 160, around=0) for line in read.unread]
        if name == "duplicate":
            lines += [f"{source} word for word" for source in read.repeated]
        finding = GateFinding(
            id=name, examples=len(lines), of=checked[name], lines=tuple(lines)
        )
        findings.append(finding)
    return findings


def _marked(
    rows: Sequence[_Row], looked_at: Mapping[str, int], *, strict: bool
) -> list[GateFinding]:
    """The finding of each oddity, in the order of ``NAMED``."""
    ordered = sorted(rows, key=lambda row: _file_and_line(row.example.source))
    findings = []
    for name in NAMED:
        lines = [_marked_line(row, name) for row in ordered if name in row.odd]
        finding = GateFinding(
            id=name,
            examples=len(lines),
            of=looked_at[name],
            lines=tuple(lines),
            keeps_out=strict,
        )
        findings.append(finding)
    return findings


def _marked_line(row: _Row, name: str) -> str:
    """A marked line, with the remark about it."""
    more = row.odd[name]
    line = _example_line(row.example)
    return f"{line} ({more})" if more else line


def _file_and_line(source: str) -> tuple[str, int]:
    """A sort key for a source such as ``file.jsonl:12``: line 9 comes before line 12."""
    name, _, line = source.rpartition(":")
    return (name, int(line)) if line.isdigit() else (source, 0)


def _example_line(example: TrainingExample) -> str:
    """The source of an example, and the beginnings of its question and answer."""
    learnt = example.answer.content or f"calls {', '.join(sorted(called(example)))}"
    text = f"{example.asked[:100]} → {learnt[:100]}"
    return f"{example.source} {excerpt(text, 0, len(text), around=0)}"


# What an example says, in the ways it is compared.


def _turns_of_case(case: EvalCase) -> Iterator[tuple[str, str]]:
    if case.input is not None:
        yield "user", case.input
    yield from ((turn.role, turn.content) for turn in case.messages)


def _plain(text: str) -> str:
    """A text as a reader sees it: without wide letters and invisible characters."""
    seen = unicodedata.normalize("NFKC", text)
    if not seen.isascii():
        seen = "".join(c for c in seen if unicodedata.category(c) != "Cf")
    return " ".join(seen.split()).casefold()


def _asked_texts(turns: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The texts of users and tools in small letters without blanks; empty ones are left out."""
    texts = []
    for role, text in turns:
        if role not in ("assistant", "system"):
            texts.append(_plain(text))
    return tuple(text for text in texts if text)


def _asked_in_case(case: EvalCase, fakes: PersonalPolicy | None) -> _Talk:
    """What a case asks; with ``fakes``, words stand in place of personal data."""
    turns = _turns_of_case(case)
    if fakes is None:
        return _asked_texts(turns)
    return _asked_with_words(turns, fakes, case.reference)


def _asked_in_example(
    example: TrainingExample, fakes: PersonalPolicy | None
) -> list[_Talk]:
    """What an example asks, in each form in which a case could ask it.

    As it is, and as the draw of an evaluation set would have masked it; with ``fakes``, only with
    words in place of personal data.
    """
    turns = _turns_before_answer(example)
    if fakes is not None:
        return [_asked_with_words(turns, fakes, example.answer.content)]
    mask = Masker()
    masked = [(role, mask(text)) for role, text in turns if role != "system"]
    return [_asked_texts(turns), _asked_texts(masked)]


def _asked_with_words(
    turns: Iterable[tuple[str, str]], policy: PersonalPolicy, answer: str | None
) -> _Talk:
    """The questions with words in place of personal data, whether it is real or fake."""
    hide = Masker(policy)
    hide.learn(answer)  # data that the answer repeats is hidden in the question too
    return _asked_texts(
        [(role, hide(text)) for role, text in turns if role != "system"]
    )


def _turns_before_answer(example: TrainingExample) -> list[tuple[str, str]]:
    return [(turn.role, turn.content) for turn in example.messages[:-1]]


def _texts(example: TrainingExample) -> Iterator[str]:
    for turn in example.messages:
        yield turn.content
        yield turn.name
        yield from (call.function.arguments for call in turn.tool_calls)
    yield example.rejected


def _is_cut_off(row: _Row) -> bool:
    """Whether its maker says so, or a sentence, JSON, a fence or a call ends in the middle."""
    if row.candidate.cut and row.review.said != "edit":  # an edit completes it
        return True
    text = row.example.answer.content
    if text.count("```") % 2 != 0:
        return True
    # JSON beside a fence has other text around it, and isn't JSON as a whole
    if looks_like_json(text) and "```" not in text and not _is_json(text):
        return True
    for call in row.example.answer.tool_calls:
        if not _is_json(call.function.arguments or "{}"):
            return True
    words = text.casefold().split()
    if len(words) < _FULL_SENTENCE:  # a label may end with any word
        return False
    last = words[-1]
    return last in _OPEN or last.endswith((",", "("))


def _is_json(text: str) -> bool:
    value, _ = read_json(text)
    return value is not UNREAD


def _name_of(tool: Mapping[str, Any]) -> str:
    function = tool.get("function", tool)
    return str(function.get("name")) if isinstance(function, Mapping) else ""


class HidingRule(NamedTuple):
    """Whether examples with personal data stay out, or enter with a replacement for it."""

    policy: PersonalPolicy | None
    masking: bool = False  #: Whether words were asked for, whatever the case states.

    @property
    def how(self) -> Hiding:
        """The way to hide personal data in a training set.

        A policy of masking also hides data that files beside the case keep.
        """
        stated = "keep" if self.policy is None else self.policy.local
        if stated == "keep" and self.masking:
            return "words"
        return stated

    @property
    def hides(self) -> bool:
        """Whether anything is replaced, so that the example may stay."""
        return self.how != "keep"

    def hide_personal(self, example: TrainingExample) -> TrainingExample:
        """An example in which personal data is replaced."""
        return hidden_example(example, hider(self.policy, self.how, example.id))

    def allows(self, example: TrainingExample, text: str) -> bool:
        """Whether all its personal data is in fields that may hold it."""
        if self.policy is None:
            return False
        allowed = Masker(self.policy)
        for answer in _answers(example):
            allowed.learn(answer)
        found_spans = [*spans(text), *persons(text)]
        return all(allowed.expects(span, text) for span in found_spans)


def _answers(example: TrainingExample) -> Iterator[str]:
    for turn in example.messages:
        if turn.role == "assistant":
            yield turn.content
            yield from (call.function.arguments for call in turn.tool_calls)


def hidden_example(example: TrainingExample, hide: Masker) -> TrainingExample:
    """Return an example with all its texts masked."""
    for answer in _answers(example):
        hide.learn(answer)
    data = example.model_dump()
    for turn in data["messages"]:
        turn["content"] = hide(turn["content"])
        for call in turn["tool_calls"]:
            call["function"]["arguments"] = hide(call["function"]["arguments"])
        if turn["name"]:
            turn["name"] = hide(turn["name"])
    data["rejected"] = hide(example.rejected)
    return TrainingExample.model_validate(data)


# What is shown of it.


def data_document(report: DataReport) -> b.Document:
    """Compose the document about a set: its size, why other examples are out, and what is next."""
    data = report.made
    headline = "No example is usable yet"
    if data.size:
        headline = (
            f"{counted(data.size, 'example')} passed every gate: {count(data.train)} to train on, "
            f"{count(data.validation)} held back to validate on"
        )
    origins = b.bullets([sentence(line) for line in _origin_lines(report)])
    naming = b.bullets([sentence(_naming_text(data))])
    sections = [
        b.section("", "Where they come from", origins),
        b.section("", "The gates", _gates_table(data)),
        b.section("", "To look at", _oddities_table(data), naming),
        b.section("", "Samples, with personal data masked", _samples(data)),
    ]
    record = (("digest", data.digest),) if data.size else ()
    after = [*_next_steps(report, argument(report.folder))]
    return b.Document(report.case, headline, sections, record=record, after=after)


_COUNT_COLUMNS = "#Examples | #Share | #Of"


def _gates_table(data: TrainingSet) -> b.Block:
    rows = [_gate_row(gate, GATES) for gate in data.gates if gate.id in GATES]
    return b.table("Gates", f"Kept out, as it | {_COUNT_COLUMNS}", rows, quiet=True)


def _oddities_table(data: TrainingSet) -> b.Block:
    odd = [gate for gate in data.gates if gate.id in NAMED]
    # --strict keeps all odd lines out
    verb = "Kept out too" if any(gate.keeps_out for gate in odd) else "Kept, and named"
    rows = [_gate_row(gate, NAMED) for gate in odd]
    return b.table("Oddities", f"{verb}, as it | {_COUNT_COLUMNS}", rows, quiet=True)


def _samples(data: TrainingSet) -> list[b.Block]:
    """The first lines of each gate and oddity with any."""
    titles = {**GATES, **NAMED}
    return [
        b.part(titles[gate.id], b.bullets(_first_lines(gate)))
        for gate in data.gates
        if gate.examples
    ]


def _gate_row(gate: GateFinding, titles: Mapping[str, str]) -> tuple[str, ...]:
    share_out = share(gate.examples / gate.of) if gate.of else "–"
    return titles[gate.id], count(gate.examples), share_out, count(gate.of)


def _first_lines(gate: GateFinding) -> Iterator[str]:
    yield from gate.lines[:_SAMPLES]
    if gate.examples > _SAMPLES:
        yield f"and {count(gate.examples - _SAMPLES)} more, all of them in --format json"


def _naming_text(data: TrainingSet) -> str:
    """Say how reliable the recognition of wrong labels is."""
    check = data.label_check
    if isinstance(check, Unknown):
        return f"wrong labels can't be named: {check.ask}"
    ends = quality_interval(check.precision, check.precision_low, check.precision_high)
    return (
        f"of {counted(check.swapped, 'label')} swapped on purpose in this set, "
        f"{share(check.recall)} were named. Of all lines named then {ends} were swapped: at "
        "least, as wrong labels of your own are among the rest"
    )


def _origin_lines(report: DataReport) -> Iterator[str]:
    """Lines about the origin of the examples and their reviews, one for each known thing."""
    data = report.made
    read = report.read
    of_files = [each for each in read.found if each.example.origin == "file"]
    files = counted(len(of_files), "example")
    yield f"{files} of training files, {count(data.stated)} kept unreviewed"
    logged = len(read.found) - len(of_files)
    if logged:
        unreviewed = f"{count(data.unreviewed)} of them unreviewed candidates"
        yield f"{counted(logged, 'answer')} of logs, {unreviewed}"
    if read.left_out:
        reasons = [
            f"{name.replace('_', ' ')} {count(n)}"
            for name, n in sorted(read.left_out.items())
        ]
        yield f"logged answers left out: {', '.join(reasons)}"
    if data.disliked:
        yield (
            f"{counted(data.disliked, 'disliked answer')} passed the gates, for a target that "
            "learns from thumbs: tuneworthy export CASE --to trl-kto"
        )
    if data.reviewers:
        yield from _review_lines(report)
    if data.better is not None:
        yield _preference_text(data.better)
    if report.tokens:
        # they are sorted
        middle = report.tokens[len(report.tokens) // 2]
        most = report.tokens[-1]
        yield f"about {amount(middle)} tokens an example, {amount(most)} at most, by characters"
    if report.masked:
        yield f"personal data was masked in {counted(report.masked, 'example')}"
    if not report.evaluation:
        yield "no evaluation set is named: whether any example is in it is unknown"


def _review_lines(report: DataReport) -> Iterator[str]:
    """Lines about the reviews: by whom, how many were good enough, and how far people agree."""
    data = report.made
    usable, drawn = report.random
    yield (
        f"reviewed by {listing(data.reviewers)}: {count(data.accepted)} accepted, "
        f"{count(data.edited)} edited, {count(data.rejected)} rejected"
    )
    if data.rejected:
        reasons = [f"{why} {count(n)}" for why, n in data.reasons.items()]
        yield f"rejected: {listing(reasons)}"
    if drawn:
        low, high = wilson(usable, drawn)
        ends = f"{share(low)} to {share(high)}"
        yield f"good enough, of {count(drawn)} drawn at random: {share(usable / drawn)} ({ends})"
    if data.twice:
        yield f"two people said the same of {count(data.agreed)} of {count(data.twice)}"


def _preference_text(better: BetterThanModel) -> str:
    """Say whether labels are better than the model's own answers."""
    if better.low > 0.5:
        verb = "are better than"
    elif better.high < 0.5:
        verb = "are worse than"
    else:
        verb = "can't be distinguished from"
    more = f". About {count(better.needed)} pairs are needed" if better.needed else ""
    return (
        f"the labels {verb} the own answers of {better.arm}: preferred in {share(better.share)} "
        f"({share(better.low)} to {share(better.high)}) of {counted(better.pairs, 'pair')}{more}"
    )


def _next_steps(report: DataReport, case: str) -> Iterator[str]:
    """Lines on what to do next with the training set."""
    data = report.made
    if data.better is not None and data.better.high < 0.5:
        yield "Don't tune on these: a model learns to answer worse. Edit the labels first."
    if data.unreviewed:
        yield f"Review them: tuneworthy data review {case} --reviewer NAME"
    odd = sum(
        gate.examples for gate in data.gates if gate.id in NAMED and not gate.keeps_out
    )
    if odd:
        yield (
            f"Look at the {counted(odd, 'line')} named, and correct the file, or review them: "
            f"tuneworthy data review {case} --reviewer NAME. Or leave them out: "
            f"tuneworthy data check {case} --strict"
        )
    at_work = {gate.id for gate in data.gates if gate.examples}
    if "personal" in at_work:
        yield (
            "Is the task to read such data? Name its fields: "
            f"tuneworthy answer {case} data.personal.fields=FIELD"
        )
    if "disagreement" in at_work:
        yield f"Settle what reviewers differ on: tuneworthy evalset export {case} --settle"
    if data.size and data.better is None:
        yield f"Are they better than the model? tuneworthy data compare {case} --reviewer NAME"
    if data.size:
        yield f"Does tuning on them work? tuneworthy pilot {case} --dry-run"
        yield f"For a service or a library: tuneworthy export {case} --to TARGET"
