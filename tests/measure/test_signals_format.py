"""Laws of the format signal: what counts as out of form, and what only looks like it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plain_engine import batch, measure
from planted import faults
from tuneworthy.measure.signals import format as signal_format
from tuneworthy.measure.signals.base import TraceSignal as Signal
from tuneworthy.measure.signals.success import refuses
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import Materials
from tuneworthy.model.evidence import Batch, Evidence, Message, ToolCall
from tuneworthy.text import json as text_json
from tuneworthy.text.json import UNREAD, read_json
from worlds_outputs import WORLDS, tickets

RIGHT = '{"id": "a", "tags": ["x"], "due": "today"}'


def outputs(signal: Signal, **columns: Any) -> Evidence:
    """What a signal says about outputs, each a conversation of its own."""
    return measure(signal, batch(**columns)).evidence[0]


def calls(*made: tuple[str, str]) -> Evidence:
    """What the signal says about tool calls, each a conversation of its own."""
    columns = [(ToolCall(name, arguments),) for name, arguments in made]
    return measure(
        signal_format.FormatSignal(Materials()), batch(tool_calls=columns)
    ).evidence[1]


def ask(found: Evidence) -> str:
    """What would settle an unknown value."""
    assert isinstance(found.value, Unknown)
    return found.value.ask


# Reading ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        ('{"a": 1}', True),
        (' \n{"a": 1}\n', True),
        ('```json\n{"a": 1}\n```', True),
        ('```\n{"a": 1}```', True),
        ('Here you are:\n```json\n{"a": 1}\n```', False),
        ('{"a": 1} Anything else?', False),
        ('{"a": 1,}', False),
        ("{'a': 1}", False),
        ('{"a": NaN}', False),
        ("", False),
        ('{"a": "\ud800"}', False),
        ("[" * 100_000, False),
        ("[" * 100_000 + "]" * 100_000, False),
        ("42", True),
    ],
)
def test_json_is_read_bare_or_fenced_and_never_out_of_prose(
    text: str, *, readable: bool
) -> None:
    assert (read_json(text)[0] is not UNREAD) is readable


@pytest.mark.parametrize(
    "text", ['{"a": 1', "[{", "```json\n{", 'So: ```json\n{"a": 1}```', "[]"]
)
def test_what_means_to_be_structured_looks_like_it(text: str) -> None:
    assert text_json.looks_like_json(text)


@pytest.mark.parametrize(
    "text", ["[a link](to.here)", "[1] a footnote", "42", "null", "", "Hi {x}"]
)
def test_prose_with_brackets_does_not_look_like_json(text: str) -> None:
    assert not text_json.looks_like_json(text)


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("I'm sorry, but I can't help with that.", True),
        ("I cannot assist with this request.", True),
        ("As an AI, I am unable to give an opinion.", True),
        ("Sorry to hear that! Here is what to do.", False),
        ("I can't wait to see you there.", False),
        ("You cannot cancel after noon.", False),
        ("", False),
    ],
)
def test_a_refusal_is_told_by_its_opening(text: str, *, refused: bool) -> None:
    assert refuses(text) is refused


# Shapes -----------------------------------------------------------------------------------------

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False)
    | st.text()
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_a_number_stands_for_the_shape_and_fits_into_a_float(value: Any) -> None:
    assert (
        signal_format.number_of(signal_format.shape_of(value))
        == signal_format.number_of(signal_format.shape_of(value))
        < 2**48
    )


@given(st.dictionaries(st.text(), VALUES, min_size=2, max_size=5))
def test_the_order_of_keys_does_not_matter(value: dict[str, Any]) -> None:
    assert signal_format.number_of(
        signal_format.shape_of(value)
    ) == signal_format.number_of(signal_format.shape_of(dict(reversed(value.items()))))


@given(VALUES)
def test_every_shape_fits_itself_and_null_fits_all(value: Any) -> None:
    shape = signal_format.shape_of(value)
    assert signal_format.fits(shape, shape)
    assert signal_format.fits(shape, "0")
    assert signal_format.fits("0", shape)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ({"a": 1}, {"a": 2.5}, True),
        ({"a": 1}, {"a": None}, True),
        ({"a": [1]}, {"a": []}, True),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": 1}, {"b": 1}, False),
        ({"a": 1}, {"a": 1, "b": 1}, False),
        ({"a": {"x": 1}}, {"a": {"y": 1}}, False),
        ({"a": {"x": 1}}, {"a": {"x": "deeper types do not count"}}, True),
        ({"a": [{"x": 1}]}, {"a": [{"x": 1}, {"x": 2}]}, True),
        ({"a": [{"x": 1}]}, {"a": [{"y": 1}]}, False),
        ([], {}, False),
    ],
)
def test_shapes_fit_when_nothing_but_nulls_and_empty_lists_differ(
    one: Any, other: Any, *, alike: bool
) -> None:
    assert (
        signal_format.fits(signal_format.shape_of(one), signal_format.shape_of(other))
        is alike
    )


@pytest.mark.slow
def test_numbers_of_shapes_are_the_same_in_every_process() -> None:
    code = (
        "from tuneworthy.measure.signals.format import number_of, shape_of\n"
        "print(number_of(shape_of({'b': [1, 'x', None], 'a': {'c': 1.5, 'd': True}})))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(told) == 1


# Outputs ----------------------------------------------------------------------------------------


def test_the_share_is_of_outputs_that_cannot_be_read_or_have_other_keys() -> None:
    lacking, renamed = '{"id": "a", "tags": []}', '{"id": "a", "tag": [], "due": "x"}'
    found = outputs(
        signal_format.FormatSignal(Materials()),
        output=[RIGHT] * 45 + [RIGHT[:-1], lacking, renamed] * 5,
    )
    assert (found.id, found.value, found.n, found.clusters) == (
        "invalid_output_share",
        0.25,
        60,
        60,
    )
    assert found.details["unread_share"] == pytest.approx(5 / 60)
    assert found.details["other_keys_share"] == pytest.approx(10 / 60)
    assert set(found.examples) == {
        "lacks due (5)", "lacks tags (5)", "has tag, which others lack (5)",
    }  # fmt: skip
    # Wilson's interval of 15 in 60 is 0.158 to 0.372; few clusters widen it a little.
    assert isinstance(found.low, float)
    assert isinstance(found.high, float)
    assert 0.14 < found.low < 0.158
    assert 0.372 < found.high < 0.39


def test_nulls_and_empty_lists_are_no_fault() -> None:
    sparse = '{"id": null, "tags": [], "due": null}'
    assert (
        outputs(
            signal_format.FormatSignal(Materials()), output=[RIGHT] * 30 + [sparse] * 20
        ).value
        == 0
    )


def test_refusals_errors_and_bare_tool_calls_are_counted_apart() -> None:
    found = outputs(
        signal_format.FormatSignal(Materials()),
        output=[RIGHT] * 30
        + ["I'm sorry, but I can't do that."] * 5
        + ["{"] * 5
        + [""] * 5
        + [None],
        error=[None] * 35 + ["timeout"] * 5 + [None] * 6,
        tool_calls=[None] * 40 + [(ToolCall("f", "{}"),)] * 5 + [None],
    )
    assert (found.value, found.n) == (0, 30)
    assert (found.details["refusals"], found.details["errors"]) == (5, 5)


def test_an_empty_output_is_out_of_form() -> None:
    assert (
        outputs(
            signal_format.FormatSignal(Materials()), output=[RIGHT] * 30 + [""] * 10
        ).value
        == 0.25
    )


def test_prose_without_a_schema_is_unknown_and_names_the_schema() -> None:
    found = outputs(
        signal_format.FormatSignal(Materials()),
        output=["Hello there."] * 40 + [RIGHT] * 30,
    )
    assert "data.output_schema" in ask(found)
    assert found.details["left_out_as_prose"] == 70


def test_prose_with_a_schema_is_out_of_form() -> None:
    signal = signal_format.FormatSignal(Materials(output_schema={"type": "object"}))
    assert outputs(signal, output=["Hello there."] * 30 + [RIGHT] * 30).value == 0.5


def test_under_twenty_conversations_the_answer_is_unknown() -> None:
    found = measure(
        signal_format.FormatSignal(Materials()),
        batch(
            output=[RIGHT] * 100, conversation=[f"c{row % 19}" for row in range(100)]
        ),
    ).evidence[0]
    assert "20 conversations" in ask(found)
    assert (found.n, found.clusters) == (100, 19)


def test_each_prompt_version_has_usual_keys_of_its_own() -> None:
    other = '{"label": "spam"}'
    names = ["v 1"] * 40 + ["v 2"] * 40 + ["v 3"] * 40
    texts = [RIGHT] * 40 + [other] * 40 + ["Prose."] * 40
    found = measure(
        signal_format.FormatSignal(Materials()), batch(output=texts, prompt=names)
    )
    assert (found.evidence[0].value, found.evidence[0].n) == (0, 80)
    assert found.evidence[0].details["left_out_as_prose"] == 40
    assert found.series[0].columns["prompt"] == ("v 1", "v 2")
    assert found.series[0].columns["usual_keys_share"] == (1.0, 1.0)


def test_small_prompt_versions_do_not_accuse_each_other() -> None:
    texts = [json.dumps({f"key_{row // 5}": 1}) for row in range(100)]
    found = outputs(
        signal_format.FormatSignal(Materials()),
        output=texts,
        prompt=[f"v {row // 5}" for row in range(100)],
    )
    assert found.value == 0


def test_one_prompt_whose_keys_never_agree_is_out_of_form() -> None:
    texts = [json.dumps({f"key_{row // 5}": 1}) for row in range(100)]
    assert outputs(signal_format.FormatSignal(Materials()), output=texts).value == 0.95


def test_a_schema_says_which_keys_may_be_missing() -> None:
    schema = {"required": ["id"], "properties": {"id": {"type": "string"}}}
    texts = [
        '{"id": "a"}',
        '{"id": "a", "due": "x"}',
        '{"id": "a", "tags": [1]}',
        '{"id": 7}',
    ]
    found = outputs(
        signal_format.FormatSignal(Materials(output_schema=schema)), output=texts * 20
    )
    assert found.value == 0.25
    assert found.details["against_schema_share"] == 0.25


@pytest.mark.parametrize(
    "schema",
    [
        {"type": 5},
        {"$ref": "http://127.0.0.1:9/x.json"},
        {"$ref": "file:///etc/hostname"},
    ],
)
def test_a_schema_that_does_not_stand_alone_is_named_and_nothing_is_fetched(
    schema: dict[str, Any],
) -> None:
    found = outputs(
        signal_format.FormatSignal(Materials(output_schema=schema)), output=[RIGHT] * 30
    )
    assert ask(found).startswith("fix data.output_schema")


def test_a_schema_reads_no_other_file(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"type": "object"}', encoding="utf-8")
    signal = signal_format.FormatSignal(
        Materials(output_schema={"$ref": other.as_uri()})
    )
    assert ask(outputs(signal, output=[RIGHT] * 30)).startswith(
        "fix data.output_schema"
    )


def test_a_pattern_that_explodes_elsewhere_takes_no_time() -> None:
    schema = {"type": "string", "pattern": "^(a+)+$"}
    found = outputs(
        signal_format.FormatSignal(Materials(output_schema=schema)),
        output=[f'"{"a" * 5000}b"'] * 25,
    )
    assert found.value == 1


def chained(links: int, last: dict[str, Any], **link: Any) -> dict[str, Any]:
    """A schema of definitions, each of which leads to the next in the way of ``link``."""

    def aimed(value: Any, to: str) -> Any:
        if isinstance(value, dict):
            return {key: aimed(each, to) for key, each in value.items()}
        return (
            [aimed(each, to) for each in value]
            if isinstance(value, list)
            else value or to
        )

    defs = {f"d{n}": aimed(link, f"#/$defs/d{n + 1}") for n in range(links)}
    return {"$defs": {**defs, f"d{links}": last}, "$ref": "#/$defs/d0"}


def knotted(*, refers_back: int) -> dict[str, Any]:
    """Two definitions that lead to each other, one of them to a long chain, too."""
    long = chained(8, {"minProperties": 0}, allOf=[NEXT, NEXT])["$defs"]
    first = {"allOf": [{"$ref": "#/$defs/second"}, {"$ref": "#/$defs/d0"}]}
    second = {"allOf": [{"$ref": "#/$defs/first"}] * refers_back}
    knot = {"first": first, "second": second}
    ways = [{"$ref": "#/$defs/first"}, {"$ref": "#/$defs/second"}]
    return {"$defs": {**long, **knot}, "allOf": ways}


NEXT = {"$ref": ""}
NESTED = {"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False}
for _ in range(30):
    NESTED = {"allOf": [NESTED], "unevaluatedProperties": False}


@pytest.mark.parametrize(
    "schema",
    [
        chained(40, {"type": "string"}, anyOf=[NEXT, NEXT]),
        chained(40, {}, properties={"a": {"oneOf": [NEXT, NEXT]}}),
        chained(40, {}, **{"not": NEXT, "if": NEXT}),
        chained(40, {}, patternProperties={"a": NEXT, "a$": NEXT}),
        chained(25, {"properties": {"a": {}}}, allOf=[NEXT] * 3) | {"unevaluatedProperties": False},
        {
            "$defs": {f"d{n}": {"$anchor": f"a{n}", "allOf": [{"$ref": f"#a{n + 1}"}] * 2}
                      for n in range(40)} | {"d40": {"$anchor": "a40", "type": "string"}},
            "$ref": "#a0",
        },
        {
            "$id": "http://x/y/",
            "$defs": {f"d{n}": {"$id": f"d{n}", "allOf": [{"$ref": f"d{n + 1}"}] * 2}
                      for n in range(40)} | {"d40": {"$id": "d40", "type": "string"}},
            "$ref": "d0",
        },
        NESTED,
        knotted(refers_back=1000),
    ],
)  # fmt: skip
def test_a_schema_whose_parts_multiply_is_named_before_it_is_used(
    schema: dict[str, Any],
) -> None:
    asked = ask(
        outputs(
            signal_format.FormatSignal(Materials(output_schema=schema)),
            output=['{"a": 1}'] * 60,
        )
    )
    assert "fix data.output_schema: its references lead to 5,000 parts" in asked
    assert "\n" not in asked


def test_a_large_schema_of_the_ordinary_kind_is_used() -> None:
    """Hundreds of definitions, shared, recursive and one of many kinds: as schemas are written."""
    text, expression = (
        {"type": ["string", "null"], "maxLength": 50},
        {"$ref": "#/$defs/expression"},
    )
    address = {"type": "object", "properties": {f"line_{n}": {"$ref": "#/$defs/text"}
                                                for n in range(20)}}  # fmt: skip
    kinds = {
        f"kind_{n}": {
            "allOf": [{"$ref": "#/$defs/base"}],
            "properties": {
                "kind": {"const": f"kind_{n}"},
                "left": expression,
                "right": expression,
                "all": {"type": "array", "items": expression},
                **{f"address_{k}": {"$ref": "#/$defs/address"} for k in range(10)},
            },
            "required": ["kind"],
        }
        for n in range(300)
    }
    base = {"type": "object", "properties": {"name": {"$ref": "#/$defs/text"}}}
    defs = {"text": text, "address": address, "base": base, **kinds,
            "expression": {"oneOf": [{"$ref": f"#/$defs/{name}"} for name in kinds]}}  # fmt: skip
    schema = {"$defs": defs, **expression}
    right = '{"kind": "kind_7", "left": {"kind": "kind_299"}, "address_3": {"line_1": null}}'
    wrong = '{"kind": "kind_7", "left": {"kind": "kind_300"}}'
    found = outputs(
        signal_format.FormatSignal(Materials(output_schema=schema)),
        output=[right, right, wrong] * 20,
    )
    assert found.value == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    "schema",
    [
        {"anyOf": [{"$ref": "#"}, {"$ref": "#"}, {}]},
        {"properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}},
        {"$dynamicAnchor": "x", "items": {"$dynamicRef": "#x"}},
        chained(300, {"type": "object"}, allOf=[NEXT]),
        chained(30, {}, properties={"a": NEXT, "b": NEXT, "c": NEXT}),
        {"$ref": "#/anyOf/1", "anyOf": [{"type": "string"}, {"type": "object"}]},
    ],
)
def test_a_schema_that_leads_back_to_itself_or_far_down_is_used(
    schema: dict[str, Any],
) -> None:
    found = outputs(
        signal_format.FormatSignal(Materials(output_schema=schema)),
        output=['{"a": {"b": {}}}'] * 60,
    )
    assert found.value == 0


def test_hostile_outputs_are_out_of_form_and_nothing_worse() -> None:
    wide = json.dumps({f"k{i}": [i] for i in range(5000)})
    deep = '{"a":' * 400 + "1" + "}" * 400
    texts = [
        "[" * 100_000,
        '{"a": "\ud800"}',
        "{" * 999,
        wide,
        deep,
        '{"\\u0000": 1e999}',
        "\0",
    ]
    found = outputs(
        signal_format.FormatSignal(Materials()), output=[RIGHT] * 93 + texts
    )
    assert found.value == pytest.approx(0.07)
    strict = outputs(
        signal_format.FormatSignal(Materials(output_schema={"required": ["id"]})),
        output=[RIGHT] * 93 + texts,
    )
    assert strict.value == pytest.approx(0.07)


@pytest.mark.slow
@given(st.lists(st.integers(1, 60), max_size=5), st.integers(0, 9))
def test_batches_may_be_cut_anywhere(cuts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole, signal = tickets(rng, faults(rng, 0.2, conversations=30, turns=2))
    ends = sorted({0, *cuts, len(whole)})
    parts = [
        Batch(
            output=whole.output[a:b],
            conversation=whole.conversation[a:b],
            turn=whole.turn[a:b],
        )
        for a, b in pairwise(ends)
    ]
    assert measure(signal, whole) == measure(signal, *parts)


def test_half_characters_in_names_are_no_trouble() -> None:
    odd = "\ud800"
    made = [(ToolCall(odd, "{"),)] * 30
    told = measure(
        signal_format.FormatSignal(Materials()),
        batch(output=[RIGHT] * 30, prompt=[odd] * 30, tool_calls=made),
    )
    assert told.series[0].columns["prompt"] == ("?",)
    assert told.evidence[1].examples == ("?: the arguments are not a JSON object (30)",)


# Tool calls -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "refuses"),
    [
        ("Error: payment amount does not add up", True),
        ('{"error": "no such order"}', True),
        ("[is_error: true] no", True),
        ('{"success": false, "why": "x"}', True),
        ('{"status": "failed"}', True),
        ("Traceback (most recent call last):", True),
        ('{"error": null, "id": 7}', False),
        ('{"name": "Error", "id": 7}', False),
        ("errors are rare here", False),
        ("Error rates are 3%", False),
        ("Error-free since May", False),
        ("Failed logins are shown here", False),
        ("Failed to find the order", True),
        ("ValueError: no such order", True),
        ("Unauthorized.", True),
        ('{"error_code": 404}', True),
        ("Exception: no such row", True),
        ("Exception handling in Python", False),
        ("Forbidden City opening hours", False),
        ('{"status": "failover"}', False),
        ("", False),
    ],
)
def test_a_call_is_refused_where_the_tool_says_an_error(
    said: str, refuses: bool
) -> None:
    """Each conversation calls a tool and goes on; a call nothing came of counts as neither."""
    call, talks = (ToolCall("find", '{"id": "a"}'),), [f"c{n}" for n in range(30)]
    asked = [Message("user", "Where is it?")]
    told = [*asked, Message("assistant", ""), Message("tool", said)]
    found = measure(
        signal_format.FormatSignal(Materials()),
        batch(
            output=["", "There."] * 30 + [""],
            tool_calls=[call, None] * 30 + [call],
            messages=[asked, told] * 30 + [asked],
            conversation=[name for name in talks for _ in range(2)] + ["alone"],
        ),
    ).evidence[2]
    assert (found.id, found.value, found.n) == (
        "refused_tool_call_share",
        float(refuses),
        30,
    )
    assert found.examples == (("find (30)",) if refuses else ())


def test_a_tool_call_needs_an_object_with_the_keys_and_types_its_tool_takes() -> None:
    right = ("find", '{"id": "a", "n": 1}')
    wrong = [
        ("find", '{"id": "a", "n": 1'),
        ("find", '{"n": 1}'),
        ("find", '{"id": 7, "n": 1}'),
    ]
    found = calls(*[right] * 97, *wrong)
    assert (found.id, found.value, found.n) == ("invalid_tool_call_share", 0.03, 100)
    assert set(found.examples) == {
        "find: the arguments are not a JSON object (1)",
        "find: lacks id (1)",
        "find: id is of another type (1)",
    }
    assert found.details["unread_share"] == 0.01


def test_optional_arguments_nulls_and_rare_tools_are_no_fault() -> None:
    made = [
        ("find", '{"id": "a"}'),
        ("find", '{"id": "a", "n": 1}'),
        ("find", '{"id": null, "n": 2.5}'),
    ]
    rare = [("note", '{"x": 1}'), ("note", '{"y": 1}')]
    assert calls(*made * 20, *rare).value == 0


def test_an_argument_that_half_of_the_calls_have_is_optional() -> None:
    assert calls(*[("find", '{"id": 1}')] * 30 + [("find", "{}")] * 30).value == 0


@pytest.mark.parametrize(
    "arguments", ["[1]", "7", "", "null", '```json\n{"id": "a"}\n```', "id=a"]
)
def test_arguments_that_are_no_bare_object_are_wrong(arguments: str) -> None:
    assert (
        calls(*[("find", '{"id": "a"}')] * 30, *[("find", arguments)] * 10).value
        == 0.25
    )


def test_without_tool_calls_the_answer_names_the_field() -> None:
    assert "tool_calls" in ask(
        measure(
            signal_format.FormatSignal(Materials()), batch(output=[RIGHT] * 30)
        ).evidence[1]
    )


# Accuracy ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["format", "format_with_schema", "tool_calls"])
@pytest.mark.parametrize(("rate", "least", "most"), [(0.0, 0, 1), (0.2, 18, 20)])
def test_clean_traces_fire_seldom_and_a_fault_in_five_is_found(
    name: str, rate: float, least: int, most: int
) -> None:
    """Twenty sets of docs/evidence/accuracy.md's two hundred."""
    world, measured, limit = WORLDS[name]
    rng, yes = np.random.default_rng(7), 0
    for _ in range(20):
        traces, signal = world(rng, faults(rng, rate, conversations=100, turns=4))
        found = next(e for e in measure(signal, traces).evidence if e.id == measured)
        assert isinstance(found.low, float)
        yes += found.low > limit
    assert least <= yes <= most


def test_real_tool_calls_are_all_of_the_right_form(shared: Path) -> None:
    told = json.loads(
        (shared / "real/tau_bench/gpt-4o-airline.json").read_text("utf-8")
    )
    made = [
        [ToolCall(c["function"]["name"], c["function"]["arguments"])
         for m in each["traj"] for c in m.get("tool_calls") or ()]
        for each in told
    ]  # fmt: skip
    found = measure(
        signal_format.FormatSignal(Materials()), batch(tool_calls=made)
    ).evidence[1]
    assert (found.value, found.n) == (0, 1164)
    assert isinstance(found.high, float)
    assert found.high < 0.05
    # the same calls with one in ten cut short are seen
    cut = [
        [
            call._replace(arguments=call.arguments[:-1]) if place % 10 == 0 else call
            for place, call in enumerate(each)
        ]
        for each in made
    ]
    broken = sum(-(-len(each) // 10) for each in made)
    found = measure(
        signal_format.FormatSignal(Materials()), batch(tool_calls=cut)
    ).evidence[1]
    assert found.value == pytest.approx(broken / 1164)
