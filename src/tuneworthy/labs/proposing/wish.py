"""What a generator is asked for, what it may learn from, and how large all of it can get."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unicodedata import category

from tuneworthy.calls.endpoints import Reached
from tuneworthy.domain.case import Model
from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.lab import Arm
from tuneworthy.domain.prompts import PromptVariant
from tuneworthy.files.prompts import prompt_from, prompt_text, variables
from tuneworthy.labs.ceiling import Plan
from tuneworthy.labs.pool import question

MOST_TAUGHT = 24
"""Cases a generator learns from at most; they are asked anew for each text it comes to."""
TAUGHT_PART = 3
"""One in so many of the cases for selecting; the others race."""
LONGEST = 8000
"""Bytes of a proposed prompt, unless the one it comes from is longer: it bounds the price."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Prompts that a generator shall propose."""

    draws: int
    """Independent restarts."""
    model: Model
    """The model that writes."""
    place: Reached
    """Where it is called."""
    taught: tuple[EvalCase, ...]
    """Cases it learns from: these race nothing and report nothing."""


def parted_for(plan: Plan) -> tuple[Plan, tuple[EvalCase, ...]]:
    """Some conversations of the selecting part to learn from, and the plan that races on the rest.

    They are drawn by a hash, so that more cases move few. What is asked in a reporting case too is
    never among them.

    Returns:
        The plan with fewer cases for selecting, and the cases to learn from; () where there are too
        few to spare any.
    """
    kept = {question(one) for one in plan.report}
    groups: dict[str, list[EvalCase]] = {}
    for one in plan.select:
        groups.setdefault(one.cluster, []).append(one)
    room, taken = min(MOST_TAUGHT, len(plan.select) // TAUGHT_PART), set[str]()
    for name in sorted(groups, key=lambda name: _drawn(plan.seed, name)):
        size = len(groups[name])
        if size <= room and not kept & {question(one) for one in groups[name]}:
            taken.add(name)
            room -= size
    select = tuple(one for one in plan.select if one.cluster not in taken)
    return replace(plan, select=select), tuple(c for c in plan.select if c.cluster in taken)


def _drawn(seed: int, cluster: str) -> bytes:
    return hashlib.sha256(f"taught {seed} {cluster}".encode("utf-8", "surrogatepass")).digest()


def longest(parent: PromptVariant) -> int:
    """Bytes that a proposal in the place of a prompt may have."""
    return max(LONGEST, len(parent.system.encode("utf-8", "replace")))


def proposal(text: str, parent: PromptVariant, name: str) -> PromptVariant | None:
    """A proposed text in the place of a prompt's system template.

    A proposal is a stranger's text and a template at once. It puts in the same variables as its
    parent, each as often, and reads back from a prompt file as what it is: a line that would be
    taken for a heading, or any more of a template language, makes it no prompt.

    Args:
        text: What the generator wrote.
        parent: The prompt it was made from; it gives everything but the text.
        name: The name of the new one.

    Returns:
        The prompt; None for a text that is empty, too long, or can't be one.
    """
    text = text.replace("\r\n", "\n").strip()
    odd = any(category(sign) in ("Cc", "Cs") and sign not in "\n\t" for sign in text)
    if odd or not text or len(text.encode()) > longest(parent):
        return None
    if Counter(variables(text)) != Counter(variables(parent.system)):
        return None
    found = parent.model_copy(update={"name": name, "system": text, "structured": None})
    try:
        read = prompt_from(prompt_text(found), Path(f"{name}.md"))
    except CaseError:
        return None
    return read if read.model_dump() == found.model_dump() else None


def filler(parent: PromptVariant, size: int) -> PromptVariant:
    """A prompt of a size that puts in what a proposal would, for a quote."""
    put_in = " ".join(f"{{{{ {name} }}}}" for name in variables(parent.system))
    text = put_in.ljust(len(put_in) + size, "x")
    return parent.model_copy(update={"name": "proposal", "system": text})


def as_written(arms: Sequence[Arm]) -> tuple[Arm, ...]:
    """For each prompt and prompted model the arm that does as the prompt's file says."""
    found: dict[tuple[str, str], Arm] = {}
    for arm in arms:
        if arm.kind == "prompt":
            found.setdefault((arm.prompt, arm.model), arm)
    return tuple(found.values())


def names_for(draws: int, taken: Mapping[str, object]) -> tuple[str, ...]:
    """Names of proposals, those left out that prompts of the team have."""
    free = (f"gepa-{number}" for number in range(1, draws + len(taken) + 1))
    return tuple(name for name in free if name not in taken)[:draws]
