"""Edits of YAML text: the characters of one value change, and every other byte stays.

The text's nodes are used only for their positions, and the result is parsed again. It has to hold
the old data with the new values and nothing else; otherwise nothing is changed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeVar

import yaml

from tuneworthy.errors import CaseError, InputError
from tuneworthy.syntax.document import PARSER, Error, parse

Keys = tuple[str | int, ...]
"""A path into the data. A whole number is a place in a list; one past its end appends to it."""

K = TypeVar("K", bound=Keys)
"""The type of a mapping's keys: paths without places in lists are paths, too."""

_STEP = 2  # columns that a line below its key is further in
_LINE_BREAK = re.compile(r"[\r\n]")


class WholeValue(str):
    """A plain value that replaces any existing value, also a mapping."""

    __slots__ = ()


Value = str | tuple[str, ...] | Mapping[str, str] | None
"""A value that may be written: plain, a list or a mapping of plain values, or None."""


def edit(
    text: str, answers: Mapping[K, Value], name: str, error: Error = CaseError
) -> str:
    """Put values into a mapping in YAML, which is known to be plain data.

    A plain value for an existing mapping goes to its key ``value``, and other keys stay, unless it
    is a ``WholeValue``. A mapping for an existing one changes and adds keys. Any other value
    replaces the existing one. Raises an ``error`` if a path leads through a plain value or past the
    end of a list, or the text of ``name`` can't be changed without changing something else.
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
        raise error(
            "can't be changed without changing more", where=name, fix="edit it by hand"
        )
    return changed


def _put_data(
    data: Any, keys: Keys, value: Value, name: str, error: Error
) -> list[tuple[Keys, Value]]:
    """Put a value into plain data, and return the places in the text that change."""
    here = _above(data, keys, name, error)
    there = _below(here, keys[-1])
    replaces = isinstance(value, WholeValue)
    if isinstance(there, dict) and isinstance(value, str) and not replaces:
        there["value"] = value
        return [((*keys, "value"), value)]
    if (
        isinstance(there, dict)
        and isinstance(value, Mapping)
        and set(there) <= set(value)  # no key is lost
    ):
        moved = {key: part for key, part in value.items() if there.get(key) != part}
        there.update(moved)
        return [((*keys, key), part) for key, part in moved.items()]
    if there is not None and there == _plain(value):
        return []
    _set_item(here, keys[-1], _plain(value))
    return [(keys, value)]


def _above(data: Any, keys: Keys, name: str, error: Error) -> Any:
    """The mapping or list for the last step of a path, made if it doesn't exist."""
    here = data
    for position, key in enumerate(keys):
        path = ".".join(
            str(step + 1) if isinstance(step, int) else step for step in keys[:position]
        )
        if isinstance(key, int) and not isinstance(here, list):
            raise error(
                f"{path} is not a list", where=name, fix="write it as a list first"
            )
        if isinstance(key, str) and not isinstance(here, dict):
            raise error(
                f"{path} is not a mapping",
                where=name,
                fix="write its keys below it first",
            )
        if isinstance(key, int) and key > len(here):
            what = f"{path} has no place {key + 1}; it has {len(here)}"
            raise error(what, where=name, fix="add one after another")
        if position < len(keys) - 1:
            below = _below(here, key)
            if below is None:
                below = [] if isinstance(keys[position + 1], int) else {}
                _set_item(here, key, below)
            here = below
    return here


def _below(here: Any, key: str | int) -> Any:
    if isinstance(key, int):
        return here[key] if key < len(here) else None
    return here.get(key)


def _set_item(here: Any, key: str | int, value: Any) -> None:
    if isinstance(key, int) and key == len(here):
        here.append(value)
    else:
        here[key] = value


