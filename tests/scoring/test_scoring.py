"""Scorers: each says what its page promises, on any text."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworthy import InputError
from tuneworthy import scoring as scoring_room
from tuneworthy.model.case import Materials, Term, VoiceSamples
from tuneworthy.model.evalset import CheckCall, EvalCase
from tuneworthy.model.lab import Reply
from tuneworthy.scoring import Marker, scorer_for
from tuneworthy.scoring import base as scoring_base
from tuneworthy.scoring import texts as scoring_texts
from tuneworthy.scoring.base import Kit, Output
from tuneworthy.scoring.judge import Judge

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
KIT = Kit(
    materials=Materials(
        glossary=(
            Term(
                term="task list", forbidden=("to-do list", "list"), due_when=("todo",)
            ),
            Term(term="Workspace", forbidden=("project space",), case_sensitive=True),
        ),
        voice=VoiceSamples(samples=("Right then.",), avoid=("circle back",)),
        output_schema=SCHEMA,
    ),
    labels=("card_arrival", "card_linking"),
)
OF: dict[str, Any] = {
    "contains": {"all": ["card"], "none": ["sorry"]},
    "regex": r"(a+)+\d$",
    "length": {"words": [1, 5], "sentences": 2, "tokens": 50, "characters": 400},
    "sql": {"schema": "CREATE TABLE t(a); INSERT INTO t VALUES (1), (2)"},
    "instructions": 'Keep your answer under 20 words. Never say "sorry".',
    "judge": "Is it polite?",
    "json_fields": {"fields": {"a": "number", "d": "date", "s": "set"}, "extra": False},
}


def case(reference: Any = None, text: str = "question", **more: Any) -> EvalCase:
    return EvalCase(id="c", input=text, reference=reference, **more)


def scorer(name: str, of: Any = None, kit: Kit = KIT) -> scoring_base.Scorer:
    return scorer_for(CheckCall(scorer=name, of=of), kit)


def said(
    name: str, text: str, reference: Any = None, of: Any = None, **more: Any
) -> scoring_base.Scored:
    output = Output(text, tuple(more.pop("calls", ())), more.pop("system", ""))
    asked = more.pop("asked", "question")
    return scorer(name, of).score(output, case(reference, asked, **more))


# On anything ------------------------------------------------------------------------------------

ODD = st.one_of(
    st.text(max_size=60),
    st.text(st.characters(codec=None), max_size=30),
    st.sampled_from([
        "NaN", "1e999", "-", "```", "```json\n{\n```", '{"a": 1e400}', "[" * 3000, '{"a":' * 900,
        "\ud800", "\0", "9" * 6000, "١٢٣", "a" * 3000, '{"score": true}', "card " * 50, "1,2,3",
        '[{"name": "f", "arguments": {"a": [1]}}]', "SELECT 1/0", "SELECT a FROM t", "DROP TABLE t",
    ]),
)  # fmt: skip
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ODD,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
MADE = {
    name: scorer(name, OF.get(name))
    for name in scoring_room.SCORERS
    if name != "python"
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MADE)
@given(
    text=ODD,
    reference=JSONS,
    calls=st.lists(st.tuples(ODD, ODD), max_size=2),
    system=ODD,
)
def test_any_text_gets_a_share_and_no_error(
    name: str, text: str, reference: Any, calls: list[tuple[str, str]], system: str
) -> None:
    one = MADE[name].score(Output(text, tuple(calls), system), case(reference))
    assert 0 <= one.value <= 1
    assert one.why
    assert len(one.about) <= 120
    one.about.encode()
    assert (one.signal == "") is (one.ok is not False)
    assert all(math.isfinite(number) for number in one.numbers.values())
    if one.ok is None:
        assert one.value == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", MADE)
@given(text=ODD, reference=JSONS)
def test_the_same_output_gets_the_same_score(
    name: str, text: str, reference: Any
) -> None:
    again = [MADE[name].score(Output(text), case(reference)) for _ in range(2)]
    assert again[0] == again[1]


@pytest.mark.parametrize(
    "name", ["match", "label", "number", "json_fields", "tool_call", "sql"]
)
def test_a_case_without_a_reference_is_not_judged(name: str) -> None:
    one = said(name, "anything", of=OF.get(name))
    assert (one.ok, one.value) == (None, 0)


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("match", "x"),
        ("label", "x"),
        ("number", 5),
        ("json_fields", {"a": 1}),
        ("tool_call", {"name": "f", "arguments": {}}),
        ("voice", None),
        ("length", None),
        ("sql", "SELECT 1"),
    ],
)
def test_an_empty_output_is_wrong_and_called_no_answer(
    name: str, reference: Any
) -> None:
    one = said(name, " \n", reference, OF.get(name))
    assert (one.ok, one.value, one.signal) == (False, 0, "no_answer")


# Making them ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "of", "says"),
    [
        ("lable", None, 'Did you mean "label"'),
        ("", None, "Use one of"),
        ("match", {"exct": True}, 'Did you mean "exact"'),
        ("match", {"exact": "yes"}, "true or false"),
        ("match", 5, "not a list"),
        ("label", ["Card", "card!"], "the same"),
        ("number", {"within": -1}, "use 0 or more"),
        ("number", {"within": float("nan")}, "not a finite number"),
        ("number", {"which": "first"}, "use 'last' or 'only'"),
        ("length", None, "no bound"),
        ("length", {"words": [5, 2]}, "below the least"),
        ("length", {"words": 2.5}, "not a bound"),
        ("length", 5, "is not a mapping"),
        ("regex", "(", "can't be used"),
        ("regex", {"pattern": "a)(b", "whole": True}, "can't be used"),
        ("regex", r"(a)\2", "can't be used"),
        ("regex", "a{99999999999}", "can't be used"),
        ("regex", "(" * 900 + ")" * 900, "can't be used"),
        ("regex", "a" * 3000, "at most"),
        ("json_fields", {"fields": {"a": "nummer"}}, "use 'exact'"),
        ("json_schema", {"schema": {"type": 5}}, "fix"),
        ("sql", None, "needs a script"),
        ("sql", {"schema": "CREATE TABEL t(a)"}, "doesn't run"),
        ("sql", {"schema": "ATTACH 'x.db' AS y"}, "doesn't run"),
        ("sql", "tables.sql", "write the tables under schema"),
        ("tool_call", ["f"], "calls that are none"),
        ("judge", None, "needs rubric"),
        ("judge", {"rubric": "x", "top": 99}, "10 or less"),
        ("judge", {"rubric": "x", "top": 2, "passes": 3}, "scale"),
        ("python", "s.py:f", "--allow-code"),
    ],
)
def test_a_wrong_check_is_refused_in_one_line_that_names_the_fix(
    name: str, of: Any, says: str
) -> None:
    with pytest.raises(InputError) as caught:
        scorer_for(CheckCall(scorer=name, of=of) if name else "", KIT).check()
    assert says.casefold() in str(caught.value).casefold()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["terminology", "json_schema"])
def test_a_scorer_without_its_material_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"Name data\."):
        scorer_for(name, Kit())


@pytest.mark.parametrize(
    ("references", "metric", "expected"),
    [
        (["a", "b", "a", "b"], "", "label"),
        (["one text", "another", "a third"], "", "match"),
        ([{"a": 1}, {"a": 2}], "", "json_fields"),
        ([{"name": "f", "arguments": {}}], "", "tool_call"),
        ([{"name": "Ann", "age": 3}], "", "json_fields"),
        ([{"event": {"who": ["a"]}}], "", "json_fields"),
        ([1, 2.5], "", "number"),
        ([1, "x"], "", "match"),
        (["a", "b", "a", "b"], "exact_match", "match"),
        (["one text", "another"], "Accuracy", "label"),
        ([{"a": 1}], "accuracy", "json_fields"),
        (["a", "b"], "resolution without a person", "match"),
    ],
)
def test_the_scorer_of_a_set_follows_its_metric_or_its_references(
    references: list[Any], metric: str, expected: str
) -> None:
    cases = [
        EvalCase(id=str(k), input="x", reference=r) for k, r in enumerate(references)
    ]
    assert [one.id for one in scoring_room.default_scorers(cases, Kit(), metric)] == [
        expected
    ]


def test_a_set_without_references_has_no_scorer_of_its_own() -> None:
    assert scoring_room.default_scorers([case()]) == ()
    assert Marker((), Kit()).score(Output("x"), case()).why == "no_scorer"


def test_checks_of_a_case_count_beside_those_of_the_set() -> None:
    checked = case("yes card", checks=({"scorer": "contains", "of": "card"},))
    marker = Marker((scorer("match"),), KIT)
    assert marker.score(Output("Yes, card"), checked).ok is True
    assert marker.score(Output("card"), checked).why == "differs"
    assert marker.score(Output("Yes"), checked).ok is False


def test_together_is_right_only_where_all_that_judge_say_so() -> None:
    yes = scoring_base.Scored(value=1, ok=True, why="a")
    half = scoring_base.Scored(value=0.5, ok=False, why="b", signal="wrong_answer")
    mute = scoring_base.Scored(value=0, ok=None, why="c")
    assert scoring_room.together([yes, mute]) == yes
    assert scoring_room.together([yes, half, mute]) == half
    assert scoring_room.together([mute]) == mute
    assert scoring_room.together([yes, yes]).ok is True


# Texts, labels, numbers -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("  The  “Cat”!\n", "the cat"),
        ("card_arrival.", "card arrival"),
        ("\uff26\uff55ll", "full"),
        ("1,234.5 %", "1,234.5 %"),
        ("-5 or a-b", "-5 or a b"),
        ("STRASSE straße", "strasse strasse"),
        ("10:30", "10:30"),
    ],
)
def test_what_means_nothing_is_made_alike_and_what_changes_a_number_stays(
    text: str, plain: str
) -> None:
    assert scoring_base.normal(text) == plain


@given(st.text(max_size=80))
def test_making_alike_twice_changes_nothing_more(text: str) -> None:
    assert scoring_base.normal(scoring_base.normal(text)) == scoring_base.normal(text)


def test_match_takes_any_accepted_text_and_its_options_matter() -> None:
    assert said("match", "Yes!", ["no", "yes"]).ok is True
    assert said("match", "the cat", "cat").ok is False
    assert said("match", "the cat", "cat", {"articles": True}).ok is True
    assert said("match", "Yes", "yes", {"exact": True}).ok is False
    assert said("match", "yes!", "yes", {"punctuation": True}).ok is False
    assert said("match", "-5", "5").ok is False
    assert said("match", "?!", "!").ok is False


def test_a_label_that_is_none_fails_in_form_and_a_wrong_one_in_content() -> None:
    assert said("label", '"Card arrival".', "card_arrival").ok is True
    assert said("label", "card_linking", "card_arrival").signal == "wrong_answer"
    assert said("label", "card_lost", "card_arrival").signal == "inconsistent_format"
    assert said("label", "It is card_arrival", "card_arrival").ok is False
    keyed = {"key": "intent"}
    assert said("label", '{"intent": "card arrival"}', "card_arrival", keyed).ok is True
    assert said("label", "card arrival", "card_arrival", keyed).why == "no_label"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("It costs $1,234.50.", [1234.5]),
        ("10-20 kg", [10, 20]),
        ("-3 °C and \u22124", [-3, -4]),
        ("3 million, 2.5 thousand", [3e6, 2500]),
        ("5k", [None]),
        ("v2 1.2.3 1,5 A4", []),
        ("5m and 12%", [5, 12]),
        ("1e3 9" + "9" * 400, [1000, None]),
        ("1,23", []),
        ("12,345,678", [12345678]),
        (".5", []),
    ],
)
def test_numbers_are_read_as_they_are_written_or_not_at_all(
    text: str, numbers: list[float | None]
) -> None:
    assert scoring_base.numbers_in(text) == numbers


@given(st.floats(-1e12, 1e12, allow_nan=False))
def test_a_number_written_plainly_is_read_back(value: float) -> None:
    assert scoring_base.numbers_in(f"about {value:.6f} m") == [float(f"{value:.6f}")]


def test_a_number_is_right_within_the_wider_tolerance_ends_included() -> None:
    assert said("number", "first 7, so 42", 42).ok is True
    assert (
        said("number", "first 7, so 42", 42, {"which": "only"}).why == "several_numbers"
    )
    assert said("number", "10.5", 10, {"within": 0.5}).ok is True
    assert said("number", "10.51", 10, {"within": 0.5}).ok is False
    assert said("number", "110", "100", {"relative": 0.1}).ok is True
    assert said("number", "5k", 5000).why == "unclear_number"
    assert scoring_base.near(0.3, 0.1 + 0.2, within=0, relative=0)


def test_contains_counts_conditions_by_whole_words() -> None:
    of = {"all": ["card", "bank"], "any": ["x", "fee"], "none": ["sorry"]}
    assert said("contains", "Your Bank card has a fee", of=of).ok is True
    one = said("contains", "Sorry, cards at the bank: no fee", of=of)
    assert (one.value, one.why, one.about) == (0.5, "lacks", "card")
    assert said("contains", "cards", of={"all": "card", "words": False}).ok is True
    assert said("contains", "CARD", of={"all": "card", "exact": True}).ok is False
    assert said("contains", "it is Paris.", ["Paris", "Rome"]).ok is True
    assert said("contains", "it is Oslo.", ["Paris", "Rome"]).why == "lacks_all"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring_texts.regex_worker(), "seconds", 1.0)


@pytest.mark.slow
def test_a_pattern_that_would_take_for_ever_leaves_its_output_unscored(
    impatient: None,
) -> None:
    endless = "a" * 200 + "!"
    scored = said("regex", endless, of=r"^(a|aa)+$")
    assert (scored.ok, scored.why) == (None, "pattern_too_slow")
    # The next text is matched as if nothing had happened, by the same pattern and by others.
    assert said("regex", "aaaa", of=r"^(a|aa)+$").ok is True
    assert said("regex", "b", of="b").ok is True


@pytest.mark.slow
def test_a_pattern_that_is_too_slow_again_and_again_is_not_tried_for_ever(
    impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Any] = []
    ask = scoring_texts.regex_worker().ask

    def counted(question: Any) -> Any:
        tried.append(question)
        return ask(question)

    monkeypatch.setattr(scoring_texts.regex_worker(), "ask", counted)
    endless = "a" * 200 + "!"
    for _ in range(200):
        assert said("regex", endless, of=r"^(a|aaa)+$").why == "pattern_too_slow"
    matched = [question for question in tried if question[1] == endless]
    assert len(matched) == scoring_texts.MOST_SLOW
    assert said("regex", "b", of="b").ok is True


def test_a_pattern_that_takes_long_to_be_made_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # it takes about fifty times as long
    monkeypatch.setattr(scoring_texts.regex_worker(), "seconds", 0.02)
    with pytest.raises(InputError, match="too long to be made"):
        said("regex", "x", of={"pattern": r"[\0-\U0010ffff]" * 100, "capitals": False})


def test_a_pattern_is_one_of_pythons_re() -> None:
    assert said("regex", "it is fine", of=r"^(?!.*sorry)").ok is True
    assert said("regex", "so sorry", of=r"^(?!.*sorry)").ok is False
    assert said("regex", "abab", of=r"(ab)\1").ok is True
    assert said("regex", "a\nb", of=r"a\nb").ok is True
    assert said("regex", "xx12", of=r"\d\d").ok is True
    assert said("regex", "xx12", of={"pattern": r"\d\d", "whole": True}).ok is False
    assert said("regex", "12", of={"pattern": r"1|12", "whole": True}).ok is True
    assert said("regex", "ABC", of={"pattern": "abc", "capitals": False}).ok is True
    assert said("regex", "abc", of={"pattern": "b", "absent": True}).ok is False
    assert said("regex", "\ud800", of=".").ok is True


def test_length_keeps_both_ends_of_every_bound() -> None:
    of = {"words": [2, 3], "sentences": 1}
    assert said("length", "one two three.", of=of).ok is True
    assert said("length", "one two.", of=of).ok is True
    assert said("length", "one.", of=of).why == "too_short"
    one = said("length", "One two. And three four", of=of)
    assert (one.value, one.numbers) == (0, {"said": 5, "most": 3})
    assert said("length", "12345678", of={"tokens": 2}).ok is True
    assert said("length", "123456789", of={"tokens": 2}).ok is False


# Objects ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "wanted", "right"),
    [
        ("", "Mill road.", "Mill Road", True),
        ("", 1.0, 1, True),
        ("", True, 1, False),
        ("", None, None, True),
        ("", "250", 250, True),
        ("", [1, 2], [2, 1], False),
        ("set", [1, "B"], ["b", 1.0], True),
        ("set", ["a", "a"], ["a"], False),
        ("exact", "A", "a", False),
        ("exact", True, 1, False),
        ("exact", {"x": [False]}, {"x": [0]}, False),
        ("date", "3 November 2026", "2026-11-03", True),
        ("date", "Nov 3rd, 2026", "2026-11-03", True),
        ("date", "03.11.2026", "2026-11-03", True),
        ("date", "03/11/2026", "2026-11-03", False),
        ("date", "2026-11-03T10:00:00", "2026-11-03", True),
        ("date", "31.02.2026", "31.02.2026", False),
        ("number", "about 5 kg", 5, True),
    ],
)
def test_a_field_is_compared_in_the_sense_of_its_kind(
    kind: str, value: Any, wanted: Any, *, right: bool
) -> None:
    assert (
        scoring_base.FieldRule.model_validate({"as": kind or None}).equal(value, wanted)
        is right
    )


@given(JSONS)
def test_every_value_equals_itself_and_not_its_box(value: Any) -> None:
    assert scoring_base.same(value, value)
    assert not scoring_base.same([value], value)


@given(st.dates())
def test_a_day_in_iso_is_read_back(day: Any) -> None:
    assert scoring_base.as_date(day.isoformat()) == day


def test_fields_of_an_object_count_one_by_one() -> None:
    wanted = {"a": 1, "b": {"c": "x", "d": [1]}}
    assert (
        said("json_fields", '```json\n{"a":1,"b":{"c":"X","d":[1]}}\n```', wanted).ok
        is True
    )
    one = said("json_fields", '{"a":2,"b":{"c":"x"}}', wanted)
    assert (one.ok, round(one.value, 6), one.about) == (False, round(1 / 3, 6), "a")
    assert said("json_fields", '{"a":1}', {"a": 1}, {"schema": True}).ok is True
    assert (
        said("json_fields", '{"a":"1"}', {"a": "1"}, {"schema": True}).why
        == "breaks_schema"
    )
    assert said("json_fields", "a is 1", wanted).signal == "inconsistent_format"
    assert said("json_fields", '{"a":1,"z":2}', {"a": 1}).ok is True
    extra = said("json_fields", '{"a":1,"z":2}', {"a": 1}, {"extra": False})
    assert (extra.why, extra.about, extra.value) == ("field_extra", "z", 0.5)
    assert said("json_fields", '{"b":{"c":"x"}}', wanted, ["b.c"]).ok is True
    assert said("json_fields", '{"a":2}', [{"a": 1}, {"a": 2}]).ok is True
    assert said("json_fields", '{"a":null}', {"a": None}).ok is True
    assert said("json_fields", '{"a":1,"b":2}', {"b": 2}, ["a", "b"]).value == 0.5
    assert said("json_fields", "{}", {"a": None}).why == "field_missing"


def test_a_wrong_field_with_a_long_name_is_wrong_among_the_fields_too() -> None:
    name = "n" * 200  # a reason shows its beginning
    assert said("json_fields", f'{{"{name}": 2}}', {name: 1}).parts == {name: False}


def test_a_schema_is_kept_or_broken() -> None:
    assert said("json_schema", '{"a": 1}').ok is True
    assert said("json_schema", '{"a": "1"}').why == "breaks_schema"
    assert said("json_schema", "a: 1").why == "no_json"


def test_calls_pair_off_whatever_their_order() -> None:
    two = {"calls": [{"f.g": {"a": [1, 2], "b": ["", "x y"]}}, {"f.g": {"a": [1]}}]}
    calls = [("f_g", '{"a": 1}'), ("f.g", '{"a": 2, "b": "X-Y"}')]
    assert said("tool_call", "", two, calls=calls).ok is True
    assert said("tool_call", "", two, {"ordered": True}, calls=calls).ok is False
    assert said("tool_call", "", two, {"exact": True}, calls=calls).ok is False
    assert said("tool_call", "", two, calls=calls[1:]).value == 0.5
    assert said("tool_call", "", two, calls=[*calls, calls[0]]).value == pytest.approx(
        2 / 3
    )
    more = said("tool_call", "", two, calls=[calls[0], ("h", "{}")])
    assert (more.why, more.about) == ("other_tool", "h")


def test_a_call_is_judged_by_name_and_every_argument() -> None:
    wanted = {"name": "move", "arguments": {"tour": 118, "stop": "Ulm"}}
    ok = '{"name": "move", "arguments": {"tour": 118, "stop": "ulm"}}'
    assert said("tool_call", ok, wanted).ok is True
    assert said("tool_call", "", wanted, calls=[("move", '{"tour": 118}')]).ok is False
    assert (
        said(
            "tool_call", "", wanted, calls=[("move", '{"tour": "118", "stop": "Ulm"}')]
        ).ok
        is False
    )
    assert (
        said("tool_call", "", wanted, calls=[("move", "{tour")]).why
        == "unreadable_call"
    )
    more = '{"tour": 118, "stop": "Ulm", "day": 1}'
    assert said("tool_call", "", wanted, calls=[("move", more)]).ok is False
    assert said("tool_call", "I will move it", wanted).why == "no_call"
    assert said("tool_call", "nothing to do", {"calls": []}).ok is True
    assert said("tool_call", "", {"calls": []}, calls=[("move", "{}")]).ok is False


# What the prompt and the team ask for ------------------------------------------------------------


def test_an_ignored_instruction_names_the_sentence_and_its_place() -> None:
    system = 'You are a clerk.\nNever say "sorry".\nKeep your answer under 5 words.'
    one = said("instructions", "Sorry, that is not possible at all", system=system)
    assert (one.value, one.signal) == (0, "instruction_limit")
    assert one.about == 'Never say "sorry".'
    assert one.numbers["position"] == pytest.approx(17 / len(system))
    assert said("instructions", "No way", system=system).ok is True
    assert said("instructions", "Sorry no", system=system).value == 0.5
    assert said("instructions", "No", system="You are a clerk.").ok is None


def test_a_wrong_term_fails_and_a_term_that_is_not_due_says_nothing() -> None:
    assert said("terminology", "Open the task list.").ok is True
    assert said("terminology", "Open the to-do list.").about == "to-do list"
    assert said("terminology", "Open the door.").ok is None
    assert said("terminology", "Open the door.", asked="my todo").ok is True
    one = said(
        "terminology", "Open the door.", None, {"required": True}, asked="my todo"
    )
    assert (one.why, one.signal) == ("term_missing", "terminology_errors")


def test_a_phrase_that_could_be_anybodys_fails() -> None:
    assert said("voice", "As an AI, I can help").signal == "voice_drift"
    assert said("voice", "Let us circle back").about == "circle back"
    assert said("voice", "Right then, your task moved.").ok is True
    assert said("voice", "leverage it", of=["leverage"]).ok is False


# The judge --------------------------------------------------------------------------------------


def judge(**of: Any) -> Judge:
    made = scorer("judge", {"rubric": "Is it polite?", **of})
    assert isinstance(made, Judge)
    return made


def test_a_judge_says_nothing_until_it_is_asked() -> None:
    assert judge().score(Output("x"), case("y")).ok is None


@pytest.mark.parametrize(
    ("text", "ok", "value"),
    [
        ('{"score": 3}', True, 0.75),
        ('{"score": 2}', False, 0.5),
        ('<think>{"score": 1}?</think>{"score": 3}', True, 0.75),
        ('{"score": 5}', None, 0),
        ('{"score": -1}', None, 0),
        ('{"score": true}', None, 0),
        ('{"score": 3.0}', None, 0),
        ('{"score": 4, "note": "x"}', None, 0),
        ('{"score": "4"}', None, 0),
        ("4", None, 0),
        ("", None, 0),
    ],
)
def test_only_a_score_in_range_and_nothing_else_is_a_judgement(
    text: str, *, ok: bool | None, value: float
) -> None:
    one = judge(top=4, passes=3).read(Reply(text=text))
    assert (one.ok, one.value) == (ok, value)


@given(st.text(st.characters(codec=None), max_size=80), st.text(max_size=40))
def test_no_output_can_close_the_fence_it_stands_in(text: str, reference: str) -> None:
    asked = judge().question(Output(f"{text}\n=== "), case(reference or None))
    assert asked is not None
    system, user = (one.content for one in asked["messages"])
    fence = next(
        line for line in user.split("\n") if line.startswith("=== ") and len(line) == 28
    )
    assert fence in system
    assert user.count(fence) == 2 * (3 if reference else 2)
    assert user.rstrip().endswith("from 0 to 1.")


def test_a_judge_sees_no_arm_and_no_output_it_can_not_see_whole() -> None:
    one = judge().question(Output("fine"), case("good"))
    again = judge().question(Output("fine"), case("good"))
    assert one is not None
    assert one == again
    assert "good" in one["messages"][1].content
    assert one["response_schema"] == (
        '{"additionalProperties":false,"properties":{"score":{"enum":[0,1],"type":"integer"}},'
        '"required":["score"],"type":"object"}'
    )
    assert judge().question(Output("x" * 60_001), case("good")) is None
    hidden = judge(reference=False).question(Output("fine"), case("good"))
    assert hidden is not None
    assert "good" not in hidden["messages"][1].content
