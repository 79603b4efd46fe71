"""Signals in the texts alone: a fixed form, facts that aren't in the input, and languages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

import numpy as np

from tuneworthy.measure.sample import LETTERS, SURE, languages
from tuneworthy.measure.signals.base import (
    ENOUGH_CONVERSATIONS,
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
    rate,
    sampled_clusters,
    sampled_rows,
)
from tuneworthy.measure.signals.success import refused
from tuneworthy.model.case import Materials
from tuneworthy.model.evidence import Batch, Evidence, Scalar
from tuneworthy.stats.clustered import quantile, share
from tuneworthy.text.json import looks_like_json

MOST_WORDS = 6  #: Of a label.
MOST_LABELS = 0.2
"""Short answers are labels if the different ones among them are at most this share."""

_SQL = re.compile(
    r"(?is)\s*(?:```\w*\s*)?(?:select\s.+?\sfrom\s+[\w\"`\[(]|insert\s+into\s|delete\s+from\s"
    r"|update\s+\S+\s+set\s|with\s+\S+\s+as\s*\().*"
)
_WORDS = re.compile(r"[^\W_]+(?:[.,:]\d+)*")
_FACT = re.compile(r"\d|^[A-Z]")
_RUN = 4  # words in a row that are copied
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
        talks = clusters_of(table.sample.column("conversation"))
        answered = ~happened(batch.column("error")) & ~refused(batch.output)
        answered &= happened(batch.output) | happened(batch.column("tool_calls"))
        forms = _forms(batch, answered)
        prose = np.array([form == "prose" for form in forms]) & answered
        counts = Counter(
            form for form, there in zip(forms, answered, strict=True) if there
        )
        grounded = happened(batch.column("contexts")) & answered
        kinds: dict[str, Scalar] = {
            name.replace(" ", "_"): n for name, n in sorted(counts.items())
        }
        measures: tuple[tuple[Measure, Flags, Flags, str, dict[str, Scalar]], ...] = (
            (_FORM, ~prose, answered, _ASK, kinds),
            (_FACTS, _own_facts(batch, prose), prose, _ASK, {}),
            (_SAME, _repeated(batch, prose, talks), prose, _ASK, {}),
            (_COPIED, _copied(batch, grounded), grounded, _ASK_CONTEXTS, {}),
        )
        return Findings(
            tuple(
                measure.make_evidence(
                    table,
                    share(hits[among], talks[among]),
                    ask,
                    method=_METHODS[measure.id],
                    details=details,
                    sample=table.extent(),
                )
                for measure, hits, among, ask, details in measures
            )
        )


_LANGUAGES = Measure("other_language_share", "share of questions in a known language")
_NOT_ASKED = Measure("evalset_language_gap", "share of questions in a known language")
_LONGER = Measure("evalset_length_gap", "share of questions")
_MOST_TOLD = 1_000
_MOST_NAMED = 12


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
        asked = table.sample.column("input")
        lengths = [
            _length(table, "question", "input"),
            _length(table, "answer", "output"),
        ]
        if self._cases:
            lengths.append(self._longer(table))
        rows = sampled_rows(table.sample, _MOST_TOLD, lambda row: bool(asked[row]))
        talks = sampled_clusters(table.sample, rows)
        enough = how_many(talks) >= ENOUGH_CONVERSATIONS
        codes = languages([asked[row] or "" for row in rows]) if enough else []
        if not codes:
            ask = few(how_many(talks)) if rows else "log `input`, what was asked"
            ask = ask if codes is not None else "install tuneworthy[traces]"
            return Findings((*lengths, _LANGUAGES.make_evidence(table, ask)))
        known = np.array([code is not None for code in codes])
        of = np.array([code for code in codes if code is not None])
        groups = talks[known]
        counts = Counter(of.tolist())
        named = [
            code
            for code, _ in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
        ]
        shares = [(code, share(of == code, groups)) for code in named[:_MOST_NAMED]]
        drawn = [
            (c, e.value, e.low, e.high, counts[c]) for c, e in shares if e is not None
        ]
        details: dict[str, Scalar] = {
            code: counts[code] for code in named[:_MOST_NAMED]
        }
        other = _LANGUAGES.make_evidence(
            table,
            share(of != named[0], groups) if named else None,
            f"measure questions of {LETTERS} letters or more",
            method=f"by letters, where {SURE:g} sure; interval by conversation",
            details=details | {"unknown": len(codes) - len(of)},
            sample=table.extent(len(rows)),
        )
        names = "language value low high n"
        pictured = pictures("languages", names, drawn * other.is_known)
        # a case of an unsure language counts as its most likely one
        held = languages(self._cases, sure_from=0) or ()
        if 2 * held.count(None) >= len(held):
            return Findings((*lengths, other), pictured)
        gap = _NOT_ASKED.make_evidence(
            table,
            share(~np.isin(of, [*filter(None, held)]), groups) if named else None,
            method="languages of no case of the evaluation set; interval by conversation",
            details={
                code: counts[code] for code in named[:_MOST_NAMED] if code not in held
            },
            sample=table.extent(len(rows)),
        )
        return Findings((*lengths, other, gap), pictured)

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


def _length(table: TraceTable, what: str, column: str) -> Evidence:
    """The median length of questions or answers, in characters."""
    texts = [
        (row, text) for row, text in enumerate(table.sample.column(column)) if text
    ]
    long = np.array([len(text) for _, text in texts], dtype=np.float64)
    talks = clusters_of(table.sample.column("conversation"))[[row for row, _ in texts]]
    middle, late = (quantile(long, at, talks) for at in (0.5, 0.95))
    ends = (
        {}
        if late is None
        else {"p95": late.value, "p95_low": late.low, "p95_high": late.high}
    )
    return Measure(f"{what}_characters", "characters").make_evidence(
        table,
        middle,
        f"log `{column}`",
        method="median; interval by conversation",
        details=ends,
        sample=table.extent(),
    )


def _forms(batch: Batch, answered: Flags) -> list[Form]:
    """The form of each output; short texts are labels only where few different ones recur."""
    texts = [(text or "").strip() for text in batch.output]
    short = [bool(text) and len(text.split()) <= MOST_WORDS for text in texts]
    rows = zip(texts, short, answered, strict=True)
    kinds = Counter(text.casefold() for text, label, there in rows if label and there)
    few = rate(np.array(short)[answered]) > 0 and len(kinds) <= MOST_LABELS * sum(
        kinds.values()
    )
    forms: list[Form] = []
    for text, label, calls in zip(
        texts, short, batch.column("tool_calls"), strict=True
    ):
        if looks_like_json(text):
            forms.append("json")
        elif _SQL.fullmatch(text):
            forms.append("sql")
        elif label and few:
            forms.append("label")
        else:
            forms.append("tool call" if calls and not text else "prose")
    return forms


def _own_facts(batch: Batch, rows: Flags) -> Flags:
    """Whether each output states a number or a name that no text given to the model holds."""
    own = np.zeros(len(batch), dtype=bool)
    columns = [
        batch.column(name) for name in ("input", "system", "messages", "contexts")
    ]
    words = lru_cache(maxsize=64)(_words)  # many share a system prompt
    for row in np.flatnonzero(rows).tolist():
        asked, system, turns, passages = (values[row] for values in columns)
        left = {word.casefold() for word in _facts(batch.output[row] or "")}
        sources = (asked, system, *(passages or ()), *(text for _, text in turns or ()))
        for text in filter(None, sources):
            small = text.casefold() if left else ""
            # a word that is no part of the text is none of its words, which take longer to find
            if any(word in small for word in left):
                left -= words(text)
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
    made = []
    begins = True
    for word in re.findall(r"[^\W_]+(?:[.,:]\d+)*|[.!?\n:]", text):
        if word in ".!?\n:":
            begins = True
            continue
        if word[0].isdigit() or (not begins and _FACT.match(word) and len(word) > 1):
            made.append(word)
        begins = False
    return made


def _repeated(batch: Batch, rows: Flags, talks: Ints) -> Flags:
    of: dict[str, set[int]] = {}
    texts = [" ".join((text or "").casefold().split()) for text in batch.output]
    for row in np.flatnonzero(rows).tolist():
        of.setdefault(texts[row], set()).add(int(talks[row]))
    return np.array([len(of.get(text, ())) > 1 for text in texts], dtype=bool)


def _copied(batch: Batch, rows: Flags) -> Flags:
    """Whether half or more of an answer's runs of words stand in one of its passages."""
    copied = np.zeros(len(batch), dtype=bool)
    passages = batch.column("contexts")
    for row in np.flatnonzero(rows).tolist():
        runs = {*_runs(batch.output[row] or "")}
        held = (runs.intersection(_runs(text)) for text in passages[row] or ())
        copied[row] = (
            any(len(each) * 2 >= len(runs) for each in held) if runs else False
        )
    return copied


def _runs(text: str) -> Iterator[tuple[str, ...]]:
    """The runs of four words in a text; none where it has fewer."""
    words = _small_words(text)
    return zip(*(words[at:] for at in range(_RUN)), strict=False)
