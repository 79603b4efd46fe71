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
"""How often a text is masked at most: a pass may uncover data that stood against other data."""
_LITERAL = re.compile(r'"(?:[^"\\]|\\.)*+"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?', re.DOTALL)
_OPENING = ("{", "[")
_LETTER = r"[^\W\d_]"
_NAME = re.compile(
    rf"{_LETTER}(?:{_LETTER}|['’-])*(?: {_LETTER}(?:{_LETTER}|['’.-])*){{0,3}}"
)
_LEAST_PART = 3  #: Letters of a part of a name that is hidden where it stands alone.
#: Characters of a value that is hidden everywhere; a single one is in any text.
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
        self._numbers: dict[tuple[str, str], int] = {}  # by label and plain value
        self._counts: dict[str, int] = {}  # different values of each label
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
        for known in self._of_known(text):
            if known.start <= span.start and span.end <= known.end:
                return True
        return self._is_spared(span, text)

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
            numbered = [span._replace(label=self._word(span, text)) for span in hidden]
            text = labelled(text, numbered)
        return mask(text)  # words without numbers always come to an end

    def _hidden(self, text: str) -> list[DataSpan]:
        """The places of a text to hide. The names among them are known from now on."""
        known = [*self._of_known(text)]
        spans = [s for s in hidden_spans(text, known) if not self._is_spared(s, text)]
        for span in spans:
            if span.label == "name":
                self._know("name", text[span.start : span.end])
        return spans

    def _is_spared(self, span: DataSpan, text: str) -> bool:
        """Whether a span overlaps a word that the policy spares; a secret is never spared."""
        if self._spared is None or span.label == "secret":
            return False
        return any(
            word.start() < span.end and span.start < word.end()
            for word in self._spared.finditer(text)
        )

    def _of_known(self, text: str) -> Iterator[DataSpan]:
        """Places of a text that hold a value known to be personal."""
        if not self._known:
            return
        if self._pattern is None:
            # The longest first, so that a whole name is found before a part of it.
            every = sorted(self._known, key=len, reverse=True)
            self._pattern = re.compile(
                rf"(?<![\w]){_any_of(every)}(?![\w])", re.IGNORECASE
            )
        for match in self._pattern.finditer(text):
            value = match[0]
            label = self._label_of_known(value)
            # The word "rose" doesn't mean a person called Rose.
            if label == "name" and not value[0].isupper():
                continue
            yield DataSpan(*match.span(), "known", label)

    def _label_of_known(self, value: str) -> str:
        """The label of the first known value that is written like this one."""
        for written, known in self._known.items():
            if re.fullmatch(written, value, re.IGNORECASE):
                return known.label
        raise LookupError(value)  # the pattern of all known values matched it

    def _know(self, label: str, value: str) -> None:
        """Remember a value as personal; of a name also its parts."""
        parts = [value]
        if label == "name":
            # An initial alone is in too many texts.
            parts += [
                part for part in value.split() if len(part.strip(".")) >= _LEAST_PART
            ]
        for part in parts:
            written = _pattern_of(part)
            if len(part) >= _LEAST_VALUE and written not in self._known:
                self._known[written] = KnownValue(value, label)
                # It is compiled anew when it is needed next.
                self._pattern = None

    def _whole(self, span: DataSpan, text: str) -> str:
        """The value behind a span; for a part of a name, the whole name."""
        value = text[span.start : span.end]
        if span.label != "name":
            return value
        known = self._known.get(_pattern_of(value))
        return value if known is None else known.whole

    def _word(self, span: DataSpan, text: str) -> str:
        number = self._number(span.label, self._whole(span, text))
        return span.label if number == 1 else f"{span.label} {number}"

    def _number(self, label: str, value: str) -> int:
        """The number of a value among those with its label, from 1, by first appearance."""
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
        # The first call learns the names, because a part of a name may stand before the name.
        self._hidden(text)
        done = 0
        pieces: list[str] = []
        for span in self._hidden(text):
            pieces += [text[done : span.start], self._fake(span, text)]
            done = span.end
        return "".join((*pieces, text[done:]))

    def _fake(self, span: DataSpan, text: str) -> str:
        """The fake that replaces a value: the same one each time, in the form of the value."""
        value = text[span.start : span.end]
        whole = self._whole(span, text)
        # Counts the value as hidden; a fake shows no number.
        self._number(span.label, whole)
        if span.label == "secret":
            return "[secret]"
        fake = self._fake_of_whole(span.label, whole)
        if span.label == "name" and value != whole:
            return _part_of_name(value, whole, fake)
        if _digits(fake) and not _letters(whole):
            return _in_shape(fake, value)
        return fake

    def _fake_of_whole(self, label: str, whole: str) -> str:
        """The fake of a whole value, in any spelling; made when the value is first met."""
        key = label, _plain(whole)
        if key not in self._fakes:
            make = _MAKERS.get(label, _of_shape)
            # A number is made without its signs: each spelling of it puts its own around them.
            plain = whole if _letters(whole) else _plain(whole)
            self._fakes[key] = make(plain, self._random)
        return self._fakes[key]


