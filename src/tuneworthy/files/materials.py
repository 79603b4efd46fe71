"""Files beside the case file that say what outputs should be like.

A file that can't be read or that lies outside the case folder raises a ``CaseError``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from tuneworthy.errors import CaseError
from tuneworthy.files.case import beside, prompt_files, search_files
from tuneworthy.files.disk import MIB, read_text
from tuneworthy.files.searched import read_search
from tuneworthy.model.base import Record, Strings, as_bytes
from tuneworthy.model.case import (
    Case,
    Materials,
    PromptVariant,
    PromptWording,
    Term,
    VoiceSamples,
)
from tuneworthy.syntax.document import ParsedFile, build, parse

AVOID = "avoid.txt"  #: File of a voice folder with phrases the brand never uses, one a line.
_TEXT_ENDINGS = frozenset({".md", ".markdown", ".txt"})
_MOST_FILES = 1000  #: Samples of a voice folder.
_MOST_STEPS = 8  #: Prompts before the last one of a chain.
_MOST_TERMS = 10_000
# words and phrases of all terms, or of avoid.txt; more would take minutes to prepare
_MOST_WORDS = 20_000
_WORDS_BYTES = 400_000  #: Of those words and phrases, for the same reason.
_VOICE_BYTES = 8 * MIB  #: Of all samples of a voice.
_WORD_BYTES = 200
"""Bytes of one word or phrase, as every letter takes room among the patterns."""


class _Terms(Record):
    terms: tuple[Term, ...]


def read_materials(case: Case) -> Materials:
    """Read the glossary, voice, schema and targets of a case; what it doesn't name is None.

    A file that the case names and that is missing is None too; another place says that it is
    missing. ``examples_need`` stays None, because the framework says what an approach needs.
    """
    return Materials(
        glossary=_glossary(case),
        voice=_voice(case),
        output_schema=_schema(case),
        latency_target_s=case.targets.latency_p95_s,
    )


def _existing_file(case: Case, entry: str) -> Path | None:
    """The file that an entry of ``data`` names, if it exists."""
    path = beside(case, f"data.{entry}", getattr(case.data, entry))
    return path if path is not None and os.path.lexists(path) else None


def _glossary(case: Case) -> tuple[Term, ...] | None:
    """Read the terms of a case, and refuse words that can't all be searched for; None for no file."""
    path = _existing_file(case, "glossary")
    if path is None:
        return None
    document = _listed_terms(parse(read_text(path, MIB), str(path)), path)
    terms = build(_Terms, document).terms
    words: list[str] = []
    for place, term in enumerate(terms):
        own_words = (term.term, *term.forbidden, *term.due_when)
        _refuse_long(own_words, document.where(("terms", place)))
        words += own_words
    _refuse_many(words, path)
    return terms


def _listed_terms(document: ParsedFile, path: Path) -> ParsedFile:
    """The list of terms under the key ``terms``; a file may also be the list itself."""
    terms = document.data
    lines = document.lines
    if isinstance(terms, dict) and set(terms) == {"terms"}:
        terms = terms["terms"]
    else:
        lines = {("terms", *key): line for key, line in lines.items()}
    if not isinstance(terms, list):
        fix = "write a list of {term: …, forbidden: […]}"
        raise CaseError("is not a list of terms", where=path, fix=fix)
    if len(terms) > _MOST_TERMS:
        what = f"holds more than {_MOST_TERMS:,} terms"
        raise CaseError(what, where=path, fix="split it")
    return ParsedFile({"terms": terms}, str(path), lines)


def _refuse_long(words: Iterable[str], where: str) -> None:
    """Refuse a word or phrase that is too long to be searched for."""
    if any(len(as_bytes(word)) > _WORD_BYTES for word in words):
        what = f"holds a word or phrase of more than {_WORD_BYTES} bytes"
        raise CaseError(what, where=where, fix="shorten it, or leave it out")


def _refuse_many(words: Sequence[str], path: Path) -> None:
    """Refuse a list with more words or phrases than can be searched for together."""
    size = sum(len(as_bytes(word)) for word in words)
    if len(words) > _MOST_WORDS or size > _WORDS_BYTES:
        what = f"holds more than {_MOST_WORDS:,} words and phrases, or {_WORDS_BYTES:,} bytes of them"
        raise CaseError(what, where=path, fix="keep those that matter most")


def _voice(case: Case) -> VoiceSamples | None:
    """Read the samples of the voice by file name, and the phrases to avoid."""
    folder = _existing_file(case, "voice")
    if folder is None:
        return None
    if not folder.is_dir():  # a single sample
        return VoiceSamples(samples=(read_text(folder, MIB),))
    avoid = folder / AVOID
    samples: list[str] = []
    size = 0
    for path in _list_text_files(folder):
        # Refuses a link that leads out of the case folder.
        beside(case, "data.voice", str(path.relative_to(case.folder or folder)))
        if path == avoid:  # it is read below, and is no sample
            continue
        text = read_text(path, MIB)
        if text.strip():
            samples.append(text)
            size += len(text)
        if size > _VOICE_BYTES:
            what = f"holds more than {_VOICE_BYTES // MIB} MiB of text"
            raise CaseError(what, where=folder, fix="keep the samples that sound best")
    phrases = _read_phrases_to_avoid(avoid) if avoid.is_file() else ()
    return VoiceSamples(samples=tuple(samples), avoid=phrases)


