"""``match``: the output is one of the accepted texts, differences that mean nothing aside."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from tuneworthy.model.case import Voice as Speaks
from tuneworthy.model.evalset import EvalCase
from tuneworthy.scoring.base import (
    FORMAT,
    INSTRUCTIONS,
    NO_ANSWER,
    TERMS,
    VOICE,
    WRONG,
    Asked,
    Context,
    Kit,
    Output,
    Scored,
    as_number,
    near,
    normal,
    numbers_in,
    right,
    unfenced,
    unjudged,
    wrong,
)
from tuneworthy.text.instructions import Instruction, Reader, follows

if TYPE_CHECKING:
    from tuneworthy.text.glossary import Glossary, Phrases
    from tuneworthy.text.search import Searcher


# ``match``: the output is one of the accepted texts, differences that mean nothing aside.


@dataclass(frozen=True, slots=True)
class Match:
    """Right where the whole output equals an accepted one after normalisation (``normal``)."""

    exact: bool = False
    """Compare as it stands, but for spaces around it."""
    punctuation: bool = False
    """Whether marks count."""
    articles: bool = False
    """Whether English articles are left out."""
    accepted: tuple[str, ...] = ()
    """Instead of the case's reference."""
    id: str = "match"

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """1 for an equal output, else 0; a case without a reference can't be judged."""
        del context
        wanted = self.accepted or tuple(as_text(one) for one in case.accepted)
        if not wanted:
            return unjudged("no_reference")
        if output.blank:
            return wrong("empty", signal=NO_ANSWER)
        said = self._plain(output.text)
        if any(said == self._plain(one) for one in wanted):
            return right("equal")
        return wrong("differs", about=wanted[0])

    def _plain(self, text: str) -> str:
        if self.exact:
            return text.strip()
        plain = normal(text, punctuation=self.punctuation, articles=self.articles)
        return plain or " ".join(text.split())  # a text of marks alone is more than nothing


def as_text(value: Any) -> str:
    """A reference as the text a model would write."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def match_make(of: Any, kit: Kit) -> Match:
    """A scorer from its parameters: accepted, exact, punctuation, articles.

    Raises:
        InputError: If a parameter is wrong.
    """
    del kit
    asked = Asked("match", of, "accepted", ("accepted", "exact", "punctuation", "articles"))
    return Match(
        exact=asked.flag("exact"),
        punctuation=asked.flag("punctuation"),
        articles=asked.flag("articles"),
        accepted=asked.texts("accepted"),
    )


# ``label``: the output is the right one of a closed set of labels.

MOST_LABELS = 100_000


@dataclass(frozen=True, slots=True)
class Label:
    """Right where the output is an accepted label. One that is no label fails in form."""

    labels: frozenset[str] = frozenset()
    """All labels, plain; empty where nobody listed them."""
    key: str = ""
    """Where the output is an object: the key that holds the label."""
    id: str = field(default="label")

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """1 for an accepted label, else 0; a case without a reference can't be judged."""
        del context
        wanted = {plain(as_text(one)) for one in case.accepted}
        if not wanted:
            return unjudged("no_reference")
        if output.blank:
            return wrong("empty", signal=NO_ANSWER)
        said = self._said(output)
        if said is None:
            return wrong("no_label", signal=FORMAT, about=output.text)
        if said in wanted:
            return right("label_equal")
        if self.labels and said not in self.labels:
            return wrong("no_label", signal=FORMAT, about=output.text)
        return wrong("label_differs", about=as_text(case.accepted[0]))

    def _said(self, output: Output) -> str | None:
        if not self.key:
            return plain(unfenced(output.text)[:2000])
        value = output.json
        found = value.get(self.key) if isinstance(value, dict) else None
        return plain(found) if isinstance(found, str) else None


def plain(text: str) -> str:
    """A label without what models add around it: capitals, quotes, marks, ``_`` for a space."""
    return normal(text) or " ".join(text.split())


