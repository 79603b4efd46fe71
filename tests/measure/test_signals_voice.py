"""Laws of the voice signal: generic phrasing, and its growth."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plain_engine import batch, measure
from planted import faults
from tuneworthy.measure.signals.voice import VoiceSignal as Voice
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import Materials
from tuneworthy.model.case import VoiceSamples as Wanted
from tuneworthy.model.evidence import COLUMNS, Batch, Evidence
from tuneworthy.text import glossary as text_glossary
from worlds_outputs import WORLDS, phrasing

GENERIC = "I'd be happy to help you with that."
PLAIN = "The wheel is true again."
NOBODY = Wanted(samples=())


def found(measured: str, voice: Wanted | None = None, **columns: Any) -> Evidence:
    """One measurement over traces, each a conversation of its own unless they say otherwise."""
    told = measure(Voice(Materials(voice=voice)), batch(**columns)).evidence
    return next(each for each in told if each.id == measured)


def known(told: Evidence) -> tuple[float, float, float]:
    """Value, low and high."""
    assert isinstance(told.value, float), told.value
    assert isinstance(told.low, float)
    assert isinstance(told.high, float)
    return told.value, told.low, told.high


def ask(told: Evidence) -> str:
    """What would settle an unknown value."""
    assert isinstance(told.value, Unknown)
    return told.value.ask


# Phrases ----------------------------------------------------------------------------------------


def test_the_list_has_a_source_and_a_date_and_every_phrase_once() -> None:
    from importlib.resources import files

    text = files("tuneworthy.text").joinpath("generic_phrases.txt").read_text("utf-8")
    assert "# Source: ours" in text
    assert "# Dated: 20" in text
    phrases = text_glossary.generic_phrases()
    assert 60 <= len(phrases) == len({each.casefold() for each in phrases})
    assert all(each == each.strip() for each in phrases)


def test_every_phrase_is_found_in_a_sentence_in_any_capitals_and_apostrophes() -> None:
    looked = text_glossary.Phrases(None)
    for phrase in text_glossary.generic_phrases():
        for text in (f"Well, {phrase}…", phrase.upper(), phrase.replace("'", "’")):
            assert looked.any([text, "", None]).tolist() == [True, False, False], text


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        "",
        "I hope this helpful note",
        "a great questionnaire",
        "happy to",
        "delving",
    ],
)
def test_what_only_resembles_a_phrase_is_not_found(text: str) -> None:
    assert not text_glossary.Phrases(None).any([text]).any()


def test_a_phrase_of_the_teams_own_samples_is_part_of_its_voice() -> None:
    own = Wanted(samples=("Hi! I’d be happy to. Mind the gap.",))
    assert not text_glossary.Phrases(own).any([GENERIC]).any()
    assert text_glossary.Phrases(NOBODY).any([GENERIC]).all()


def test_what_the_team_avoids_counts_even_where_its_samples_say_it() -> None:
    own = Wanted(samples=("Kindly note.",), avoid=("kindly", " "))
    assert text_glossary.Phrases(own).any(["KINDLY wait.", "unkindly"]).tolist() == [
        True,
        False,
    ]


def test_phrases_are_counted_most_frequent_first() -> None:
    texts = [GENERIC, "As an AI, I'd be happy to.", None]
    assert text_glossary.Phrases(None).counts(texts) == [
        ("I'd be happy to", 2),
        ("as an AI", 1),
    ]


# Share and drift --------------------------------------------------------------------------------


def test_the_share_is_of_outputs_with_text() -> None:
    told = found(
        "generic_phrase_share",
        output=[GENERIC] * 10 + [PLAIN] * 30 + ["", "  ", None] + [GENERIC] * 5,
        error=[None] * 43 + ["timeout"] * 5,
    )
    assert (told.value, told.n, told.factor) == (0.25, 40, "voice_drift")
    assert told.examples[0].startswith('"I\'d be happy to"')


def test_the_drift_is_the_rise_of_the_share_a_turn() -> None:
    """Of 40 conversations none is generic in its first turn, 10 in the second, 20 in the third."""
    outputs, names, turns = [], [], []
    for conversation in range(40):
        for turn in range(3):
            outputs.append(GENERIC if conversation < 10 * turn else PLAIN)
            names.append(str(conversation))
            turns.append(turn)
    told = measure(
        Voice(Materials()), batch(output=outputs, conversation=names, turn=turns)
    )
    value, low, high = known(told.evidence[1])
    assert value == pytest.approx(0.25)
    assert 0 < low < value < high
    columns = told.series[0].columns
    assert columns["turn"] == (0, 1, 2)
    assert columns["share"] == (0, 0.25, 0.5)
    assert columns["n"] == (40, 40, 40)


@pytest.mark.parametrize(
    "columns",
    [
        {"output": [PLAIN] * 30},
        {"output": [PLAIN] * 30, "turn": [0] * 30},
        {"output": [PLAIN] * 30, "turn": list(range(30))},
    ],
)
def test_without_conversations_of_two_turns_there_is_no_drift(
    columns: dict[str, Any],
) -> None:
    assert "two or more turns" in ask(found("voice_drift_per_turn", **columns))


def test_a_picture_shows_turns_that_enough_conversations_reach() -> None:
    names = [str(n) for n in range(30)] + [str(n) for n in range(19)]
    told = measure(
        Voice(Materials()),
        batch(output=[PLAIN] * 49, conversation=names, turn=[0] * 30 + [1] * 19),
    )
    assert told.series[0].columns["turn"] == (0,)


def test_outputs_without_text_leave_everything_unknown() -> None:
    told = measure(Voice(Materials()), batch(output=["", None] * 20, turn=[0, 1] * 20))
    assert all(isinstance(each.value, Unknown) for each in told.evidence)
    assert told.series == ()


@pytest.mark.slow
@given(st.lists(st.integers(1, 60), max_size=5), st.integers(0, 9))
def test_batches_may_be_cut_anywhere(cuts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole, signal = phrasing(rng, faults(rng, 0.2, conversations=30, turns=2))
    ends = sorted({0, *cuts, len(whole)})
    parts = [
        Batch(**{name: getattr(whole, name)[a:b] for name in COLUMNS})
        for a, b in pairwise(ends)
    ]
    assert measure(signal, whole) == measure(signal, *parts)


@pytest.mark.parametrize(("rate", "least", "most"), [(0.0, 0, 1), (0.2, 18, 20)])
def test_clean_traces_fire_seldom_and_a_fault_in_five_is_found(
    rate: float, least: int, most: int
) -> None:
    """Twenty sets of docs/evidence/accuracy.md's two hundred."""
    world, measured, limit = WORLDS["voice"]
    rng, yes = np.random.default_rng(7), 0
    for _ in range(20):
        traces, signal = world(rng, faults(rng, rate, conversations=100, turns=4))
        told = next(e for e in measure(signal, traces).evidence if e.id == measured)
        yes += known(told)[1] > limit
    assert least <= yes <= most
