"""Prompts that another tool's search wrote, in the JSON that the tool keeps them in.

These are a saved program of DSPy, prompt versions and results of MLflow, a result of Opik's
optimizers, and the prompts in promptfoo's results. Only the text of a prompt is taken; whatever
else a tool does around it is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from tuneworthy.errors import CaseError
from tuneworthy.files.disk import MIB, read_text
from tuneworthy.model.case import PromptVariant
from tuneworthy.syntax.document import ParsedFile, build

_LIMIT = 16 * MIB
_MOST = 100  # prompts of one file
_CONTEXTS = frozenset({"context", "contexts", "passages", "documents"})
_DOUBLE = re.compile(r"\{\{-?\s*(\w+)\s*-?\}\}")
_SINGLE = re.compile(r"(?<!\{)\{(\w+)\}(?!\})")

Messages = Sequence[Mapping[str, Any]]


class FoundPrompt(NamedTuple):
    """A prompt as a tool keeps it: with the tool's name for it, its templates and their variables."""

    name: str
    system: str
    user: str
    by: str  #: The tool whose search wrote it; empty where nobody says that one did.
    variables: re.Pattern[str] = _DOUBLE  #: How it writes them.


def read_search(path: Path) -> tuple[PromptVariant, ...]:
    """Read the prompts of a file; empty for a file that comes from none of these tools.

    Raises CaseError for a prompt of theirs that can't be run as one request.
    """
    data: Any = None
    with suppress(ValueError, RecursionError):  # then it is no file of theirs
        data = json.loads(read_text(path, _LIMIT))
    try:
        prompts = list(_prompts_in(data, path))[:_MOST]
    except (TypeError, KeyError, AttributeError):
        what = "looks like the result of a search, and its prompts can't be read"
        raise CaseError(
            what, where=path, fix="save it anew, or write the prompt as a .md"
        ) from None
    distinct = {(each.system, each.user): each for each in reversed(prompts)}
    kept = list(reversed(distinct.values()))
    return tuple(
        _variant(each, path.stem if len(kept) == 1 else f"{path.stem} {number}", path)
        for number, each in enumerate(kept, start=1)
    )


def _prompts_in(data: Any, path: Path) -> Iterator[FoundPrompt]:
    """Find the prompts in a tool's file by the first reader that understands it."""
    if isinstance(data, list):
        for item in data:
            yield from _mlflow(item) if isinstance(item, dict) else ()
        return
    if not isinstance(data, dict):
        return
    for read in _READERS:
        prompts = list(read(data))
        if prompts:
            break
    else:
        return
    if read is _dspy and len(prompts) > 1:
        what = f"is a program of {len(prompts)} steps, and an arm is one request"
        raise CaseError(
            what, where=path, fix="save one step of it, or write a chain of prompts"
        )
    yield from prompts


# One reader a tool. Each gives nothing for what isn't its own.


def _dspy(data: Mapping[str, Any]) -> Iterator[FoundPrompt]:
    """Read the predictors of a saved program: their signature's instructions, and demonstrations."""
    for name, state in {"": data, **data}.items():
        signature = state.get("signature") if isinstance(state, dict) else None
        if isinstance(signature, dict) and isinstance(
            signature.get("instructions"), str
        ):
            shown = [_demonstration(demo) for demo in state.get("demos") or ()]
            parts = [signature["instructions"].strip(), *shown]
            yield FoundPrompt(name, "\n\n".join(parts), "", "DSPy")


def _demonstration(demo: Mapping[str, Any]) -> str:
    """Write an example as lines of ``Field: value``, without the fields that say how it was made."""
    fields = {name: value for name, value in demo.items() if name != "augmented"}
    return "\n".join(f"{name.capitalize()}: {value}" for name, value in fields.items())


def _mlflow(data: Mapping[str, Any]) -> Iterator[FoundPrompt]:
    """Read a prompt version, or the result of an optimization with the prompts that it found."""
    results = data.get("optimized_prompts")
    if results is None and "optimizer_name" in data:
        results = [data.get("prompt") or {"template": data.get("optimized_prompt")}]
    searched = "MLflow" if results is not None else ""
    for version in [data] if results is None else results:
        template = version.get("template")
        if isinstance(template, str | list) and (searched or "version" in version):
            system, user = _split_template(template)
            yield FoundPrompt(str(version.get("name", "")), system, user, searched)