def label_make(of: Any, kit: Kit) -> Label:
    """A scorer from its parameters: labels (else those of the kit), key.

    Raises:
        InputError: If a parameter is wrong, or two labels are the same after normalisation.
    """
    asked = Asked("label", of, "labels", ("labels", "key"))
    labels = asked.texts("labels", MOST_LABELS) or kit.labels
    known: dict[str, str] = {}
    for one in labels:
        other = known.setdefault(plain(one), one)
        if other != one:
            fix = "give them names that differ in more than capitals and marks"
            raise asked.bad(f'has labels "{other[:40]}" and "{one[:40]}" that are the same', fix)
    return Label(frozenset(known), asked.text("key") if asked.has("key") else "")


# ``number``: the number in the output is the right one, within a tolerance.


@dataclass(frozen=True, slots=True)
class Number:
    """Right where the last, or the only, number of the output lies near an accepted one."""

    within: float = 0.0
    """Absolute tolerance, in the unit of the number."""
    relative: float = 0.0
    """Tolerance as a share of the right number; the wider of both counts."""
    which: Literal["last", "only"] = "last"
    id: str = "number"

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """1 for a number near enough, else 0; without a reference number it can't be judged."""
        del context
        wanted = [n for n in map(as_number, case.accepted) if n is not None]
        if not wanted:
            return unjudged("no_reference")
        if output.blank:
            return wrong("empty", signal=NO_ANSWER)
        found = numbers_in(output.text)
        if not found:
            return wrong("no_number", signal=FORMAT)
        if self.which == "only" and len(found) > 1:
            return wrong("several_numbers", signal=FORMAT, numbers={"found": len(found)})
        said = found[-1]
        if said is None:
            return wrong("unclear_number", signal=FORMAT)
        numbers = {"said": said, "wanted": wanted[0]}
        if any(near(said, one, within=self.within, relative=self.relative) for one in wanted):
            return right("near_enough", numbers)
        return wrong("number_differs", numbers=numbers)


def number_make(of: Any, kit: Kit) -> Number:
    """A scorer from its parameters: within, relative, which (last or only).

    Raises:
        InputError: If a parameter is wrong.
    """
    del kit
    asked = Asked("number", of, "within", ("within", "relative", "which"))
    return Number(
        within=asked.number("within") or 0.0,
        relative=asked.number("relative") or 0.0,
        which="only" if asked.word("which", ("last", "only"), "last") == "only" else "last",
    )


# ``contains``: what the output has to say, and what it must not.


@dataclass(frozen=True, slots=True)
class Contains:
    """Right where all of ``all``, one of ``any`` and none of ``none`` stand in the output."""

    every: tuple[str, ...] = ()
    some: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    words: bool = True
    """Whole words only."""
    exact: bool = False
    """Whether capitals matter."""
    id: str = "contains"
    _kept: dict[tuple[str, ...], Searcher] = field(default_factory=dict, repr=False, compare=False)

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """The share of conditions that hold.

        Without any, one of the references has to stand in the output; without these too it can't
        be judged.
        """
        del context
        some = self.some
        if not (self.every or some or self.none):
            some = tuple(one for one in case.accepted if isinstance(one, str) and one.strip())
            if not some:
                return unjudged("no_reference")
        looked = tuple(dict.fromkeys((*self.every, *some, *self.none)))
        held = self._held(looked, output.text)
        faults = [("lacks", one) for one in self.every if one not in held]
        faults += [("lacks_all", some[0])] if some and not held & set(some) else []
        faults += [("says_forbidden", one) for one in self.none if one in held]
        asked = len(self.every) + bool(some) + len(self.none)
        numbers = {"asked": asked, "failed": len(faults)}
        if not faults:
            return right("contains", numbers)
        why, about = faults[0]
        signal = NO_ANSWER if output.blank else WRONG
        value = 0.0 if output.blank else 1 - len(faults) / asked
        return wrong(why, value=value, signal=signal, about=about, numbers=numbers)

    def _held(self, looked: tuple[str, ...], text: str) -> set[str]:
        """Those that stand in a text."""
        from tuneworthy.text.search import Pattern, Searcher

        searcher = self._kept.get(looked)
        if searcher is None:
            self._kept.clear()  # a case's own references: no use to the next one
            patterns = {
                one: Pattern(_wide(one), literal=True, word=self.words, caseless=not self.exact)
                for one in looked
            }
            searcher = self._kept[looked] = Searcher(patterns, plain=True)
        return {one for one, rows in searcher.rows([_wide(text)]).items() if rows[0]}