def _read_phrases_to_avoid(path: Path) -> Strings:
    """Read the phrases to avoid, one a line; a phrase that stands there twice counts once."""
    phrases: list[str] = []
    known: set[str] = set()
    for number, line in enumerate(read_text(path, MIB).splitlines(), start=1):
        phrase = line.strip()
        _refuse_long((phrase,), f"{path}:{number}")
        if phrase and phrase not in known:
            known.add(phrase)
            phrases.append(phrase)
    _refuse_many(phrases, path)
    return tuple(phrases)


def _list_text_files(folder: Path) -> list[Path]:
    """The text files of a folder, by name."""
    files: list[Path] = []
    try:
        for path in folder.iterdir():
            if path.suffix.casefold() in _TEXT_ENDINGS and path.is_file():
                files.append(path)
            if len(files) > _MOST_FILES:
                what = f"holds more than {_MOST_FILES:,} samples"
                raise CaseError(what, where=folder, fix="keep those that sound best")
    except OSError:
        raise CaseError("can't be read", where=folder, fix="check the path") from None
    return sorted(files)


def _schema(case: Case) -> dict[str, Any] | None:
    """Read the JSON Schema of outputs; its validator says whether it is a good one."""
    path = _existing_file(case, "output_schema")
    if path is None:
        return None
    text = read_text(path, MIB)
    try:
        schema = json.loads(text)
    except json.JSONDecodeError as caught:
        what = f"isn't JSON: {caught.msg}"
        where = f"{path}:{caught.lineno}"
        raise CaseError(what, where=where, fix="fix the file") from None
    except (RecursionError, ValueError):
        raise CaseError("is nested too deeply", where=path, fix="flatten it") from None
    if not isinstance(schema, dict):
        raise CaseError("is not a JSON Schema", where=path, fix="write an object")
    return schema


# Prompt variants: front matter and two templates a file.

_FRONT = re.compile(
    r"\A---[ \t]*\n(?P<lines>.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE
)
"""Settings at the beginning of a file, between two lines of hyphens."""
_PART = re.compile(
    r"^#[ \t]+(?P<name>system|user)[ \t]*$", re.IGNORECASE | re.MULTILINE
)
"""The heading of a template."""
_VARIABLE = re.compile(r"\{\{-?\s*(\w+)\s*-?\}\}")
_OTHER = re.compile(
    r"\{[%#]|\{\{"
)  #: The beginning of whatever else a template language has.
VARIABLES = ("input", "contexts", "examples", "previous")
"""The variables that a template may name."""


def names(variant: PromptVariant) -> frozenset[str]:
    """The variables that a prompt uses in either of its templates."""
    return frozenset((*variables(variant.system), *variables(variant.user)))


def variables(template: str) -> Strings:
    """The variables of a template in their order; one that is used twice is listed twice."""
    return _pieces(template)[1::2]


def read_prompts(case: Case) -> tuple[PromptVariant, ...]:
    """Read the prompt variants that a case names, by file name; empty where it names no folder."""
    variants: dict[str, PromptVariant] = {}
    for variant, path in _variants(case):
        if variant.name in variants:
            what = f'prompt "{variant.name[:60]}" appears twice'
            raise CaseError(what, where=path, fix="rename one")
        variants[variant.name] = variant
    for variant in variants.values():
        chain_of(variant, variants)  # refuses a chain that is broken or has no end
    return tuple(variants.values())


def _variants(case: Case) -> Iterator[tuple[PromptVariant, Path]]:
    """Each variant with its file: first what people wrote, then what other tools' searches wrote."""
    for path in prompt_files(case) or ():
        yield prompt_from(read_text(path, MIB), path), path
    for path in search_files(case):
        for variant in read_search(path):
            # These templates stand on no line of their file.
            _check(variant.system, path, 0)
            _check(variant.user, path, 0)
            yield variant, path


def prompt_wordings(case: Case) -> tuple[PromptWording, ...]:
    """The prompt files of a case that have a system template and are no chain; empty for none.

    A file that can't be read is left out here, because whoever sends it reports it.
    """
    try:
        variants = read_prompts(case)
    except CaseError:
        return ()
    wordings: list[PromptWording] = []
    for variant in variants:
        texts = _pieces(variant.system)[::2]  # every second is a variable's name
        pieces = tuple(" ".join(text.split()) for text in texts)
        if any(pieces) and variant.after is None:
            wordings.append(PromptWording(variant.name, pieces))
    return tuple(wordings)


