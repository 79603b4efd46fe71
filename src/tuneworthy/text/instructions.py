"""Whether outputs follow a verifiable instruction: a small check for each kind."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from tuneworthy.model.base import Strings
from tuneworthy.text.json import UNREAD, read_json

if TYPE_CHECKING:
    from tuneworthy.text.search import Texts

_TOLD = tomllib.loads(
    files("tuneworthy.text").joinpath("instructions.toml").read_text("utf-8")
)
_NUMBERS: dict[str, int] = _TOLD["numbers"]
_PATTERNS = {
    name: re.compile("".join(text)) for name, text in _TOLD["patterns"].items()
}


class Demand(NamedTuple):
    """What an instruction asks for."""

    #: The kind of rule, as ``most_words``; the names are those of ``CHECKS``.
    kind: str
    amount: int = 0  #: The number, for kinds that have one.
    words: Strings = ()  #: The words, for kinds that have some.


class Rule(NamedTuple):
    """A wording, and the kind of instruction that it is."""

    wording: re.Pattern[str]  #: Found in a sentence.
    #: A sentence with the wording has one of these, in small letters.
    stems: Strings
    kind: str = ""
    amount: int = 0
    #: Says something else where this is found too.
    unless: re.Pattern[str] | None = None
    #: Whether a condition in the sentence is part of what is checked.
    own_condition: bool = False

    def is_hinted(self, small: str) -> bool:
        """Whether a sentence may have the wording; ``small`` is the sentence in small letters."""
        return any(stem in small for stem in self.stems)

    def match(self, sentence: str) -> re.Match[str] | None:
        """The wording in a sentence; None where it isn't there, or the sentence says something else."""
        if self.unless is not None and self.unless.search(sentence):
            return None
        return self.wording.search(sentence)

    def asks(self, match: re.Match[str]) -> Iterator[Demand]:
        """The instructions in a match: a number with its unit, each quoted text, or the kind alone."""
        groups = match.groupdict()
        if "unit" in groups:
            amount = _amount(groups["n"], match[0])
            if amount > 0:
                unit = groups["unit"].casefold().rstrip("s")
                yield Demand(f"most_{unit}s", amount)
        elif "list" in groups:
            for text in _PATTERNS["inside"].findall(groups["list"]):
                # A placeholder is filled in by something we don't see.
                if text.strip() and not _PLACEHOLDER.search(text):
                    yield Demand(self.kind, words=(text.strip(),))
        else:
            yield Demand(self.kind, self.amount)


_PLACEHOLDER = re.compile(r"[<{\[]|\.\.\.|…")


def _amount(number: str, wording: str) -> int:
    """The most that is allowed by a number, in figures or as a word: one less for *under 50*."""
    amount = _NUMBERS.get(number.casefold())
    if amount is None:
        amount = int(number)
    # *under 50* excludes the number, *50 or less* doesn't, whatever else the wording says
    is_below = _PATTERNS["shorter"].search(wording) is not None
    includes_number = re.search(r"or (?:less|fewer)", wording) is not None
    if is_below and not includes_number:
        return amount - 1
    return amount


def _rules() -> Iterator[Rule]:
    """All known wordings, from the file beside this one."""
    parts = {"N": r"(?P<n>\d{1,5}|" + "|".join(_NUMBERS) + r")"}
    # A part may use those above it.
    for name, text in _TOLD["parts"].items():
        parts[name] = _with_parts(text, parts)
    for rule in _TOLD["rules"]:
        fields = {**rule, "stems": tuple(rule["stems"])}
        for key in ("wording", "unless"):
            if key in rule:
                whole = _with_parts(rule[key], parts)
                fields[key] = re.compile(whole, re.IGNORECASE)
        yield Rule(**fields)


def _with_parts(text: str | list[str], parts: Mapping[str, str]) -> str:
    """An expression, which may be cut into several lines, with its parts in place of their names."""
    return re.sub("<([A-Z_]+)>", lambda name: parts[name[1]], "".join(text))


RULES = tuple(_rules())

#: Letters that ``re`` takes for one of ASCII where case doesn't count.
_LIKE_ASCII = str.maketrans("ıİſ\u212a", "iisk")


def small_letters(sentence: str) -> str:
    """A sentence in the letters that stems are looked for in."""
    return sentence.translate(_LIKE_ASCII).lower()


MOST_INSTRUCTIONS = 40  #: Of one prompt; further ones are not checked.

_LONGEST_PROMPT = 400_000  #: Characters of a prompt that are read.
_SHORTEST_SENTENCE = 8  #: Characters of a sentence that may ask something,
_LONGEST_SENTENCE = 500  #: and of one that isn't data.
_MOST_KNOWN_LINES = 50_000  #: Lines that a reader remembers.
_LONGEST_QUOTE = 120  #: Characters of an instruction's sentence that are shown.


