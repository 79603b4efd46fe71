"""Scorers of the words in an output."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, model_validator

from tuneworthy.model.base import Strings, readable
from tuneworthy.model.base import wrong as refused
from tuneworthy.model.case import VoiceSamples
from tuneworthy.model.evalset import EvalCase
from tuneworthy.scoring.base import (
    FORMAT,
    INSTRUCTIONS,
    NO_ANSWER,
    TERMS,
    VOICE,
    WRONG,
    Amount,
    Comparer,
    Kit,
    Output,
    Scored,
    Scorer,
    Stated,
    Texts,
    as_number,
    as_stated,
    as_text,
    as_texts,
    conditions,
    empty,
    near,
    normal,
    numbers_in,
    plain,
    right,
    unfenced,
    unscored,
    wrong,
)
from tuneworthy.scoring.worker import Worker
from tuneworthy.text.instructions import Instruction, Reader, follows, sentence_count

if TYPE_CHECKING:
    from tuneworthy.text.glossary import Glossary, Phrases
    from tuneworthy.text.search import CompiledPattern


class Match(Comparer):
    """The whole output equals an accepted text after normalization (``normal``)."""

    id = "match"
    main = "accepted"
    own: Texts = Field((), alias="accepted")  #: Instead of the case's reference.
    exact: bool = False  #: Compare as it stands, but for spaces around it.
    punctuation: bool = False  #: Whether marks count.
    articles: bool = False  #: Whether English articles are left out.

    def accepted(self, case: EvalCase) -> Sequence[str]:
        return self.own or tuple(map(as_text, case.accepted))

    def compare(self, output: Output, accepted: Sequence[str]) -> Scored:
        text = self._plain(output.text)
        if any(text == self._plain(other) for other in accepted):
            return right("equal")
        return wrong("differs", about=accepted[0])

    def _plain(self, text: str) -> str:
        if self.exact:
            return text.strip()
        words = normal(text, punctuation=self.punctuation, articles=self.articles)
        # a text of nothing but marks stays as it is
        return words or " ".join(text.split())


_label = lru_cache(maxsize=1024)(plain)  # most answers repeat one of a few texts
_LONGEST_LABEL = 2000  # characters that are compared, as a model may write a whole page


class LabelMatch(Comparer):
    """The output is the accepted label of a closed set; a text that is no label is a fault of form."""

    id = "label"
    main = "labels"
    labels: Annotated[
        Strings, Field(max_length=100_000), BeforeValidator(as_texts)
    ] = ()
    """All labels; those of the kit where none are listed."""
    #: Where the output is an object: the key that holds the label.
    key: Stated | None = None
    _known: dict[str, str] = PrivateAttr(default_factory=dict)

    def prepare(self, kit: Kit) -> None:
        """Collect the labels; refuse two that differ only in capitals and marks."""
        for label in self.labels or kit.labels:
            other = self._known.setdefault(plain(label), label)
            if other != label:
                what = f'has labels "{other[:40]}" and "{label[:40]}" that are the same'
                raise refused(
                    what, "give them names that differ in more than capitals and marks"
                )

    def accepted(self, case: EvalCase) -> Sequence[str]:
        return [as_text(value) for value in case.accepted]

    def compare(self, output: Output, accepted: Sequence[str]) -> Scored:
        """Compare the label in the output, or under its key, with the accepted ones."""
        text = self._label_text(output)
        if text is None:
            return wrong("no_label", signal=FORMAT, about=output.text)
        label = _label(text)
        if any(label == _label(other) for other in accepted):
            return right("label_equal")
        # without a list of labels, any text may be one
        if self._known and label not in self._known:
            return wrong("no_label", signal=FORMAT, about=output.text)
        return wrong("label_differs", about=accepted[0])

    def _label_text(self, output: Output) -> str | None:
        """Return the text that should be a label; None for an object without one under the key."""
        if not self.key:
            return unfenced(output.text)[:_LONGEST_LABEL]
        text = output.json.get(self.key) if isinstance(output.json, dict) else None
        return text if isinstance(text, str) else None


class Number(Comparer):
    """The last number of the output, or the only one, lies near an accepted one."""

    id = "number"
    main = "within"
    within: Amount = 0.0  #: Absolute tolerance, in the unit of the number.
    #: Tolerance as a share of the right number; the wider of both counts.
    relative: Amount = 0.0
    which: Literal["last", "only"] = "last"

    def accepted(self, case: EvalCase) -> Sequence[float]:
        return [n for n in map(as_number, case.accepted) if n is not None]

    def compare(self, output: Output, accepted: Sequence[float]) -> Scored:
        """Compare the number in the output with the accepted ones."""
        written = numbers_in(output.text)
        if not written:
            return wrong("no_number", signal=FORMAT)
        if self.which == "only" and len(written) > 1:
            counts = {"found": len(written)}
            return wrong("several_numbers", signal=FORMAT, numbers=counts)
        number = written[-1]  # models conclude with their answer
        if number is None:
            return wrong("unclear_number", signal=FORMAT)
        numbers = {"said": number, "wanted": accepted[0]}
        for expected in accepted:
            if near(number, expected, within=self.within, relative=self.relative):
                return right("near_enough", numbers)
        return wrong("number_differs", numbers=numbers)


class Contains(Scorer):
    """The output contains every text of ``all``, one of ``any`` and none of ``none``.

    Without these three, it has to contain one of the references. The value is the share of
    conditions that hold.
    """

    id = "contains"
    main = "all"
    all: Texts = ()
    any: Texts = ()
    none: Texts = ()
    words: bool = True  #: Whole words only.
    exact: bool = False  #: Whether capitals matter.

    def score(self, output: Output, case: EvalCase) -> Scored:
        """Look for the texts; without any of its own, for the accepted answers of the case."""
        some = self.any
        if not (self.all or some or self.none):
            some = tuple(t for t in case.accepted if isinstance(t, str) and t.strip())
            if not some:
                return unscored("no_reference")
        present = self._present({*self.all, *some, *self.none}, output.text)
        fault = partial(wrong, signal=NO_ANSWER if output.blank else WRONG)
        faults = [
            fault("lacks", about=text) for text in self.all if text not in present
        ]
        asked = len(self.all) + len(self.none)
        if some:
            asked += 1
            if present.isdisjoint(some):
                faults.append(fault("lacks_all", about=some[0]))
        faults += [
            fault("says_forbidden", about=text) for text in self.none if text in present
        ]
        # an empty output earns no share for what it doesn't say
        n = len(faults) if output.blank else asked
        return conditions("contains", faults, n, asked=asked)

    def _present(self, texts: set[str], output: str) -> set[str]:
        """Return the texts that an output holds, whatever the width of its letters."""
        from tuneworthy.text.search import is_in

        wide = _wide(output)
        present = set[str]()
        for text in texts:
            literal = _literal(_wide(text), words=self.words, exact=self.exact)
            if is_in(literal, wide):
                present.add(text)
        return present


@lru_cache(maxsize=4096)
def _literal(text: str, *, words: bool, exact: bool) -> CompiledPattern:
    from tuneworthy.text.search import Pattern, make

    return make(text, Pattern(text, literal=True, word=words, caseless=not exact))


def _wide(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("’", "'")


SECONDS = 2.0  #: The longest that a match, or making a pattern, may take.
#: Matches of a pattern that took too long, after which it isn't tried again.
MOST_SLOW = 3
_slow = Counter[str]()


@cache
def regex_worker() -> Worker:
    """The one process that matches all patterns; it starts with the first one."""
    return Worker("regex", seconds=SECONDS, bare=True)


class Regex(Scorer):
    """The output matches a pattern, or with ``absent`` doesn't match it.

    It is a pattern of Python's `re`. A match that exceeds the time limit leaves the output
    unscored.
    """

    id = "regex"
    main = "pattern"
    pattern: Annotated[str, Field(max_length=2000), BeforeValidator(as_stated)]
    whole: bool = False  #: Whether it has to match the whole output.
    absent: bool = False
    capitals: bool = True  #: Whether capitals matter.

    def prepare(self, kit: Kit) -> None:
        """Match the empty text; refuse a pattern that can't be compiled, or not in time."""
        answer, why = regex_worker().ask([self.pattern, "", False, self.capitals])
        if why:
            fix = "write it shorter, without repetitions of repetitions"
            raise refused("has a pattern that takes too long to be made", fix)
        if answer == "no_pattern":
            fix = "write it as Python's re takes it, and try it there"
            raise refused("has a pattern that can't be used", fix)

    def score(self, output: Output, case: EvalCase) -> Scored:
        """Match the pattern; one that takes too long leaves the case unscored."""
        too_slow = unscored("pattern_too_slow", self.pattern)
        if _slow[self.pattern] >= MOST_SLOW:
            return too_slow
        question = [self.pattern, readable(output.text), self.whole, self.capitals]
        answer, _ = regex_worker().ask(question)
        if answer not in ("yes", "no"):
            _slow[self.pattern] += 1
            return too_slow
        is_present = answer == "yes"
        why = "pattern_found" if is_present else "pattern_absent"
        if is_present != self.absent:
            return right(why)
        signal = NO_ANSWER if output.blank else WRONG
        return wrong(why, signal=signal, about=self.pattern)


