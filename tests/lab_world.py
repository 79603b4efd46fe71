"""Case folders for labs, and a model of which it is known how often each arm is right."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faulty import Fake, Manners
from tuneworthy.model.lab import Request

PLAIN = "Answer the question.\n"
CAREFUL = "You are a careful clerk of a library. Think of every shelf, then give the place alone.\n"
LOUD = "SHOUT! Whatever happens to be asked, name one place in the archive and stop right there.\n"


def lines(folder: Path, n: int, *, name: str = "eval.jsonl", **more: Any) -> None:
    """``n`` cases; the answer to each is its number."""
    told = (
        {"id": f"{name} {i}", "input": f"Where is book {i}?", "reference": f"shelf {i}"}
        | more
        for i in range(n)
    )
    (folder / name).write_text("".join(f"{json.dumps(one)}\n" for one in told))


def folder_of(
    folder: Path, *, n: int = 120, prompts: Mapping[str, str] | None = None,
    models: str = "[{id: 'fake:one'}]", more: str = "", cases: Mapping[str, Any] | None = None,
    target: float | None = 0.9,
) -> Path:  # fmt: skip
    """A case folder with an evaluation set, prompts and models."""
    (folder / "prompts").mkdir(parents=True, exist_ok=True)
    for name, text in (prompts or {"plain": PLAIN, "careful": CAREFUL}).items():
        (folder / "prompts" / f"{name}.md").write_text(text)
    lines(folder, n, **(cases or {}))
    lines(
        folder, 1, name="examples.jsonl", input="Where is the exit?", reference="door"
    )
    quality = (
        ""
        if target is None
        else f"targets: {{quality: {{metric: match, at_least: {target}}}}}"
    )
    (folder / "case.yaml").write_text(
        f"name: Library\n{quality}\nmodels: {models}\n"
        "data: {evaluation: eval.jsonl, prompts: prompts, examples: examples.jsonl}\n"
        + more
    )
    return folder


def chance(*told: object) -> float:
    """A number between 0 and 1 that depends on nothing but what is told."""
    digest = hashlib.sha256(repr(told).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def known(
    shares: Mapping[str, float], *, seed: int = 0, manners: Manners | None = None,
    general: Mapping[str, Mapping[str, str]] | None = None,
) -> Fake:  # fmt: skip
    """A model that is right in a known share of cases.

    Args:
        shares: By a piece of the system prompt or the name of the model, the first that fits.
        seed: Of who is right where.
        manners: How it misbehaves.
        general: Answers to other questions, by model.
    """

    def answer(request: Request) -> str:
        asked, system = request.messages[-1].content, request.messages[0].content
        told = (general or {}).get(request.model, {})
        if asked in told:
            return told[asked]
        key = next((k for k in shares if k in system or k == request.model), "")
        number = asked.removeprefix("Where is book ").removesuffix("?")
        right = chance(seed, key, number) < shares.get(key, 0.0)
        return f"shelf {number}" if right else "no idea"

    return Fake(answer, manners)
