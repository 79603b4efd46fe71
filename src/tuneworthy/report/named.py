"""Files that looks and words are kept in, beside the code."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files


@cache
def template(name: str) -> str:
    """A file that looks or words are kept in."""
    return files("tuneworthy.report").joinpath("templates", name).read_text("utf-8")


@cache
def named(kind: str) -> dict[str, str]:
    """What ``words.json`` calls things of a kind, by their names in the code."""
    words: dict[str, str] = json.loads(template("words.json"))[kind]
    return words
