"""Answers that a scorer can't see for what is around them say nothing about the model."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_labs_verify import RIGHT, TWO

from faulty import Fake
from lab_world import folder_of, known
from tuneworthy.errors import StoppedError
from tuneworthy.lab import ceiling as lab_ceiling
from tuneworthy.lab import scores as lab_wrapped
from tuneworthy.lab import verify as lab_verify
from tuneworthy.lab.prepare import prepare
from tuneworthy.model.base import Unknown
from tuneworthy.model.lab import Request
from tuneworthy.scoring import base as scoring_base

WRAPPERS = {
    "a sentence": "The book is on {}.",
    "tags": "<answer>{}</answer>",
    "thinking by another name": "<plan>Where is it? Perhaps on {0}, or {1}.</plan>\n{0}",
    "a lead": "That would be {1}. Answer: {0}",
    "a fence": "```text\n{}\n```\nI looked {1} times.",
    "lines": "Step {1}.\n#### {0}",
}


def wrapping(wrapper: str, share: float = 0.9) -> Fake:
    """A model that knows a share of the places, and writes something around each of its answers."""
    plain = known({"careful": share})

    def answer(request: Request) -> str:
        number = request.messages[-1].content.split()[-1].strip("?")
        place = plain._answer(request) if share else f"shelf {int(number) + 1000}"
        return wrapper.replace("{}", "{0}").format(place, number)

    return Fake(answer)


def quality_of(folder: Path, fake: Fake, n: int = 60) -> tuple[object, str, str]:
    folder_of(folder, n=n, prompts={"careful": "You are a careful clerk.\n"})
    done = lab_ceiling.run(prepare(folder), cap_usd=9, transport=fake)
    row = next(row for row in done.result.arms if row.arm.kind == "prompt")
    return row.quality, done.result.reached, row.wrapped


@pytest.mark.parametrize(
    ("kind", "share"),
    [*((kind, 0.6) for kind in sorted(WRAPPERS)), ("a sentence", 1.0)],
)
def test_an_arm_that_wraps_every_answer_is_not_measured(
    kind: str, share: float, tmp_path: Path
) -> None:
    quality, reached, says = quality_of(tmp_path, wrapping(WRAPPERS[kind], share))
    assert isinstance(quality, Unknown)
    assert reached == "unknown"
    assert "without it" in says


@pytest.mark.parametrize("wrapper", ["{}", "The book is on {}."])
def test_an_arm_that_knows_nothing_is_measured_however_it_writes(
    wrapper: str, tmp_path: Path
) -> None:
    quality, _, says = quality_of(tmp_path, wrapping(wrapper, 0.0))
    assert not isinstance(quality, Unknown)
    assert quality.value == 0  # type: ignore[attr-defined]  # it is known
    assert says == ""


def test_a_wrapper_is_one_of_nearly_all_answers() -> None:
    texts = [f"Answer: {n}" for n in range(40)]
    assert "7" in {
        unwrap(texts[7]) for unwrap in lab_wrapped.wrappers_of(texts).values()
    }
    assert lab_wrapped.wrappers_of([*texts[:30], *map(str, range(10))]) == {}


@pytest.mark.parametrize(
    "thought",
    [
        "<think>a</think>", "<Thinking>a</Thinking>\n", "<thought>a</thought>",
        "<reasoning>a</reasoning>", "<seed:think>a</seed:think>", "[THINK]a[/THINK]",
        "◁think▷a◁/think▷", "<|begin_of_thought|>a<|end_of_thought|>",
        "<|START_THINKING|>a<|END_THINKING|>",
        "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>",
    ],
)  # fmt: skip
def test_thinking_in_the_open_is_cut_however_a_family_marks_it(thought: str) -> None:
    assert scoring_base.without_thinking(f"{thought}shelf 1") == "shelf 1"
    assert scoring_base.without_thinking(f"shelf 1 {thought}") == f"shelf 1 {thought}"


def test_a_tuned_model_that_wraps_its_answers_is_never_called_worse(
    tmp_path: Path,
) -> None:
    plain = known({"mine": 0.9, "base": 0.5}, general={"mine": RIGHT, "base": RIGHT})

    def answer(request: Request) -> str:
        wrapper = "Answer: {}" if request.model == "mine" else "{}"
        return wrapper.format(plain._answer(request))

    folder_of(tmp_path, n=120, prompts={"p": "Answer.\n"}, models=TWO)
    with pytest.raises(
        StoppedError, match="every answer of p · fake:mine has"
    ) as caught:
        lab_verify.run(prepare(tmp_path), cap_usd=9, transport=Fake(answer))
    assert "Ask for the bare answer" in str(caught.value)
