"""A challenge as its source tells it: what it reads, when it fires, how hard it is."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from typing import Any

from tuneworthy import Framework
from tuneworthy.answers.facts import Challenge

_PATH = re.compile(
    r"ceiling|goals|attempts|models|economics|"
    r"(factors|ceiling|signals|targets|today|economics|data|tuning)\.[\w.<>]+"
)


class Rule:
    """A challenge as its source tells it: what it reads and when it fires."""

    def __init__(self, challenge: Challenge, framework: Framework) -> None:
        function = challenge.rule
        self.id = challenge.id
        self.says = " ".join((inspect.getdoc(function) or "").split())
        strings = list(dict.fromkeys(_strings(function)))
        self.severity = challenge.severity
        self.paths = [s for s in strings if _PATH.fullmatch(s)]
        self.thresholds = [
            s for s in framework.thresholds if s in _thresholds(function)
        ]
        ids = [*framework.factors, *framework.ceiling, *framework.signals]
        self.reads = {
            name for name in ids if any(name in re.split(r"\.", s) for s in strings)
        } | _everything(function, framework)
        self.reads -= _ELSEWHERE.get(self.id, set())

    def compares(self) -> list[str]:
        """Paths into the case file that the source names."""
        named = _NAMED.get(self.id)
        return list(self.paths) if named is None else [named]


_ELSEWHERE = {"answer_differs_now": {"low_volume"}}  # what has a challenge of its own
_NAMED = {
    "data_missing": "data.<entry>",
    "evidence_changed": "evidence",
    "evidence_unchecked": "evidence",
}  # of no fixed field


def _bodies(function: Callable[..., Any]) -> list[ast.FunctionDef]:
    """A function and the helpers of its module that it calls, docstrings left out."""
    found: list[ast.FunctionDef] = []
    waiting, seen = [function], {function}
    while waiting:
        one = waiting.pop(0)
        tree = ast.parse(textwrap.dedent(inspect.getsource(one))).body[0]
        assert isinstance(tree, ast.FunctionDef)  # every challenge is a plain function
        if ast.get_docstring(tree):
            tree.body = tree.body[1:]
        found.append(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                helper = one.__globals__.get(node.func.id)
                known = (
                    helper in seen
                    or getattr(helper, "__module__", "") != function.__module__
                )
                if inspect.isfunction(helper) and not known:
                    seen.add(helper)
                    waiting.append(helper)
    return found


def _strings(function: Callable[..., Any]) -> list[str]:
    """Texts in a challenge, its own first; ``factors.<name>`` where a part is put in later."""
    found: list[str] = []
    for position, body in enumerate(_bodies(function)):
        for node in ast.walk(body):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr) and position == 0:
                found.append("".join(_part(part) for part in node.values))
    return found


def _part(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.FormattedValue)  # there is nothing else in such a text
    return f"<{ast.unparse(node.value)}>"


def _thresholds(function: Callable[..., Any]) -> set[str]:
    """Thresholds a challenge asks the framework for."""
    return {
        str(node.args[0].value)
        for body in _bodies(function)
        for node in ast.walk(body)
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") == "threshold"
        and isinstance(node.args[0], ast.Constant)
    }


def _everything(function: Callable[..., Any], framework: Framework) -> set[str]:
    """All factors or all checks, for a challenge that goes through all of them."""
    gone_through = {
        ast.unparse(node.func.value).rsplit(".", 1)[-1]
        for body in _bodies(function)
        for node in ast.walk(body)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "items"
    }
    checks = set(framework.ceiling) if "ceiling" in gone_through else set()
    return checks | (set(framework.factors) if "factors" in gone_through else set())
