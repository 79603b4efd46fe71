"""Every sentence that a person can read: strings of the product, its help, and the pages."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

PROJECT = Path(__file__).resolve().parents[1]
PRODUCT = PROJECT / "src" / "tuneworthy"

REPORTS = (
    "answers",
    "interview",
    "money",
    "plan",
    "report",
    "verdict",
    "ways",
)
"""Rooms whose sentences are read as a report."""

DATA = {
    "catalogue.json",  # made from the YAML files beside it
    "endpoints.json",
    "instructions.toml",
    "prices.json",
    "tokenizer.json",
}
"""Files that hold what is read and matched, and nothing that is said."""


class Text(NamedTuple):
    """A text, and where it stands."""

    place: str  #: Path and line, or path and key.
    kind: str  #: help, report, shown or docs.
    text: str  #: Without line breaks; ``{}`` stands for what is filled in.


@cache
def every_text() -> tuple[Text, ...]:
    """All that is shown to somebody, in the order of the files."""
    texts: list[Text] = []
    for path in sorted(PRODUCT.rglob("*")):
        if path.name not in DATA:
            texts += _texts_of(path)
    for path in documents():
        texts += document_texts(path)
    return tuple(texts)


def documents() -> list[Path]:
    """The pages for users that people wrote."""
    folders = [PROJECT / "docs" / "guides", PROJECT / "docs" / "concepts"]
    pages = [page for folder in folders for page in sorted(folder.glob("*.md"))]
    return [PROJECT / "README.md", PROJECT / "docs" / "start.md", *pages]


def _texts_of(path: Path) -> Iterator[Text]:
    name = path.relative_to(PROJECT).as_posix()
    if path.suffix == ".py":
        yield from python_texts(name, path.read_text("utf-8"))
    elif path.suffix == ".toml":
        yield from _values(name, tomllib.loads(path.read_text("utf-8")))
    elif path.suffix == ".json":
        yield from _values(name, json.loads(path.read_text("utf-8")))
    elif path.suffix == ".yaml":
        yield from _values(name, yaml.safe_load(path.read_text("utf-8")))
    elif path.suffix == ".html":
        yield from _markup(name, path.read_text("utf-8"))


def _kind(place: str) -> str:
    """What a text of the product is, by its room."""
    room = place.removeprefix("src/tuneworthy/").split("/")[0]
    page = place.endswith(".html")
    return "report" if page or room in REPORTS else "shown"


def _values(place: str, value: Any) -> Iterator[Text]:
    """The sentences among the values of a file, at whatever depth."""
    if isinstance(value, str):
        if is_said(value):
            yield Text(place, _kind(place), flat(value))
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from _values(f"{place} {key}", below)
    elif isinstance(value, list):
        for below in value:
            yield from _values(place, below)


def _markup(name: str, text: str) -> Iterator[Text]:
    """What stands between the tags of a template, and what an element is called."""
    blank = re.compile(r"<(script|style|svg)\b.*?</\1>|\{#.*?#\}|\{%.*?%\}", re.DOTALL)
    filled = re.sub(r"\{\{.*?\}\}", "{}", blank.sub("", text), flags=re.DOTALL)
    inline = re.sub(
        r"</?(?:a|b|em|strong|code|span|kbd|abbr|small)\b[^>]*>", "", filled
    )
    labels = re.findall(r'(?:aria-label|placeholder|title)="([^"]*)"', filled)
    for said in [*re.split(r"<[^>]*>", inline), *labels]:
        if is_said(said):
            yield Text(name, _kind(name), flat(said))


def python_texts(name: str, code: str) -> Iterator[Text]:
    """The strings of a module that aren't its own comments; a command's docstring is its help."""
    tree = ast.parse(code)
    passed_over: set[int] = set()  # parts of other strings, and docstrings
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.FunctionDef)
            and "/cli/" in name
            and node.decorator_list
        ):
            said = ast.get_docstring(node) or ""
            yield from (
                Text(f"{name}:{node.lineno}", "help", t) for t in paragraphs(said)
            )
        if isinstance(node, ast.Expr):
            passed_over.add(id(node.value))
        if isinstance(node, ast.JoinedStr):
            passed_over |= {id(part) for part in node.values}
    options = {id(a) for call in _option_calls(tree) for a in call.args}
    for node in ast.walk(tree):
        if id(node) not in passed_over and is_said(said := _string(node)):
            kind = "help" if id(node) in options else _kind(name)
            yield Text(f"{name}:{getattr(node, 'lineno', 0)}", kind, flat(said))


def _option_calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Calls that declare an option of a command."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            room = node.func.value
            if isinstance(room, ast.Name) and room.id == "opt":
                yield node


def _string(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if not isinstance(node, ast.JoinedStr):
        return ""
    parts = [p.value if isinstance(p, ast.Constant) else "{}" for p in node.values]
    return "".join(str(part) for part in parts)


def is_said(text: str) -> bool:
    """Whether a string is meant for people: words with spaces between, and no pattern or markup."""
    words = re.findall(r"(?<![\w<.-])[A-Za-z][a-z']*(?![\w=])", text)
    return (
        len(words) >= 2
        and " " in text.strip()
        and not text.startswith("tuneworthy ")
        and not re.search(r"\\[wsdb.]|\(\?|^<|SELECT |-src |^import ", text)
    )


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a docstring, without its examples."""
    blocks = re.split(r"\n\s*\n", text)
    return [
        flat(block)
        for block in blocks
        if not block.lstrip().startswith(("\b", "tuneworthy"))
    ]


def flat(text: str) -> str:
    """A text on one line."""
    return " ".join(text.split())


def document_texts(path: Path) -> Iterator[Text]:
    """The prose of a page: no blocks of code, no addresses, no code in a line."""
    name = path.relative_to(PROJECT).as_posix()
    text = re.sub(
        r"^( *)```.*?^\1```$",
        "",
        path.read_text("utf-8"),
        flags=re.MULTILINE | re.DOTALL,
    )
    text = re.sub(r"\]\([^)]*\)", "]", re.sub(r"`[^`]*`", "`", text))
    for block in re.split(r"\n\s*\n|\n(?=\s*[*|#-])", text):
        if is_said(block):
            yield Text(name, "docs", flat(block))
