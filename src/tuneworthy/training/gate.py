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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from tuneworthy.model.evalset import EvalCase, digest_of
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
_SAMPLES = 5
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
    people, reviews, better = read_reviews(case)
    rows = [_reviewed_row(c, reviews.get(c.example.id, Reviewed())) for c in read.found]
    cases = named_evalset(case) or ()
    tools = tools_today(case)
    near = framework_of(case).threshold("near_copy") or ALIKE
    policy = case.data.personal
    _gate_by_evaluation(rows, cases, near, policy)
    hiding = HidingRule(policy, mask)
    calling, masked = _gate_by_content(
        rows, None if tools is None else frozenset(tools), hiding
    )
    _gate_by_copies(rows, near)
    named_rows, label_check = _name_oddities(rows, strict=strict)
    entered = [row for row in rows if row.may_enter and not row.out]
    passed = _split_examples(
        [_with_tools(row.example, tools or {}) for row in entered], seed
    )
    findings = _findings(rows, read, calling, len(reviews), named_rows, strict=strict)
    disliked = _gate_disliked(read, rows, cases, near, hiding)
    training = _training_set(
        rows, passed, disliked, findings, label_check, people, better
    )
    write_training(case, training, passed, disliked)
    random = [reviews[id_].said for id_ in random_part(read.found, reviews)]
    usable = sum(said in ("accept", "edit") for said in random)
    return DataReport(
        case=case.name,
        folder=str(source),
        made=training,
        read=read,
        random=(usable, len(random)),
        tokens=tuple(sorted(map(tokens_of, passed))),
        evaluation=len(cases),
        masked=masked,
    )


def _training_set(
    rows: Sequence[_Row],
    passed: Sequence[TrainingExample],
    disliked: Sequence[TrainingExample],
    findings: tuple[GateFinding, ...],
    label_check: PlantedSwaps | Unknown,
    people: Mapping[str, Mapping[str, Reviewed]],
    better: BetterThanModel | None,
) -> TrainingSet:
    """The record of a set: its size, its gates, and how much of it people reviewed."""
    validation = sum(example.split == "validation" for example in passed)
    entered = [row for row in rows if row.may_enter and not row.out]
    by_review = Counter(row.review.said for row in rows)
    reasons = Counter(row.review.text for row in rows if row.review.said == "reject")
    reviewers = set[str]()
    twice = 0
    agreed = 0
    for views in people.values():
        reviewers.update(views)
        if len(views) > 1:
            twice += 1
            agreed += _agreed_review([*views.values()]).said != "differ"
    return TrainingSet(
        digest=set_digest(passed),
        train=len(passed) - validation,
        validation=validation,
        accepted=by_review["accept"],
        edited=by_review["edit"],
        stated=sum(not row.review.said for row in entered),
        rejected=by_review["reject"],
        reasons={text or "no reason given": n for text, n in sorted(reasons.items())},
        unreviewed=sum(not row.may_enter for row in rows),
        gates=findings,
        label_check=label_check,
        reviewers=tuple(sorted(reviewers)),
        twice=twice,
        agreed=agreed,
        better=better,
        disliked=len(disliked),
        disliked_digest=set_digest(disliked) if disliked else "",
    )


def _gate_disliked(
    read: Candidates,
    rows: Sequence[_Row],
    cases: Sequence[EvalCase],
    near: float,
    hiding: HidingRule,
) -> list[TrainingExample]:
    """Logged answers with a bad score that pass the same gates, each once, for thumbs down.

    An answer that a person accepted, or that is in a file, is left out.
    """
    stood_for = {row.candidate.example.id for row in rows if row.may_enter}
    own = {
        each.example.id: each
        for each in read.disliked
        if each.example.id not in stood_for
    }
    down = [_Row(each, each.example, Reviewed()) for each in own.values()]
    if not down:
        return []
    _gate_by_evaluation(down, cases, near, hiding.policy)
    _gate_by_content(down, None, hiding)
    kept = [row.example for row in down if not row.out and row.example.answer.content]
    return [example.as_disliked() for example in kept]