def _plain(value: Value) -> Any:
    """A value in the form that parsing gives."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, tuple):
        return list(value)
    return None if value is None else dict(value)


def _put_text(text: str, keys: Keys, value: Value) -> str:
    """The text with a value at an existing path, or with the new path."""
    node: Any = yaml.compose(text, Loader=PARSER)
    if node is None:
        return f" {_flow(keys, value)}{text}"
    after_key = 0
    depth = 0
    for key in keys:
        child = _child(node, key)
        if child is None:
            break
        after_key, node = child
        depth += 1
    rest = keys[depth:]  # the steps that don't exist yet
    if not rest:
        return _replace(text, node, after_key, _flow((), value))
    if not isinstance(node, yaml.ScalarNode):
        return _insert(text, node, rest, value)
    return _cut(text, node, f" {_flow(rest, value)}")  # an empty value


def _child(node: Any, key: str | int) -> tuple[int, Any] | None:
    """A value in a collection, and the place where its key ends: 0 for an item of a list."""
    if isinstance(node, yaml.SequenceNode):
        if isinstance(key, int) and key < len(node.value):
            return (0, node.value[key])
        return None
    if isinstance(node, yaml.ScalarNode):
        return None
    return next(((k.end_mark.index, v) for k, v in node.value if k.value == key), None)


def _children(node: Any) -> list[Any]:
    if isinstance(node, yaml.MappingNode):
        return [value for _, value in node.value]
    return list(node.value)


def _is_block_scalar(node: Any) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style in ("|", ">")


def _end(node: Any) -> int:
    """The place after a value's last character. A block scalar's last line break isn't included."""
    if isinstance(node, yaml.ScalarNode):
        return int(node.end_mark.index) - _is_block_scalar(node)
    if node.flow_style:
        return int(node.end_mark.index)
    return max(map(_end, _children(node)), default=node.start_mark.index)


def _cut(text: str, node: Any, instead: str) -> str:
    start = node.start_mark.index
    end = node.end_mark.index if isinstance(node, yaml.ScalarNode) else _end(node)
    return text[:start] + instead + text[end:]


def _replace(text: str, node: Any, after_key: int, shown: str) -> str:
    """The text with an existing value replaced."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style or not after_key:
        if node.start_mark.index == node.end_mark.index:
            shown = f" {shown}"  # an empty value begins right after its key's colon
        if _is_block_scalar(node):
            shown += _line_end(text)  # which ends with the line break that is cut
        return _cut(text, node, shown)
    # a value that stood on lines of its own moves behind its key
    colon = text.index(":", after_key) + 1
    between = text[colon : node.start_mark.index].rstrip()
    return f"{text[:colon]} {shown}{between}{text[_end(node) :]}"


def _insert(text: str, node: Any, rest: Keys, value: Value) -> str:
    """The text with a new key or item after the last one."""
    if node.flow_style:
        # after the last value, or after the opening bracket
        opening = node.start_mark.index + 1
        end = max((child.end_mark.index for child in _children(node)), default=opening)
        comma = ", " if node.value else ""
        inside = _flow(rest, value)[1:-1]  # without brackets of its own
        return f"{text[:end]}{comma}{inside}{text[end:]}"
    line_end = _LINE_BREAK.search(text, _end(node))
    end = len(text) if line_end is None else line_end.start()
    lines = ["", *_lines_of_path(rest, value, node.start_mark.column)]
    return text[:end] + _line_end(text).join(lines) + text[end:]


def _lines_of_path(keys: Keys, value: Value, column: int) -> list[str]:
    """The lines of a path, with the value in the last one."""
    key, *rest = keys
    margin = " " * column
    below = [_flow((), value)]
    if rest:
        below = _lines_of_path(tuple(rest), value, column + _STEP)
    if isinstance(key, int):
        # an item stands on the line of its dash
        first, *others = below
        return [f"{margin}- {first.lstrip(' ')}", *others]
    head = f"{margin}{_scalar(key)}:"
    if not rest:
        return [f"{head} {below[0]}"]
    return [head, *below]


def _flow(keys: Keys, value: Value) -> str:
    """A value below some keys on one line, in YAML's flow style."""
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
    """A value without quotes if it reads back unchanged, in blocks and in braces; else quoted."""
    value = str(value)
    tries = (
        (f"{{k: {value}, l: m}}", {"k": value, "l": "m"}),
        (f"[{value}, m]", [value, "m"]),
        (f"k: {value}\n", {"k": value}),
    )
    with suppress(InputError):
        if all(parse(text, "", InputError).data == data for text, data in tries):
            return value
    return '"' + "".join(map(_escape_sign, value)) + '"'


def _escape_sign(sign: str) -> str:
    if sign in '"\\':
        return f"\\{sign}"
    return sign if sign.isprintable() else f"\\U{ord(sign):08x}"
