"""Edits of YAML text: the characters of one value change, and every other byte stays.

The text's nodes are used only for their positions, and the result is parsed again. It has to hold
the old data with the new values and nothing else; otherwise nothing is changed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import yaml

from tuneworthy.errors import CaseError, InputError
from tuneworthy.syntax.document import PARSER, Error, parse

Keys = tuple[str | int, ...]
"""A path into the data. A whole number is a place in a list; one past its end appends to it."""

K = TypeVar("K", bound=Keys)
"""The type of a mapping's keys: paths without places in lists are paths, too."""

_STEP = 2  #: Columns that a line below its key is further in.
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
    # the data and the text are changed side by side, and have to be the same at the end
    data = parse(text, name, error).data
    changed = text
    for keys, value in answers.items():
        for change in _put_data(data, keys, value, name, error):
            changed = _put_text(changed, change.keys, change.value)
    try:
        is_same = parse(changed, name, error).data == data
    except InputError:
        is_same = False
    if not is_same:
        what = "can't be changed without changing more"
        raise error(what, where=name, fix="edit it by hand")
    return changed


class _Change(NamedTuple):
    """A value that the text gets at a path."""

    keys: Keys
    value: Value


def _put_data(
    data: Any, keys: Keys, value: Value, name: str, error: Error
) -> list[_Change]:
    """Put a value into plain data, and return the places in the text that change.

    None change where the value is there already.
    """
    collection = _above(data, keys, name, error)
    old = _below(collection, keys[-1])
    if isinstance(old, dict) and isinstance(value, Mapping) and set(old) <= set(value):
        # No key is lost, so only the parts that differ are written.
        parts = {key: part for key, part in value.items() if old.get(key) != part}
        old.update(parts)
        return [_Change((*keys, key), part) for key, part in parts.items()]
    is_plain = isinstance(value, str) and not isinstance(value, WholeValue)
    if isinstance(old, dict) and is_plain:
        old["value"] = value
        return [_Change((*keys, "value"), value)]
    if old is not None and old == _plain(value):
        return []
    _set_item(collection, keys[-1], _plain(value))
    return [_Change(keys, value)]


def _above(data: Any, keys: Keys, name: str, error: Error) -> Any:
    """The mapping or list for the last step of a path, made if it doesn't exist."""
    collection = data
    for position, key in enumerate(keys):
        _refuse_step(collection, keys[:position], key, name, error)
        if position == len(keys) - 1:
            break
        below = _below(collection, key)
        if below is None:
            below = [] if isinstance(keys[position + 1], int) else {}
            _set_item(collection, key, below)
        collection = below
    return collection


def _refuse_step(
    collection: Any, above: Keys, key: str | int, name: str, error: Error
) -> None:
    """Refuse a step that the collection at the path ``above`` can't take."""
    # People count the places of a list from 1.
    steps = [str(step + 1) if isinstance(step, int) else step for step in above]
    path = ".".join(steps)
    if isinstance(key, str):
        if not isinstance(collection, dict):
            what = f"{path} is not a mapping"
            raise error(what, where=name, fix="write its keys below it first")
        return
    if not isinstance(collection, list):
        what = f"{path} is not a list"
        raise error(what, where=name, fix="write it as a list first")
    if key > len(collection):
        what = f"{path} has no place {key + 1}; it has {len(collection)}"
        raise error(what, where=name, fix="add one after another")


def _below(collection: Any, key: str | int) -> Any:
    """The value at a key or a place; None where there is none yet."""
    if isinstance(key, int):
        return collection[key] if key < len(collection) else None
    return collection.get(key)


def _set_item(collection: Any, key: str | int, value: Any) -> None:
    """Set the value at a key or a place; the place after the last one appends."""
    if isinstance(key, int) and key == len(collection):
        collection.append(value)
    else:
        collection[key] = value


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
    if node is None:  # an empty file, or one of comments, which stay behind it
        return f" {_flow(keys, value)}{text}"
    # follow the path as far as it exists; ``rest`` is what has to be written below
    after_key: int | None = None
    rest = keys
    while rest:
        step, *below = rest
        child = _child(node, step)
        if child is None:
            break
        node = child.node
        after_key = child.after_key
        rest = tuple(below)
    if not rest:
        return _replace(text, node, after_key, _flow((), value))
    if isinstance(node, yaml.ScalarNode):  # an empty value, which holds no path yet
        return _cut(text, node, f" {_flow(rest, value)}")
    return _insert(text, node, rest, value)


class _Child(NamedTuple):
    """A value in a collection."""

    node: Any
    after_key: int | None  #: The place where its key ends; None for an item of a list.


def _child(node: Any, key: str | int) -> _Child | None:
    """The value at a key or a place of a collection; None without one."""
    if isinstance(node, yaml.SequenceNode):
        if isinstance(key, int) and key < len(node.value):
            return _Child(node.value[key], None)
    elif isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            if key_node.value == key:
                return _Child(value_node, key_node.end_mark.index)
    return None