CHARACTERS_A_TOKEN = 4
"""Characters to a token of English, as a rule of thumb; other scripts take fewer."""
Unit = Literal["words", "characters", "sentences", "tokens"]
MEASURES: Mapping[Unit, Callable[[str], int]] = {
    "words": lambda text: len(text.split()),
    "characters": lambda text: len(text.strip()),
    "sentences": sentence_count,
    "tokens": lambda text: -(-len(text.strip()) // CHARACTERS_A_TOKEN),
}  #: Units of length; tokens are characters over four, rounded up.


_MOST_UNITS = 10**9  # of a length; no output is longer


def _bound(value: Any) -> Any:
    """Read a bound as least and most; a single number is the most."""
    fix = "write a number for the most, or [least, most]"
    ends = tuple(value) if isinstance(value, list | tuple) else (0, value)
    # by ``type``, as a yes or no is a whole number to Python
    are_counts = all(type(end) is int and 0 <= end <= _MOST_UNITS for end in ends)
    if len(ends) != 2 or not are_counts:
        raise refused("is not a bound", fix)
    least, most = ends
    if least > most:
        raise refused("has the most below the least", fix)
    return ends


Bound = Annotated[tuple[int, int], BeforeValidator(_bound)]
"""Least and most; a number alone is the most."""


class Length(Scorer):
    """The length keeps every bound, both ends included. The value is the share of units that do."""

    id = "length"
    words: Bound | None = None
    characters: Bound | None = None
    sentences: Bound | None = None
    tokens: Bound | None = None

    @model_validator(mode="after")
    def _has_a_bound(self) -> Length:
        if not self._bounds:
            raise refused("has no bound", "write words: 50, or words: [10, 50]")
        return self

    @property
    def _bounds(self) -> dict[Unit, tuple[int, int]]:
        stated: dict[Unit, tuple[int, int] | None] = {
            "words": self.words,
            "characters": self.characters,
            "sentences": self.sentences,
            "tokens": self.tokens,
        }
        return {unit: bound for unit, bound in stated.items() if bound is not None}

    def score(self, output: Output, case: EvalCase) -> Scored:
        """Compare the length with each bound."""
        if not output.text.strip():
            return empty()
        fault = partial(wrong, signal=INSTRUCTIONS)
        faults = []
        for unit, (least, most) in self._bounds.items():
            size = MEASURES[unit](output.text)
            if size < least:
                numbers = {"said": size, "least": least}
                faults.append(fault("too_short", about=unit, numbers=numbers))
            elif size > most:
                numbers = {"said": size, "most": most}
                faults.append(fault("too_long", about=unit, numbers=numbers))
        return conditions("length_kept", faults, len(self._bounds))


class PromptInstructions(Scorer):
    """The output follows every instruction of the prompt that a program can check.

    The known wordings are a closed list (``text.instructions``). A failure names the sentence with
    the instruction and its place in the prompt (0 at the beginning, 1 at the end). The value is the
    share of instructions that are followed.
    """

    id = "instructions"
    main = "prompt"
    reads_system = True
    prompt: Stated | None = None  #: Instead of the system prompt that was sent.

    def score(self, output: Output, case: EvalCase) -> Scored:
        """Check the instructions that a program can check in this output."""
        instructions = _instructions(self.prompt or output.system)
        if not instructions:
            return unscored("no_verifiable_instruction")
        if output.blank:
            return empty()
        checked = 0
        faults = list[Scored]()
        for instruction in instructions:
            # it takes many outputs at a time, and there is one here
            (holds,) = follows(instruction, [output.text], [len(output.tool_calls)])
            if holds is None:  # this output can't show it
                continue
            checked += 1
            if not holds:
                fault = wrong(
                    "instruction_ignored",
                    signal=INSTRUCTIONS,
                    about=instruction.quote,
                    numbers={"position": instruction.position},
                )
                faults.append(fault)
        if not checked:
            return unscored("no_verifiable_instruction")
        return conditions("instructions_followed", faults, checked, checked=checked)


@lru_cache(maxsize=64)
def _instructions(prompt: str) -> tuple[Instruction, ...]:
    return Reader().read(prompt)


class Terminology(Scorer):
    """The output uses the right glossary terms.

    A term is due if it, a wrong word for it, or a word that calls for it is in the input, or if one
    of the first two is in the output. The value is the share of due terms that are right.
    """

    id = "terminology"
    main = "required"
    #: Whether a term that the input calls for has to be in the output.
    required: bool = False
    _glossary: Glossary

    def prepare(self, kit: Kit) -> None:
        from tuneworthy.text.glossary import Glossary

        if not kit.materials.glossary:
            raise refused("needs a glossary", "name data.glossary in the case")
        self._glossary = Glossary(kit.materials.glossary)

    def score(self, output: Output, case: EvalCase) -> Scored:
        """Check each term that the output uses or the question calls for."""
        glossary = self._glossary
        due = 0
        faults = list[Scored]()
        # the glossary looks at many texts at a time, and there is one output and one input here
        written = glossary.look([output.text])
        read = glossary.look([case.text])
        for index in range(len(glossary)):
            (is_used,) = glossary.holds_right_word(written, index)
            (is_called_for,) = glossary.called_for(read, index)
            wrong_words = [
                word
                for word, (is_in_output,) in glossary.wrong(
                    written, index, [output.text]
                )
                if is_in_output
            ]
            if is_used or is_called_for or wrong_words:
                due += 1
            if wrong_words:
                about = wrong_words[0]
                faults.append(wrong("forbidden_term", signal=TERMS, about=about))
            elif self.required and is_called_for and not is_used:
                about = glossary.right(index)
                faults.append(wrong("term_missing", signal=TERMS, about=about))
        if not due:
            return unscored("no_term_due")
        if output.blank:
            return empty()
        return conditions("terms_right", faults, due, due=due)


class BrandVoice(Scorer):
    """The output has no generic phrase, and none that the team avoids.

    It checks a list of phrases. It can't judge wit or warmth.
    """

    id = "voice"
    main = "avoid"
    avoid: Texts = ()  #: Phrases besides those of the case's voice.
    _phrases: Phrases

    def prepare(self, kit: Kit) -> None:
        """Take the phrases to avoid from the scorer and from the team's voice."""
        from tuneworthy.text.glossary import Phrases

        voice = kit.materials.voice
        if self.avoid:
            base = voice or VoiceSamples(())
            voice = VoiceSamples(base.samples, (*self.avoid, *base.avoid))
        self._phrases = Phrases(voice)

    def score(self, output: Output, case: EvalCase) -> Scored:
        """Look for the first phrase that the voice avoids."""
        if not output.text.strip():
            return empty()
        (has_phrase,) = self._phrases.any([output.text])
        if not has_phrase:
            return right("own_voice")
        phrases = [phrase for phrase, _ in self._phrases.counts([output.text])]
        return wrong(
            "generic_phrase",
            signal=VOICE,
            about=phrases[0] if phrases else "",
            numbers={"phrases": len(phrases)},
        )