def _wide(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("’", "'")


def contains_make(of: Any, kit: Kit) -> Contains:
    """A scorer from its parameters: all, any, none, words, exact; a text or list alone is ``all``.

    Raises:
        InputError: If a parameter is wrong.
    """
    del kit
    asked = Asked("contains", of, "all", ("all", "any", "none", "words", "exact"))
    return Contains(
        every=asked.texts("all"),
        some=asked.texts("any"),
        none=asked.texts("none"),
        words=asked.flag("words", default=True),
        exact=asked.flag("exact"),
    )


# ``regex``: a pattern is found in the output. Its time is linear in the text, for any pattern.

LONGEST_PATTERN = 2000
_LARGEST_BYTES = 2_000_000  # of a compiled pattern; a{1000}{1000} would take gigabytes


@dataclass(frozen=True, slots=True)
class Regex:
    """Right where the pattern is found, or with ``absent`` where it is not."""

    pattern: str
    found: Callable[[str], bool]
    absent: bool = False
    id: str = "regex"

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """1 or 0; an empty output fails unless something has to be absent."""
        del case, context
        text = output.text.encode("utf-8", "replace").decode("utf-8")
        if self.found(text) is not self.absent:
            return right("pattern_absent" if self.absent else "pattern_found")
        signal = NO_ANSWER if output.blank else WRONG
        why = "pattern_found" if self.absent else "pattern_absent"
        return wrong(why, signal=signal, about=self.pattern)


def regex_make(of: Any, kit: Kit) -> Regex:
    """A scorer from its parameters: pattern, whole (the whole output), absent, capitals.

    Raises:
        InputError: If the pattern can't be used, or its engine is not installed.
    """
    del kit
    asked = Asked("regex", of, "pattern", ("pattern", "whole", "absent", "capitals"))
    pattern = asked.text("pattern")
    if len(pattern) > LONGEST_PATTERN:
        raise asked.bad(
            "gives a pattern that is too long", f"keep it under {LONGEST_PATTERN} characters"
        )
    told = f"^(?:{pattern})$" if asked.flag("whole") else pattern
    if not asked.flag("capitals", default=True):
        told = f"(?i){told}"
    _compiled(asked, pattern)  # by itself: a stray bracket must not close the group around it
    return Regex(pattern, _compiled(asked, told), asked.flag("absent"))


def _compiled(asked: Asked, pattern: str) -> Callable[[str], bool]:
    try:
        import jsonschema_rs
    except ImportError:
        fix = "install it: pip install 'tuneworthy[traces]'"
        raise asked.bad("needs jsonschema-rs, whose engine is linear in time", fix) from None
    options = jsonschema_rs.RegexOptions(size_limit=_LARGEST_BYTES, dfa_size_limit=_LARGEST_BYTES)
    try:
        return jsonschema_rs.validator_for(
            {"type": "string", "pattern": pattern}, offline=True, pattern_options=options
        ).is_valid
    except (jsonschema_rs.ValidationError, ValueError):
        fix = "write it without look-around and references, and keep repetitions small"
        raise asked.bad("gives a pattern that can't be used", fix) from None


# ``length``: the output is as long as it may be and no longer.

CHARACTERS_A_TOKEN = 4
"""Characters to a token of English, as a rule of thumb; other scripts take fewer."""


def _sentences(text: str) -> int:
    from tuneworthy.text.instructions import sentence_count

    return sentence_count(text)


MEASURES: Mapping[str, Callable[[str], int]] = {
    "words": lambda text: len(text.split()),
    "characters": lambda text: len(text.strip()),
    "sentences": _sentences,
    "tokens": lambda text: -(-len(text.strip()) // CHARACTERS_A_TOKEN),
}
"""Units of length; tokens are characters over four, rounded up."""


@dataclass(frozen=True, slots=True)
class Length:
    """Right where every bound is kept; the value is the share of units that keep theirs."""

    bounds: tuple[tuple[str, int, int], ...]
    """Unit, least and most."""
    id: str = "length"

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """The share of units within their bounds, both ends included."""
        del case, context
        if not output.text.strip():
            return wrong("empty", signal=NO_ANSWER)
        faults = []
        for unit, least, most in self.bounds:
            size = MEASURES[unit](output.text)
            if size < least:
                faults.append(("too_short", unit, {"said": size, "least": least}))
            elif size > most:
                faults.append(("too_long", unit, {"said": size, "most": most}))
        if not faults:
            return right("length_kept")
        why, unit, numbers = faults[0]
        value = 1 - len(faults) / len(self.bounds)
        return wrong(why, value=value, signal=INSTRUCTIONS, about=unit, numbers=numbers)


def length_make(of: Any, kit: Kit) -> Length:
    """A scorer from bounds by unit: a number is the most, ``[least, most]`` gives both.

    Raises:
        InputError: If there is no bound, or one is none.
    """
    del kit
    asked = Asked("length", of, "", tuple(MEASURES))
    bounds = tuple(_bound(asked, unit) for unit in MEASURES if asked.has(unit))
    if not bounds:
        raise asked.bad("gives no bound", "write words: 50, or words: [10, 50]")
    return Length(bounds)


def _bound(asked: Asked, unit: str) -> tuple[str, int, int]:
    value = asked.any(unit)
    pair = value if isinstance(value, list | tuple) else [0, value]
    fix = f"write {unit}: 50, or {unit}: [10, 50]"
    if len(pair) != 2 or not all(
        isinstance(end, int) and not isinstance(end, bool) and 0 <= end <= 10**9 for end in pair
    ):
        raise asked.bad(f"gives {unit} that is no bound", fix)
    if pair[0] > pair[1]:
        raise asked.bad(f"gives {unit} with the most below the least", fix)
    return unit, pair[0], pair[1]


# ``instructions``: the output does what the prompt asks, as far as a program can check it.


@dataclass(frozen=True, slots=True)
class Instructions:
    """Right where every verifiable instruction of the system prompt is followed.

    ``texts.verifiable`` has the closed list of wordings; what is meant and not on it is not seen.
    """

    prompt: str = ""
    """Instead of the system prompt that was sent."""
    id: str = field(default="instructions")

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """The share of checkable instructions that are followed.

        A failure says which sentence asks for it, and where that stands in the prompt (0 at its
        beginning, 1 at its end). A prompt without a checkable one can't be judged.
        """
        del case
        asked = _read(self.prompt or context.system)
        if not asked:
            return unjudged("no_verifiable_instruction")
        if output.blank:
            return wrong("empty", signal=NO_ANSWER)
        texts, calls = [output.text], [len(output.tool_calls)]
        answers = [(each, follows(each, texts, calls)[0]) for each in asked]
        known = [(each, answer) for each, answer in answers if answer is not None]
        if not known:
            return unjudged("no_verifiable_instruction")
        failed = [each for each, answer in known if not answer]
        numbers: dict[str, float | int] = {"checked": len(known), "failed": len(failed)}
        if not failed:
            return right("instructions_followed", numbers)
        first = failed[0]
        return wrong(
            "instruction_ignored",
            value=1 - len(failed) / len(known),
            signal=INSTRUCTIONS,
            about=first.quote,
            numbers={**numbers, "position": first.position},
        )


@lru_cache(maxsize=64)
def _read(prompt: str) -> tuple[Instruction, ...]:
    return Reader().read(prompt)


def instructions_make(of: Any, kit: Kit) -> Instructions:
    """A scorer from its parameter: prompt, the text that asks; else the prompt that was sent.

    Raises:
        InputError: If a parameter is wrong.
    """
    del kit
    asked = Asked("instructions", of, "prompt", ("prompt",))
    return Instructions(asked.text("prompt") if asked.has("prompt") else "")


# ``terminology``: the output uses the words of the glossary, and none that is wrong for them.


@dataclass(frozen=True, slots=True)
class Terminology:
    """Right where no wrong word stands for a term that is due.

    A term is due where it, a word that is wrong for it or one that calls for it stands in the
    input, or one of the first two in the output.
    """

    glossary: Glossary
    required: bool = False
    """Whether a term that the input calls for has to be said."""
    id: str = field(default="terminology")

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """The share of due terms that are said right; where none is due it can't be judged."""
        del context
        written, asked = self.glossary.look([output.text]), self.glossary.look([case.text])
        due, faults = 0, list[tuple[str, str]]()
        for index in range(len(self.glossary)):
            said = bool(self.glossary.said(written, index)[0])
            called = bool(self.glossary.called_for(asked, index)[0])
            wrongs = self.glossary.wrong(written, index, [output.text])
            words = [word for word, rows in wrongs if rows[0]]
            due += said or called or bool(words)
            if words:
                faults.append(("forbidden_term", words[0]))
            elif self.required and called and not said:
                faults.append(("term_missing", self.glossary.right(index)))
        if not due:
            return unjudged("no_term_due")
        if output.blank:
            return wrong("empty", signal=NO_ANSWER)
        numbers = {"due": due, "failed": len(faults)}
        if not faults:
            return right("terms_right", numbers)
        why, about = faults[0]
        value = 1 - len(faults) / due
        return wrong(why, value=value, signal=TERMS, about=about, numbers=numbers)


def make(of: Any, kit: Kit) -> Terminology:
    """A scorer from its parameter: required, whether a term that is called for has to be said.

    Raises:
        InputError: If there is no glossary, or a parameter is wrong.
    """
    from tuneworthy.text.glossary import Glossary

    asked = Asked("terminology", of, "required", ("required",))
    if not kit.materials.glossary:
        raise asked.bad("needs a glossary", "name data.glossary in the case")
    return Terminology(Glossary(kit.materials.glossary), asked.flag("required"))


# ``voice``: the output has no phrase that could be anybody's, or that the team avoids.


@dataclass(frozen=True, slots=True)
class Voice:
    """Right where no such phrase stands in the output.

    It knows a list of phrases, and nothing of wit or warmth.
    """

    phrases: Phrases
    id: str = field(default="voice")

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """1 for an output without any, else 0; how many different ones stands in the numbers."""
        del case, context
        if not output.text.strip():
            return wrong("empty", signal=NO_ANSWER)
        if not self.phrases.any([output.text])[0]:
            return right("own_voice")
        found = self.phrases.counts([output.text])
        about = found[0][0] if found else ""
        return wrong("generic_phrase", signal=VOICE, about=about, numbers={"phrases": len(found)})


def voice_make(of: Any, kit: Kit) -> Voice:
    """A scorer from its parameter: avoid, phrases besides those of the case's voice.

    Raises:
        InputError: If a parameter is wrong.
    """
    from tuneworthy.text.glossary import Phrases

    more = Asked("voice", of, "avoid", ("avoid",)).texts("avoid")
    known = kit.materials.voice
    if known is None and not more:
        return Voice(Phrases(None))
    samples, avoid = (known.samples, known.avoid) if known else ((), ())
    return Voice(Phrases(Speaks(samples, (*more, *avoid))))
