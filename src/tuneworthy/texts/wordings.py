"""The wordings by which a prompt asks for something that a program can check."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_ONE_TO_TWENTY = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen",
    "eighteen", "nineteen", "twenty",
)  # fmt: skip
_TENS = {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "eighty": 80, "a hundred": 100}
_NUMBERS = {word: number for number, word in enumerate(_ONE_TO_TWENTY, start=1)} | _TENS
_N = r"(?P<n>\d{1,5}|" + "|".join(_NUMBERS) + r")"
_UNIT = r"(?P<unit>words?|sentences?|characters?)"
_ANSWER = r"(?:answer|response|reply|replie|output|message)s?"
_YOUR = r"(?:your|the|all|every|each|any|all of your)"
_LESS = (
    r"(?:(?:at|to) most|no more than|not more than|a maximum of|maximum|up to|under|within"
    r"|fewer than|less than|below|to a maximum of|no longer than|not exceed)"
)
_NOT = r"(?:never|do not|don['’]t|must not|mustn['’]t|should not|shouldn['’]t|avoid|no)"
_EVERY = rf"{_YOUR}(?: single)? {_ANSWER}"
_OPEN, _CLOSE = r"[\"“`]", r"[\"”`]"
_QUOTE = rf"{_OPEN}[^\"“”`\n]{{1,80}}{_CLOSE}"
_LIST = rf"{_QUOTE}(?:(?:,| or| and|, or|, and) {_QUOTE}){{0,12}}"
_SHORTER = re.compile(r"under|fewer than|less than|below", re.IGNORECASE)
_INSIDE = re.compile(rf"{_OPEN}([^\"“”`\n]{{1,80}}){_CLOSE}")

Asks = Callable[[re.Match[str]], Iterator[tuple[str, int, tuple[str, ...]]]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A wording and what it asks for."""

    wording: re.Pattern[str]
    """Found in a sentence."""
    asks: Asks
    """What the match asks for: kinds with their number and words."""
    unless: re.Pattern[str] | None = None
    """Says something else where this is found too."""
    states_its_condition: bool = False
    """Whether a condition in the sentence is part of what is checked."""


def _rule(
    wording: str, asks: Asks, unless: str | None = None, *, states_its_condition: bool = False
) -> Rule:
    other = re.compile(unless, re.IGNORECASE) if unless else None
    return Rule(re.compile(wording, re.IGNORECASE), asks, other, states_its_condition)


def _plain(kind: str, amount: int = 0) -> Asks:
    def asks(_match: re.Match[str]) -> Iterator[tuple[str, int, tuple[str, ...]]]:
        yield kind, amount, ()

    return asks


def _most(match: re.Match[str]) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    told = match["n"].casefold()
    amount = _NUMBERS.get(told) or int(told)
    if _SHORTER.search(match[0]) and not re.search(r"or (?:less|fewer)", match[0]):
        amount -= 1
    if amount > 0:
        yield "most_" + match["unit"].casefold().rstrip("s") + "s", amount, ()


def _quoted(kind: str) -> Asks:
    """One instruction for each text in quotes."""

    def asks(match: re.Match[str]) -> Iterator[tuple[str, int, tuple[str, ...]]]:
        for text in _INSIDE.findall(match["list"]):
            # A placeholder is filled in by something we don't see.
            if text.strip() and not re.search(r"[<{\[]|\.\.\.|…", text):
                yield kind, 0, (text.strip(),)

    return asks


_MAY_NOT = r"\b(?:never|not|don['’]t|avoid|without|instead of|rather than|unlike)\b"

_PART = rf"{_UNIT} (?:each|per|for|in the|of the)\b|\bat least|minimum|exactly|between"
_RE = r"(?:answer|respond|reply)"
_ONLY = r"(?:only|exclusively|always|strictly)"

_FORMAT = (
    _rule(
        rf"\b(?:{_RE}|return|output)(?: (?:{_ONLY}|{_EVERY}))*"
        r"(?: (?:in|with|as|using|only|an?|single|valid|raw|strict|well-formed|one)){0,6} json\b"
        r"(?! (?:schema|lines|mode|tool|file|block of the))",
        _plain("json"),
        _MAY_NOT,
    ),
    _rule(
        rf"\b{_EVERY} (?:must|should|shall|has to|have to|is to) (?:always )?be"
        r"(?: (?:in|only|an?|single|valid|raw)){0,4} json\b",
        _plain("json"),
        _MAY_NOT,
    ),
    _rule(
        rf"\b(?:use|(?:write|{_RE}) (?:in|with)|format {_EVERY} (?:as|in|with))"
        r" (?:bullet points|bullets|a bulleted list|a bullet list|bulleted lists)\b",
        _plain("bullets"),
        rf"{_MAY_NOT}|\b(?:for|to) \w+",
    ),
    _rule(
        rf"\b{_NOT} (?:use |using |write |writing )?(?:any )?"
        r"(?:bullet points|bullets|bulleted lists)\b",
        _plain("no_bullets"),
    ),
    _rule(
        rf"\b(?:{_NOT}|without) (?:use |using )?(?:any )?markdown(?: formatting| syntax| markup)?"
        r"(?=[.,;!]|$| (?:and|or) )",
        _plain("no_markdown"),
    ),
)

