"""Voice: generic phrases, and their growth over a conversation."""

from __future__ import annotations

import numpy as np

from tuneworthy.measure.signals.base import (
    ENOUGH_CONVERSATIONS,
    Findings,
    Measure,
    Numbers,
    TraceSignal,
    TraceTable,
    happened,
    pictures,
)
from tuneworthy.model.case import Materials
from tuneworthy.model.evidence import Batch, Evidence, Series
from tuneworthy.stats.clustered import share, slope
from tuneworthy.text.glossary import Phrases
from tuneworthy.text.search import joined

MOST_TURNS = 30  #: Turns that the picture shows.

_ABOUT = "voice_drift"


class VoiceSignal(TraceSignal):
    """Whether outputs sound like the team, or like anybody.

    ``generic_phrase_share`` is the share of outputs with a phrase that could be any assistant's
    (``phrases`` has the list), or that the team avoids. ``voice_drift_per_turn`` is the
    least-squares slope of the same on the turn: share of outputs a turn. Intervals have
    conversations as clusters.

    It can't see a generic tone in other words or languages, nor tell a drift from closing
    phrases that belong at the end of a conversation: so the slope settles nothing. Without named
    voice samples the share says that outputs could be anybody's, not that somebody minds. Outputs
    that are empty or failed are left out.
    """

    id = "voice"

    def __init__(self, materials: Materials) -> None:
        self._voice = materials.voice
        self._phrases = Phrases(materials.voice)

    def rows(self, batch: Batch) -> Numbers:
        """``generic``: 1 for an output with a generic phrase, 0 for one without, NaN for no output."""
        left_out = happened(batch.column("error")) | joined(batch.output).blank
        generic = self._phrases.any(batch.output).astype(np.float64)
        generic[left_out] = np.nan
        return {"generic": generic}

    def finish(self, table: TraceTable) -> Findings:
        """The share of outputs with generic phrases, and its change from turn to turn."""
        evidence = (self._by_output(table), _by_turn(table))
        return Findings(evidence, _picture(table))

    def _by_output(self, table: TraceTable) -> Evidence:
        """The share of outputs with a generic phrase."""
        counts = self._phrases.counts(table.sample.output)
        measure = Measure("generic_phrase_share", "share of outputs", _ABOUT)
        return measure.make_evidence(
            table,
            share(table.numbers["generic"], table.conversation),
            "measure traces with outputs: these have none",
            method="outputs with at least one phrase of the list; interval by conversation",
            details={
                "phrases": len(self._phrases.phrases),
                "voice_samples": len(self._voice.samples) if self._voice else 0,
            },
            examples=[f'"{phrase}" ({n} in the sample)' for phrase, n in counts],
        )


def _by_turn(table: TraceTable) -> Evidence:
    """The change of that share from turn to turn."""
    generic = table.numbers["generic"]
    talks = table.conversation
    known = ~(np.isnan(table.turn) | np.isnan(generic))
    # A conversation of one turn shows no change.
    turns = np.bincount(talks[known], minlength=int(talks.max(initial=0)) + 1)
    known &= turns[talks] > 1
    estimate = None
    if known.any():
        estimate = slope(generic[known], table.turn[known], talks[known])
    measure = Measure("voice_drift_per_turn", "share of outputs a turn", _ABOUT)
    return measure.make_evidence(
        table,
        estimate,
        "measure conversations of two or more turns (fields conversation_id and turn)",
        method="least squares of generic phrasing on the turn, over conversations of two or"
        " more; interval by conversation",
    )


def _picture(table: TraceTable) -> tuple[Series, ...]:
    """The share of outputs with a generic phrase at each turn that enough conversations reach."""
    rows: list[tuple[int, float, float, float, int]] = []
    for place in range(MOST_TURNS):
        is_here = table.turn == place
        here = share(table.numbers["generic"][is_here], table.conversation[is_here])
        if here is not None and here.clusters >= ENOUGH_CONVERSATIONS:
            rows.append((place, here.value, here.low, here.high, here.n))
    return pictures("voice_by_turn", "turn share low high n", rows)
