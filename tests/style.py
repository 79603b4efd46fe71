"""The rules of plain English, and who breaks them: a linter over every string that is shown.

A rule is a pattern with the kinds of text that it is for. What to write instead of single phrases
is in a table of CONTRIBUTING.md, which is read here.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from prose import PROJECT, Text

ALL = ("help", "report", "shown", "docs")


class Rule(NamedTuple):
    """Something that readers stumbled over, and what helps."""

    pattern: re.Pattern[str]
    kinds: tuple[str, ...]
    instead: str


def _rule(pattern: str, instead: str, kinds: tuple[str, ...] = ALL) -> Rule:
    return Rule(re.compile(pattern), kinds, instead)


PATTERNS = (
    _rule(
        r"(?<![Tt]here )\b(?:is|are|was|were) no"
        r"(?! (?:longer|more|less|better|worse|such|trouble|sign|pilot)\b)(?= [A-Za-z{])",
        "“is not an X”, or what it is instead",
    ),
    _rule(r"\bFirst: |\bfirst: .*\bFirst\b", "one *first* a page; a label is “Now:”"),
    _rule(
        r"(?:^|[.:;] )[Ww]hat (?:is|was|are) (?:\w+ ){1,3}(?:is|are|isn't) [a-z]+\b(?!.*\?)",
        "who does what: name the subject",
    ),
    _rule(r";(?! )|; (?!\w+-src\b)", "two sentences, or a list", ("help", "report")),
    _rule(
        r"(?:\$[\d.,]*|\bbill|\bcosts?|\bsavings?) a month\b", "per month, beside money"
    ),
    _rule(r"(?<!there )(?<!There )\bis none\b", "is missing, or has none"),
    _rule(r"\bUSD a month\b.", "per month, beside money"),
    _rule(r"\b(?:for|to|by) who (?:doesn't|did|has|have|is)\b", "for those who"),
    _rule(r"\b[02-9]\.0 months|\b\d\d\.\d months", "no digit that isn't carried"),
    _rule(r"-\$\d[\d,]* to ", "the sign in words"),
    _rule(r"^[^:]{0,40}\b0: ", "what 0 does, in its own sentence", ("help",)),
    _rule(r"\(line (?:\{|\d)", "(threshold …)"),
    _rule(
        r"\b[a-z]+(?<! is)(?<! are)(?<! it)(?<! was)(?<! already) answered (?:yes|no)\b",
        "is answered",
    ),
    _rule(
        r"\b(?:is|are) (?:told|said) (?:in|by) (?:which|what)\b",
        "a verb with its subject",
    ),
)


@cache
def phrases() -> tuple[Rule, ...]:
    """The phrases of the table in CONTRIBUTING.md, each with what to write instead."""
    text = (PROJECT / "CONTRIBUTING.md").read_text("utf-8")
    table = text.partition("| don't write | write |\n|---|---|\n")[2].partition("\n\n")[
        0
    ]
    rules: list[Rule] = []
    for row in table.splitlines():
        phrase, instead = (cell.strip() for cell in row.strip("|").split("|"))
        pattern = re.escape(phrase).replace("…", r"[^.:;]{1,60}")
        begin = r"\b" if phrase[0].isalpha() else ""
        end = r"\b" if phrase[-1].isalpha() else ""
        rules.append(
            Rule(re.compile(begin + pattern + end, re.IGNORECASE), ALL, instead)
        )
    return tuple(rules)


def faults(text: Text) -> list[str]:
    """What is wrong with a text: the words, and what to write instead; [] for nothing."""
    found: list[str] = []
    said = text.text.replace("’", "'")
    for rule in (*PATTERNS, *phrases()):
        match = rule.pattern.search(said) if text.kind in rule.kinds else None
        if match is not None:
            near = said[max(0, match.start() - 30) : match.end() + 30]
            found.append(f"{text.place}: “{near}”: {rule.instead}")
    return found
