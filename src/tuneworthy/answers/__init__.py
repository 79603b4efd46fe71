"""Answers, stated figures and measurements as facts for rules, and the framework's count over them."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

TABLES: dict[str, Any] = tomllib.loads(
    files("tuneworthy.answers").joinpath("tables.toml").read_text("utf-8")
)  #: Names for sentences, and the measurement that stands for each number.
