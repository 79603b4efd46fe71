"""Values put into YAML text: the characters of one value change, every other byte stays.

The text is read for positions only, by the parser's events, and the outcome is parsed again: it has
to hold the old data with the new values and nothing else, or nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import yaml

from tuneworthy.errors import InputError
from tuneworthy.syntax.document import PARSER, parse

# The nodes of a YAML text with the places they take in it.


@dataclass(slots=True)
class Node:
    """A value with the place it takes in the text."""

    kind: str
    """``scalar``, ``mapping`` or ``list``."""
    start: int
    end: int
    """Past its last character; for block collections that of their last value."""
    flow: bool = False
    block_scalar: bool = False
    column: int = 0
    """Column of a block mapping's keys, or of a block list's dashes."""
    after_key: int = 0
    """Past the key it stands behind; 0 for one that stands behind none."""
    children: dict[str, Node] = field(default_factory=dict)
    """A mapping's values by key; a list's by position."""


@dataclass(slots=True)
class _Open:
    """A collection that is being filled."""

    node: Node
    key: str | None = None
    key_end: int = 0


def tree(text: str) -> Node:
    """The nodes of a text that is known to be plain data; an empty scalar for an empty text."""
    stack: list[_Open] = []
    root = Node("scalar", 0, 0)
    for event in yaml.parse(text, Loader=PARSER):
        start: Any = event.start_mark
        end: Any = event.end_mark
        if isinstance(event, yaml.ScalarEvent):
            if _takes_key(stack, event):
                continue
            node = Node("scalar", start.index, end.index)
            node.block_scalar = (event.style or "") in ("|", ">")
            root = _attach(stack, node) or root
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "list"
            node = Node(kind, start.index, start.index, bool(event.flow_style), column=start.column)
            root = _attach(stack, node) or root
            stack.append(_Open(node))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            node = stack.pop().node
            node.end = end.index if node.flow else _content_end(node)
    return root


def _takes_key(stack: list[_Open], event: Any) -> bool:
    """Whether a scalar is a mapping's next key rather than a value."""
    if not stack or stack[-1].node.kind != "mapping" or stack[-1].key is not None:
        return False
    stack[-1].key, stack[-1].key_end = event.value, event.end_mark.index
    return True


def _attach(stack: list[_Open], node: Node) -> Node | None:
    """Put a node under its parent; the node itself when it has none."""
    if not stack:
        return node
    top = stack[-1]
    if top.node.kind == "mapping":
        top.node.children[str(top.key)] = node
        node.after_key, top.key = top.key_end, None
    else:
        top.node.children[str(len(top.node.children))] = node
    return None


def _content_end(node: Node) -> int:
    """Past a block collection's last value; a block scalar's last line break isn't its own."""
    ends = [c.end - 1 if c.block_scalar else c.end for c in node.children.values()]
    return max(ends, default=node.start)


# Values put into YAML text: the characters of one value change, every other byte stays.

Keys = tuple[str | int, ...]
"""A path into the data; a whole number is a place in a list, one past its end adds to it."""

K = TypeVar("K", bound=Keys)
"""Keys of some kind: a mapping of paths without places in lists is one of paths."""

Error = Callable[..., InputError]

_STEP = 2


class Whole(str):
    """A plain value that takes the place of whatever stands there, a mapping too."""

    __slots__ = ()


Value = str | tuple[str, ...] | Mapping[str, str] | None
"""What may be written: a plain value, a list of them, a mapping of them, or nothing."""


def edit(text: str, answers: Mapping[K, Value], name: str, error: Error) -> str:
    """Put values into a mapping written as YAML.

    Args:
        text: The whole file, already known to be plain data.
        answers: Path inside it to the value. Where a mapping stands, a plain value goes to its key
            ``value`` and its other keys stay, unless it is a ``Whole`` one; a mapping that has all
            of those keys changes and adds to them. Everything else takes the place of what stands.
        name: What to call the file in errors.
        error: The error class to raise.

    Raises:
        InputError: As ``error``, if a path leads through a plain value or past the end of a list,
            or the text can't be changed without changing something else.
    """
    data = parse(text, name, error).data
    changed = text
    for keys, value in answers.items():
        for place, part in _put_data(data, keys, value, name, error):
            changed = _put_text(changed, place, part)
    try:
        same = parse(changed, name, error).data == data
    except InputError:
        same = False
    if not same:
        raise error("can't be changed without changing more", where=name, fix="edit it by hand")
    return changed


def _put_data(
    data: Any, keys: Keys, value: Value, name: str, error: Error
) -> list[tuple[Keys, Value]]:
    """Put a value into plain data; the places in the text it goes to."""
    here = _above(data, keys, name, error)
    there = _below(here, keys[-1])
    if isinstance(there, dict) and isinstance(value, str) and not isinstance(value, Whole):
        there["value"] = value
        return [((*keys, "value"), value)]
    if isinstance(there, dict) and isinstance(value, Mapping) and set(there) <= set(value):
        moved = {key: part for key, part in value.items() if there.get(key) != part}
        there.update(moved)
        return [((*keys, key), part) for key, part in moved.items()]
    if there is not None and there == _plain(value):
        return []
    _set(here, keys[-1], _plain(value))
    return [(keys, value)]


