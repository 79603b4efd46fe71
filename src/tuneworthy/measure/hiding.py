"""Hides personal data in texts that belong together, by the policy of a case.

A value that is hidden in a question is hidden in its answer: the same value gets the same word, or
the same fake, in all texts of an example. JSON stays JSON: its texts and numbers are replaced one
by one.
"""

from __future__ import annotations

import json
import random
import re
import string
import tomllib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from stdnum import iban, luhn

from tuneworthy.measure.personal import DataSpan, hidden_spans, labelled, mask
from tuneworthy.model.case import Hiding, PersonalPolicy
from tuneworthy.text.json import UNREAD, read_json

_PASSES = 8
_LITERAL = re.compile(r'"(?:[^"\\]|\\.)*+"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?', re.DOTALL)
_OPENING = ("{", "[")
_LETTER = r"[^\W\d_]"
_NAME = re.compile(
    rf"{_LETTER}(?:{_LETTER}|['’-])*(?: {_LETTER}(?:{_LETTER}|['’.-])*){{0,3}}"
)
_LEAST_PART = 3  #: Letters of a part of a name that is hidden where it stands alone.
_LEAST_VALUE = 2
_BETWEEN = r"[,.'’ ]?"  #: The signs that may stand between the digits of an amount.


class KnownValue(NamedTuple):
    """A value that is hidden everywhere."""

    whole: str  #: Of a part of a name, the whole name.
    label: str


class Masker:
    """Masks several texts that belong together: the same value gets the same word in all of them.

    The first e-mail address is ``[email]``, another one ``[email 2]``, and so on, so that a text
    still shows which is which. Every case gets a new masker, so nothing can be followed across
    cases. After ``learn`` has read the answer, values of the fields that a policy names are hidden
    everywhere. Words that the policy spares stay.
    """

    def __init__(self, policy: PersonalPolicy | None = None) -> None:
        self._policy = policy or PersonalPolicy()
        self._spared = spared_words(self._policy)
        self._numbers: dict[tuple[str, str], int] = {}
        self._counts: dict[str, int] = {}
        self._known: dict[str, KnownValue] = {}  # by the pattern that finds it
        self._pattern: re.Pattern[str] | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(self._counts)

    def count_hidden(self) -> int:
        """The number of different values that were hidden so far."""
        return len(self._numbers)

    def learn(self, answer: str | None) -> None:
        """Learn the values of the fields that hold personal data by the policy."""
        for field, value in field_values(answer, self._policy.fields):
            if _NAME.fullmatch(value) and any(letter.isupper() for letter in value):
                self._know("name", value)
            else:
                self._know(_label_of(value) or field, value)

    def expects(self, span: DataSpan, text: str) -> bool:
        """Whether a span holds a learned value, or a spared word."""
        inside = (
            k
            for k in self._of_known(text)
            if k.start <= span.start and span.end <= k.end
        )
        return next(inside, None) is not None or self._is_spared(span, text)

    def __call__(self, text: str) -> str:
        """Replace personal and secret data in a text by words; ``mask`` would change nothing more.

        Half a pair of UTF-16, which no file can hold, becomes a question mark.
        """
        text = text.encode("utf-8", "replace").decode()
        if is_json(text):
            return _in_literals(text, self._replaced)
        return self._replaced(text)

    def _replaced(self, text: str) -> str:
        """Mask a text; what is masked may uncover more, so several passes are made."""
        for _ in range(_PASSES):
            hidden = self._hidden(text)
            if not hidden:
                return text
            text = labelled(
                text, [s._replace(label=self._word(s, text)) for s in hidden]
            )
        return mask(text)  # words without numbers always come to an end

    def _hidden(self, text: str) -> list[DataSpan]:
        known = [*self._of_known(text)]
        spans = [s for s in hidden_spans(text, known) if not self._is_spared(s, text)]
        for span in spans:
            if span.label == "name":
                self._know("name", text[span.start : span.end])
        return spans

    def _is_spared(self, span: DataSpan, text: str) -> bool:
        if self._spared is None or span.label == "secret":
            return False
        return any(
            m.start() < span.end and span.start < m.end()
            for m in self._spared.finditer(text)
        )

    def _of_known(self, text: str) -> Iterator[DataSpan]:
        """Places of a text that hold a value known to be personal."""
        if self._pattern is None and self._known:
            every = sorted(self._known, key=len, reverse=True)
            self._pattern = re.compile(
                rf"(?<![\w]){_any_of(every)}(?![\w])", re.IGNORECASE
            )
        if self._pattern is None:
            return
        for match in self._pattern.finditer(text):
            label = self._known[self._written(match[0])].label
            # "rose" is no Rose
            is_part = label == "name" and not match[0][:1].isupper()
            if not is_part:
                yield DataSpan(*match.span(), "known", label)

    def _written(self, value: str) -> str:
        """The pattern that found a value."""
        return next(
            each for each in self._known if re.fullmatch(each, value, re.IGNORECASE)
        )

    def _know(self, label: str, value: str) -> None:
        """Remember a value as personal; of a name also its parts."""
        parts = [value]
        if label == "name":
            parts += [
                part for part in value.split() if len(part.strip(".")) >= _LEAST_PART
            ]
        for part in parts:
            written = _pattern_of(part)
            if len(part) >= _LEAST_VALUE and written not in self._known:
                self._known[written] = KnownValue(value, label)
                self._pattern = None

    def _whole(self, span: DataSpan, text: str) -> str:
        """The value behind a span; for a part of a name, the whole name."""
        value = text[span.start : span.end]
        if span.label == "name" and (written := _pattern_of(value)) in self._known:
            return self._known[written].whole
        return value

    def _word(self, span: DataSpan, text: str) -> str:
        number = self._number(span.label, self._whole(span, text))
        return span.label if number == 1 else f"{span.label} {number}"

    def _number(self, label: str, value: str) -> int:
        key = label, _plain(value)
        if key not in self._numbers:
            self._counts[label] = self._counts.get(label, 0) + 1
            self._numbers[key] = self._counts[label]
        return self._numbers[key]