class Instruction(NamedTuple):
    #: The kind of rule, as ``most_words``; the names are those of ``CHECKS``.
    kind: str
    quote: str  #: The sentence that asks it, cut to 120 characters.
    position: float  #: Where in the prompt it stands: 0 at its beginning, 1 at its end.
    amount: int = 0  #: The number, for kinds that have one.
    words: Strings = ()  #: The words, for kinds that have some.

    @property
    def word(self) -> str:
        """The text that it is about, in small letters; for kinds that have one."""
        word, *_ = self.words
        return word.casefold()


class Reader:
    """Finds instructions. It remembers lines, as prompts of one template share them."""

    def __init__(self) -> None:
        self._asks_in = lru_cache(maxsize=_MOST_KNOWN_LINES)(_asks)

    def read(self, prompt: str) -> tuple[Instruction, ...]:
        """The verifiable instructions of a prompt, in its order.

        Text in a fenced block or between ``<example>`` marks isn't an instruction. A repeated one
        counts once, at its first place; one that another contradicts is left out.
        """
        by_ask: dict[Demand, Instruction] = {}
        for offset, line in _lines_with_offset(prompt[:_LONGEST_PROMPT]):
            for sentence, ask in self._asks_in(line):
                if ask not in by_ask:
                    # its beginning is enough to find it again
                    characters_before = offset + line.find(sentence[:40])
                    position = min(1.0, characters_before / max(1, len(prompt)))
                    quote = " ".join(sentence.split())[:_LONGEST_QUOTE]
                    by_ask[ask] = Instruction(
                        ask.kind, quote, position, ask.amount, ask.words
                    )
        agreed = [i for i in by_ask.values() if not _is_contradicted(i, by_ask)]
        return tuple(agreed[:MOST_INSTRUCTIONS])


def _lines_with_offset(text: str) -> Iterator[tuple[int, str]]:
    """Lines that may contain an instruction, each with its offset in characters."""
    offset = 0
    in_fence = False
    in_example = False
    for line in text.splitlines(keepends=True):
        bare = line.strip().casefold()
        ends_example = bare.endswith(_EXAMPLE_ENDS)
        if bare.startswith("```"):
            in_fence = not in_fence
        elif bare.startswith(("<example", "<sample")):
            in_example = not ends_example
        elif ends_example:
            in_example = False
        elif bare and not in_fence and not in_example:
            yield offset, line
        offset += len(line)


_EXAMPLE_ENDS = ("</example>", "</examples>", "</sample>")


def _asks(line: str) -> tuple[tuple[str, Demand], ...]:
    """The instructions in a line, each with its sentence."""
    asks: list[tuple[str, Demand]] = []
    bare = _PATTERNS["bullet"].sub("", line).strip()
    for sentence in _PATTERNS["sentence"].split(bare):
        if not _SHORTEST_SENTENCE <= len(sentence) <= _LONGEST_SENTENCE:
            continue
        small = small_letters(sentence)
        rules = [rule for rule in RULES if rule.is_hinted(small)]
        if not rules:
            continue
        is_conditional = _is_conditional(sentence)
        for rule in rules:
            # What holds only under a condition can't be checked without knowing that one.
            if is_conditional and not rule.own_condition:
                continue
            match = rule.match(sentence)
            if match is not None:
                asks += [(sentence, ask) for ask in rule.asks(match)]
    return tuple(asks)


def _is_conditional(sentence: str) -> bool:
    """Whether a sentence has a condition or an exception outside of its quotes."""
    outside = _PATTERNS["quoted"].sub(_crossed_out, sentence)
    return _PATTERNS["ambiguous"].search(outside) is not None


def _crossed_out(quote: re.Match[str]) -> str:
    """A quoted text of the same length that says nothing."""
    return '"' + "x" * len(quote[1]) + '"'


_OPPOSED = (
    {"bullets", "no_bullets"},
    {"lower_case", "upper_case"},
    {"json", "bullets"},
)
"""Kinds that no text follows together."""


def _is_contradicted(instruction: Instruction, asks: Iterable[Demand]) -> bool:
    """Whether another instruction of the prompt demands something else of the same kind."""
    return any(_are_opposed(instruction, ask) for ask in asks)


def _are_opposed(instruction: Instruction, ask: Demand) -> bool:
    """Whether no text can follow both, or it isn't clear which of two numbers counts."""
    if ask.kind == instruction.kind:
        if ask.kind in {"starts_with", "ends_with"}:
            return ask.words != instruction.words
        return ask.kind.startswith("most_") and ask.amount != instruction.amount
    kinds = {ask.kind, instruction.kind}
    if kinds == {"never_says", "always_says"}:
        return not set(ask.words).isdisjoint(instruction.words)
    return kinds in _OPPOSED


Check = Callable[[str], bool]
Maker = Callable[[Instruction], Check]