_LENGTH = (
    _rule(
        rf"\b(?:keep|limit|restrict) {_EVERY}(?: short)?[,:]? ?(?:to )?{_LESS}? ?{_N} {_UNIT}"
        r"(?: or (?:less|fewer))?\b",
        _most,
        _PART,
    ),
    _rule(
        rf"\b{_RE}(?: always)? (?:in|with|using) {_LESS} {_N} {_UNIT}\b",
        _most,
        _PART,
    ),
    _rule(
        rf"\b{_RE}(?: always)? (?:in|with|using) {_N} {_UNIT} or (?:less|fewer)\b",
        _most,
        _PART,
    ),
    _rule(
        rf"\b{_EVERY} (?:must|should|shall|has to|have to)"
        rf"(?: (?:be|contain|have|use|always)){{0,2}}"
        rf" (?:{_LESS}|(?:not|never) (?:exceed|be (?:longer|more) than)) {_N} {_UNIT}\b",
        _most,
        _PART,
    ),
    _rule(
        rf"\b(?:never (?:write|use|exceed|(?:answer|reply|respond) with)"
        rf"|do not exceed|don['’]t exceed)(?: more than)? {_N} {_UNIT}\b",
        _most,
        _PART,
    ),
    _rule(
        r"\bask (?:at most|no more than|only|never more than) (?:one|1|a single) question"
        r"(?: at a time| per (?:message|turn|answer|reply|response))?(?=[.,;!]|$)",
        _plain("most_questions", 1),
    ),
)

_WORDS = (
    _rule(
        rf"\b(?:start|begin|open) {_EVERY} with (?:the (?:words?|phrase|text|line) )?"
        rf"(?P<list>{_QUOTE})",
        _quoted("starts_with"),
        rf"{_MAY_NOT}|{_QUOTE} or\b",
    ),
    _rule(
        rf"\b(?:end|finish|close|conclude) {_EVERY} with (?:the (?:words?|phrase|text|line) )?"
        rf"(?P<list>{_QUOTE})",
        _quoted("ends_with"),
        rf"{_MAY_NOT}|{_QUOTE} or\b",
    ),
    _rule(
        rf"\b{_NOT} (?:ever )?(?:say|use|write|saying|using|writing)"
        rf" (?:the (?:words?|phrases?|terms?|expressions?) )?(?P<list>{_LIST})",
        _quoted("never_says"),
        rf"{_QUOTE} (?:to|as|for|in|with|more than|alone|without)\b",
    ),
    _rule(
        rf"\b(?:always (?:include|mention|add)"
        rf"|{_EVERY} must (?:always )?(?:include|contain|mention))"
        rf" (?:the (?:words?|phrases?|text|sentence|line|disclaimer) )?(?P<list>{_QUOTE})",
        _quoted("always_says"),
        rf"{_MAY_NOT}|{_QUOTE} (?:or|to|as|in the)\b",
    ),
)

_MANNER = (
    _rule(
        rf"\b(?:{_NOT}|without) (?:use |using |include |including )?(?:any )?emojis?\b",
        _plain("no_emojis"),
    ),
    _rule(
        rf"\b{_NOT} (?:use |using )?(?:any )?exclamation (?:marks?|points?)\b",
        _plain("no_exclamation_marks"),
    ),
    _rule(
        rf"\b(?:{_RE}|write)(?: only| always| entirely)? in (?:all )?lower ?case"
        r"(?: letters)?(?: only)?\b",
        _plain("lower_case"),
        _MAY_NOT,
    ),
    _rule(
        rf"\b(?:{_RE}|write)(?: only| always| entirely)? in (?:all )?"
        r"(?:upper ?case|capital letters|capitals)\b",
        _plain("upper_case"),
        _MAY_NOT,
    ),
    _rule(rf"\b{_NOT} (?:ever )?apologi[sz](?:e|ing)(?=[.,;!]|$)", _plain("no_apology")),
)

_TOOLS = (
    _rule(
        r"\b(?:only )?(?:make|use|issue) (?:only |at most |no more than )?"
        r"(?:one|1|a single) tool call(?: at a time| per (?:turn|message|response))",
        _plain("most_tool_calls", 1),
        states_its_condition=True,
    ),
    _rule(
        r"\bif you make a tool call, (?:you )?(?:should|must|do|may) not (?:also )?"
        r"(?:respond|reply|write|talk) to the (?:user|customer)",
        _plain("call_or_text"),
        states_its_condition=True,
    ),
)

RULES: tuple[Rule, ...] = (*_FORMAT, *_LENGTH, *_WORDS, *_MANNER, *_TOOLS)
"""Every wording that is known; the order is that of a checklist and means nothing."""
