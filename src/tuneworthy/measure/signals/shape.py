"""Signals in the texts alone: a fixed form, facts that aren't in the input, and languages."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuneworthy.measure.sample import LETTERS, SURE, languages
from tuneworthy.measure.signals.base import (
    ENOUGH_CONVERSATIONS,
    Extent,
    Findings,
    Flags,
    Ints,
    Measure,
    TraceSignal,
    TraceTable,
    clusters_of,
    few,
    happened,
    how_many,
    pictures,
    sampled_clusters,
    sampled_rows,
    there,
)
from tuneworthy.measure.signals.success import refused
from tuneworthy.model.case import Materials
from tuneworthy.model.evidence import Batch, Evidence, Scalar, Series
from tuneworthy.stats.clustered import Estimate, quantile, share
from tuneworthy.text.json import looks_like_json

MOST_WORDS = 6  #: Of a label.
MOST_LABELS = 0.2
"""Short answers are labels if the different ones among them are at most this share."""

_SQL = re.compile(
    r"(?is)\s*(?:```\w*\s*)?(?:select\s.+?\sfrom\s+[\w\"`\[(]|insert\s+into\s|delete\s+from\s"
    r"|update\s+\S+\s+set\s|with\s+\S+\s+as\s*\().*"
)
_WORDS = re.compile(r"[^\W_]+(?:[.,:]\d+)*")
_WORD_OR_END = re.compile(_WORDS.pattern + r"|[.!?\n:]")
_FACT = re.compile(r"\d|^[A-Z]")
_RUN = 4  #: Words in a row that are copied.
_ASK = "log `output`, what the model answered"
_ASK_CONTEXTS = "log `contexts`, the passages that the model was given"
_FORM = Measure("fixed_form_share", "share of answers", "consistent_behavior")
_FACTS = Measure("own_facts_share", "share of answers in prose")
_COPIED = Measure("copied_share", "share of answers with passages")
_SAME = Measure("repeated_answer_share", "share of answers in prose")
_METHODS = {
    "fixed_form_share": "labels, JSON, SQL and calls of tools; interval by conversation",
    "own_facts_share": "numbers, and names inside a sentence; interval by conversation",
    "repeated_answer_share": "word for word, of another conversation; interval by conversation",
    "copied_share": "half of the runs of four words; interval by conversation",
}
Form = Literal["label", "json", "sql", "tool call", "prose"]


class ShapeSignal(TraceSignal):
    """The kinds of answers, on the sample.

    * ``fixed_form_share``: share of answers that are one of few labels (six words at most, and so
      few different ones that each comes five times on average), JSON, SQL or a call of a tool.
    * ``own_facts_share``: share of answers in prose with a number, or a name inside a sentence,
      that neither the question nor the messages before, the system prompt or the passages hold: it
      came out of the model.
    * ``repeated_answer_share``: share of answers in prose that another conversation got word for
      word: many questions come to few answers.
    * ``copied_share``: share of answers with passages of which half of the runs of four words stand
      in one.

    Refusals and errors are left out. Unit: a share; intervals have conversations as clusters. It
    can't see whether a fact is right, nor one that is said without a number or a name.
    """

    id = "shape"

    def finish(self, table: TraceTable) -> Findings:
        """The shares of fixed forms, own facts, repeated answers and copied answers."""
        batch = table.sample
        talks = clusters_of(batch.column("conversation"))
        answered = ~happened(batch.column("error")) & ~refused(batch.output)
        answered &= happened(batch.output) | happened(batch.column("tool_calls"))
        forms = np.array(_forms(batch, answered))
        prose = (forms == "prose") & answered
        grounded = happened(batch.column("contexts")) & answered
        kinds: dict[str, Scalar] = {}
        for form, count in sorted(Counter(forms[answered].tolist()).items()):
            kinds[form.replace(" ", "_")] = count
        copied = _copied(batch, grounded)
        own_facts = _own_facts(batch, prose)
        repeated = _repeated(batch, prose, talks)
        return Findings(
            (
                _share_of(table, _FORM, ~prose, answered, talks, details=kinds),
                _share_of(table, _FACTS, own_facts, prose, talks),
                _share_of(table, _SAME, repeated, prose, talks),
                _share_of(table, _COPIED, copied, grounded, talks, ask=_ASK_CONTEXTS),
            )
        )


def _share_of(
    table: TraceTable,
    measure: Measure,
    hits: Flags,
    among: Flags,
    talks: Ints,
    *,
    ask: str = _ASK,
    details: Mapping[str, Scalar] | None = None,
) -> Evidence:
    """The share of hits among some traces of the sample; ``talks`` are their conversations."""
    return measure.make_evidence(
        table,
        share(hits[among], talks[among]),
        ask,
        method=_METHODS[measure.id],
        details=details,
        sample=table.extent(),
    )


_LANGUAGES = Measure("other_language_share", "share of questions in a known language")
_NOT_ASKED = Measure("evalset_language_gap", "share of questions in a known language")
_LONGER = Measure("evalset_length_gap", "share of questions")
_MOST_READ = 1_000  #: Questions whose language is looked for, as that is slow.
_MOST_NAMED = 12  #: Languages in the picture and the details.


class _Language(NamedTuple):
    """A language among the questions."""

    code: str
    questions: int
    share: Estimate  #: Of the questions in a known language.


class _Questions(NamedTuple):
    """Questions of the sample with their languages."""

    codes: NDArray[np.str_]  #: The language of each question in a known one.
    talks: Ints  #: Their conversations.
    unknown: int  #: Questions in an unknown language.
    extent: Extent


class TextsSignal(TraceSignal):
    """How long questions and answers are, and in which languages is asked, on the sample.

    * ``question_characters``, ``answer_characters``: median, with the 95th percentile and its ends
      in the details. Of letters, as no two languages have words or tokens of the same length.
    * ``other_language_share``: share of the questions in another language than most, of those
      in a known language: short ones, mixed ones and code are unknown, and counted as such.
    * ``evalset_language_gap``, ``evalset_length_gap``: shares of the questions in a language of
      which the evaluation set has no case, and of those that are longer than every case.

    Intervals have conversations as clusters. They support: no factor is answered by them.
    """

    id = "texts"

    def __init__(self, materials: Materials) -> None:
        self._cases = materials.asked

    def finish(self, table: TraceTable) -> Findings:
        """The lengths of texts, the languages, and the languages that the evaluation set lacks."""
        lengths = [
            _length(table, "question", "input"),
            _length(table, "answer", "output"),
        ]
        if self._cases:
            lengths.append(self._longer(table))
        questions = _questions(table)
        if isinstance(questions, str):
            unknown = _LANGUAGES.make_evidence(table, questions)
            return Findings((*lengths, unknown))
        named = _languages(questions)
        other = _other_languages(table, questions, named)
        picture: tuple[Series, ...] = ()
        if other.is_known:
            rows = [
                (
                    each.code,
                    each.share.value,
                    each.share.low,
                    each.share.high,
                    each.questions,
                )
                for each in named
            ]
            picture = pictures("languages", "language value low high n", rows)
        # A case of an unsure language counts as its most likely one.
        cases = languages(self._cases, sure_from=0) or ()
        if 2 * cases.count(None) >= len(cases):
            return Findings((*lengths, other), picture)
        gap = _language_gap(table, questions, named, cases)
        return Findings((*lengths, other, gap), picture)

    def _longer(self, table: TraceTable) -> Evidence:
        """The share of questions that are longer than every case of the evaluation set."""
        longest = max(map(len, self._cases))
        asked = table.sample.column("input")
        rows = [row for row, text in enumerate(asked) if text]
        long = [len(asked[row]) > longest for row in rows]
        return _LONGER.make_evidence(
            table,
            share(long, sampled_clusters(table.sample, rows)),
            "log `input`, what was asked",
            method="longer than every case of the evaluation set; interval by conversation",
            details={"longest_case": longest, "cases": len(self._cases)},
            sample=table.extent(),
        )


def _questions(table: TraceTable) -> _Questions | str:
    """Questions of the sample with their languages; the advice where they can't be compared."""
    asked = table.sample.column("input")
    rows = sampled_rows(table.sample, _MOST_READ, lambda row: bool(asked[row]))
    if not rows:
        return "log `input`, what was asked"
    talks = sampled_clusters(table.sample, rows)
    conversations = how_many(talks)
    if conversations < ENOUGH_CONVERSATIONS:
        return few(conversations)
    codes = languages([asked[row] or "" for row in rows])
    if codes is None:
        return "install tuneworthy[traces]"
    known = there(codes)
    return _Questions(
        codes=np.array([code for code in codes if code is not None]),
        talks=talks[known],
        unknown=codes.count(None),
        extent=table.extent(len(rows)),
    )