def _reviewed_row(candidate: Candidate, review: Reviewed) -> _Row:
    """A candidate with its review: an edit replaces the example, a rejection keeps it out."""
    example, _ = candidate
    if review.said == "edit":
        example = example.with_answer(review.text)
    row = _Row(candidate, example, review)
    if review.said == "differ":
        row.out.add("disagreement")
    elif review.said == "reject":
        row.out.add("rejected")
    return row


def tokens_of(example: TrainingExample) -> int:
    """Tokens of an example by its characters; the real number may differ by ``ESTIMATE_FACTOR``."""
    return round(sum(map(len, _texts(example))) / CHARACTERS_A_TOKEN) + 4 * len(
        example.messages
    )


def called(example: TrainingExample) -> set[str]:
    return {call.function.name for turn in example.messages for call in turn.tool_calls}


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
        draws[example.cluster] = int(digest, 16) / 2**64
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
    judges = set[str]()
    arms = set[str]()
    pairs: dict[str, list[float]] = defaultdict(list)
    for name, labels in read_labels(case).items():
        for label in latest_labels(labels).values():
            if label.task == "training":
                review = Reviewed(label.value, label.text)
                if name == ADJUDICATED:
                    settled[label.case] = review
                else:
                    people[label.case][name] = review
            elif label.task == "pairwise" and label.arm == LABEL:
                pairs[label.case].append(_WON.get(label.value, 0.0))
                judges.add(name)
                arms.add(label.against)
    counts = {id_: _agreed_review([*views.values()]) for id_, views in people.items()}
    counts |= settled
    better = _compare_with_model([*pairs.values()], judges, arms)
    return Reviews(people, counts, better)


def _agreed_review(views: Sequence[Reviewed]) -> Reviewed:
    """The review that all people gave, else "differ"; two edits agree only by equal texts."""
    different = {view if view.said == "edit" else view.said for view in views}
    if len(different) > 1:
        return Reviewed("differ")
    # the least by its text, so that the order of files doesn't matter
    return min(views)


def _compare_with_model(
    pairs: Sequence[Sequence[float]], judges: set[str], arms: set[str]
) -> BetterThanModel | None:
    """How often people prefer the label, a tie as half; each pair counts once. None without any."""
    if not pairs:
        return None
    won = sum(sum(wins) / len(wins) for wins in pairs)
    n = len(pairs)
    low, high = wilson(won, n)
    needed = cases_to_exclude(won / n, 0.5) if low <= 0.5 <= high else None
    return BetterThanModel(
        arm=", ".join(sorted(arms)),
        people=tuple(sorted(judges)),
        share=won / n,
        low=low,
        high=high,
        pairs=n,
        needed=needed,
    )


# The gates: each puts its name beside the rows that it keeps out.


def _gate_by_evaluation(
    rows: Sequence[_Row],
    cases: Sequence[EvalCase],
    near: float,
    policy: PersonalPolicy | None,
) -> None:
    """Keep out questions of the evaluation set. Its texts may have been masked in the draw.

    A set with fakes shares no text word for word with the examples, so both are compared with words
    in place of personal data.
    """
    fakes = policy if policy is not None and policy.local == "fakes" else None
    if fakes is None:
        whole = {_asked_texts(_turns_of_case(case)) for case in cases}
    else:
        whole = {
            _asked_with_words(_turns_of_case(case), fakes, case.reference)
            for case in cases
        }
    case_texts = _CaseTexts(whole)
    leaked = {case.conversation_id for case in cases} - {None}
    texts = ["\n".join(talk) for talk in sorted(whole)]
    for row in rows:
        if fakes is None:
            talks = _asked_plain_and_masked(row.example)
        else:
            answer = row.example.answer.content
            turns = _turns_before_answer(row.example)
            talks = [_asked_with_words(turns, fakes, answer)]
        if case_texts.are_asked_in(talks):
            row.out.add("evaluation")
            if row.example.conversation_id is not None:
                leaked.add(row.example.conversation_id)
        elif case_texts.are_begun_in(talks):
            row.out.add("conversation")
        texts.append("\n".join(talks[0]))
    # other turns of a conversation that is in the evaluation set give its answers away
    for row in rows:
        if row.example.conversation_id in leaked and "evaluation" not in row.out:
            row.out.add("conversation")
    _gate_near_copies(rows, whole, texts, near)


