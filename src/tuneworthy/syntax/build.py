"""Plain values into records, and pydantic's findings into one line with a place and a fix."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import ValidationError

from tuneworthy.domain.errors import InputError
from tuneworthy.domain.record import Record, shown
from tuneworthy.syntax.yaml import Document

R = TypeVar("R", bound=Record)

_FIXES: dict[str, tuple[str, str]] = {
    "missing": ("is missing", "add it"),
    "float_parsing": ("is not a number", "write a plain number"),
    "float_type": ("is not a number", "write a plain number"),
    "int_parsing": ("is not a whole number", "write a whole number"),
    "int_type": ("is not a whole number", "write a whole number"),
    "int_from_float": ("is not a whole number", "write a whole number"),
    "finite_number": ("is not a finite number", "write a plain number"),
    "string_type": ("is not text", "write text, in quotes if it looks like a number"),
    "tuple_type": ("is not a list", "write a list"),
    "dict_type": ("is not a mapping", "write keys and values"),
}

_SHOWN_KEYS = 4  # of a mapping that isn't there
_PERCENT = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*%")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3}){1,4}(?:\.\d+)?")


def build(kind: type[R], document: Document, error: Callable[..., InputError]) -> R:
    """A record from a parsed file or a mapping.

    Raises:
        InputError: As ``error``, for the first thing that is wrong, with its line.
    """
    try:
        return kind.model_validate(document.data)
    except ValidationError as caught:
        findings = _findings(caught, document, error)
        places = {_path(finding["loc"], document.data) for finding in findings}
        raise explain(findings[0], len(places) - 1, document, error) from None
    except RecursionError:
        raise error("is nested too deeply", where=document.name, fix="flatten it") from None


def _findings(
    caught: ValidationError, document: Document, error: Callable[..., InputError]
) -> list[Any]:
    try:
        return list(caught.errors(include_url=False, include_context=True))
    except UnicodeEncodeError:  # half a character, which only a mapping from Python can hold
        fix = "write whole characters"
        raise error("holds text that is not Unicode", where=document.name, fix=fix) from None


def did_you_mean(given: str, known: tuple[str, ...] | list[str]) -> str:
    """The fix for a word that isn't known: the likeliest one, or all of them when they are few."""
    close = get_close_matches(given.casefold(), known, n=1, cutoff=0.6)
    if close:
        return f'Did you mean "{close[0]}"?'
    listed = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
    return f"Known here: {listed}" if known else ""


def explain(
    finding: Any, more: int, document: Document, error: Callable[..., InputError]
) -> InputError:
    """One finding of pydantic as one of our errors."""
    kind = finding["type"]
    path = _path(finding["loc"], document.data)
    if kind == "missing":
        path = (*path, finding["loc"][-1])
    context = finding.get("ctx", {})
    label = _label(path)
    if kind == "unknown_key":
        key = context["key"]
        what = f'"{shown(key)}" is not a key of {label or "this file"}'
        fix = did_you_mean(key, context["known"])
        if context["empty"] and "Did you mean" not in fix:
            fix = "A text with a comma in it goes in quotes"
        return _made(error, what, document.where((*path, key)), fix, more)
    what, fix = _words(kind, finding, context)
    if kind == "no_mapping" and not path:
        what, fix = "is not a mapping of keys and values", "start with name: …"
        label = "the file"
    return _made(error, f"{label or 'the file'} {what}", document.where(path), fix, more)


def _made(
    error: Callable[..., InputError], what: str, where: str, fix: str, more: int
) -> InputError:
    if more:
        fix = f"{fix} ({more} more to mend after this)"
    return error(what, where=where, fix=fix)


def _words(kind: str, finding: Any, context: Any) -> tuple[str, str]:
    given = shown(finding.get("input"))
    if kind in _FIXES:
        what, fix = _FIXES[kind]
        if "number" in fix:
            fix = _as_number(finding.get("input")) or fix
        return (what, fix) if kind == "missing" else (f'is "{given}", which {what}', fix)
    if kind == "no_mapping":
        keys = [f"{key}: …" for key in context["known"][:_SHOWN_KEYS]]
        more = ", …" if len(context["known"]) > _SHOWN_KEYS else ""
        return f'is "{given}", which is not a mapping', f"write {{{', '.join(keys)}{more}}}"
    if kind == "state":
        return f'is "{given}"', "use yes, no or unknown"
    if kind in ("literal_error", "enum"):
        return f'is "{given}"', f"use {context.get('expected', 'one of the listed words')}"
    if kind == "greater_than_equal":
        return f"is {given}", f"use {context['ge']:g} or more"
    if kind == "less_than_equal":
        return f"is {given}", f"use {context['le']:g} or less"
    if kind == "fix":
        return str(context["what"]), str(context["fix"])
    message = str(finding["msg"])
    return f'is "{given}"', f"pydantic says: {message[:1].lower()}{message[1:]}".removeprefix(
        "pydantic says: "
    )


def _as_number(given: Any) -> str:
    """How to write a number that was meant as a share or with thousands apart; "" for no such."""
    if not isinstance(given, str):
        return ""
    if found := _PERCENT.fullmatch(given.strip()):
        return f"write {float(found[1]) / 100:g}"
    if _THOUSANDS.fullmatch(given.strip()):
        return f"write {given.strip().replace(',', '')}"
    return ""


def _path(loc: tuple[Any, ...], data: Any) -> tuple[str | int, ...]:
    """The part of pydantic's location that stands in the data (it also names types it tried)."""
    path: list[str | int] = []
    here = data
    for step in loc:
        if isinstance(here, Mapping) and step in here:
            path.append(step)
            here = here[step]
        elif isinstance(here, list | tuple) and isinstance(step, int) and step < len(here):
            path.append(step)
            here = here[step]
    return tuple(path)


def _label(path: tuple[str | int, ...]) -> str:
    text = ""
    for step in path:
        text += (
            f"[{step + 1}]" if isinstance(step, int) else f".{shown(step)}" if text else shown(step)
        )
    return text