def _languages(questions: _Questions) -> list[_Language]:
    """The most frequent languages of the questions, by their number; of equal ones by code."""
    counts = Counter(questions.codes.tolist())
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    named = []
    for code, count in ordered[:_MOST_NAMED]:
        estimate = share(questions.codes == code, questions.talks)
        assert estimate is not None  # there are questions in this language
        named.append(_Language(code, count, estimate))
    return named


def _other_languages(
    table: TraceTable, questions: _Questions, named: Sequence[_Language]
) -> Evidence:
    """The share of questions in another language than most."""
    estimate = None
    if named:
        most = named[0].code
        estimate = share(questions.codes != most, questions.talks)
    details: dict[str, Scalar] = {each.code: each.questions for each in named}
    details["unknown"] = questions.unknown
    return _LANGUAGES.make_evidence(
        table,
        estimate,
        f"measure questions of {LETTERS} letters or more",
        method=f"by letters, where {SURE:g} sure; interval by conversation",
        details=details,
        sample=questions.extent,
    )


def _language_gap(
    table: TraceTable,
    questions: _Questions,
    named: Sequence[_Language],
    cases: Sequence[str | None],
) -> Evidence:
    """The share of questions in a language of which no case is; ``cases`` are their languages."""
    known = [code for code in cases if code is not None]
    estimate = None
    if named:
        estimate = share(~np.isin(questions.codes, known), questions.talks)
    return _NOT_ASKED.make_evidence(
        table,
        estimate,
        method="languages of no case of the evaluation set; interval by conversation",
        details={each.code: each.questions for each in named if each.code not in known},
        sample=questions.extent,
    )