def follows(
    instruction: Instruction, texts: Texts, calls: Sequence[int]
) -> list[bool | None]:
    """Whether each output follows an instruction; ``calls`` are its numbers of tool calls.

    None where an output has nothing to check: no call, or no text.
    """
    if instruction.kind == "most_tool_calls":
        return [count <= instruction.amount if count else None for count in calls]
    if instruction.kind == "call_or_text":
        return _follows_call_or_text(texts, calls)
    check = CHECKS[instruction.kind](instruction)
    return [check(text) if text and not text.isspace() else None for text in texts]


def _follows_call_or_text(texts: Texts, calls: Sequence[int]) -> list[bool | None]:
    """Whether each output with a call has no text beside it; None for one without a call."""
    verdicts: list[bool | None] = []
    for text, count in zip(texts, calls, strict=True):
        has_text = bool(text and text.strip())
        verdicts.append(not has_text if count else None)
    return verdicts


def _most_words(instruction: Instruction) -> Check:
    """A check that a text has at most so many words; no more of them are cut apart."""
    most = instruction.amount
    return lambda text: len(text.split(None, most)) <= most


def _at_most(signs: str, find_all: Callable[[str], Sequence[Any]]) -> Maker:
    """A check for at most some matches. With few ``signs``, no exact search is needed."""

    def make_check(instruction: Instruction) -> Check:
        most = instruction.amount

        def check(text: str) -> bool:
            is_few = sum(text.count(sign) for sign in signs) <= most
            return is_few or len(find_all(text)) <= most

        return check

    return make_check


def sentence_count(text: str) -> int:
    """The number of sentences in a text, for ``most_sentences``; a rest without a stop is one more."""
    ends = list(_PATTERNS["sentence_end"].finditer(text))
    rest = text[ends[-1].end() :] if ends else text
    has_words_left = any(letter.isalnum() for letter in rest)
    return len(ends) + 1 if has_words_left else len(ends)


def _starts_with(instruction: Instruction) -> Check:
    """A check for the first word of a text, behind blanks, quotes and marks of Markdown."""
    wanted = instruction.word
    # A letter may have two in its folded form, so only twice as many have to be folded.
    longest = 2 * len(wanted)

    def check(text: str) -> bool:
        opening = text.lstrip(' \n\t"“*`#')[:longest]
        return opening.casefold().startswith(wanted)

    return check


def _ends_with(instruction: Instruction) -> Check:
    """A check for the last words of a text, before blanks, quotes, stops and marks of Markdown."""
    wanted = instruction.word.rstrip(".!? ")
    longest = 2 * len(wanted) + 2

    def check(text: str) -> bool:
        ending = text.rstrip(' \n\t"”*`.!?')[-longest:]
        return ending.casefold().endswith(wanted)

    return check


def _says(instruction: Instruction, *, wanted: bool) -> Check:
    """A check for whole words in any case; a plain search settles most texts."""
    word = instruction.word
    # A sign at its end has no boundary.
    front = r"(?<!\w)" if word[0].isalnum() else ""
    behind = r"(?!\w)" if word[-1].isalnum() else ""
    exact = re.compile(front + re.escape(word) + behind)

    def check(text: str) -> bool:
        folded = text.casefold()
        says = word in folded and exact.search(folded) is not None
        return says is wanted

    return check


def _lacks(pattern: str | re.Pattern[str], *, wanted: bool = False) -> Maker:
    """A check that nothing matches, or with ``wanted``, something."""
    search = re.compile(pattern).search
    return lambda _instruction: lambda text: (search(text) is not None) is wanted


def _is_json(_instruction: Instruction) -> Check:
    return lambda text: read_json(text).value is not UNREAD


def _most_characters(instruction: Instruction) -> Check:
    """A check that a text has at most so many characters, without blanks around it."""
    most = instruction.amount
    return lambda text: len(text) <= most or len(text.strip()) <= most


CHECKS: Mapping[str, Maker] = {
    "json": _is_json,
    "most_words": _most_words,
    "most_sentences": _at_most(".!?", _PATTERNS["sentence_end"].findall),
    "most_characters": _most_characters,
    "most_questions": _at_most("?", _PATTERNS["question"].findall),
    "starts_with": _starts_with,
    "ends_with": _ends_with,
    "never_says": partial(_says, wanted=False),
    "always_says": partial(_says, wanted=True),
    "bullets": _lacks(_PATTERNS["item"], wanted=True),
    "no_bullets": _lacks(_PATTERNS["item"]),
    "no_emojis": _lacks(_PATTERNS["emoji"]),
    "no_markdown": _lacks(_PATTERNS["markdown"]),
    "no_exclamation_marks": _lacks("!"),
    "lower_case": lambda _: lambda text: text == text.lower(),
    "upper_case": lambda _: lambda text: text == text.upper(),
    "no_apology": _lacks(_PATTERNS["apology"]),
}
"""The check of a text for each kind of instruction. ``follows`` has two more kinds, about tool
calls."""
