"""``instructions``: the output does what the prompt asks, as far as a program can check it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from tuneworthy.domain.evalset import EvalCase
from tuneworthy.scoring.asks import Asked
from tuneworthy.scoring.base import (
    INSTRUCTIONS,
    NO_ANSWER,
    Context,
    Kit,
    Output,
    Scored,
    right,
    unjudged,
    wrong,
)
from tuneworthy.texts.checks import follows
from tuneworthy.texts.verifiable import Instruction, Reader


@dataclass(frozen=True, slots=True)
class Instructions:
    """Right where every verifiable instruction of the system prompt is followed.

    ``texts.verifiable`` has the closed list of wordings; what is meant and not on it is not seen.
    """

    prompt: str = ""
    """Instead of the system prompt that was sent."""
    id: str = field(default="instructions")

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """The share of checkable instructions that are followed.

        A failure says which sentence asks for it, and where that stands in the prompt (0 at its
        beginning, 1 at its end). A prompt without a checkable one can't be judged.
        """
        del case
        asked = _read(self.prompt or context.system)
        if not asked:
            return unjudged("no_verifiable_instruction")
        if output.blank:
            return wrong("empty", signal=NO_ANSWER)
        texts, calls = [output.text], [len(output.tool_calls)]
        answers = [(each, follows(each, texts, calls)[0]) for each in asked]
        known = [(each, answer) for each, answer in answers if answer is not None]
        if not known:
            return unjudged("no_verifiable_instruction")
        failed = [each for each, answer in known if not answer]
        numbers: dict[str, float | int] = {"checked": len(known), "failed": len(failed)}
        if not failed:
            return right("instructions_followed", numbers)
        first = failed[0]
        return wrong(
            "instruction_ignored",
            value=1 - len(failed) / len(known),
            signal=INSTRUCTIONS,
            about=first.quote,
            numbers={**numbers, "position": first.position},
        )


@lru_cache(maxsize=64)
def _read(prompt: str) -> tuple[Instruction, ...]:
    return Reader().read(prompt)


def make(of: Any, kit: Kit) -> Instructions:
    """A scorer from its parameter: prompt, the text that asks; else the prompt that was sent.

    Raises:
        InputError: If a parameter is wrong.
    """
    del kit
    asked = Asked("instructions", of, "prompt", ("prompt",))
    return Instructions(asked.text("prompt") if asked.has("prompt") else "")