def _length(table: TraceTable, what: str, column: str) -> Evidence:
    """The median length of questions or answers, in characters."""
    texts = table.sample.column(column)
    rows = [row for row, text in enumerate(texts) if text]
    lengths = np.array([len(texts[row]) for row in rows], dtype=np.float64)
    talks = clusters_of(table.sample.column("conversation"))[rows]
    late = quantile(lengths, 0.95, talks)
    details: dict[str, Scalar] = {}
    if late is not None:
        details = {"p95": late.value, "p95_low": late.low, "p95_high": late.high}
    return Measure(f"{what}_characters", "characters").make_evidence(
        table,
        quantile(lengths, 0.5, talks),
        f"log `{column}`",
        method="median; interval by conversation",
        details=details,
        sample=table.extent(),
    )


def _forms(batch: Batch, answered: Flags) -> list[Form]:
    """The form of each output; short texts are labels only where few different ones recur."""
    texts = [(text or "").strip() for text in batch.output]
    labels = _labels(texts, answered)
    forms: list[Form] = []
    for text, calls in zip(texts, batch.column("tool_calls"), strict=True):
        if looks_like_json(text):
            forms.append("json")
        elif _SQL.fullmatch(text):
            forms.append("sql")
        elif _is_short(text) and labels:
            forms.append("label")
        elif calls and not text:
            forms.append("tool call")
        else:
            forms.append("prose")
    return forms


