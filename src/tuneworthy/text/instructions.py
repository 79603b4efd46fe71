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
from tuneworthy.text.search import Pattern, Searcher

if TYPE_CHECKING:
    from tuneworthy.text.search import Texts

_TOLD = tomllib.loads(
    files("tuneworthy.text").joinpath("instructions.toml").read_text("utf-8")
)
_NUMBERS: dict[str, int] = _TOLD["numbers"]
_PATTERNS = {
    name: re.compile("".join(text)) for name, text in _TOLD["patterns"].items()
}

Ask = tuple[str, int, Strings]  #: Kind, amount and words.


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

    def asks(self, match: re.Match[str]) -> Iterator[Ask]:
        """The instructions in a match: a number with its unit, each quoted text, or the kind alone."""
        groups = match.groupdict()
        if "unit" in groups:
            number = groups["n"].casefold()
            amount = _NUMBERS.get(number) or int(number)
            if _PATTERNS["shorter"].search(match[0]) and not re.search(
                r"or (?:less|fewer)", match[0]
            ):
                amount -= 1
            if amount > 0:
                yield "most_" + groups["unit"].casefold().rstrip("s") + "s", amount, ()
        elif "list" in groups:
            for text in _PATTERNS["inside"].findall(groups["list"]):
                # A placeholder is filled in by something we don't see.
                if text.strip() and not re.search(r"[<{\[]|\.\.\.|…", text):
                    yield self.kind, 0, (text.strip(),)
        else:
            yield self.kind, self.amount, ()


def _rules() -> Iterator[Rule]:
    """All known wordings, from the file beside this one."""
    parts = {"N": r"(?P<n>\d{1,5}|" + "|".join(_NUMBERS) + r")"}

    def whole(text: str | list[str]) -> str:
        return re.sub("<([A-Z_]+)>", lambda part: parts[part[1]], "".join(text))

    for name, text in _TOLD["parts"].items():
        parts[name] = whole(text)
    for rule in _TOLD["rules"]:
        for key in {"wording", "unless"} & rule.keys():
            rule[key] = re.compile(whole(rule[key]), re.IGNORECASE)
        rule["stems"] = tuple(rule["stems"])
        yield Rule(**rule)


RULES = tuple(_rules())

#: Letters that ``re`` takes for one of ASCII where case doesn't count.
_LIKE_ASCII = str.maketrans("ıİſ\u212a", "iisk")


def small_letters(sentence: str) -> str:
    """A sentence in the letters that stems are looked for in."""
    return sentence.translate(_LIKE_ASCII).lower()


MOST_INSTRUCTIONS = 40  #: Of one prompt; further ones are not checked.

_LONGEST_PROMPT = 400_000
_LONGEST_SENTENCE = 500
_MOST_KNOWN_LINES = 50_000


class Instruction(NamedTuple):
    #: The kind of rule, as ``most_words``; the names are those of ``CHECKS``.
    kind: str
    quote: str  #: The sentence that asks it, cut to 120 characters.
    position: float  #: Where in the prompt it stands: 0 at its beginning, 1 at its end.
    amount: int = 0  #: The number, for kinds that have one.
    words: Strings = ()  #: The words, for kinds that have some.


class Reader:
    """Finds instructions. It remembers lines, as prompts of one template share them."""

    def __init__(self) -> None:
        self._asks_of = lru_cache(maxsize=_MOST_KNOWN_LINES)(
            lambda line: tuple(_asks(line))
        )

    def read(self, prompt: str) -> tuple[Instruction, ...]:
        """The verifiable instructions of a prompt, in its order.

        Text in a fenced block or between ``<example>`` marks isn't an instruction. A repeated one
        counts once, at its first place; one that another contradicts is left out.
        """
        text = prompt[:_LONGEST_PROMPT]
        by_ask: dict[Ask, Instruction] = {}
        for offset, line in _lines_with_offset(text):
            for sentence, ask in self._asks_of(line):
                place = min(
                    1.0, (offset + line.find(sentence[:40])) / max(1, len(prompt))
                )
                kind, amount, words = ask
                quote = " ".join(sentence.split())[:120]
                by_ask.setdefault(ask, Instruction(kind, quote, place, amount, words))
        agreed = [
            item for item in by_ask.values() if not _is_contradicted(item, by_ask)
        ]
        return tuple(agreed[:MOST_INSTRUCTIONS])