class Faker(Masker):
    """Hides data behind fakes of the same shape instead of words; a secret still becomes a word.

    ``seed`` draws the fakes, so they reveal nothing about the real values.
    """

    def __init__(self, policy: PersonalPolicy | None = None, seed: str = "") -> None:
        super().__init__(policy)
        self._random = random.Random(seed)  # noqa: S311  # nothing is kept secret by it
        self._fakes: dict[tuple[str, str], str] = {}

    def _replaced(self, text: str) -> str:
        """Replace personal values in a text by fakes."""
        at = 0
        pieces: list[str] = []
        # learns the names in it, because a part of a name may stand before the name
        self._hidden(text)
        for span in self._hidden(text):
            pieces += [text[at : span.start], self._fake(span, text)]
            at = span.end
        return "".join((*pieces, text[at:]))

    def _fake(self, span: DataSpan, text: str) -> str:
        """The fake that replaces a value: the same one each time, in the form of the value."""
        value = text[span.start : span.end]
        whole = self._whole(span, text)
        self._number(span.label, whole)
        if span.label == "secret":
            return "[secret]"
        key = span.label, _plain(whole)
        if key not in self._fakes:
            make = _MAKERS.get(span.label, _of_shape)
            self._fakes[key] = make(
                whole if _letters(whole) else _plain(whole), self._random
            )
        fake = self._fakes[key]
        if span.label == "name" and value != whole:
            return _part_of_name(value, whole, fake)
        return _in_shape(fake, value) if _digits(fake) and not _letters(whole) else fake


class Keeper(Masker):
    """Hides nothing: every value stays."""

    def _replaced(self, text: str) -> str:
        return text


def hider(policy: PersonalPolicy | None, how: Hiding, seed: str) -> Masker:
    """The masker for the texts of one example, as a policy requires it."""
    if how == "keep":
        return Keeper(policy)
    return Faker(policy, seed) if how == "fakes" else Masker(policy)


def local_hider(policy: PersonalPolicy | None, seed: str) -> Masker:
    """The masker for files beside the case. Without a stated policy, it puts words for the data."""
    return hider(policy, "words" if policy is None else policy.local, seed)


def spared_words(policy: PersonalPolicy) -> re.Pattern[str] | None:
    """A pattern for the words that a policy spares; None without any."""
    words = sorted(filter(None, map(str.strip, policy.words)), key=len, reverse=True)
    if not words:
        return None
    return re.compile(rf"(?<!\w){_any_of(map(re.escape, words))}(?!\w)", re.IGNORECASE)