def _opik(data: Mapping[str, Any]) -> Iterator[FoundPrompt]:
    """Read the result of an optimizer: one prompt, as messages or as its system and user text."""
    if "optimizer" not in data or "prompt" not in data:
        return
    prompt = data["prompt"]
    if isinstance(prompt, dict) and not {"system", "user", "messages"} & set(prompt):
        prompts = list(prompt.values())  # a bundle, by name
    else:
        prompts = [prompt]
    for each in prompts:
        messages = each
        if isinstance(each, dict):
            texts = {role: each.get(role) for role in ("system", "user")}
            own = [
                {"role": role, "content": text} for role, text in texts.items() if text
            ]
            messages = each.get("messages") or own
        system, user = _split_template(messages)
        yield FoundPrompt("", system, user, "Opik", _SINGLE)


def _promptfoo(data: Mapping[str, Any]) -> Iterator[FoundPrompt]:
    """Read the prompts of a test; these are the test's own prompts and not results of a search."""
    results = data.get("results")
    places = [results, data] if isinstance(results, dict) else [data]
    for place in places:
        head = (place.get("table") or {}).get("head") or {}
        for prompt in place.get("prompts") or head.get("prompts") or ():
            if isinstance(prompt, dict) and isinstance(prompt.get("raw"), str):
                system, user = _split_template(_messages_of(prompt["raw"]))
                yield FoundPrompt(str(prompt.get("label", "")), system, user, "")


def _messages_of(raw: str) -> str | Messages:
    """Read a prompt of promptfoo, which may be messages written as JSON."""
    with suppress(ValueError, RecursionError):
        messages = json.loads(raw)
        if isinstance(messages, list) and messages:
            return messages
    return raw


_READERS: tuple[Callable[[Mapping[str, Any]], Iterator[FoundPrompt]], ...] = (
    _dspy,
    _opik,
    _mlflow,
    _promptfoo,
)


# From a tool's prompt to one of ours.


def _split_template(template: str | Messages) -> tuple[str, str]:
    """Split a template into system and user text; turns between become examples in the system text."""
    if isinstance(template, str):
        has_variable = _DOUBLE.search(template) or _SINGLE.search(template)
        return ("", template) if has_variable else (template, "")
    turns = [(str(message["role"]), _text(message["content"])) for message in template]
    system = [text for role, text in turns if role in ("system", "developer")]
    talk = [(role, text) for role, text in turns if role not in ("system", "developer")]
    user = ""
    if talk:
        last_role, last_text = talk[-1]
        if last_role == "user":
            user = last_text
            talk.pop()
    examples = [f"{role.capitalize()}: {text}" for role, text in talk]
    return "\n\n".join([*system, *examples]), user


def _text(content: str | Sequence[Mapping[str, Any]]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part.get("type") == "text")


def _variant(prompt: FoundPrompt, name: str, path: Path) -> PromptVariant:
    """Put our variables in the place of a tool's own."""
    names = dict.fromkeys(prompt.variables.findall(prompt.user))
    # a text in single braces may be JSON that is asked for
    if prompt.variables is _DOUBLE:
        names |= dict.fromkeys(prompt.variables.findall(prompt.system))
    contexts = [each for each in names if each in _CONTEXTS]
    inputs = [each for each in names if each not in _CONTEXTS]
    if len(inputs) > 1 or len(contexts) > 1:
        what = f"puts in {', '.join(list(names)[:4])}, and a case has one input"
        raise CaseError(
            what, where=path, fix="write it as a .md with {{ input }} in their place"
        )
    ours = dict.fromkeys(inputs, "{{ input }}") | dict.fromkeys(
        contexts, "{{ contexts }}"
    )

    def put_in(match: re.Match[str]) -> str:
        return ours.get(match[1], match[0])

    user = prompt.variables.sub(put_in, prompt.user)
    system = prompt.variables.sub(put_in, prompt.system)
    if not inputs:
        user = f"{user}\n\n{{{{ input }}}}".strip()
    data = {
        "name": name,
        "system": system.strip(),
        "user": user,
        "searched_by": prompt.by,
    }
    return build(PromptVariant, ParsedFile(data, str(path), {}))