def _lines_with_offset(text: str) -> Iterator[tuple[int, str]]:
    """Lines that may contain an instruction, each with its offset."""
    offset = 0
    fenced = False
    example = False
    for line in text.splitlines(keepends=True):
        bare = line.strip().casefold()
        if bare.startswith("```"):
            fenced = not fenced
        elif bare.startswith(("<example", "<sample")):
            example = not bare.endswith(("</example>", "</examples>", "</sample>"))
        elif bare.endswith(("</example>", "</examples>", "</sample>")):
            example = False
        elif bare and not fenced and not example:
            yield offset, line
        offset += len(line)


def _asks(line: str) -> Iterator[tuple[str, Ask]]:
    """The instructions in a line, each with its sentence."""
    for sentence in _PATTERNS["sentence"].split(
        _PATTERNS["bullet"].sub("", line).strip()
    ):
        if not 8 <= len(sentence) <= _LONGEST_SENTENCE:
            continue
        small = small_letters(sentence)
        rules = [rule for rule in RULES if rule.is_hinted(small)]
        if not rules:
            continue
        outside = _PATTERNS["quoted"].sub(
            lambda quote: '"' + "x" * len(quote[1]) + '"', sentence
        )
        ambiguous = _PATTERNS["ambiguous"].search(outside) is not None
        for rule in rules:
            if rule.own_condition or not ambiguous:
                match = rule.wording.search(sentence)
                if match is not None and not (
                    rule.unless and rule.unless.search(sentence)
                ):
                    yield from ((sentence, ask) for ask in rule.asks(match))


_OPPOSED = (
    {"bullets", "no_bullets"},
    {"lower_case", "upper_case"},
    {"json", "bullets"},
)


def _is_contradicted(instruction: Instruction, asks: Iterable[Ask]) -> bool:
    """Whether another instruction of the prompt demands something else of the same kind."""

    def opposed(kind: str, amount: int, words: Strings) -> bool:
        if kind == instruction.kind:
            if kind in {"starts_with", "ends_with"}:
                return words != instruction.words
            return kind.startswith("most_") and amount != instruction.amount
        kinds = {kind, instruction.kind}
        if kinds == {"never_says", "always_says"}:
            return not set(words).isdisjoint(instruction.words)
        return kinds in _OPPOSED

    return any(opposed(*ask) for ask in asks)


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
        pairs = zip(texts, calls, strict=True)
        return [not (text and text.strip()) if count else None for text, count in pairs]
    check = CHECKS[instruction.kind](instruction)
    may_hold = _may_hold_words(instruction, texts) or [True] * len(texts)
    # a text without the words breaks only an instruction to say them
    follows_without = instruction.kind != "always_says"
    verdicts: list[bool | None] = []
    for text, may in zip(texts, may_hold, strict=True):
        if not text or text.isspace():
            verdicts.append(None)
        elif may:
            verdicts.append(check(text))
        else:
            verdicts.append(follows_without)
    return verdicts


def _may_hold_words(instruction: Instruction, texts: Texts) -> list[bool] | None:
    """Which texts may have the words that a check looks for; None where the check itself is quick.

    Most texts have no such word, and searching a whole batch is faster than searching each text.
    """
    if instruction.kind == "no_apology":
        words: Strings = ("sorry", "apolog")
    elif (
        instruction.kind in {"never_says", "always_says"}
        and instruction.words[0].isascii()
    ):
        words = instruction.words[:1]
    else:
        return None
    hold_any = [False] * len(texts)
    for flags in _searcher(words).rows(texts).values():  # of each word, a flag a text
        for place, holds in enumerate(flags.tolist()):
            if holds:
                hold_any[place] = True
    return hold_any


