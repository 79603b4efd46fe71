"""What lies beside the case file and says how outputs should be."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.materials import Materials, Term, Voice
from tuneworthy.domain.record import Record
from tuneworthy.files.case import beside, prompt_texts
from tuneworthy.files.disk import MIB, read_text
from tuneworthy.syntax.build import build
from tuneworthy.syntax.yaml import Document, parse
from tuneworthy.texts.needle import as_bytes

AVOID = "avoid.txt"
"""File of a voice folder with phrases the brand never uses, one a line."""
_TEXT_ENDINGS = frozenset({".md", ".markdown", ".txt"})
_MOST_FILES = 1000
_MOST_TERMS = 10_000
_MOST_WORDS = 20_000  # of all terms together, or of avoid.txt: more take minutes to make ready
_WORDS_BYTES = 400_000
_VOICE_BYTES = 8 * MIB
_WORD_BYTES = 200  # of one word or phrase: every letter takes room among the patterns


class _Terms(Record):
    terms: tuple[Term, ...]


def read_materials(case: Case) -> Materials:
    """Glossary, voice, schema, prompts and targets of a case; None for each it doesn't name.

    What the case names and isn't there is None too: that it is missing is said elsewhere.
    ``examples_need`` stays None: what an approach needs is for the framework to say.

    Raises:
        CaseError: If one of them can't be read or leads out of the case folder.
    """
    quality = case.targets.quality
    return Materials(
        glossary=_glossary(case),
        voice=_voice(case),
        output_schema=_schema(case),
        prompts=prompt_texts(case),
        latency_target_s=case.targets.latency_p95_s,
        quality_target=quality.at_least if quality else None,
    )


def _there(case: Case, entry: str) -> Path | None:
    """What an entry of ``data`` names, if it is there."""
    path = beside(case, f"data.{entry}", getattr(case.data, entry))
    return path if path is not None and os.path.lexists(path) else None


def _glossary(case: Case) -> tuple[Term, ...] | None:
    """Terms: a list of them, or one under the key ``terms``."""
    path = _there(case, "glossary")
    if path is None:
        return None
    document = parse(read_text(path, MIB, CaseError), str(path), CaseError)
    listed = document.data
    if isinstance(listed, dict) and set(listed) == {"terms"}:
        listed = listed["terms"]
        lines = {key[1:]: line for key, line in document.lines.items() if key[:1] == ("terms",)}
    else:
        lines = dict(document.lines)
    if not isinstance(listed, list):
        fix = "write a list of {term: …, forbidden: […]}"
        raise CaseError("is no list of terms", where=str(path), fix=fix)
    if len(listed) > _MOST_TERMS:
        raise CaseError(f"holds more than {_MOST_TERMS:,} terms", where=str(path), fix="split it")
    placed = {("terms", *key): line for key, line in lines.items()}
    whole = Document({"terms": listed}, str(path), placed)
    terms = build(_Terms, whole, CaseError).terms
    words = [(term.term, *term.forbidden, *term.due_when) for term in terms]
    for n, of_term in enumerate(words):
        _short(of_term, whole.where(("terms", n)))
    _few(list(chain(*words)), path)
    return terms


def _short(words: Iterable[str], where: str) -> None:
    """Refuse a word or phrase that is too long to be looked for."""
    if any(len(as_bytes(word)) > _WORD_BYTES for word in words):
        what = f"holds a word or phrase of more than {_WORD_BYTES} bytes"
        raise CaseError(what, where=where, fix="shorten it, or leave it out")


def _few(words: Sequence[str], path: Path) -> None:
    """Refuse more words or phrases than can be looked for together."""
    if len(words) > _MOST_WORDS or sum(len(as_bytes(word)) for word in words) > _WORDS_BYTES:
        what = (
            f"holds more than {_MOST_WORDS:,} words and phrases, or {_WORDS_BYTES:,} bytes of them"
        )
        raise CaseError(what, where=str(path), fix="keep those that matter most")


def _voice(case: Case) -> Voice | None:
    """Samples by file name, and the phrases to avoid."""
    folder = _there(case, "voice")
    if folder is None:
        return None
    if not folder.is_dir():
        return Voice(samples=(read_text(folder, MIB, CaseError),))
    avoid = folder / AVOID
    samples, left = [], _VOICE_BYTES
    for path in _texts(folder):
        beside(case, "data.voice", str(path.relative_to(case.folder or folder)))
        if path != avoid and (text := read_text(path, MIB, CaseError)).strip():
            samples.append(text)
            left -= len(text)
        if left < 0:
            what = f"holds more than {_VOICE_BYTES // MIB} MiB of text"
            raise CaseError(what, where=str(folder), fix="keep the samples that sound best")
    return Voice(samples=tuple(samples), avoid=_avoided(avoid) if avoid.is_file() else ())


def _avoided(path: Path) -> tuple[str, ...]:
    """Phrases, one a line; of equal ones the first."""
    phrases = [line.strip() for line in read_text(path, MIB, CaseError).splitlines()]
    for number, phrase in enumerate(phrases, start=1):
        _short((phrase,), f"{path}:{number}")
    found = tuple(dict.fromkeys(filter(None, phrases)))
    _few(found, path)
    return found


def _texts(folder: Path) -> list[Path]:
    """Its text files by name."""
    try:
        kept = (p for p in folder.iterdir() if p.suffix.casefold() in _TEXT_ENDINGS and p.is_file())
        found = list(islice(kept, _MOST_FILES + 1))
    except OSError:
        raise CaseError("can't be read", where=str(folder), fix="check the path") from None
    if len(found) > _MOST_FILES:
        what = f"holds more than {_MOST_FILES:,} samples"
        raise CaseError(what, where=str(folder), fix="keep those that sound best")
    return sorted(found)


def _schema(case: Case) -> dict[str, Any] | None:
    """The JSON Schema of outputs; whether it is a good one is for its validator to say."""
    path = _there(case, "output_schema")
    if path is None:
        return None
    text = read_text(path, MIB, CaseError)
    try:
        schema = json.loads(text)
    except json.JSONDecodeError as caught:
        where = f"{path}:{caught.lineno}"
        raise CaseError(f"isn't JSON: {caught.msg}", where=where, fix="mend it") from None
    except (RecursionError, ValueError):
        raise CaseError("is nested too deeply", where=str(path), fix="flatten it") from None
    if not isinstance(schema, dict):
        raise CaseError("is no JSON Schema", where=str(path), fix="write an object")
    return schema