def field_values(
    answer: str | None, fields: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Values of some fields in an answer in JSON, each with the last part of the field's name."""
    if not answer or not fields or not is_json(answer):
        return
    names = {field.casefold() for field in fields}
    value, _ = read_json(answer)
    yield from _values_in(value, names, "")


def _values_in(value: Any, names: set[str], path: str) -> Iterator[tuple[str, str]]:
    """The values that stand in fields of some names, each with its field's name."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _values_in(inner, names, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _values_in(inner, names, path)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        last = path.rpartition(".")[2]
        if (
            not names.isdisjoint((path.casefold(), last.casefold()))
            and str(value).strip()
        ):
            yield last, str(value).strip()


def is_json(text: str) -> bool:
    """Whether a text is an object or a list in JSON, without a fence."""
    if not text.lstrip().startswith(_OPENING):
        return False
    value, fenced = read_json(text)
    return value is not UNREAD and not fenced


def _in_literals(text: str, replaced: Callable[[str], str]) -> str:
    """Replace the texts and numbers of a JSON text; the keys and the layout stay as they are."""

    def literal(match: re.Match[str]) -> str:
        """Replace personal data in one JSON literal, so that it stays valid JSON; keys stay."""
        written = match[0]
        if not written.startswith('"'):
            number = replaced(written)
            return (
                number
                if number == written or _is_number(number)
                else json.dumps(number)
            )
        # a text before a colon is a key
        if text[match.end() :].lstrip()[:1] == ":":
            return written
        value = json.loads(written, strict=False)
        new = replaced(value)
        return (
            written if new == value else json.dumps(new, ensure_ascii=written.isascii())
        )

    return _LITERAL.sub(literal, text)


def _is_number(text: str) -> bool:
    return (
        re.fullmatch(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", text) is not None
    )


def _any_of(patterns: Any) -> str:
    return f"(?:{'|'.join(patterns)})"


def _pattern_of(value: str) -> str:
    """The pattern that finds a value. An amount is found however its digits are grouped."""
    if re.fullmatch(r"\d+(?:\.\d+)?", value):
        whole, _, rest = value.partition(".")
        cents = rf"(?:[.,]{rest}0*)" if rest.strip("0") else r"(?:[.,]0{1,2})?"
        return _BETWEEN.join(whole) + cents
    return r"\s+".join(map(re.escape, value.split()))


def _label_of(value: str) -> str:
    """The label of a whole value; empty for an unknown kind."""
    spans = hidden_spans(value, ())
    whole = [span.label for span in spans if (span.start, span.end) == (0, len(value))]
    return next(iter(whole), "")


def _plain(value: str) -> str:
    """A value in one spelling, so that two spellings of it are equal."""
    if not _letters(value):
        whole = re.sub(r"[.,]0{1,2}$", "", value)
        return _digits(whole) or value
    return " ".join(value.casefold().split())


def _digits(text: str) -> str:
    return "".join(each for each in text if each in string.digits)


def _letters(text: str) -> bool:
    return any(each.isalpha() for each in text)


# Fakes, each made from what it stands for and a generator.


@cache
def _lists() -> dict[str, tuple[str, ...]]:
    text = files("tuneworthy.measure").joinpath("fakes.toml").read_text("utf-8")
    return {name: tuple(words.split()) for name, words in tomllib.loads(text).items()}


def _name(value: str, draw: random.Random) -> str:
    first = draw.choice(_lists()["first_names"])
    last = draw.choice(_lists()["last_names"])
    name = f"{first} {last}" if " " in value.strip() else first
    return name.upper() if value.isupper() else name


def _part_of_name(value: str, whole: str, fake: str) -> str:
    """The part of a fake name for a part of the real name."""
    is_first = whole.casefold().startswith(value.casefold())
    part = fake.split(maxsplit=1)[0 if is_first else -1]
    return part.upper() if value.isupper() else part


def _mail(_: str, draw: random.Random) -> str:
    first = draw.choice(_lists()["first_names"])
    last = draw.choice(_lists()["last_names"])
    return f"{first}.{last}{draw.randrange(10, 100)}@example.com".lower()


def _street(value: str, draw: random.Random) -> str:
    number = draw.randrange(1, 200)
    name = draw.choice(_lists()["streets"])
    return (
        f"{number} {name} Street" if value[:1].isdigit() else f"{name} Street {number}"
    )


def _machine(value: str, draw: random.Random) -> str:
    if ":" in value:
        return f"2001:db8::{draw.randrange(1, 0xFFFF):x}"
    return f"203.0.113.{draw.randrange(1, 255)}"


def _card(value: str, draw: random.Random) -> str:
    """A card number of the same network, with a valid check digit."""
    digits = _digits(value)
    body = digits[:1] + _digits(_of_shape(digits[1:-1], draw))
    return _in_shape(body + luhn.calc_check_digit(body), value)


def _iban(value: str, draw: random.Random) -> str:
    plain = re.sub(r"\s", "", value)
    body = _of_shape(plain[4:], draw)
    made = f"{plain[:2]}{iban.calc_check_digits(f'{plain[:2]}00{body}')}{body}"
    letters = iter(made)
    return "".join(each if each.isspace() else next(letters, "") for each in value)


def _of_shape(value: str, draw: random.Random) -> str:
    """A text of the same shape: other digits and other letters; the first digit isn't zero."""
    made = []
    for place, each in enumerate(value):
        if each in string.digits:
            leads = place == 0 or value[place - 1] not in string.digits
            made.append(
                draw.choice("123456789")
                if leads and each != "0"
                else draw.choice("0123456789")
            )
        elif each.isalpha():
            letters = (
                string.ascii_uppercase if each.isupper() else string.ascii_lowercase
            )
            made.append(draw.choice(letters))
        else:
            made.append(each)
    return "".join(made)


def _in_shape(fake: str, value: str) -> str:
    """The digits of a fake in the groups of a value. Surplus characters of the value stay."""
    digits = iter(_digits(fake))
    return "".join(
        next(digits, each) if each in string.digits else each for each in value
    )


_MAKERS: dict[str, Callable[[str, random.Random], str]] = {
    "name": _name,
    "email": _mail,
    "street": _street,
    "address": _street,
    "ip_address": _machine,
    "card": _card,
    "iban": _iban,
}
"""The maker of fakes for each label. A value with another label gets a fake of the same shape."""
