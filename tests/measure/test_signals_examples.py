"""Laws of usable examples: what is thrown out, in which order, and what is only named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plain_engine import batch, measure
from planted import faults
from tuneworthy.measure import engine
from tuneworthy.measure.signals import examples as signal_examples
from tuneworthy.measure.signals import knowledge as signal_knowledge
from tuneworthy.measure.signals.arms import ArmsSignal as Arms
from tuneworthy.measure.signals.base import TraceSignal as Signal
from tuneworthy.measure.signals.success import SuccessSignal as Success
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import Materials
from tuneworthy.model.evidence import Batch, Evidence, ToolCall

SORRY = "I'm sorry, but I can't help with that."
THINGS = "apple river stone candle window garden mirror ladder basket harbour"


def answers(count: int) -> list[str]:
    """Texts that have no run of three words in common."""
    words = THINGS.split()
    return [
        f"{words[n % 10]}{n} {words[n // 10 % 10]}{n} is the {words[(n + 3) % 10]}{n} of it{n}"
        for n in range(count)
    ]


def evidence(*batches: Batch, **materials: Any) -> Evidence:
    return measure(
        signal_examples.ExamplesSignal(Materials(**materials)), *batches
    ).evidence[0]


def test_each_reason_is_counted_once_and_in_order() -> None:
    good = answers(30)
    outputs = [
        *good[:20],
        None,
        "",
        good[20],
        SORRY,
        SORRY,
        good[21],
        good[0],
        good[0].upper(),
    ]
    error = [None] * 22 + ["timeout"] + [None] * 5
    score = [None] * 25 + [0.2, None, 1.0]
    found = measure(
        signal_examples.ExamplesSignal(Materials()),
        batch(output=outputs, error=error, score=score),
    )
    told = found.evidence[0]
    assert told.value == 20
    assert {name: told.details[name] for name in ("all", *signal_examples.REASONS)} == {
        "all": 28, "no_output": 2, "error": 1, "refused": 2, "not_json": 0, "flagged": 1, "copy": 2,
    }  # fmt: skip
    (picture,) = found.series
    assert picture.columns["step"] == ("all", *signal_examples.REASONS, "usable")
    assert picture.columns["n"] == (28, 2, 1, 2, 0, 1, 2, 20)


@given(st.lists(st.sampled_from(["a b c d", "e f g h", "", None, SORRY, "{", "{}"]), max_size=30),
       st.lists(st.sampled_from([None, 0.0, 0.5, 1.0]), min_size=30, max_size=30),
       st.booleans())  # fmt: skip
def test_the_steps_add_up(
    outputs: list[str | None], scores: list[Any], schema: bool
) -> None:
    found = measure(
        signal_examples.ExamplesSignal(Materials(output_schema={} if schema else None)),
        batch(
            output=[*outputs, "the last one is there"],
            score=[*scores[: len(outputs)], None],
        ),
    )
    total, *steps, usable = map(int, found.series[0].columns["n"])
    assert total == sum(steps) + usable
    assert found.evidence[0].value == usable


def test_json_is_expected_where_a_schema_says_so() -> None:
    outputs = [
        '{"a": 1}',
        '{"a": 2, "b": [',
        "plain words of an answer",
        '```json\n{"a": 3}\n```',
    ]
    assert evidence(batch(output=outputs)).details["not_json"] == 0
    found = evidence(batch(output=outputs), output_schema={"type": "object"})
    assert (found.details["not_json"], found.value) == (2, 2)


def test_broken_json_counts_before_a_bad_score() -> None:
    found = evidence(batch(output=["{", "{}"], score=[0.0, 0.0]), output_schema={})
    assert (found.details["not_json"], found.details["flagged"]) == (1, 1)


def test_json_is_expected_where_nearly_all_answers_are() -> None:
    outputs = [f'{{"id": "x{n}"}}' for n in range(27)] + ["yes", '{"id": ', "no"]
    assert evidence(batch(output=outputs)).details["not_json"] == 3
    half = [*outputs[:2], "yes", "no"]
    assert evidence(batch(output=half)).details["not_json"] == 0


def test_a_call_of_a_tool_is_an_example_without_words() -> None:
    call = [ToolCall("refund", "{}")]
    found = evidence(batch(output=[None, None, None], tool_calls=[call, call, None]))
    assert (found.value, found.details["no_output"]) == (2, 1)


def test_near_copies_count_once() -> None:
    text = "your order has left our house and will be with you in three days by the evening post"
    near = text.replace("evening", "morning")
    other = "we have written the amount back to the card that you paid with two days ago already"
    assert evidence(batch(output=[text, near, other, text])).value == 3
    long = f"{text} and {other}"
    found = evidence(batch(output=[long, f"{long} indeed", other]))
    assert (found.value, found.details["copy"]) == (2, 1)


def test_copies_are_one_example_and_the_count_is_the_least_there_is() -> None:
    found = evidence(
        batch(output=["the very same answer as always"] * 21 + answers(20))
    )
    assert (found.value, found.high) == (21, "open")
    found = evidence(
        batch(output=["the very same answer as always"] * 30 + answers(20))
    )
    assert (found.value, found.high) == (21, "open")


def test_the_same_answer_to_another_question_is_no_copy() -> None:
    asked = answers(20)
    assert evidence(batch(output=["Yes."] * 20, input=asked)).value == 20
    assert evidence(batch(output=["Yes."] * 20, input=["why"] * 20)).value == 1


def test_personal_data_lowers_the_lower_end_and_nothing_else() -> None:
    texts = answers(60)
    clean = evidence(batch(output=texts))
    marked = evidence(batch(output=[f"{text}, write to jo.{n}@firm.com" if n % 2 else text
                                    for n, text in enumerate(texts)]))  # fmt: skip
    assert (clean.value, clean.high) == (60, "open")
    assert (marked.value, marked.high) == (60, "open")
    assert marked.details["personal_share"] == 0.5
    assert clean.low is not None
    assert marked.low is not None
    assert marked.low <= 30
    assert marked.low <= clean.low <= 60


def test_samples_of_what_was_thrown_out_are_masked() -> None:
    outputs = [*answers(20), f"{SORRY} Write to jo.miller@firm.com.", "x", "x"]
    found = evidence(batch(output=outputs, score=[None] * 21 + [0.0, 0.0]))
    assert [each.split(":")[0] for each in found.examples] == [
        "refused",
        "flagged",
        "flagged",
    ]
    assert "firm.com" not in " ".join(found.examples)
    assert "[email]" in found.examples[0]


def test_the_need_of_the_approach_stands_beside_the_count() -> None:
    assert evidence(batch(output=["a"]), examples_need=500).details["need"] == 500
    assert "need" not in evidence(batch(output=["a"])).details


def test_without_outputs_it_is_unknown() -> None:
    found = measure(
        signal_examples.ExamplesSignal(Materials()),
        batch(input=["a"] * 30, output=[None] * 30),
    )
    value = found.evidence[0].value
    assert isinstance(value, Unknown)
    assert "output" in value.ask
    assert found.series == ()


def test_a_few_examples_are_a_count_and_no_rate() -> None:
    found = evidence(batch(output=answers(3)))
    assert (found.value, found.high, found.n) == (3, "open", 3)


@pytest.mark.parametrize(
    "hostile", ["{" * 5000, "[" * 100_000, '{"a": "\ud800"}', "\x00", "NaN"]
)
def test_hostile_answers_do_no_harm(hostile: str) -> None:
    found = evidence(batch(output=[hostile, *answers(5)]), output_schema={})
    assert found.is_known


def test_planted_faults_are_thrown_out_and_clean_examples_are_not() -> None:
    for seed, rate in enumerate((0.0, 0.2)):
        rng = np.random.default_rng(seed)
        at_fault = faults(rng, rate, conversations=100).ravel()
        kinds = rng.integers(0, 3, len(at_fault))
        outputs: list[str | None] = [*answers(len(at_fault))]
        for row in np.flatnonzero(at_fault).tolist():
            outputs[row] = (SORRY, None, answers(1)[0])[kinds[row]]
        good = int((~at_fault).sum())
        # the first copy that stands among them counts, so one more may be left
        assert good <= float(str(evidence(batch(output=outputs)).value)) <= good + 1


def test_the_engine_says_what_plain_lists_say(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    wrong = faults(rng, 0.3, conversations=40).ravel()
    texts = answers(len(wrong))
    whole = batch(
        output=[SORRY if bad and row % 2 else text
                for row, (text, bad) in enumerate(zip(texts, wrong, strict=True))],
        input=[f"question {row}" for row in range(len(wrong))],
        conversation=[f"c{row // 3}" for row in range(len(wrong))],
        contexts=[[text] for text in texts], reference=texts,
        score=[0.0 if bad else 1.0 for bad in wrong],
        error=["timeout" if row % 10 == 0 else None for row in range(len(wrong))],
        case=[f"case {row // 6}" for row in range(len(wrong))],
        prompt=[f"p{row // 3 % 2}" for row in range(len(wrong))],
        usd=[0.01] * len(wrong),
    )  # fmt: skip
    signals: tuple[Signal, ...] = (
        signal_knowledge.KnowledgeSignal(),
        Success(),
        Arms(),
        signal_examples.ExamplesSignal(Materials()),
    )
    by_engine = engine.measure([whole], signals, folder=tmp_path)
    for signal, found in zip(signals, by_engine, strict=True):
        assert found == measure(signal, whole)


def test_a_bad_score_at_the_end_of_a_conversation_holds_for_all_of_it() -> None:
    texts, talks = answers(6), ["bad"] * 3 + ["good"] * 2 + [None]
    scores = [None, None, 0.0, None, 1.0, None]
    found = evidence(batch(output=texts, conversation=talks, score=scores))
    assert (found.value, found.details["flagged"]) == (3, 3)
    assert sum(each.startswith("flagged: ") for each in found.examples) == 2


def test_a_score_of_its_own_counts_before_that_of_the_conversation() -> None:
    talks = ["a"] * 4
    found = evidence(
        batch(output=answers(4), conversation=talks, score=[0.0, 1.0, 0.0, None])
    )
    assert found.details["flagged"] == 3  # 0, 0, and the mean of a third
