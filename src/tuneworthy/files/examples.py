"""Solved examples: cases of an evaluation set, or the conversations that models are tuned on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.files.disk import read_text
from tuneworthy.files.evalset import EVALSET_LIMIT
from tuneworthy.syntax.build import build
from tuneworthy.syntax.yaml import Document

_PAIRS = (("prompt", "completion"), ("input", "output"), ("question", "answer"))


def read_examples(path: Path) -> tuple[EvalCase, ...]:
    """Examples with their answers, in the order of the file, one JSON object a line.

    A line is a case of an evaluation set; or ``messages`` whose last one is the assistant's, as for
    tuning; or a pair: prompt and completion, input and output, question and answer. What has no
    text as its answer, such as calls of tools, is left out. Without an id the line is one.

    Raises:
        CaseError: If it can't be read, or a line is none of these.
    """
    text = read_text(path, EVALSET_LIMIT, CaseError)
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip() and (one := _example(line, path, number)) is not None:
            found.append(one)
    return tuple(found)


def _example(line: str, path: Path, number: int) -> EvalCase | None:
    where = f"{path}:{number}"
    try:
        data: Any = json.loads(line)
    except (ValueError, RecursionError):
        raise CaseError("is no JSON", where=where, fix="write one object a line") from None
    if not isinstance(data, dict):
        raise CaseError("is no object", where=where, fix='write {"input": …, "reference": …}')
    told = data
    for asked, answered in _PAIRS:
        if "reference" not in data and asked in data and answered in data:
            told = {"input": data[asked], "reference": data[answered]}
            break
    if "reference" not in told and isinstance(told.get("messages"), list):
        told = _turns(told["messages"], where)
        if not told:
            return None
    told = {"id": f"line {number}", **told}
    if isinstance(told["id"], int):
        told["id"] = str(told["id"])
    return build(EvalCase, Document(told, str(path), {(): number}), CaseError)


def _turns(messages: list[Any], where: str) -> dict[str, Any]:
    """A conversation as what is asked and what was answered; nothing where that is no text."""
    if not all(isinstance(m, dict) and isinstance(m.get("role"), str) for m in messages):
        fix = 'write {"role": "user", "content": "…"}'
        raise CaseError("has a message without a role", where=where, fix=fix)
    texts = [m for m in messages if isinstance(m.get("content"), str)]
    if len(texts) < 2 or texts[-1] is not messages[-1] or texts[-1]["role"] != "assistant":
        return {}
    kept = ("user", "assistant")
    before = [{"role": m["role"], "content": m["content"]} for m in texts[:-1] if m["role"] in kept]
    if not any(m["role"] == "user" for m in before):
        return {}
    return {"messages": before, "reference": texts[-1]["content"]}
