"""Values put into YAML text: the characters of one value change, every other byte stays.

The text is read for positions only, by the parser's events, and the outcome is parsed again: it has
to hold the old data with the new values and nothing else, or nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import yaml

from tuneworthy.domain.errors import InputError
from tuneworthy.syntax.yaml import PARSER, parse

Keys = tuple[str, ...]
Error = Callable[..., InputError]

_STEP = 2


@dataclass(slots=True)
class _Node:
    """A value with the place it takes in the text."""

    kind: str
    """``scalar``, ``mapping`` or ``list``."""
    start: int
    end: int
    """Past its last character; for block collections that of their last value."""
    flow: bool = False
    block_scalar: bool = False
    column: int = 0
    """Column of a block mapping's keys."""
    children: dict[str, _Node] = field(default_factory=dict)
    """A mapping's values by key; a list's by position."""


def edit(text: str, answers: Mapping[Keys, str], name: str, error: Error) -> str:
    """Put values into a mapping written as YAML.

    Args:
        text: The whole file, already known to be plain data.
        answers: Path inside it to the value. Where a mapping stands, the value goes to its key
            ``value`` and its other keys stay.
        name: What to call the file in errors.
        error: The error class to raise.

    Raises:
        InputError: As ``error``, if a path leads through a plain value or a list, or the text can't
            be changed without changing something else.
    """
    data = parse(text, name, error).data
    changed = text
    for keys, value in answers.items():
        place = _put_data(data, keys, value, name, error)
        changed = _put_text(changed, place, value)
    try:
        same = parse(changed, name, error).data == data
    except InputError:
        same = False
    if not same:
        raise error("can't be changed without changing more", where=name, fix="edit it by hand")
    return changed


def _put_data(data: Any, keys: Keys, value: str, name: str, error: Error) -> Keys:
    """Put a value into plain data; the path it went to."""
    here = data
    for position, key in enumerate(keys[:-1]):
        if here.get(key) is None:
            here[key] = {}
        here = here[key]
        if not isinstance(here, dict):
            path = ".".join(keys[: position + 1])
            raise error(f"{path} is no mapping", where=name, fix="write its keys below it first")
    if isinstance(here.get(keys[-1]), dict):
        here[keys[-1]]["value"] = value
        return (*keys, "value")
    here[keys[-1]] = value
    return keys


def _put_text(text: str, keys: Keys, value: str) -> str:
    """The text with a value at a path that exists, or with the path written out."""
    node, depth = _tree(text), 0
    while depth < len(keys) and node.kind == "mapping" and keys[depth] in node.children:
        node, depth = node.children[keys[depth]], depth + 1
    rest = keys[depth:]
    if node.kind == "mapping":
        return _insert(text, node, rest, value)
    if not rest:
        shown = _scalar(value)
        space = " " if node.start == node.end else ""
        after = _line_end(text) if node.block_scalar else ""
        return text[: node.start] + space + shown + after + text[node.end :]
    return text[: node.start] + " " + _flow(rest, value) + text[node.end :]  # an empty value


def _insert(text: str, node: _Node, rest: Keys, value: str) -> str:
    """A key that isn't there yet, after the mapping's last."""
    if node.flow:
        inner = _flow(rest, value)[1:-1]
        comma = ", " if node.children else ""
        at = max((c.end for c in node.children.values()), default=node.start + 1)
        return text[:at] + comma + inner + text[at:]
    breaks = _line_end(text)
    at = min((p for p in (text.find("\n", node.end), text.find("\r", node.end)) if p >= 0),
             default=len(text))  # fmt: skip
    lines = [
        " " * (node.column + _STEP * depth) + f"{_scalar(key)}:" for depth, key in enumerate(rest)
    ]
    return text[:at] + breaks + breaks.join(lines) + f" {_scalar(value)}" + text[at:]


def _flow(keys: Keys, value: str) -> str:
    text = _scalar(value)
    for key in reversed(keys):
        text = f"{{{_scalar(key)}: {text}}}"
    return text


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _scalar(value: str) -> str:
    """A value without quotes where it reads back as it is, in blocks and in braces; else quoted."""
    tries = ((f"{{k: {value}, l: m}}", {"k": value, "l": "m"}), (f"k: {value}\n", {"k": value}))
    with suppress(InputError):
        if all(parse(text, "", InputError).data == data for text, data in tries):
            return value
    return '"' + "".join(map(_quoted, value)) + '"'


def _quoted(sign: str) -> str:
    """A character inside double quotes."""
    if sign in '"\\':
        return f"\\{sign}"
    return sign if sign.isprintable() else f"\\U{ord(sign):08x}"


def _tree(text: str) -> _Node:
    """The nodes of a text that is known to be plain data, with their places."""
    stack: list[tuple[_Node, list[str | None]]] = []
    root = _Node("scalar", 0, 0)
    for event in yaml.parse(text, Loader=PARSER):
        start: Any = event.start_mark
        end: Any = event.end_mark
        if isinstance(event, yaml.ScalarEvent):
            if _takes_key(stack, event):
                continue
            style = event.style or ""
            node = _Node("scalar", start.index, end.index)
            node.block_scalar = style in "|>" and style != ""
            root = _attach(stack, node) or root
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "list"
            node = _Node(
                kind, start.index, start.index, bool(event.flow_style), column=start.column
            )
            root = _attach(stack, node) or root
            stack.append((node, [None]))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            node, _ = stack.pop()
            node.end = end.index if node.flow else _content_end(node)
    return root


def _takes_key(stack: list[tuple[_Node, list[str | None]]], event: Any) -> bool:
    """Whether a scalar is a mapping's next key rather than a value."""
    if not stack or stack[-1][0].kind != "mapping" or stack[-1][1][0] is not None:
        return False
    stack[-1][1][0] = event.value
    return True


def _attach(stack: list[tuple[_Node, list[str | None]]], node: _Node) -> _Node | None:
    """Put a node under its parent; the node itself when it has none."""
    if not stack:
        return node
    parent, key = stack[-1]
    if parent.kind == "mapping":
        parent.children[str(key[0])] = node
        key[0] = None
    else:
        parent.children[str(len(parent.children))] = node
    return None


def _content_end(node: _Node) -> int:
    """Past a block collection's last value; a block scalar's last line break isn't its own."""
    ends = [c.end - 1 if c.block_scalar else c.end for c in node.children.values()]
    return max(ends, default=node.start)
