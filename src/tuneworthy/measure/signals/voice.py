"""Voice: generic phrasing, its growth over a conversation, and the distance to a team's samples."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from tuneworthy.measure.signals.base import (
    ENOUGH_CONVERSATIONS,
    Findings,
    Floats,
    Ints,
    Measure,
    Numbers,
    TraceSignal,
    TraceTable,
    clusters_of,
    happened,
    pictures,
)
from tuneworthy.model.case import Materials
from tuneworthy.model.evidence import Batch, Evidence
from tuneworthy.stats.clustered import Estimate, mean, share, slope, t95
from tuneworthy.text.glossary import Phrases
from tuneworthy.text.search import joined

# How a text is written, whatever it is about: rates of small words, sentences, punctuation.

PIECE_WORDS = 60  #: Words of a piece.

_SMALL = (
    "the a an and or but so if of in on at to for with from by as it this that these you your we "
    "our us i my me is are be was have has can could will would may should do not no just very "
    "please there any all more here what"
)
_SMALL_WORDS = tuple(_SMALL.split())
_MARKS = (",", ";", ":", "!", "?", "—", "(", "…", "*", "\n")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_SENTENCE = re.compile(r"[.!?]+(?=\s|\Z)")

FEATURES = len(_SMALL_WORDS) + len(_MARKS) + 4  #: Numbers that describe a piece.


def pieces(texts: Iterable[str]) -> Iterator[str]:
    """Texts put end to end and cut into pieces of ``PIECE_WORDS`` words.

    What is left at the end is left out, so a few words give none.
    """
    whole = " ".join(texts)
    start = 0
    for n, match in enumerate(_WORD.finditer(whole), start=1):
        if n % PIECE_WORDS == 0:
            stop = match.end()
            while stop < len(whole) and not whole[stop].isalnum() and not whole[stop].isspace():
                stop += 1  # punctuation belongs to the word before
            yield whole[start:stop]
            start = stop


def features(piece: str) -> Floats:
    """What describes a piece: rates a word, mean lengths of word and sentence.

    ``FEATURES`` numbers; zeros for a text without a word.
    """
    words = [word.replace("’", "'") for word in _WORD.findall(piece.casefold())]
    if not words:
        return np.zeros(FEATURES)
    n, counts = len(words), Counter(words)
    contracted = sum("'" in word for word in words)
    sentences = max(1, len(_SENTENCE.findall(piece)))
    values = [counts[word] / n for word in _SMALL_WORDS]
    values += [piece.count(mark) / n for mark in _MARKS]
    values += [
        contracted / n,
        sum(map(len, words)) / n / 50,
        1 / sentences,
        sum(letter.isupper() for letter in piece) / max(1, len(piece)),
    ]
    return np.array(values)


class Style:
    """The way some samples are written: texts that sound right."""

    def __init__(self, samples: Sequence[str]) -> None:
        cut = [[features(piece) for piece in pieces([text])] for text in samples]
        self._cut = [np.array(each) for each in cut if each]

    def __len__(self) -> int:
        """Samples long enough for a piece."""
        return len(self._cut)

    def among_themselves(self) -> Floats:
        """For each sample the mean distance of its pieces from all the others."""
        means = []
        for left_out, own in enumerate(self._cut):
            others = np.concatenate([each for k, each in enumerate(self._cut) if k != left_out])
            means.append(_delta(own, others).mean())
        return np.array(means)

    def distances(self, texts: Sequence[str]) -> Floats:
        """The distance of each piece of one writer's texts from the samples; none for few words."""
        written = np.array([features(piece) for piece in pieces(texts)])
        return _delta(written, np.concatenate(self._cut)) if len(written) else np.empty(0)


def _delta(written: Floats, usual: Floats) -> Floats:
    """Burrows's Delta of each row; a rate that is rare in the samples has the spread of a count."""
    middle = usual.mean(axis=0)
    counted = np.sqrt((middle + 1 / PIECE_WORDS) / PIECE_WORDS)
    spread = np.maximum(usual.std(axis=0), counted)
    return np.asarray(np.mean(np.abs(written - middle) / spread, axis=1))


# Voice: generic phrasing, its growth over a conversation, and the distance to a team's samples.

ENOUGH_SAMPLES = 5
"""Under this many samples there is no telling how much a voice varies by itself."""

MOST_TURNS = 30  #: Turns that the picture shows.

_ABOUT = "voice_drift"
_ALIKE = 1e-6  # samples nearer than this to each other are copies and no yardstick


