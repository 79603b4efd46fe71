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

_LIMIT = 16 * MIB  #: Bytes of a file.
_MOST = 100  #: Prompts of one file.
_CONTEXTS = frozenset({"context", "contexts", "passages", "documents"})
"""Names of a variable for passages; any other is the input."""
_DOUBLE = re.compile(
    r"\{\{-?\s*(?P<name>\w+)\s*-?\}\}"
)  #: A variable as ``{{ name }}``.
_SINGLE = re.compile(r"(?<!\{)\{(?P<name>\w+)\}(?!\})")  #: A variable as ``{name}``.

Messages = Sequence[Mapping[str, Any]]


class FoundPrompt(NamedTuple):
    """A prompt as a tool keeps it, with its templates."""

    name: str  #: The tool's own; empty where it gives none.
    system: str
    user: str
    by: str  #: The tool whose search wrote it; empty where nobody says that one did.
    variables: re.Pattern[str] = _DOUBLE  #: How it writes its variables.


def read_search(path: Path) -> tuple[PromptVariant, ...]:
    """Read the prompts of a file; empty for a file that comes from none of these tools.

    Raises CaseError for a prompt of theirs that can't be run as one request.
    """
    try:
        data = json.loads(read_text(path, _LIMIT))
    except (ValueError, RecursionError):  # then it is no file of theirs
        return ()
    try:
        prompts = list(_prompts_in(data, path))[:_MOST]
    except (TypeError, KeyError, AttributeError):
        what = "looks like the result of a search, and its prompts can't be read"
        fix = "save it anew, or write the prompt as a .md"
        raise CaseError(what, where=path, fix=fix) from None
    different = _without_repeats(prompts)
    variants: list[PromptVariant] = []
    for number, prompt in enumerate(different, start=1):
        name = path.stem if len(different) == 1 else f"{path.stem} {number}"
        variants.append(_variant(prompt, name, path))
    return tuple(variants)


def _without_repeats(prompts: Sequence[FoundPrompt]) -> list[FoundPrompt]:
    """Prompts with different texts, each where it stands last: a tool adds its result at the end."""
    kept: list[FoundPrompt] = []
    for prompt in prompts:
        texts = (prompt.system, prompt.user)
        kept = [other for other in kept if (other.system, other.user) != texts]
        kept.append(prompt)
    return kept


def _prompts_in(data: Any, path: Path) -> Iterator[FoundPrompt]:
    """Find the prompts in a tool's file by the first reader that understands it."""
    if isinstance(data, list):  # as of prompt versions
        for item in data:
            if isinstance(item, dict):
                yield from _mlflow(item)
        return
    if not isinstance(data, dict):
        return
    for read in _READERS:
        prompts = list(read(data))
        if read is _dspy and len(prompts) > 1:
            what = f"is a program of {len(prompts)} steps, and an arm is one request"
            fix = "save one step of it, or write a chain of prompts"
            raise CaseError(what, where=path, fix=fix)
        if prompts:
            yield from prompts
            return


# One reader a tool. Each gives nothing for what isn't its own.


def _dspy(data: Mapping[str, Any]) -> Iterator[FoundPrompt]:
    """Read the predictors of a saved program: their signature's instructions, and demonstrations."""
    # A program of one step may be the predictor itself.
    for name, predictor in {"": data, **data}.items():
        signature = predictor.get("signature") if isinstance(predictor, dict) else None
        if not isinstance(signature, dict):
            continue
        instructions = signature.get("instructions")
        if isinstance(instructions, str):
            examples = [_demonstration(demo) for demo in predictor.get("demos") or ()]
            system = "\n\n".join([instructions.strip(), *examples])
            yield FoundPrompt(name, system, "", "DSPy")


def _demonstration(demo: Mapping[str, Any]) -> str:
    """Write an example as lines of ``Field: value``, without the fields that say how it was made."""
    fields = {name: value for name, value in demo.items() if name != "augmented"}
    return "\n".join(f"{name.capitalize()}: {value}" for name, value in fields.items())


