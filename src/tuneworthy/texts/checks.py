"""Whether outputs follow a verifiable instruction: one small check a kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from tuneworthy.texts.json_text import UNREAD, read_json
from tuneworthy.texts.needle import Pattern
from tuneworthy.texts.search import Searcher
from tuneworthy.texts.verifiable import Instruction

Check = Callable[[str], bool]

_SENTENCE_END = re.compile(
    r"(?<![.\s]\w)(?<!\bDr)(?<!\bMr)(?<!\bMs)(?<!Mrs)(?<!\bSt)[.!?]+"
    r"[\"”’)]*(?=\s+[A-Z“\"]|\s*\Z)"
)
_QUESTION = re.compile(r"\?+[\"”’)*]*(?=\s|\Z)")
_EMOJI = re.compile(
    "[\U0001f300-\U0001faff\u2600-\u26ff\u2705\u270a-\u270d\u2728\u274c\u2764\u2b50]"
)
_BOLD = re.compile(r"\*\*\S[^*\n]*\*\*")
_HEADING = re.compile(r"^#{1,6} \S", re.MULTILINE)
_LINK = re.compile(r"\[[^\]\n]+\]\([^)\n]+\)")
_BULLET = re.compile(r"^\s*[-*•] +\S", re.MULTILINE)
_APOLOGY = re.compile(
    r"\b(?:i['’]m|i am|we['’]re|we are|so|very) sorry\b|^\W*sorry\b"
    r"|\bapolog(?:y|ies|i[sz]e|i[sz]ing)\b",
    re.IGNORECASE | re.MULTILINE,
)


def follows(
    instruction: Instruction, texts: Sequence[str | None], calls: Sequence[int]
) -> list[bool | None]:
    """Whether each output follows an instruction.

    Args:
        instruction: What is asked.
        texts: What the model wrote.
        calls: How many tools each output calls.

    Returns:
        One answer an output; None where the instruction has nothing to say about it: it is about
        text and there is none, or about tool calls and there is none.
    """
    if instruction.kind == "most_tool_calls":
        return [count <= instruction.amount if count else None for count in calls]
    if instruction.kind == "call_or_text":
        return [
            not (text and text.strip()) if count else None
            for text, count in zip(texts, calls, strict=True)
        ]
    check = CHECKS[instruction.kind](instruction)
    hinted = _hinted(instruction, texts)
    if hinted is None:
        return [check(text) if text and not text.isspace() else None for text in texts]
    without = instruction.kind != "always_says"
    return [
        (check(text) if hint else without) if text and not text.isspace() else None
        for text, hint in zip(texts, hinted, strict=True)
    ]


def _hinted(instruction: Instruction, texts: Sequence[str | None]) -> list[bool] | None:
    """Which texts may hold what a check of words looks for; None where the check is quick itself.

    Most texts hold no such word, and going through a batch at once is quicker than one by one.
    """
    if instruction.kind == "no_apology":
        words: tuple[str, ...] = ("sorry", "apolog")
    elif instruction.kind in {"never_says", "always_says"} and instruction.words[0].isascii():
        words = instruction.words[:1]
    else:
        return None
    found = _searcher(words).rows(texts)
    return [any(flags) for flags in zip(*(each.tolist() for each in found.values()), strict=True)]


@lru_cache(maxsize=256)
def _searcher(words: tuple[str, ...]) -> Searcher:
    return Searcher({word: Pattern(word, literal=True, caseless=True) for word in words})


def _most_words(asked: Instruction) -> Check:
    most = asked.amount
    # Words take a character and a space, so a short text has no more than that many; and a text
    # has at most one word more than it has spaces.
    return lambda text: (
        len(text) < 2 * most
        or text.count(" ") + text.count("\n") + text.count("\t") < most
        or len(text.split(None, most)) <= most
    )


def _most_sentences(asked: Instruction) -> Check:
    most = asked.amount
    return lambda text: (
        text.count(".") + text.count("!") + text.count("?") <= most
        or len(_SENTENCE_END.findall(text)) <= most
    )


def sentence_count(text: str) -> int:
    """Sentences of a text, as ``most_sentences`` counts them; a rest without a stop is one more."""
    ends = list(_SENTENCE_END.finditer(text))
    rest = text[ends[-1].end() :] if ends else text
    return len(ends) + any(letter.isalnum() for letter in rest)


def _most_characters(asked: Instruction) -> Check:
    return lambda text: len(text) <= asked.amount or len(text.strip()) <= asked.amount


def _most_questions(asked: Instruction) -> Check:
    most = asked.amount
    return lambda text: text.count("?") <= most or len(_QUESTION.findall(text)) <= most


def _json(_asked: Instruction) -> Check:
    return lambda text: read_json(text)[0] is not UNREAD


def _starts_with(asked: Instruction) -> Check:
    wanted = asked.words[0].casefold()
    return lambda text: text.lstrip(' \n\t"“*`#')[: 2 * len(wanted)].casefold().startswith(wanted)


def _ends_with(asked: Instruction) -> Check:
    wanted = asked.words[0].casefold().rstrip(".!? ")
    return lambda text: (
        text.rstrip(' \n\t"”*`.!?')[-2 * len(wanted) - 2 :].casefold().endswith(wanted)
    )


def _says(asked: Instruction, *, wanted: bool) -> Check:
    """Whole words, whatever the capitals; most texts are told by a plain search."""
    word = asked.words[0].casefold()
    front = r"(?<!\w)" if word[0].isalnum() else ""
    behind = r"(?!\w)" if word[-1].isalnum() else ""
    exact = re.compile(front + re.escape(word) + behind)

    def check(text: str) -> bool:
        folded = text.casefold()
        return (word in folded and exact.search(folded) is not None) is wanted

    return check


def _no_markdown(_asked: Instruction) -> Check:
    """No bold text, heading, fenced block or link; a list or a single star may be plain text."""
    return lambda text: (
        not (
            ("*" in text and "**" in text and _BOLD.search(text))
            or ("#" in text and _HEADING.search(text))
            or ("`" in text and "```" in text)
            or ("](" in text and _LINK.search(text))
        )
    )


def _lacks(pattern: re.Pattern[str], *hints: str, asked: bool = False) -> Callable[..., Check]:
    """A check that nothing, or with ``asked`` something, matches; hints save the search."""

    def make(_instruction: Instruction) -> Check:
        def check(text: str) -> bool:
            found = any(hint in text for hint in hints) if hints else not text.isascii()
            return (found and pattern.search(text) is not None) is asked

        return check

    return make


CHECKS: Mapping[str, Callable[[Instruction], Check]] = {
    "json": _json,
    "most_words": _most_words,
    "most_sentences": _most_sentences,
    "most_characters": _most_characters,
    "most_questions": _most_questions,
    "starts_with": _starts_with,
    "ends_with": _ends_with,
    "never_says": lambda asked: _says(asked, wanted=False),
    "always_says": lambda asked: _says(asked, wanted=True),
    "bullets": _lacks(_BULLET, "- ", "* ", "•", asked=True),
    "no_bullets": _lacks(_BULLET, "- ", "* ", "•"),
    "no_emojis": _lacks(_EMOJI),
    "no_markdown": _no_markdown,
    "no_exclamation_marks": lambda _asked: lambda text: "!" not in text,
    "lower_case": lambda _asked: lambda text: text == text.lower(),
    "upper_case": lambda _asked: lambda text: text == text.upper(),
    "no_apology": lambda _asked: lambda text: _APOLOGY.search(text) is None,
}
"""By the kind of instruction: makes the check of one text. ``follows`` knows two more kinds, about
tool calls."""