def _gate_near_copies(
    rows: Sequence[_Row], whole: set[_Talk], texts: Sequence[str], near: float
) -> None:
    """Keep out near copies of cases; ``texts`` are the cases' texts, followed by the rows' texts."""
    asked = [_asked_texts(_turns_before_answer(row.example)) for row in rows]
    endings = _Endings(whole, asked)
    # where a row's group begins among the cases, the row is a near copy of one
    firsts = duplicate_groups(texts, near).tolist()[len(whole) :]
    for row, talk, first in zip(rows, asked, firsts, strict=True):
        near_copy = first < len(whole) or endings.differs_at_its_end(talk)
        if near_copy and not row.out & {"evaluation", "conversation"}:
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
        self._long = whole & self._begun
        self._lengths = {len(talk) for talk in self._long}
        self._quotes_a_case = _quote_finder(whole)

    def are_asked_in(self, talks: Sequence[_Talk]) -> bool:
        """Whether an example is a case, asks one in a later turn, or quotes one."""
        for talk in talks:
            if talk in self._whole or self._is_asked_later(talk):
                return True
        return any(self._quotes_a_case(text) for talk in talks for text in talk)

    def _is_asked_later(self, talk: _Talk) -> bool:
        """Whether a later turn alone is a case, or all turns from it on are."""
        for start in range(1, len(talk)):
            for length in self._lengths.intersection((1, len(talk) - start)):
                if talk[start : start + length] in self._long:
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

    def __init__(
        self, cases: Iterable[tuple[str, ...]], asked: Iterable[tuple[str, ...]]
    ) -> None:
        questions = {tuple(_WORD.findall(" ".join(talk))) for talk in cases}
        self._begins = {self._begin(q) for q in questions if len(q) >= _QUOTED}
        self._lengths = sorted({len(begin) for begin in self._begins})
        every = {tuple(_WORD.findall(" ".join(talk))) for talk in asked} | questions
        shared = Counter(begin for words in every for begin in self._begins_of(words))
        self._templates = {begin for begin, n in shared.items() if n > _TEMPLATE}

    @staticmethod
    def _begin(words: tuple[str, ...]) -> tuple[str, ...]:
        return words[: len(words) - int(_CHANGED * len(words))]

    def _begins_of(self, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        """Beginnings of cases that a text shares. They are most of the text, not only a quote."""
        for length in self._lengths:
            begin = words[:length]
            most = (1 - _CHANGED) * len(words)
            if begin in self._begins and length >= most:
                yield begin

    def differs_at_its_end(self, talk: tuple[str, ...]) -> bool:
        """Whether a text is a case with other last words, and not one of many from a template."""
        words = tuple(_WORD.findall(" ".join(talk)))
        return any(begin not in self._templates for begin in self._begins_of(words))


def _quote_finder(whole: Iterable[tuple[str, ...]]) -> Callable[[str], bool]:
    """A test whether a text quotes a one-question case word for word, unless that is short.

    Cases are stored by their first ``_QUOTED`` words, so that a text is only compared with cases
    whose beginning it contains.
    """
    by_start: dict[tuple[str, ...], list[list[str]]] = defaultdict(list)
    for talk in whole:
        if len(talk) != 1:
            continue
        question = _WORD.findall(talk[0])
        if len(question) >= _QUOTED:
            by_start[tuple(question[:_QUOTED])].append(question)

    def quotes_a_case(text: str) -> bool:
        """Whether a text holds the question of a case, word for word."""
        if not by_start:
            return False
        words = _WORD.findall(text)
        starts = zip(*(words[n:] for n in range(_QUOTED)), strict=False)
        for place, start in enumerate(starts):  # every run of as many words
            for question in by_start.get(start, ()):
                if words[place : place + len(question)] == question:
                    return True
        return False

    return quotes_a_case


def _gate_by_content(
    rows: Sequence[_Row], tools: frozenset[str] | None, hiding: HidingRule
) -> tuple[int, int]:
    """Keep out empty and cut-off examples, those with personal data or secrets, and unknown tools.

    Returns the number of rows with a tool call, and of those whose personal data was masked.
    """
    # Turns stand apart: what one begins with is no name under the regards that end another.
    texts = ["\n\n\n\n".join(_texts(row.example)) for row in rows]
    secrets = _secret_bits()
    calling = 0
    masked = 0
    tooled = [json.dumps(row.example.tools) for row in rows]
    scanner = shared_scanner()
    text_kinds = scanner.bits(texts).tolist()
    tool_kinds = scanner.bits(tooled).tolist()
    for row, text, bits, tool_bits in zip(
        rows, texts, text_kinds, tool_kinds, strict=True
    ):
        if row.example.answer.empty:
            row.out.add("empty")
        elif _is_cut_off(row):
            row.out.add("cut_off")
        if bits & secrets or tool_bits & secrets:
            row.out.add("secret")
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
    return calling, masked


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
    own = {_name_of(tool) for tool in example.tools}
    if own and not names <= own:
        return True
    return tools is not None and not names <= tools


def _gate_by_copies(rows: Sequence[_Row], near: float) -> None:
    """Keep out contradictions, and all but one of several equal examples."""
    _gate_contradictions(rows)
    _gate_duplicates(rows, near)


def _gate_contradictions(rows: Sequence[_Row]) -> None:
    """Keep out examples with equal turns but different short answers: one of them is wrong.

    Long answers may differ in words and both be right.
    """
    by_turns: dict[tuple[str, ...], list[tuple[str, _Row]]] = defaultdict(list)
    for row in rows:
        answer = _plain(row.example.answer.content)
        short = len(answer) <= _SHORT or looks_like_json(row.example.answer.content)
        if answer and short and not row.out & {"rejected", "disagreement"}:
            turns = tuple(
                f"{turn.role} {_plain(turn.content)}"
                for turn in row.example.messages[:-1]
            )
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
    learnt = [
        f"{turn_shown(row.example.answer)}\n{row.example.rejected}" for row in left
    ]
    # the first row of each row's group
    firsts = duplicate_groups(questions, near, learnt).tolist()
    for place, (row, first) in enumerate(zip(left, firsts, strict=True)):
        if place != first:
            row.out.add("duplicate")


def _name_oddities(
    rows: Sequence[_Row], *, strict: bool
) -> tuple[dict[str, int], PlantedSwaps | Unknown]:
    """Mark examples that are odd or likely have a wrong label, among those that could enter.

    Returns the number of lines checked for each oddity, and how well wrong labels are recognized.
    """
    left = sorted((row for row in rows if not row.out), key=lambda row: row.example.id)
    examples = [row.example for row in left]
    check = check_labels(examples)
    for row, names in zip(left, name_odd_lines(examples), strict=True):
        row.odd |= dict.fromkeys(names, "")
    for likely in check.likely_wrong:
        by = f"{min(likely.odds, _MOST_ODDS):,.0f} times likelier"
        left[likely.place].odd[WRONG] = f"rather {likely.better}, {by}"
    for row in left:
        if row.review.said in ("accept", "edit"):
            row.odd.clear()
        if strict:
            row.out |= set(row.odd)
    looked_at = dict.fromkeys(ODDITIES, len(left))
    looked_at[WRONG] = check.looked_at
    return looked_at, check.planted


WRONG = "likely_wrong"
_MOST_ODDS = 1000  # above this, the odds of a head say nothing


def _findings(
    rows: Sequence[_Row],
    read: Candidates,
    calling: int,
    reviewed: int,
    looked_at: Mapping[str, int],
    *,
    strict: bool,
) -> tuple[GateFinding, ...]:
    """A finding for each gate, in the order of ``GATES``, then one for each oddity."""
    ordered = sorted(rows, key=lambda row: _file_and_line(row.example.source))
    out = {
        name: [_example_line(row.example) for row in ordered if name in row.out]
        for name in GATES
    }
    odd = {
        name: [_named_line(row, name) for row in ordered if name in row.odd]
        for name in NAMED
    }
    out["unreadable"] = [excerpt(line, 0, 160, around=0) for line in read.unread]
    out["duplicate"] += [f"{source} word for word" for source in read.repeated]
    checked = dict.fromkeys(GATES, len(rows))
    checked["unknown_tool"] = calling
    checked["disagreement"] = reviewed
    checked["rejected"] = reviewed
    # lines that never became a row count as well
    checked["unreadable"] += len(read.unread)
    checked["duplicate"] += len(read.repeated)
    kept_out = [
        GateFinding(id=name, examples=len(lines), of=checked[name], lines=tuple(lines))
        for name, lines in out.items()
    ]
    only_named = [
        GateFinding(
            id=name,
            examples=len(lines),
            of=looked_at[name],
            lines=tuple(lines),
            keeps_out=strict,
        )
        for name, lines in odd.items()
    ]
    return (*kept_out, *only_named)


def _named_line(row: _Row, name: str) -> str:
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


def _asked_plain_and_masked(example: TrainingExample) -> list[tuple[str, ...]]:
    """The questions as they are, and as the draw of an evaluation set would have masked them."""
    turns = _turns_before_answer(example)
    mask = Masker()
    masked = [(role, mask(text)) for role, text in turns if role != "system"]
    return [_asked_texts(turns), _asked_texts(masked)]


def _asked_with_words(
    turns: Iterable[tuple[str, str]], policy: PersonalPolicy, answer: str | None
) -> tuple[str, ...]:
    """The questions with words in place of personal data, whether it is real or fake."""
    hide = Masker(policy)
    hide.learn(answer)
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
    if row.candidate.cut and row.review.said != "edit":
        return True
    text = row.example.answer.content
    if text.count("```") % 2 != 0:
        return True
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
        return "words" if self.masking and stated == "keep" else stated

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
        return all(
            allowed.expects(span, text) for span in (*spans(text), *persons(text))
        )


def _answers(example: TrainingExample) -> Iterator[str]:
    for turn in example.messages:
        if turn.role == "assistant":
            yield turn.content
            yield from (call.function.arguments for call in turn.tool_calls)


def hidden_example(example: TrainingExample, hide: Masker) -> TrainingExample:
    """An example with all its texts masked."""
    for answer in _answers(example):
        hide.learn(answer)
    data = example.model_dump()
    for turn in data["messages"]:
        turn["content"] = hide(turn["content"])
        for call in turn["tool_calls"]:
            call["function"]["arguments"] = hide(call["function"]["arguments"])
        turn["name"] = turn["name"] and hide(turn["name"])
    return TrainingExample.model_validate(data | {"rejected": hide(example.rejected)})


# What is shown of it.


def data_document(report: DataReport) -> b.Document:
    """The document about a set: its size, why other examples are out, and the next steps."""
    data = report.made
    headline = "No example is usable yet"
    if data.size:
        headline = (
            f"{counted(data.size, 'example')} passed every gate: {count(data.train)} to train on, "
            f"{count(data.validation)} held back to validate on"
        )
    titles = {**GATES, **NAMED}
    samples = [
        b.part(titles[gate.id], b.bullets(_first_of(gate)))
        for gate in data.gates
        if gate.examples
    ]
    out = [_gate_row(gate, GATES) for gate in data.gates if gate.id in GATES]
    odd = [_gate_row(gate, NAMED) for gate in data.gates if gate.id in NAMED]
    head = "#Examples | #Share | #Of"
    table = b.table("Gates", f"Kept out, as it | {head}", out, quiet=True)
    strict = any(gate.keeps_out for gate in data.gates if gate.id in NAMED)
    verb = "Kept out too" if strict else "Kept, and named"
    named_table = b.table("Oddities", f"{verb}, as it | {head}", odd, quiet=True)
    sections = [
        b.section(
            "", "Where they come from", b.bullets(map(sentence, _origin_lines(report)))
        ),
        b.section("", "The gates", table),
        b.section(
            "", "To look at", named_table, b.bullets([sentence(_naming_text(data))])
        ),
        b.section("", "Samples, with personal data masked", samples),
    ]
    record = (("digest", data.digest),) if data.size else ()
    after = [*_next_steps(report, argument(report.folder))]
    return b.Document(report.case, headline, sections, record=record, after=after)


def _gate_row(gate: GateFinding, titles: Mapping[str, str]) -> tuple[str, ...]:
    of = share(gate.examples / gate.of) if gate.of else "–"
    return titles[gate.id], count(gate.examples), of, count(gate.of)


def _first_of(gate: GateFinding) -> Iterator[str]:
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
    files = sum(c.example.origin == "file" for c in read.found)
    yield f"{counted(files, 'example')} of training files, {count(data.stated)} kept unreviewed"
    logged = len(read.found) - files
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
        middle = report.tokens[len(report.tokens) // 2]
        most = report.tokens[-1]
        yield f"about {amount(middle)} tokens an example, {amount(most)} at most, by characters"
    if report.masked:
        yield f"personal data was masked in {counted(report.masked, 'example')}"
    if not report.evaluation:
        yield "no evaluation set is named: whether any example is in it is unknown"


def _review_lines(report: DataReport) -> Iterator[str]:
    """Lines on the reviews."""
    data = report.made
    good, n = report.random
    yield (
        f"reviewed by {listing(data.reviewers)}: {count(data.accepted)} accepted, "
        f"{count(data.edited)} edited, {count(data.rejected)} rejected"
    )
    if data.rejected:
        yield f"rejected: {listing([f'{why} {count(n)}' for why, n in data.reasons.items()])}"
    if n:
        low, high = map(share, wilson(good, n))
        yield f"good enough, of {count(n)} drawn at random: {share(good / n)} ({low} to {high})"
    if data.twice:
        yield f"two people said the same of {count(data.agreed)} of {count(data.twice)}"


def _preference_text(better: BetterThanModel) -> str:
    """Say whether labels are better than the model's own answers."""
    verb = "can't be distinguished from"
    if not better.low <= 0.5 <= better.high:
        verb = "are better than" if better.low > 0.5 else "are worse than"
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
    if any(gate.id == "personal" and gate.examples for gate in data.gates):
        yield (
            "Is the task to read such data? Name its fields: "
            f"tuneworthy answer {case} data.personal.fields=FIELD"
        )
    if any(gate.id == "disagreement" and gate.examples for gate in data.gates):
        yield f"Settle what reviewers differ on: tuneworthy evalset export {case} --settle"
    if data.size and data.better is None:
        yield f"Are they better than the model? tuneworthy data compare {case} --reviewer NAME"
    if data.size:
        yield f"Does tuning on them work? tuneworthy pilot {case} --dry-run"
        yield f"For a service or a library: tuneworthy export {case} --to TARGET"