class Keeper(Masker):
    """Hides nothing: every value stays."""

    def _replaced(self, text: str) -> str:
        return text


def hider(policy: PersonalPolicy | None, how: Hiding, seed: str) -> Masker:
    """The masker for the texts of one example, as a policy requires it."""
    if how == "keep":
        return Keeper(policy)
    if how == "fakes":
        return Faker(policy, seed)
    return Masker(policy)


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
    """Find values in the fields of some names, in parsed JSON; each with its field's last part.

    ``path`` is the field that ``value`` stands in, by its keys with dots between. A field is named
    by its whole path or by its last key alone. True and false identify nobody.
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _values_in(inner, names, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _values_in(inner, names, path)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        last = path.rpartition(".")[2]
        is_named = path.casefold() in names or last.casefold() in names
        text = str(value).strip()
        if is_named and text:
            yield last, text


def is_json(text: str) -> bool:
    """Whether a text is an object or a list in JSON, without a fence."""
    if not text.lstrip().startswith(_OPENING):
        return False
    value, fenced = read_json(text)
    return value is not UNREAD and not fenced


def _in_literals(text: str, replaced: Callable[[str], str]) -> str:
    """Replace the texts and numbers of a JSON text; the keys and the layout stay as they are."""

    def literal(match: re.Match[str]) -> str:
        """Replace personal data in one JSON literal, so that it stays valid JSON."""
        written = match[0]
        if not written.startswith('"'):
            return _replaced_number(written, replaced)
        is_key = text[match.end() :].lstrip()[:1] == ":"
        if is_key:
            return written
        return _replaced_text(written, replaced)

    return _LITERAL.sub(literal, text)


def _replaced_number(written: str, replaced: Callable[[str], str]) -> str:
    """Replace personal data in a JSON number; a word for it becomes a JSON text."""
    number = replaced(written)
    if number == written or _is_number(number):
        return number
    return json.dumps(number)


def _replaced_text(written: str, replaced: Callable[[str], str]) -> str:
    """Replace personal data in a JSON text. Where there is none, its escapes stay too."""
    value = json.loads(written, strict=False)
    new = replaced(value)
    if new == value:
        return written
    return json.dumps(new, ensure_ascii=written.isascii())


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
        # "12.5" may be written "12,50"; a whole amount may have ".00" behind it.
        cents = rf"(?:[.,]{rest}0*)" if rest.strip("0") else r"(?:[.,]0{1,2})?"
        return _BETWEEN.join(whole) + cents
    return r"\s+".join(map(re.escape, value.split()))


def _label_of(value: str) -> str:
    """The label of a value that is personal as a whole, by its form; else an empty text."""
    for span in hidden_spans(value):
        if (span.start, span.end) == (0, len(value)):
            return span.label
    return ""


def _plain(value: str) -> str:
    """A value in one spelling, so that two spellings of it are equal: of a number, its digits."""
    if not _letters(value):
        without_cents = re.sub(r"[.,]0{1,2}$", "", value)
        return _digits(without_cents) or value
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
    """An account number of the same country and shape, with valid check digits."""
    plain = re.sub(r"\s", "", value)
    country = plain[:2]
    # Two check digits stand between the country and the account.
    account = _of_shape(plain[4:], draw)
    check = iban.calc_check_digits(f"{country}00{account}")
    letters = iter(f"{country}{check}{account}")
    # Blanks stay where they are in the value.
    return "".join(each if each.isspace() else next(letters, "") for each in value)


def _of_shape(value: str, draw: random.Random) -> str:
    """A text of the same shape: other digits and other letters, and the same signs.

    A number that begins with no zero gets none there, so that it stays valid JSON.
    """
    made = []
    inside_number = False
    for each in value:
        if each in string.digits:
            may_be_zero = inside_number or each == "0"
            digits = string.digits if may_be_zero else "123456789"
            made.append(draw.choice(digits))
        elif each.isalpha() and each.isupper():
            made.append(draw.choice(string.ascii_uppercase))
        elif each.isalpha():
            made.append(draw.choice(string.ascii_lowercase))
        else:
            made.append(each)
        inside_number = each in string.digits
    return "".join(made)


def _in_shape(fake: str, value: str) -> str:
    """Put the digits of a fake where those of a value stand. Where the fake has fewer, they stay."""
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