def _above(data: Any, keys: Keys, name: str, error: Error) -> Any:
    """The mapping or list that a path's last step is in; made where it isn't there."""
    here = data
    for position, key in enumerate(keys):
        path = ".".join(map(str, keys[:position]))
        if not isinstance(here, list if isinstance(key, int) else dict):
            raise error(f"{path} is no mapping", where=name, fix="write its keys below it first")
        if isinstance(key, int) and key > len(here):
            raise error(f"{path} has no place {key}", where=name, fix="add one after another")
        if position == len(keys) - 1:
            break
        below = _below(here, key)
        if below is None:
            below = [] if isinstance(keys[position + 1], int) else {}
            _set(here, key, below)
        here = below
    return here


def _below(here: Any, key: str | int) -> Any:
    if isinstance(key, int):
        return here[key] if key < len(here) else None
    return here.get(key)


def _set(here: Any, key: str | int, value: Any) -> None:
    if isinstance(key, int) and key == len(here):
        here.append(value)
    else:
        here[key] = value


def _plain(value: Value) -> Any:
    """A value as parsing gives it back."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, tuple):
        return list(value)
    return None if value is None else dict(value)


def _put_text(text: str, keys: Keys, value: Value) -> str:
    """The text with a value at a path that exists, or with the path written out."""
    node, depth = tree(text), 0
    while depth < len(keys) and str(keys[depth]) in node.children:
        node, depth = node.children[str(keys[depth])], depth + 1
    rest = keys[depth:]
    if not rest:
        return _replace(text, node, _flow((), value))
    if node.kind != "scalar":
        return _insert(text, node, rest, value)
    return text[: node.start] + " " + _flow(rest, value) + text[node.end :]  # an empty value


def _replace(text: str, node: Node, shown: str) -> str:
    """The text with another value in the place of one that stands there."""
    if node.kind == "scalar" or node.flow or not node.after_key:
        space = " " if node.start == node.end else ""
        after = _line_end(text) if node.block_scalar else ""
        return text[: node.start] + space + shown + after + text[node.end :]
    colon = (
        text.index(":", node.after_key) + 1
    )  # a value in lines of its own goes up behind its key
    return text[:colon] + " " + shown + text[colon : node.start].rstrip() + text[node.end :]


def _insert(text: str, node: Node, rest: Keys, value: Value) -> str:
    """A key or an item that isn't there yet, after the last one."""
    if node.flow:
        inner = _flow(rest, value)[1:-1]
        comma = ", " if node.children else ""
        at = max((c.end for c in node.children.values()), default=node.start + 1)
        return text[:at] + comma + inner + text[at:]
    breaks = _line_end(text)
    at = min(
        (p for p in (text.find("\n", node.end), text.find("\r", node.end)) if p >= 0),
        default=len(text),
    )
    return text[:at] + breaks + breaks.join(_lines(rest, value, node.column)) + text[at:]


def _lines(keys: Keys, value: Value, column: int) -> list[str]:
    """A path written out in lines of its own, the value in the last one."""
    key, rest = keys[0], keys[1:]
    margin = " " * column
    if isinstance(key, int):
        below = _lines(rest, value, column + _STEP) if rest else [_flow((), value)]
        return [f"{margin}- {below[0].lstrip(' ')}", *below[1:]]
    head = f"{margin}{_scalar(key)}:"
    if not rest:
        return [f"{head} {_flow((), value)}"]
    return [head, *_lines(rest, value, column + _STEP)]


def _flow(keys: Keys, value: Value) -> str:
    """A path and its value on one line."""
    if isinstance(value, str):
        text = _scalar(value)
    elif value is None:
        text = "null"
    elif isinstance(value, tuple):
        text = f"[{', '.join(map(_scalar, value))}]"
    else:
        text = f"{{{', '.join(f'{_scalar(key)}: {_scalar(part)}' for key, part in value.items())}}}"
    for key in reversed(keys):
        text = f"[{text}]" if isinstance(key, int) else f"{{{_scalar(key)}: {text}}}"
    return text


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _scalar(value: str) -> str:
    """A value without quotes where it reads back as it is, in blocks and in braces; else quoted."""
    value = str(value)
    tries = (
        (f"{{k: {value}, l: m}}", {"k": value, "l": "m"}),
        (f"[{value}, m]", [value, "m"]),
        (f"k: {value}\n", {"k": value}),
    )
    with suppress(InputError):
        if all(parse(text, "", InputError).data == data for text, data in tries):
            return value
    return '"' + "".join(map(_quoted, value)) + '"'


def _quoted(sign: str) -> str:
    """A character inside double quotes."""
    if sign in '"\\':
        return f"\\{sign}"
    return sign if sign.isprintable() else f"\\U{ord(sign):08x}"