def _children(node: Any) -> list[Any]:
    """The values in a mapping or a list."""
    if isinstance(node, yaml.MappingNode):
        return [value for _, value in node.value]
    return list(node.value)


def _is_block_scalar(node: Any) -> bool:
    """Whether a value is a text on lines of its own, behind ``|`` or ``>``."""
    return isinstance(node, yaml.ScalarNode) and node.style in ("|", ">")


def _end(node: Any) -> int:
    """The place after a value's last character. A block scalar's last line break isn't included."""
    own_end = int(node.end_mark.index)
    if _is_block_scalar(node):
        return own_end - 1
    if isinstance(node, yaml.ScalarNode) or node.flow_style:
        return own_end
    # The parser says that a block ends where the next thing begins, behind blanks and comments.
    return max(map(_end, _children(node)), default=node.start_mark.index)


def _cut(text: str, node: Any, instead: str) -> str:
    """The text with something else instead of a value."""
    start = node.start_mark.index
    # A block scalar goes with its last line break.
    end = node.end_mark.index if isinstance(node, yaml.ScalarNode) else _end(node)
    return text[:start] + instead + text[end:]


def _replace(text: str, node: Any, after_key: int | None, written: str) -> str:
    """The text with an existing value replaced by another, which is written on one line.

    ``after_key`` is where the value's key ends; None for an item of a list.
    """
    is_block = not isinstance(node, yaml.ScalarNode) and not node.flow_style
    if is_block and after_key is not None:
        # It stood on lines of its own and moves behind its key; what is between, such as a
        # comment, stays.
        colon = text.index(":", after_key) + 1
        between = text[colon : node.start_mark.index].rstrip()
        return f"{text[:colon]} {written}{between}{text[_end(node) :]}"
    if node.start_mark.index == node.end_mark.index:
        written = f" {written}"  # an empty value begins right after its key's colon
    if _is_block_scalar(node):
        written += _line_end(text)  # which ends with the line break that is cut
    return _cut(text, node, written)


def _insert(text: str, node: Any, rest: Keys, value: Value) -> str:
    """The text with a new key or item after the last one of a collection."""
    if node.flow_style:
        # after the last value, or after the opening bracket
        opening = node.start_mark.index + 1
        end = max((child.end_mark.index for child in _children(node)), default=opening)
        comma = ", " if node.value else ""
        inside = _flow(rest, value)[1:-1]  # without brackets of its own
        return f"{text[:end]}{comma}{inside}{text[end:]}"
    # A comment may follow the last value on its line.
    line_end = _LINE_BREAK.search(text, _end(node))
    end = len(text) if line_end is None else line_end.start()
    lines = ["", *_lines_of_path(rest, value, node.start_mark.column)]
    return text[:end] + _line_end(text).join(lines) + text[end:]


def _lines_of_path(keys: Keys, value: Value, column: int) -> list[str]:
    """The lines of a path from a column on, with the value in the last one."""
    key, *rest = keys
    margin = " " * column
    if rest:
        below = _lines_of_path(tuple(rest), value, column + _STEP)
    else:
        below = [_flow((), value)]
    first, *others = below
    if isinstance(key, int):
        # an item stands on the line of its dash
        return [f"{margin}- {first.lstrip(' ')}", *others]
    head = f"{margin}{_scalar(key)}:"
    if rest:
        return [head, *below]
    return [f"{head} {first}"]


def _flow(keys: Keys, value: Value) -> str:
    """A value below some keys on one line, in YAML's flow style."""
    if isinstance(value, str):
        text = _scalar(value)
    elif value is None:
        text = "null"
    elif isinstance(value, tuple):
        text = f"[{', '.join(map(_scalar, value))}]"
    else:
        pairs = [f"{_scalar(key)}: {_scalar(part)}" for key, part in value.items()]
        text = f"{{{', '.join(pairs)}}}"
    for key in reversed(keys):
        text = f"[{text}]" if isinstance(key, int) else f"{{{_scalar(key)}: {text}}}"
    return text


def _line_end(text: str) -> str:
    """The line end that a text uses."""
    return "\r\n" if "\r\n" in text else "\n"


def _scalar(value: str) -> str:
    """A value without quotes if it reads back unchanged, in blocks and in braces; else quoted."""
    value = str(value)
    # by a text around the value, what it has to read as
    expected: dict[str, Any] = {
        f"{{k: {value}, l: m}}": {"k": value, "l": "m"},
        f"[{value}, m]": [value, "m"],
        f"k: {value}\n": {"k": value},
    }
    try:
        parsed = {text: parse(text, "", InputError).data for text in expected}
    except InputError:
        parsed = {}
    if parsed == expected:
        return value
    return '"' + "".join(map(_escape_sign, value)) + '"'


def _escape_sign(sign: str) -> str:
    if sign in '"\\':
        return f"\\{sign}"
    return sign if sign.isprintable() else f"\\U{ord(sign):08x}"