@lru_cache(maxsize=256)
def _searcher(words: Strings) -> Searcher:
    return Searcher(
        {word: Pattern(word, literal=True, caseless=True) for word in words}
    )


def _most_words(instruction: Instruction) -> Check:
    """A check that a text has at most so many words."""
    most = instruction.amount
    # Words take a character and a space, so a short text has no more than that many; and a text
    # has at most one word more than it has spaces.
    return lambda text: (
        len(text) < 2 * most
        or text.count(" ") + text.count("\n") + text.count("\t") < most
        or len(text.split(None, most)) <= most
    )


def _at_most_signs(signs: str, exact: Callable[[str], Sequence[Any]]) -> Maker:
    """A check for at most some matches. With few ``signs``, no exact search is needed."""

    def make_check(instruction: Instruction) -> Check:
        most = instruction.amount
        return lambda text: (
            sum(map(text.count, signs)) <= most or len(exact(text)) <= most
        )

    return make_check


def sentence_count(text: str) -> int:
    """The number of sentences in a text, for ``most_sentences``; a rest without a stop is one more."""
    ends = list(_PATTERNS["sentence_end"].finditer(text))
    rest = text[ends[-1].end() :] if ends else text
    return len(ends) + any(letter.isalnum() for letter in rest)


def _starts_with(instruction: Instruction) -> Check:
    wanted = instruction.words[0].casefold()
    return lambda text: (
        text.lstrip(' \n\t"“*`#')[: 2 * len(wanted)].casefold().startswith(wanted)
    )


def _ends_with(instruction: Instruction) -> Check:
    wanted = instruction.words[0].casefold().rstrip(".!? ")
    return lambda text: (
        text.rstrip(' \n\t"”*`.!?')[-2 * len(wanted) - 2 :].casefold().endswith(wanted)
    )


def _says(instruction: Instruction, *, wanted: bool) -> Check:
    """A check for whole words in any case; a plain search settles most texts."""
    word = instruction.words[0].casefold()
    front = r"(?<!\w)" if word[0].isalnum() else ""
    behind = r"(?!\w)" if word[-1].isalnum() else ""
    exact = re.compile(front + re.escape(word) + behind)

    def check(text: str) -> bool:
        folded = text.casefold()
        return (word in folded and exact.search(folded) is not None) is wanted

    return check


def _lacks(pattern: str | re.Pattern[str], *hints: str, wanted: bool = False) -> Maker:
    """A check that nothing matches, or with ``wanted``, something. Hints save the full search."""
    search = re.compile(pattern).search

    def check(text: str) -> bool:
        hinted = any(hint in text for hint in hints) if hints else not text.isascii()
        return (hinted and search(text) is not None) is wanted

    return lambda _instruction: check


CHECKS: Mapping[str, Maker] = {
    "json": lambda _: lambda text: read_json(text)[0] is not UNREAD,
    "most_words": _most_words,
    "most_sentences": _at_most_signs(".!?", _PATTERNS["sentence_end"].findall),
    "most_characters": lambda asked: (
        lambda text: len(text) <= asked.amount or len(text.strip()) <= asked.amount
    ),
    "most_questions": _at_most_signs("?", _PATTERNS["question"].findall),
    "starts_with": _starts_with,
    "ends_with": _ends_with,
    "never_says": partial(_says, wanted=False),
    "always_says": partial(_says, wanted=True),
    "bullets": _lacks(_PATTERNS["item"], "- ", "* ", "•", wanted=True),
    "no_bullets": _lacks(_PATTERNS["item"], "- ", "* ", "•"),
    "no_emojis": _lacks(_PATTERNS["emoji"]),
    "no_markdown": _lacks(_PATTERNS["markdown"], "**", "#", "```", "]("),
    "no_exclamation_marks": _lacks("!", "!"),
    "lower_case": lambda _: lambda text: text == text.lower(),
    "upper_case": lambda _: lambda text: text == text.upper(),
    "no_apology": lambda _: lambda text: _PATTERNS["apology"].search(text) is None,
}
"""The check of a text for each kind of instruction. ``follows`` has two more kinds, about tool
calls."""