def chain_of(variant: PromptVariant, prompts: Mapping[str, PromptVariant]) -> Strings:
    """The prompts that come before this one in its chain, in their order; empty if there are none."""
    before: list[str] = []
    while variant.after is not None:
        # A chain that is broken or leads in a circle.
        if variant.after not in prompts or len(before) == _MOST_STEPS:
            end = "goes on without an end" if before else "isn't there"
            goes_on = f'goes on from "{variant.after[:60]}", which {end}'
            what = f'prompt "{variant.name[:60]}" {goes_on}'
            fix = "name a prompt that comes before it"
            raise CaseError(what, where="data.prompts", fix=fix)
        variant = prompts[variant.after]
        before.insert(0, variant.name)
    return tuple(before)


def prompt_from(text: str, path: Path) -> PromptVariant:
    """Read a prompt from its text; a text without ``# system`` and ``# user`` is a system prompt."""
    text = text.replace("\r\n", "\n")
    front = _FRONT.match(text)
    if front is None and text.startswith("---\n"):
        what = "has front matter without an end"
        fix = "end it with a line of three hyphens"
        raise CaseError(what, where=f"{path}:1", fix=fix)
    front_lines = ""
    body = text
    if front is not None:
        # a line more before it, so that errors name the line of the file
        front_lines = f"\n{front['lines']}"
        body = text[front.end() :]
    settings = parse(front_lines, str(path))
    stated = _stated_settings(settings, path)
    _check(body, path, text.count("\n") - body.count("\n"))
    data = {"name": path.stem, **stated, **_split_by_heading(body, path)}
    variant = build(PromptVariant, ParsedFile(data, str(path), settings.lines))
    _refuse_without_input(variant, path)
    return variant


def _refuse_without_input(variant: PromptVariant, path: Path) -> None:
    """Refuse half of a chain, and a prompt that shows neither the input nor an earlier answer."""
    used = names(variant)
    if ("previous" in used) != (variant.after is not None):
        fix = "write after: NAME in its front matter, and {{ previous }} where its answer belongs"
        raise CaseError("is only half of a chain", where=path, fix=fix)
    if used.isdisjoint(("input", "previous")):
        fix = "put {{ input }} where the case's input belongs"
        raise CaseError("never shows the input", where=path, fix=fix)


def _stated_settings(settings: ParsedFile, path: Path) -> dict[str, Any]:
    """The settings in the front matter, which holds no template; {} for an empty one."""
    stated = {} if settings.data is None else settings.data
    if not isinstance(stated, dict):
        what = "has front matter that is not a mapping"
        raise CaseError(what, where=f"{path}:2", fix="write name: …")
    for name in ("system", "user"):
        if name in stated:
            what = f"gives {name} in its front matter"
            where = f"{path}:{settings.lines.get((name,), 2)}"
            fix = f"write it in the body, under # {name}"
            raise CaseError(what, where=where, fix=fix)
    return stated


def prompt_text(variant: PromptVariant) -> str:
    """Write a prompt as the text of a file that ``prompt_from`` reads as the same prompt.

    Two kinds of templates are read back differently: one with a line that is a heading of such a
    file, and one with blanks at its ends.
    """
    settings = variant.model_dump(
        mode="json", by_alias=True, exclude={"system", "user"}, exclude_defaults=True
    )
    lines: list[str] = []
    for key, value in settings.items():
        lines.append(f"{key}: {json.dumps(value, ensure_ascii=False)}")
    front = "\n".join(lines)
    return f"---\n{front}\n---\n# system\n{variant.system}\n# user\n{variant.user}\n"


def _split_by_heading(body: str, path: Path) -> dict[str, str]:
    """The text under each heading by its name; without a heading all of it is the system prompt."""
    heads = list(_PART.finditer(body))
    if not heads:
        return {"system": body.strip()}
    parts: dict[str, str] = {}
    end = len(body)
    for head in reversed(heads):  # a part ends where the next one begins
        parts[head["name"].lower()] = body[head.end() : end].strip()
        end = head.start()
    before = body[:end].strip()
    if len(parts) < len(heads) or before:
        what = "has text that belongs to no part, or a part twice"
        fix = "write one part under # system and one under # user, and nothing before them"
        raise CaseError(what, where=path, fix=fix)
    return parts


def _check(body: str, path: Path, lines_above: int) -> None:
    """Refuse anything but the variables: a template is text from a stranger and no program."""
    for number, line in enumerate(body.split("\n"), start=lines_above + 1):
        others = sorted(set(_VARIABLE.findall(line)) - set(VARIABLES))
        if others:
            what = f'uses "{others[0][:40]}"'
        elif _OTHER.search(_VARIABLE.sub("", line)):
            what = "uses more of a template language"
        else:
            continue
        ours = ", ".join(f"{{{{ {name} }}}}" for name in VARIABLES)
        raise CaseError(what, where=f"{path}:{number}", fix=f"use {ours} alone")


def filled(template: str, values: dict[str, str]) -> str:
    """Put values into a template; the values are never searched for variables in turn."""
    pieces = list(_pieces(template))
    for place in range(1, len(pieces), 2):  # every second is a variable's name
        pieces[place] = values.get(pieces[place], "")
    return "".join(pieces)


@lru_cache(maxsize=512)
def _pieces(template: str) -> Strings:
    """The texts of a template, and between them the names of its variables."""
    return tuple(_VARIABLE.split(template))