def _labels(texts: Sequence[str], answered: Flags) -> set[str]:
    """The labels among the answers, in small letters; none where short answers seldom recur."""
    short = [
        text.casefold()
        for text, is_answer in zip(texts, answered.tolist(), strict=True)
        if is_answer and _is_short(text)
    ]
    different = set(short)
    return different if len(different) <= MOST_LABELS * len(short) else set()


def _is_short(text: str) -> bool:
    return bool(text) and len(text.split()) <= MOST_WORDS


def _own_facts(batch: Batch, rows: Flags) -> Flags:
    """Whether each output states a number or a name that no text given to the model holds."""
    own = np.zeros(len(batch), dtype=bool)
    questions = batch.column("input")
    systems = batch.column("system")
    messages = batch.column("messages")
    contexts = batch.column("contexts")
    words_of = lru_cache(maxsize=64)(_words)  # many share a system prompt
    for row in np.flatnonzero(rows).tolist():
        left = {word.casefold() for word in _facts(batch.output[row] or "")}
        sources = [questions[row], systems[row], *(contexts[row] or ())]
        sources += [text for _, text in messages[row] or ()]
        for text in sources:
            if not left:
                break
            if not text:
                continue
            # a word that is no part of the text is none of its words, which take longer to find
            small = text.casefold()
            if any(word in small for word in left):
                left -= words_of(text)
        own[row] = bool(left)
    return own


def _words(text: str) -> set[str]:
    return {*_small_words(text)}


def _small_words(text: str) -> list[str]:
    """The words of a text in small letters, in their order."""
    if text.isascii():
        words: list[str] = _WORDS.findall(text.casefold())
        return words
    # a small form of another letter may not be a letter itself
    return [word.casefold() for word in _WORDS.findall(text)]


def _facts(text: str) -> list[str]:
    """Numbers, and capitalized words that don't begin a sentence."""
    facts = []
    begins = True
    for word in _WORD_OR_END.findall(text):
        if word in ".!?\n:":
            begins = True
            continue
        is_number = word[0].isdigit()
        # A single capital is a letter of a list, or the word "I".
        is_name = not begins and _FACT.match(word) and len(word) > 1
        if is_number or is_name:
            facts.append(word)
        begins = False
    return facts


def _repeated(batch: Batch, rows: Flags, talks: Ints) -> Flags:
    """Whether several conversations have each answer word for word, among some rows."""
    texts = [" ".join((text or "").casefold().split()) for text in batch.output]
    conversations: dict[str, set[int]] = defaultdict(set)
    for row in np.flatnonzero(rows).tolist():
        conversations[texts[row]].add(int(talks[row]))
    repeated = {text for text, own in conversations.items() if len(own) > 1}
    return np.array([text in repeated for text in texts], dtype=bool)


def _copied(batch: Batch, rows: Flags) -> Flags:
    """Whether half or more of an answer's runs of words stand in one of its passages."""
    copied = np.zeros(len(batch), dtype=bool)
    passages = batch.column("contexts")
    for row in np.flatnonzero(rows).tolist():
        runs = set(_runs(batch.output[row] or ""))
        if not runs:
            continue
        for passage in passages[row] or ():
            if 2 * len(runs.intersection(_runs(passage))) >= len(runs):
                copied[row] = True
                break
    return copied


def _runs(text: str) -> Iterator[tuple[str, ...]]:
    """The runs of four words in a text; none where it has fewer."""
    words = _small_words(text)
    # The words from the first on, from the second on, and so on, side by side.
    return zip(*(words[start:] for start in range(_RUN)), strict=False)
