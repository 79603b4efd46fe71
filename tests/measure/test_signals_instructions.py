"""Laws of verifiable instructions: what is read as one, how it is checked, what is made of it."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plain_engine import batch, measure, table_of
from planted import faults
from tuneworthy.measure.signals.base import TraceTable as Table
from tuneworthy.measure.signals.instructions import InstructionsSignal as Instructions
from tuneworthy.model.base import Unknown
from tuneworthy.model.evidence import COLUMNS, Batch, Evidence, ToolCall
from tuneworthy.text import instructions as text_instructions
from worlds_outputs import RULES, WORLDS, adherence

SORRY = "I'm sorry, but I can't help with that."


def read(prompt: str) -> list[tuple[str, int, tuple[str, ...]]]:
    """What a prompt asks, without quotes and places."""
    return [
        (each.kind, each.amount, each.words)
        for each in text_instructions.Reader().read(prompt)
    ]


def found(
    columns: dict[str, Any], measured: str = "ignored_instruction_share"
) -> Evidence:
    """One measurement over traces, each a conversation of its own unless they say otherwise."""
    all_found = measure(Instructions(), batch(**columns))
    return next(each for each in all_found.evidence if each.id == measured)


def value(evidence: Evidence) -> float:
    """A known value."""
    assert isinstance(evidence.value, float)
    return evidence.value


def ask(evidence: Evidence) -> str:
    """What would settle an unknown value."""
    assert isinstance(evidence.value, Unknown)
    return evidence.value.ask


# Reading ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "asks"),
    [
        ("Always answer in valid JSON.", [("json", 0, ())]),
        ("Respond only with a JSON object.", [("json", 0, ())]),
        ("Your response must be valid JSON, no prose.", [("json", 0, ())]),
        ("Keep your answers under 50 words.", [("most_words", 49, ())]),
        ("Keep your answers to 50 words or fewer.", [("most_words", 50, ())]),
        ("Respond in at most two sentences.", [("most_sentences", 2, ())]),
        ("Your replies must not exceed 300 characters.", [("most_characters", 300, ())]),
        ("Each answer should be no longer than 80 words.", [("most_words", 80, ())]),
        ("Never write more than 120 words.", [("most_words", 120, ())]),
        ('Start every reply with "Hello".', [("starts_with", 0, ("Hello",))]),
        ("End each message with “Bye now”.", [("ends_with", 0, ("Bye now",))]),
        ('Never say "ticket" or "issue".',
         [("never_says", 0, ("ticket",)), ("never_says", 0, ("issue",))]),
        ('Do not use the word "customer", say "member".', [("never_says", 0, ("customer",))]),
        ('Always include "Order ID".', [("always_says", 0, ("Order ID",))]),
        ("Use bullet points.", [("bullets", 0, ())]),
        ("Don't use bullet points.", [("no_bullets", 0, ())]),
        ("No emojis.", [("no_emojis", 0, ())]),
        ("Do not use Markdown.", [("no_markdown", 0, ())]),
        ("Avoid exclamation marks.", [("no_exclamation_marks", 0, ())]),
        ("Ask only one question at a time.", [("most_questions", 1, ())]),
        ("Write in lower case.", [("lower_case", 0, ())]),
        ("Answer in all capitals.", [("upper_case", 0, ())]),
        ("Do not apologize.", [("no_apology", 0, ())]),
        ("You should only make one tool call at a time.", [("most_tool_calls", 1, ())]),
        ("If you make a tool call, you should not respond to the user.", [("call_or_text", 0, ())]),
    ],
)  # fmt: skip
def test_a_plain_instruction_is_read(sentence: str, asks: list[Any]) -> None:
    assert read(sentence) == asks
    assert read(f"You are a shop.\n\n  - {sentence} Be kind.") == asks


@pytest.mark.parametrize(
    "sentence",
    [
        "If the user is angry, keep your answers under 20 words.",
        "Try to keep your answers under 20 words.",
        "Keep your answers under 20 words when possible.",
        "Do not answer in JSON.",
        "Never respond with JSON unless asked.",
        "Answer in JSON Lines.",
        "Return the JSON that the tool gave.",
        "Keep the summary under 20 words.",
        "Your answer should be at least 50 words.",
        "Your answer must have 50 words.",
        "Keep your answers between 20 and 50 words.",
        "Limit your answers to 20 words per item.",
        'Start your first message with "Hello".',
        'Start every reply with "Hi" or "Hello".',
        'Start every reply with "Dear <name>".',
        'For example, never say "ticket".',
        'Never say "ticket" to members.',
        "Use bullet points for lists.",
        "Markdown is not needed.",
        "Ask a question.",
        "Write lower case letters into field B.",
        "",
    ],
)
def test_what_has_more_than_one_reading_is_not_counted(sentence: str) -> None:
    assert read(sentence) == []


def test_examples_and_fenced_blocks_do_not_instruct() -> None:
    inside = "No emojis."
    prompt = f"```\n{inside}\n```\n<example>\n{inside}\n</example>\nDo not apologize."
    assert read(prompt) == [("no_apology", 0, ())]


def test_what_is_said_twice_counts_once_where_it_stands_first() -> None:
    (one,) = text_instructions.Reader().read("No emojis.\n" + "x" * 78 + "\nNo emojis.")
    assert one.position == 0


def test_instructions_that_contradict_each_other_are_left_out() -> None:
    assert (
        read("Keep your answers under 50 words.\nKeep your answers under 90 words.")
        == []
    )
    assert read("Use bullet points.\nNo bullet points.\nNo emojis.") == [
        ("no_emojis", 0, ())
    ]


def test_places_rise_from_the_beginning_of_the_prompt_to_its_end() -> None:
    prompt = "No emojis." + "\n" + "y" * 39 + "\nDo not apologize.\n" + "z" * 31
    first, second = text_instructions.Reader().read(prompt)
    assert len(prompt) == 100
    assert (first.position, second.position) == (0, 0.51)


@given(
    st.text(max_size=300)
    | st.lists(st.sampled_from([r[0] for r in RULES])).map("\n".join)
)
def test_any_prompt_gives_few_instructions_that_have_a_check(prompt: str) -> None:
    told = text_instructions.Reader().read(prompt)
    assert len(told) <= text_instructions.MOST_INSTRUCTIONS
    assert all(
        each.kind in text_instructions.CHECKS or "call" in each.kind for each in told
    )
    assert all(0 <= each.position <= 1 for each in told)


@pytest.mark.slow
@pytest.mark.parametrize("place", range(len(text_instructions.RULES)))
@given(data=st.data())
def test_no_wording_is_missed_for_want_of_a_stem(
    place: int, data: st.DataObject
) -> None:
    rule = text_instructions.RULES[place]
    sentence = data.draw(st.from_regex(rule.wording))
    assert rule.is_hinted(text_instructions.small_letters(sentence))


def test_a_hostile_prompt_takes_no_time() -> None:
    nasty = [
        "answer only always strictly " * 2000, '"' * 100_000, "keep your answers " * 9000,
        "never say " + '"a", ' * 9000, "if " * 100_000, "\n" * 100_000, "```\n" * 9000,
    ]  # fmt: skip
    assert [read(each) for each in nasty] == [[]] * len(nasty)


# Checking ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "amount", "words", "good", "bad"),
    [
        ("json", 0, (), ['{"a": 1}', "```json\n[1]\n```"], ["{", "Sure: {}"]),
        ("most_words", 3, (), ["one two three", "  a b  ", "supercalifragilistic"], ["a b c d"]),
        ("most_sentences", 2, (),
         ["One. Two!", "Dr. Who is in. Yes.", "Version 1.2 of e.g. this. Yes", "No end"],
         ["One. Two. Three.", "Yes! No? Well."]),
        ("most_characters", 5, (), ["12345", " 12345 "], ["123456"]),
        ("most_questions", 1, (), ["Yes?", "No.", "See a?b=c. Which?", "What??"],
         ["This? Or that?"]),
        ("starts_with", 0, ("Hello",), ["hello you", '"Hello" she', "**Hello**"],
         ["Oh, hello", "He"]),
        ("ends_with", 0, ("Bye now.",), ["So. Bye now.", "bye now", "“Bye now!”"],
         ["Bye now, Ann"]),
        ("never_says", 0, ("ticket",), ["Ticketing.", "tickets", ""], ["A TICKET.", "ticket"]),
        ("always_says", 0, ("Order ID",), ["The order id: 7"], ["border id", "orders"]),
        ("bullets", 0, (), ["So:\n- one", "* one"], ["one - two", "no"]),
        ("no_bullets", 0, (), ["one - two"], ["So:\n- one", " • one"]),
        ("no_emojis", 0, (), ["Café — naïve “x”", "日本"], ["Yes \U0001f600"]),
        ("no_markdown", 0, (), ["2 * 3 * 4", "C# is", "#1 choice", "a [b] (c)"],
         ["**b**", "# Head", "```x```", "see [a](b)"]),
        ("no_exclamation_marks", 0, (), ["Yes."], ["Yes!"]),
        ("lower_case", 0, (), ["all low 1, ß"], ["One"]),
        ("upper_case", 0, (), ["ALL UP 1"], ["One"]),
        ("no_apology", 0, (), ["A sorry state.", "Safe than sorry"],
         ["I'm sorry.", "Sorry, no.", "We apologise.", "My apologies"]),
    ],
)  # fmt: skip
def test_each_kind_of_check(
    kind: str, amount: int, words: tuple[str, ...], good: list[str], bad: list[str]
) -> None:
    asked = text_instructions.Instruction(kind, "", 0.0, amount, words)
    texts = [*good, *bad, " ", None]
    wanted = (
        [True if text else None for text in good] + [False] * len(bad) + [None, None]
    )
    assert text_instructions.follows(asked, texts, [0] * len(texts)) == wanted


def test_every_kind_of_check_is_tested_above() -> None:
    tested = {args[0] for args in test_each_kind_of_check.pytestmark[0].args[1]}  # type: ignore[attr-defined]  # pytest puts it there
    assert tested == set(text_instructions.CHECKS)


def test_checks_of_tool_calls_have_nothing_to_say_without_one() -> None:
    single, alone = (
        text_instructions.Instruction(k, "", 0.0, 1)
        for k in ("most_tool_calls", "call_or_text")
    )
    assert text_instructions.follows(single, ["", "", "x"], [1, 2, 0]) == [
        True,
        False,
        None,
    ]
    assert text_instructions.follows(
        alone, ["", "x", "x", None, " "], [1, 1, 0, 2, 1]
    ) == [
        True,
        False,
        None,
        True,
        True,
    ]


# Measuring --------------------------------------------------------------------------------------

PROMPT = 'Be kind.\nNo emojis.\nKeep your answers under 4 words.\nNever say "ticket".'


def test_the_share_is_of_checks_that_fail() -> None:
    """Thirty outputs, three checks each; five fail two of them, five fail one: 15 of 90."""
    texts = ["one two three"] * 20 + ["a ticket for two people"] * 5 + ["ticket"] * 5
    told = found({"output": texts, "system": [PROMPT] * 30})
    assert value(told) == pytest.approx(15 / 90)
    assert (told.n, told.clusters) == (90, 30)
    assert told.details["instructions"] == 3
    assert told.examples == (
        'Never say "ticket". [ticket]: 10 of 30',
        "Keep your answers under 4 words.: 5 of 30",
        "No emojis.: 0 of 30",
    )


def test_refusals_errors_and_empty_outputs_are_not_checked() -> None:
    texts = ["fine"] * 20 + [SORRY] * 5 + ["a ticket for two people"] * 5 + ["", None]
    told = found(
        {
            "output": texts,
            "system": [PROMPT] * 32,
            "error": [None] * 25 + ["x"] * 5 + [None] * 2,
        }
    )
    assert (told.value, told.n) == (0, 60)


def test_without_a_system_prompt_everything_names_the_field() -> None:
    told = measure(Instructions(), batch(output=["a"] * 30)).evidence
    assert [each.id for each in told] == [
        "ignored_instruction_share",
        "position_effect",
    ]
    assert all("field system" in ask(each) for each in told)


def test_a_prompt_without_verifiable_instructions_is_unknown_and_says_who_can_tell() -> (
    None
):
    told = found({"output": ["a"] * 30, "system": ["Be kind."] * 30})
    assert "no instruction of these prompts can be checked by rule" in ask(told)


def test_the_slope_is_negative_where_later_instructions_fare_worse() -> None:
    rules = [rule[0] for rule in RULES[:6]]
    prompt = "\n".join(rules)
    good = "Hello. Fine. Bye."
    late = "Hello. **Fine** \U0001f600. Bye."  # ignores the last two
    texts = [good] * 40 + [late] * 40
    told = found({"output": texts, "system": [prompt] * 80}, "position_effect")
    places = [prompt.index(rule) / len(prompt) for rule in rules]
    followed = [1, 1, 1, 1, 0.5, 0.5]
    assert told.value == pytest.approx(np.polyfit(places, followed, 1)[0])
    assert value(told) < 0
    assert told.details["instructions"] == 6


def test_under_five_instructions_there_is_no_slope() -> None:
    told = found({"output": ["a"] * 30, "system": [PROMPT] * 30}, "position_effect")
    assert "5 instructions" in ask(told)


def test_half_characters_in_a_prompt_are_no_trouble() -> None:
    told = measure(
        Instructions(), batch(output=["a"] * 30, system=['Never say "\ud800".'] * 30)
    )
    assert told.evidence[0].value == 0
    assert told.evidence[0].examples == ('Never say "?". [?]: 0 of 30',)


def test_instructions_of_several_short_prompts_make_no_slope_together() -> None:
    prompts = ["\n".join(rule[0] for rule in RULES[k : k + 3]) for k in (0, 3)]
    told = found({"output": ["a"] * 80, "system": prompts * 40}, "position_effect")
    assert "5 instructions" in ask(told)


def test_a_template_that_is_filled_in_each_time_is_told_like_a_fixed_prompt() -> None:
    """The engine names no prompts then, and the sample stands in for them."""
    texts = ["one two three"] * 20 + ["a ticket for two people"] * 10
    filled = batch(
        output=texts, system=[f"{PROMPT}\nThe user is number {n}." for n in range(30)]
    )
    signal = Instructions()
    table = table_of(signal, [filled])
    fields = {name: getattr(table, name) for name in Table.__slots__}
    unnamed = Table(**fields | {"systems": (), "system": np.full(30, -1)})
    fixed = measure(signal, batch(output=texts, system=[PROMPT] * 30)).evidence[0]
    told = signal.finish(unnamed).evidence[0]
    assert (told.value, told.n, told.examples) == (fixed.value, fixed.n, fixed.examples)


@pytest.mark.slow
@given(st.lists(st.integers(1, 60), max_size=5), st.integers(0, 9))
def test_batches_may_be_cut_anywhere(cuts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole, signal = adherence(rng, faults(rng, 0.2, conversations=30, turns=2))
    ends = sorted({0, *cuts, len(whole)})
    parts = [
        Batch(**{name: getattr(whole, name)[a:b] for name in COLUMNS})
        for a, b in pairwise(ends)
    ]
    assert measure(signal, whole) == measure(signal, *parts)


# Accuracy ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "least", "most"), [(0.0, 0, 1), (0.2, 18, 20)])
def test_clean_traces_fire_seldom_and_a_fault_in_five_is_found(
    rate: float, least: int, most: int
) -> None:
    """Twenty sets of docs/evidence/accuracy.md's two hundred."""
    world, measured, limit = WORLDS["instructions"]
    rng, yes = np.random.default_rng(7), 0
    for _ in range(20):
        traces, signal = world(rng, faults(rng, rate, conversations=100, turns=4))
        told = next(e for e in measure(signal, traces).evidence if e.id == measured)
        assert isinstance(told.low, float)
        yes += told.low > limit
    assert least <= yes <= most


def test_a_real_agent_talks_beside_its_tool_calls_though_the_prompt_forbids_it(
    shared: Path,
) -> None:
    told = json.loads(
        (shared / "real/tau_bench/gpt-4o-airline.json").read_text("utf-8")
    )
    answers = [
        (each["traj"][0]["content"], n, message)
        for n, each in enumerate(told)
        for message in each["traj"]
        if message["role"] == "assistant"
    ]
    made = [
        [ToolCall(call["function"]["name"], call["function"]["arguments"])
         for call in message.get("tool_calls") or ()] or None
        for _, _, message in answers
    ]  # fmt: skip
    both = sum(bool(m["content"] and m.get("tool_calls")) for _, _, m in answers)
    calling = sum(bool(m.get("tool_calls")) for _, _, m in answers)
    assert (both, calling) == (90, 1164)  # counted here, without the signal
    evidence = found({
        "output": [m["content"] for _, _, m in answers], "tool_calls": made,
        "system": [system for system, _, _ in answers],
        "conversation": [str(n) for _, n, _ in answers],
    })  # fmt: skip
    # two instructions: one call at a time, always followed, and no words beside a call
    assert evidence.value == pytest.approx(both / (2 * calling))
