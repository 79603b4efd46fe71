"""The nodes of a YAML text with the places they take in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from tuneworthy.syntax.yaml import PARSER


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
