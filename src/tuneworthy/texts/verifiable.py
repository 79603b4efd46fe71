"""Instructions of a prompt that a program can check, and whether an output follows them.

A closed list of wordings, in English. Nothing of a prompt is ever run. A sentence with a condition
("if", "when", "unless"), a hedge ("try", "usually") or an example in it has more than one reading
and is not counted: what is found is meant, what is meant is not always found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tuneworthy.texts.wordings import RULES

MOST_INSTRUCTIONS = 40
"""Of one prompt; further ones are not checked."""

_LONGEST_PROMPT = 400_000
_LONGEST_SENTENCE = 500
_MOST_KNOWN_LINES = 50_000
_AMBIGUOUS = re.compile(
    r"\b(?:if|when|whenever|unless|except|where|once|until|while|for (?:example|instance)|such as"
    r"|try|prefer\w*|ideally|usually|generally|typically|may|might|could|consider|possible|needed"
    r"|necessary|appropriate|(?:first|last|final|opening|closing|initial) (?:message|answer|reply"
    r"|response|turn|sentence)|summar\w+|fields?|titles?|subjects?|columns?|examples?)\b"
    r"|\be\.g\.|\bin case\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+(?=[A-Z\"“'*-])")
_BULLET = re.compile(r"^[\s>#]*(?:[-*•]|\d{1,2}[.)])?\s*")
_QUOTED = re.compile(r"[\"“”`]([^\"“”`\n]{1,80})[\"“”`]")


@dataclass(frozen=True, slots=True)
class Instruction:
    """Something a prompt asks of every output."""

    kind: str
    """What is asked, as ``most_words``; the names are those of ``checks.CHECKS``."""
    quote: str
    """The sentence that asks it, cut to 120 characters."""
    position: float
    """Where in the prompt it stands: 0 at its beginning, 1 at its end."""
    amount: int = 0
    """The number, for kinds that have one."""
    words: tuple[str, ...] = ()
    """The words, for kinds that have some."""


Ask = tuple[str, int, tuple[str, ...]]
"""Kind, amount and words."""


class Reader:
    """Finds instructions, and remembers lines it has seen: prompts of one template share them."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[str, Ask], ...]] = {}

    def read(self, prompt: str) -> tuple[Instruction, ...]:
        """The verifiable instructions of a prompt, in its order.

        What stands in a fenced block or between ``<example>`` marks is no instruction. One that is
        repeated counts once, where it stands first; one that another contradicts is left out.

        Args:
            prompt: A system prompt. Beyond 400,000 characters it is not read.

        Returns:
            At most ``MOST_INSTRUCTIONS``; () for a prompt without any.
        """
        text = prompt[:_LONGEST_PROMPT]
        found: dict[Ask, Instruction] = {}
        for offset, line in _lines(text):
            for sentence, ask in self._line(line):
                place = min(1.0, (offset + line.find(sentence[:40])) / max(1, len(prompt)))
                kind, amount, words = ask
                quote = " ".join(sentence.split())[:120]
                found.setdefault(ask, Instruction(kind, quote, place, amount, words))
        agreed = [each for each in found.values() if not _contradicted(each, found)]
        return tuple(agreed[:MOST_INSTRUCTIONS])

    def _line(self, line: str) -> tuple[tuple[str, Ask], ...]:
        known = self._known.get(line)
        if known is None:
            if len(self._known) >= _MOST_KNOWN_LINES:
                self._known.clear()
            known = self._known[line] = tuple(_asked(line))
        return known


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that may instruct, each with its offset."""
    offset, fenced, example = 0, False, False
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


def _asked(line: str) -> Iterator[tuple[str, Ask]]:
    """What a line asks, sentence by sentence."""
    for sentence in _SENTENCE.split(_BULLET.sub("", line).strip()):
        if not 8 <= len(sentence) <= _LONGEST_SENTENCE:
            continue
        outside = _QUOTED.sub(lambda found: '"' + "x" * len(found[1]) + '"', sentence)
        ambiguous = _AMBIGUOUS.search(outside) is not None
        for rule in RULES:
            if rule.states_its_condition or not ambiguous:
                match = rule.wording.search(sentence)
                if match is not None and not (rule.unless and rule.unless.search(sentence)):
                    yield from ((sentence, ask) for ask in rule.asks(match))


_OPPOSED = ({"bullets", "no_bullets"}, {"lower_case", "upper_case"}, {"json", "bullets"})


def _contradicted(one: Instruction, found: dict[Ask, Instruction]) -> bool:
    """Whether another instruction of the prompt asks for something else of the same kind."""
    for kind, amount, words in found:
        if {kind, one.kind} in _OPPOSED:
            return True
        if kind == one.kind and kind in {"starts_with", "ends_with"} and words != one.words:
            return True
        if kind == one.kind and kind.startswith("most_") and amount != one.amount:
            return True
        if {kind, one.kind} == {"never_says", "always_says"} and set(words) & set(one.words):
            return True
    return False
