"""An arm and a case as a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tuneworthy.calls.endpoints import Reached
from tuneworthy.domain.calls import ChatMessage, Request
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.lab import Arm
from tuneworthy.domain.prompts import PromptVariant
from tuneworthy.files.prompts import filled, names
from tuneworthy.labs.pool import Pool, answer_text


@dataclass(frozen=True, slots=True)
class Setting:
    """What turns arms into requests."""

    prompts: Mapping[str, PromptVariant]
    """By name."""
    reached: Mapping[str, Reached]
    """Where each model of the case is called, by its id."""
    pool: Pool
    schema: str | None = None
    """Output schema as canonical JSON, for constrained arms."""
    grammar: str | None = None
    """GBNF of the labels, for arms constrained by a grammar."""
    max_tokens: int = 512


def request_for(arm: Arm, case: EvalCase, setting: Setting) -> Request:
    """What is asked of a model for one case.

    Examples go in where the prompt names them, and otherwise as turns of the conversation, which
    models follow far better than a list in a text.
    """
    prompt, place = setting.prompts[arm.prompt], setting.reached[arm.model]
    shown = _examples(arm, case, setting.pool)
    inside = "examples" in names(prompt)
    earlier, asked = _turns(case)
    values = {
        "input": asked,
        "contexts": "\n\n".join(p.text for p in case.contexts) if arm.retrieval else "",
        "examples": _listed(shown) if inside else "",
    }
    system = filled(prompt.system, values)
    messages = [ChatMessage(role="system", content=system)] if system.strip() else []
    if not inside:
        for one in shown:
            asked = filled(prompt.user, {**values, "input": one.text, "contexts": ""})
            messages.append(ChatMessage(role="user", content=asked))
            answer = answer_text(one.accepted[0])
            messages.append(ChatMessage(role="assistant", content=answer))
    messages += earlier
    messages.append(ChatMessage(role="user", content=filled(prompt.user, values)))
    return Request(
        provider=place.provider,
        base_url=place.base_url,
        model=place.name,
        messages=tuple(messages),
        max_tokens=setting.max_tokens,
        temperature=prompt.temperature,
        response_schema=setting.schema if arm.constrained == "schema" else None,
        grammar=setting.grammar if arm.constrained == "grammar" else None,
    )


def _turns(case: EvalCase) -> tuple[list[ChatMessage], str]:
    """What was said before, and what is asked now; what comes after that is no part of it.

    A case brings no system message: that is the prompt's place.
    """
    if case.input is not None:
        return [], case.input
    last = max((i for i, m in enumerate(case.messages) if m.role == "user"), default=None)
    if last is None:
        return [], case.text
    before = (m for m in case.messages[:last] if m.role in ("user", "assistant") and m.content)
    said = [ChatMessage(role=m.role, content=m.content) for m in before]
    return said, case.messages[last].content


def _examples(arm: Arm, case: EvalCase, pool: Pool) -> tuple[EvalCase, ...]:
    if arm.few_shot_from == "nearest":
        return pool.nearest(arm.few_shot, case)
    return pool.fixed(arm.few_shot, case) if arm.few_shot_from == "fixed" else ()


def _listed(examples: tuple[EvalCase, ...]) -> str:
    return "\n\n".join(
        f"Input: {one.text}\nOutput: {answer_text(one.accepted[0])}" for one in examples
    )