def _mlflow(data: Mapping[str, Any]) -> Iterator[FoundPrompt]:
    """Read a prompt version, or the result of an optimization with the prompts that it found."""
    if data.get("optimized_prompts") is not None:
        by = "MLflow"
        versions = data["optimized_prompts"]
    elif "optimizer_name" in data:
        by = "MLflow"
        # one prompt, or only its template
        versions = [data.get("prompt") or {"template": data.get("optimized_prompt")}]
    elif "version" in data:
        by = ""  # a version that a person may have written
        versions = [data]
    else:
        return
    for version in versions:
        template = version.get("template")
        if isinstance(template, str | list):
            system, user = _split_template(template)
            yield FoundPrompt(str(version.get("name", "")), system, user, by)


def _opik(data: Mapping[str, Any]) -> Iterator[FoundPrompt]:
    """Read the result of an optimizer: one prompt or a bundle of them by name."""
    if "optimizer" not in data or "prompt" not in data:
        return
    prompt = data["prompt"]
    prompts = [prompt]
    if isinstance(prompt, dict) and not {"system", "user", "messages"} & set(prompt):
        prompts = list(prompt.values())  # a bundle
    for each in prompts:
        messages = _opik_messages(each) if isinstance(each, dict) else each
        system, user = _split_template(messages)
        yield FoundPrompt("", system, user, "Opik", _SINGLE)


def _opik_messages(prompt: Mapping[str, Any]) -> Messages:
    """The messages of a prompt, which may be its system and user text alone."""
    if prompt.get("messages"):
        messages: Messages = prompt["messages"]
        return messages
    roles = [role for role in ("system", "user") if prompt.get(role)]
    return [{"role": role, "content": prompt[role]} for role in roles]


def _promptfoo(data: Mapping[str, Any]) -> Iterator[FoundPrompt]:
    """Read the prompts of a test; these are the test's own prompts and not results of a search."""
    results = data.get("results")
    # Versions keep them in the results, or beside these.
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
    system: list[str] = []
    turns: list[tuple[str, str]] = []
    for message in template:
        role = str(message["role"])
        text = _text(message["content"])
        if role in ("system", "developer"):
            system.append(text)
        else:
            turns.append((role, text))
    user = ""
    if turns:
        last_role, last_text = turns[-1]
        if last_role == "user":
            user = last_text
            turns.pop()
    examples = [f"{role.capitalize()}: {text}" for role, text in turns]
    return "\n\n".join([*system, *examples]), user


def _text(content: str | Sequence[Mapping[str, Any]]) -> str:
    """The text of a message, without pictures and other parts."""
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part.get("type") == "text")


def _variant(prompt: FoundPrompt, name: str, path: Path) -> PromptVariant:
    """Put our variables in the place of a tool's own."""
    names = _variable_names(prompt)
    contexts = [each for each in names if each in _CONTEXTS]
    inputs = [each for each in names if each not in _CONTEXTS]
    if len(inputs) > 1 or len(contexts) > 1:
        what = f"puts in {', '.join(names[:4])}, and a case has one input"
        fix = "write it as a .md with {{ input }} in their place"
        raise CaseError(what, where=path, fix=fix)
    ours = {}
    for tools_name in names:
        is_context = tools_name in contexts
        ours[tools_name] = "{{ contexts }}" if is_context else "{{ input }}"

    def our_variable(match: re.Match[str]) -> str:
        return ours.get(match["name"], match[0])

    user = prompt.variables.sub(our_variable, prompt.user)
    system = prompt.variables.sub(our_variable, prompt.system)
    if not inputs:  # a tool such as DSPy adds the input itself
        user = f"{user}\n\n{{{{ input }}}}".strip()
    data = {
        "name": name,
        "system": system.strip(),
        "user": user,
        "searched_by": prompt.by,
    }
    return build(PromptVariant, ParsedFile(data, str(path), {}))


def _variable_names(prompt: FoundPrompt) -> list[str]:
    """The names of a prompt's variables, each once."""
    used = prompt.variables.findall(prompt.user)
    # In a system text, single braces may be JSON that is asked for.
    if prompt.variables is _DOUBLE:
        used += prompt.variables.findall(prompt.system)
    names: list[str] = []
    for name in used:
        if name not in names:
            names.append(name)
    return names