class VoiceSignal(TraceSignal):
    """Whether outputs sound like the team, or like anybody.

    ``generic_phrase_share`` is the share of outputs with a phrase that could be any assistant's
    (``phrases`` has the list), or that the team avoids. ``voice_drift_per_turn`` is the
    least-squares slope of the same on the turn: share of outputs a turn. ``voice_distance`` is the
    mean distance of the outputs' style from the samples' (``style``), in units of the samples'
    mean distance from each other: 1 is as near as they are. Intervals have conversations as
    clusters; that of the distance has the spread among the samples in it too.

    It can't see a generic tone in other words or languages, nor tell a drift from closing
    phrases that belong at the end of a conversation: so slope and distance settle nothing.
    Without named voice samples the share says that outputs could be anybody's, not that somebody
    minds. The distance knows small words and punctuation, not wit or warmth, and little about
    languages other than English. Outputs that are empty or failed are left out.
    """

    id = "voice"

    def __init__(self, materials: Materials) -> None:
        self._voice = materials.voice
        self._phrases = Phrases(materials.voice)

    def rows(self, batch: Batch) -> Numbers:
        """``generic``: 1 for an output with such a phrase, 0 for one without, NaN for no output."""
        left_out = happened(batch.column("error")) | joined(batch.output).blank
        generic = self._phrases.any(batch.output).astype(np.float64)
        generic[left_out] = np.nan
        return {"generic": generic}

    def finish(self, table: TraceTable) -> Findings:
        generic, talks, turn = table.numbers["generic"], table.conversation, table.turn
        counts = self._phrases.counts(table.sample.output)
        said = Measure("generic_phrase_share", "share of outputs", _ABOUT).of(
            table,
            share(generic, talks),
            "measure traces with outputs: these have none",
            method="outputs with at least one phrase of the list; interval by conversation",
            details={
                "phrases": len(self._phrases.phrases),
                "voice_samples": len(self._voice.samples) if self._voice else 0,
            },
            examples=[f'"{phrase}" ({n} in the sample)' for phrase, n in counts],
        )
        known = ~(np.isnan(turn) | np.isnan(generic))
        known &= np.bincount(talks[known], minlength=int(talks.max(initial=0)) + 1)[talks] > 1
        drift = Measure("voice_drift_per_turn", "share of outputs a turn", _ABOUT).of(
            table,
            slope(generic[known], turn[known], talks[known]) if known.any() else None,
            "measure conversations of two or more turns (fields conversation_id and turn)",
            method="least squares of generic phrasing on the turn, over conversations of two or"
            " more; interval by conversation",
        )
        rows: list[tuple[int, float, float, float, int]] = []
        for place in range(MOST_TURNS):  # those that enough conversations reach
            here = share(generic[turn == place], talks[turn == place])
            if here is not None and here.clusters >= ENOUGH_CONVERSATIONS:
                rows.append((place, here.value, here.low, here.high, here.n))
        by_turn = pictures("voice_by_turn", "turn share low high n", rows)
        return Findings((said, drift, self._distance(table)), by_turn)

    def _distance(self, table: TraceTable) -> Evidence:
        style = Style(self._voice.samples if self._voice else ())
        enough = len(style) >= ENOUGH_SAMPLES
        return Measure("voice_distance", "distance of the samples among themselves", _ABOUT).of(
            table,
            _ratio(style, *_written(style, table)) if enough else None,
            f"put conversations of {PIECE_WORDS} words or more among the traces"
            if enough
            else f"name data.voice with at least {ENOUGH_SAMPLES} samples of {PIECE_WORDS} words or"
            " more each",
            method=f"Burrows's Delta on pieces of {PIECE_WORDS} words, outputs against samples over"
            " samples against each other; interval by conversation and sample",
            sample=table.extent(),
            details={"samples_long_enough": len(style)},
        )


def _written(style: Style, table: TraceTable) -> tuple[Floats, Ints]:
    """Distances of the sample's outputs, piece by piece, with the conversation of each."""
    texts: dict[int, list[str]] = defaultdict(list)
    where = clusters_of(table.sample.column("conversation")).tolist()
    errors = table.sample.column("error")
    for conversation, text, error in zip(where, table.sample.output, errors, strict=True):
        if text and not error:
            texts[conversation].append(text)
    distances = [style.distances(each) for each in texts.values()]
    codes = np.repeat([*texts], [len(each) for each in distances])
    return np.concatenate([np.empty(0), *distances]), codes.astype(np.int64)


def _ratio(style: Style, distances: Floats, where: Ints) -> Estimate | None:
    """Outputs' mean distance over the samples' own, by the delta method on the logarithm."""
    outputs, own = mean(distances, where), style.among_themselves()
    if outputs is None or outputs.clusters < 2 or own.mean() < _ALIKE:
        return None
    ratio = outputs.value / float(own.mean())
    half = (outputs.high - outputs.value) / outputs.value
    half_own = t95(len(own) - 1) * float(own.std(ddof=1)) / math.sqrt(len(own)) / float(own.mean())
    spread = math.exp(math.hypot(half, half_own))
    return Estimate(ratio, ratio / spread, ratio * spread, outputs.n, outputs.clusters)
