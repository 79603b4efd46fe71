"""Many patterns in many texts, in one pass.

The texts of a batch are joined as UTF-8, with the byte 0xFF between them, which no text can
contain. hyperscan then scans all of it once.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, update_wrapper
from importlib.metadata import version
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np

from tuneworthy.model.base import as_bytes
from tuneworthy.text.kept import keep, key_of, open_kept

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]
    Texts = Sequence[str | None]  # a batch of them


BETWEEN = b"\xff"  #: Stands between two texts: no UTF-8 holds it.

_SPACES = rb"(?:[ \t\r\n]|\xc2\xa0){1,4}"
"""The expression for a space of a literal: blanks, line breaks or no-break spaces."""
_ESCAPED = re.compile(
    r"\\.", re.DOTALL
)  #: A sign that stands for itself, or a class as ``\d``.
_CLASS = re.compile(r"\[\^?\]?[^\]]*\]")
_REFUSED = re.compile(r"\(\?[=!<P]|[\^$]")
"""Look-around, named groups and anchors, which hyperscan can't match."""
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff"
    "\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Letters of Thai, Lao, Burmese, Khmer, Chinese, Japanese and Korean, whose words touch."""


class Pattern(NamedTuple):
    r"""A pattern to search for.

    A literal is text as it stands: a run of spaces in it stands for up to four spaces, tabs, line
    breaks or no-break spaces, and its composed and decomposed accents are the same. A regular
    expression is one that `re` and hyperscan both know, over UTF-8 bytes: `\w`, `\d` and `\b` know
    ASCII alone; `^`, `$`, look-around, back-references and other letters than ASCII inside `[]` are
    refused. hyperscan reports every end of every match, so let a match have few ends: `a\d{8}` and
    not `a\d{8,}`, and begin or end with something rare.
    """

    text: str  #: The literal, or the regular expression.
    literal: bool = False  #: Whether the text stands for itself.
    word: bool = False
    """For a literal: match whole words only. No letter, digit, ``_`` or accent of any alphabet may
    touch it where it begins or ends with one itself. Scripts without spaces have no such boundary."""
    #: Whether capitals count as small letters, in every alphabet.
    caseless: bool = False


class CompiledPattern(NamedTuple):
    """A pattern in the form that hyperscan and `re` both know."""

    raw: bytes
    flags: int  #: Those of `re`.
    crosses: bool = False
    """Whether a match could include the byte between two texts, and so has to be confirmed in one
    text. If not, every match in a text of only ASCII is valid: the expression itself has the
    boundaries there."""
    #: The literal at the end of what lies before; None for a pattern without edges.
    backward: re.Pattern[bytes] | None = None
    longest: int = 0  #: Bytes that such a match has at most.
    has_edge_before: bool = False  #: Whether no letter may touch it before,
    has_edge_behind: bool = False  #: or behind.


def make(name: str, pattern: Pattern) -> CompiledPattern:
    """Compile a pattern for hyperscan and `re`; a ValueError if that is impossible."""
    needle = _needle(name, pattern)
    try:
        compiled = re.compile(needle.raw, needle.flags)
    except re.error as problem:
        raise ValueError(f"pattern {name}: {problem}") from None
    if compiled.match(b""):
        raise ValueError(f"pattern {name} matches the empty text")
    return needle


def _needle(name: str, pattern: Pattern) -> CompiledPattern:
    if pattern.literal:
        return _literal(name, pattern)
    return _expression(name, pattern)


def _literal(name: str, pattern: Pattern) -> CompiledPattern:
    """Compile a literal pattern to bytes, so that every Unicode form of it is found."""
    text = " ".join(pattern.text.split())
    if not text:
        raise ValueError(f"pattern {name}: there is nothing to look for")
    # One letter with an accent, or the letter and the accent apart.
    forms = sorted({unicodedata.normalize(kind, text) for kind in ("NFC", "NFD")})
    alternatives = [_form(form, caseless=pattern.caseless) for form in forms]
    raw = b"(?:" + b"|".join(alternatives) + b")"
    flags = re.IGNORECASE if pattern.caseless else 0
    # In bytes: no letter has more than twelve in all its forms, and no space more than sixteen.
    longest = max(12 * len(form) + 16 * form.count(" ") for form in forms)
    if not pattern.word:
        return CompiledPattern(raw, flags, longest=longest)
    # ``at_edges`` finds with it where a match begins, as the engine tells only where it ends
    backward = re.compile(raw + rb"\Z", flags)
    has_edge_before = _has_edge(text[0])
    has_edge_behind = _has_edge(text[-1])
    # Edges that ASCII can test keep most matches that are no whole word from being reported.
    # With an edge of another alphabet nothing in ASCII matches, so no match has to be tested.
    if has_edge_before and text[0].isascii():
        raw = rb"\b" + raw
    if has_edge_behind and all(form[-1].isascii() for form in forms):
        raw += rb"\b"
    return CompiledPattern(
        raw,
        flags,
        backward=backward,
        longest=longest,
        has_edge_before=has_edge_before,
        has_edge_behind=has_edge_behind,
    )


def _form(text: str, *, caseless: bool) -> bytes:
    """The expression for one Unicode form of a literal."""
    return b"".join(_letter(letter, caseless=caseless) for letter in text)


def _letter(letter: str, *, caseless: bool) -> bytes:
    """The expression for a letter of a literal; in other alphabets, for its capital and small form.

    Of bytes, ``re`` and hyperscan know only the capitals of ASCII.
    """
    if letter == " ":
        return _SPACES
    if letter.isascii() or not caseless:
        return _escape_pattern(letter)
    forms = {letter, letter.lower(), letter.upper(), letter.title()}
    forms.add(letter.lower().upper())  # as K for the sign of Kelvin
    if letter == "ß":
        forms.add("\u1e9e")  # the capital ß, which upper() doesn't give
    return b"(?:" + b"|".join(_escape_pattern(form) for form in sorted(forms)) + b")"


def _escape_pattern(text: str) -> bytes:
    """Escape literal text for hyperscan and `re`: letters and digits stay, other bytes as hex."""
    escaped = b""
    for byte in as_bytes(text):
        sign = bytes((byte,))
        escaped += sign if sign.isalnum() else b"\\x%02x" % byte
    return escaped


def _expression(name: str, pattern: Pattern) -> CompiledPattern:
    """Compile a pattern that is an expression; refuse parts that the engine can't match."""
    text = pattern.text
    bare = _ESCAPED.sub("", text)
    if any(not group.isascii() for group in _CLASS.findall(bare)):
        raise ValueError(f"pattern {name}: only ASCII may stand in []")
    outside = _CLASS.sub("", bare)
    has_anchor_or_reference = re.search(r"\\[AZz1-9]", text)
    if _REFUSED.search(outside) or has_anchor_or_reference or pattern.word:
        what = "anchors, look-around, references, `word` are refused"
        raise ValueError(f"pattern {name}: {what}")
    # These match any byte, and so the one between two texts.
    takes_any_byte = re.search(r"\\(?:[DSWB]|x[fF])", text) is not None
    crosses = "." in outside or "[^" in bare or takes_any_byte
    raw = b""
    for letter in text:
        if letter.isascii():
            raw += letter.encode()
        else:
            raw += b"(?:" + _letter(letter, caseless=pattern.caseless) + b")"
    return CompiledPattern(raw, re.IGNORECASE if pattern.caseless else 0, crosses)


def _has_edge(letter: str) -> bool:
    """Whether a word that ends with this letter has a boundary there."""
    return _touches(letter) and not _UNSPACED.match(letter)


def _touches(letter: str) -> bool:
    """Whether a neighbor makes a word part of a longer word."""
    return letter.isalnum() or letter == "_" or unicodedata.combining(letter) != 0


def at_edges(needle: CompiledPattern, joined: bytearray, end: int) -> bool:
    """Whether a literal that ends here is a whole word; True for other patterns."""
    if needle.backward is None:
        return True
    if needle.has_edge_behind:
        # UTF-8 has at most four bytes a letter.
        after = joined[end : end + 4].decode("utf-8", "replace")[:1]
        is_text_end = joined[end : end + 1] in (b"", BETWEEN)
        if not is_text_end and _touches(after):
            return False
    if not needle.has_edge_before:
        return True
    # the engine tells only where a match ends, so its start is looked for backwards
    from_here = max(0, end - needle.longest)
    match = needle.backward.search(joined[from_here:end])
    assert match is not None  # it ends here
    start = from_here + match.start()
    before = joined[max(0, start - 4) : start]
    if before[-1:] in (b"", BETWEEN):
        return True
    return not _touches(before.decode("utf-8", "replace")[-1:])


def is_in(literal: CompiledPattern, text: str) -> bool:
    """Whether a literal is in one text. For a single text, hyperscan's compiling takes longer.

    Matches may overlap: the second one may be a whole word where the first isn't.
    """
    return end_in(literal, as_bytes(text)) > 0


def end_in(needle: CompiledPattern, data: bytes) -> int:
    """The end of the first match in one text; 0 for none."""
    if needle.backward is None:
        match = re.compile(needle.raw, needle.flags).search(data)
        return 0 if match is None else match.end()
    # Looking ahead finds matches that overlap, too.
    ahead = re.compile(b"(?=(?P<match>" + needle.raw + b"))", needle.flags)
    whole = bytearray(data)
    for match in ahead.finditer(data):
        end = match.end("match")
        if at_edges(needle, whole, end):
            return end
    return 0


_ALL: list[deque[Any]] = []
Argument = TypeVar("Argument")
Result = TypeVar("Result")


class Remembered(Generic[Argument, Result]):
    """A function that remembers its results for the last few arguments, as unchanged objects."""

    def __init__(self, function: Callable[[Argument], Result], most: int) -> None:
        self._function = function
        self._recent = deque[tuple[Argument, Result]](maxlen=most)
        update_wrapper(self, function)
        _ALL.append(self._recent)

    def __call__(self, argument: Argument) -> Result:
        for earlier, result in tuple(self._recent):
            if earlier is argument:
                return result
        return self.note(argument, self._function(argument))

    def note(self, argument: Argument, result: Result) -> Result:
        """Remember a result that was computed elsewhere."""
        self._recent.appendleft((argument, result))
        return result


def remembered(
    most: int,
) -> Callable[[Callable[[Argument], Result]], Remembered[Argument, Result]]:
    """Make a function remember its results for the last ``most`` arguments."""
    return lambda function: Remembered(function, most)


def forget() -> None:
    """Empty the memory of all such functions, so that no user's text stays after a measurement."""
    for recent in _ALL:
        recent.clear()


SPACES = np.array([chr(byte).isspace() or byte >= 0x80 for byte in range(256)])
"""Bytes that a space may begin with, by their number."""


class Joined:
    """Texts as UTF-8 with ``BETWEEN`` between them; None counts as an empty one."""

    def __init__(self, texts: Texts) -> None:
        self.there: Flags = np.ones(len(texts), dtype=bool)  #: Which are not None.
        try:
            # Joining says itself where one is None, which is faster than looking at each.
            whole = "\n".join(texts)  # type: ignore[arg-type]  # see above
            self._texts: Sequence[str] = texts  # type: ignore[assignment]  # none of them is None
        except TypeError:
            self.there = np.array([text is not None for text in texts], dtype=bool)
            self._texts = [text or "" for text in texts]
            whole = "\n".join(self._texts)
        #: Which are nothing but ASCII.
        self.plain: Flags = np.ones(len(texts), dtype=bool)
        # most texts are: then bytes and characters have equal counts
        sizes: Iterable[int] = map(len, self._texts)
        if not whole.isascii():
            self.plain = np.fromiter(map(str.isascii, self._texts), bool, len(texts))
            sizes = map(_size, self._texts)
        self.lengths: NDArray[np.int64] = np.fromiter(sizes, np.int64, len(texts))
        """The number of bytes of each text."""
        #: Where each text ends.
        self.ends: NDArray[np.int64] = np.cumsum(self.lengths + 1) - 1
        self.data = bytearray(as_bytes(whole)) + b"\0"
        """All texts, followed by a zero, so that an empty last text has a first byte."""
        self._bytes: NDArray[np.uint8] = np.frombuffer(self.data, dtype=np.uint8)
        # The line breaks of joining become the byte that no text has.
        self._bytes[self.ends[:-1]] = BETWEEN[0]

    def __len__(self) -> int:
        return len(self.lengths)

    def one(self, row: int) -> bytes:
        """A text as UTF-8."""
        end = int(self.ends[row])
        return bytes(self.data[end - int(self.lengths[row]) : end])

    def holding(self, piece: bytes) -> Flags:
        """Which texts contain some bytes."""
        holds = np.zeros(len(self), dtype=bool)
        # One byte is looked for far quicker than several, and mostly it isn't there.
        place = self.data.find(piece[:1])
        if place >= 0:
            place = self.data.find(piece, place)
        while place >= 0:
            row = int(np.searchsorted(self.ends, place))
            holds[row] = True
            place = self.data.find(piece, int(self.ends[row]))
        return holds

    @cached_property
    def first(self) -> NDArray[np.uint8]:
        """The first byte of each text; 0 for an empty one."""
        first: NDArray[np.uint8] = self._bytes[self.ends - self.lengths]
        first[self.lengths == 0] = 0  # there, the next text begins
        return first

    @cached_property
    def blank(self) -> Flags:
        """Which texts are empty or only spaces."""
        blank: Flags = self.lengths == 0
        for row in np.flatnonzero(~blank & SPACES[self.first]).tolist():
            blank[row] = self._texts[row].isspace()
        return blank


def _size(text: str) -> int:
    """The number of bytes of a text."""
    return len(text) if text.isascii() else len(as_bytes(text))


@remembered(4)  # outputs and inputs of a batch, which several signals look through
def joined(texts: Texts) -> Joined:
    """Join texts into one sequence of bytes."""
    return Joined(texts)


_PASS_BYTES = 1 << 28
"""Bytes of one pass, as hyperscan counts in 32 bits; a longer batch goes in several."""

_RESOLVE_AT = 1_000_000  #: Hits kept at once, so that no text can fill the memory.

OnHit = Callable[[int, int, int, int, object], None]
"""The function that hyperscan calls for a hit: pattern, unused, end, unused, unused."""


class Searcher:
    """Searches the texts of a batch for patterns, by name.

    Raises ValueError if a pattern matches the empty text, is refused, or can't be compiled.
    ``shipped`` patterns are known to compile: that happens at their first use, unless an earlier
    run kept them compiled.
    """

    def __init__(
        self, patterns: Mapping[str, Pattern], *, shipped: bool = False
    ) -> None:
        self._names = tuple(patterns)
        # a user's pattern is tested by ``re`` first, which says what is wrong with it
        prepare = _needle if shipped else make
        needles = [prepare(name, pattern) for name, pattern in patterns.items()]
        self._needles = tuple(needles)
        #: Which patterns stay within one text.
        self._simple = np.array([not needle.crosses for needle in needles], dtype=bool)
        self._scan = None if shipped else _scanner(_database(self._needles))

    def rows(self, texts: Texts) -> dict[str, Flags]:
        """Which texts contain each pattern; None contains nothing.

        The joined form of the last few lists is remembered, so a list must not be changed between
        searches.
        """
        return {name: ends > 0 for name, ends in self.ends(texts).items()}

    def ends(self, texts: Texts) -> dict[str, NDArray[np.int32]]:
        """The end in bytes of a match, usually the first, of each pattern in each text; else 0."""
        match_ends = np.zeros((len(self._names), len(texts)), dtype=np.int32)
        if self._names and texts:
            whole = joined(texts)
            for start, stop in pairwise(_passes(whole)):
                self._pass(whole, start, stop, match_ends)
        return dict(zip(self._names, match_ends, strict=True))

    def _pass(
        self, texts: Joined, start: int, stop: int, match_ends: NDArray[np.int32]
    ) -> None:
        """Search the texts from ``start`` to ``stop``, and note where each pattern matches first."""
        begin = int(texts.ends[start] - texts.lengths[start])
        refuted: set[tuple[int, int]] = set()  # pattern and text
        patterns: list[int] = []
        ends: list[int] = []

        def note_match(
            pattern: int, _start: int, end: int, _flags: int, _context: object
        ) -> None:
            patterns.append(pattern)
            ends.append(end)
            if len(patterns) >= _RESOLVE_AT:
                resolve()

        def resolve() -> None:
            """Assign the matches so far to their texts, and forget them."""
            stops = np.array(ends, dtype=np.int64) + begin
            numbers = np.array(patterns, dtype=np.int64)
            self._assign(texts, numbers, stops, match_ends, refuted)
            patterns.clear()
            ends.clear()

        data = memoryview(texts.data)[begin : int(texts.ends[stop - 1])]
        if self._scan is None:
            self._scan = _scanner(_shipped_database(self._needles))
        self._scan(data, note_match)
        if patterns:
            resolve()

    def _assign(
        self,
        texts: Joined,
        patterns: NDArray[np.int64],
        stops: NDArray[np.int64],
        match_ends: NDArray[np.int32],
        refuted: set[tuple[int, int]],
    ) -> None:
        """Note matches of patterns, by where they end in the joined texts, for the text of each.

        Args:
            texts: The joined texts.
            patterns: The number of the pattern of each match.
            stops: Where each match ends.
            match_ends: By pattern and text, the end of its first match; 0 for none yet. Changed.
            refuted: Patterns and texts whose match turned out to be none, so that it isn't tested
                again. Changed.
        """
        rows = np.searchsorted(texts.ends, stops)
        within = stops - (texts.ends - texts.lengths)[rows]
        # In plain ASCII the engine has tested the edges, so any match of a pattern will do.
        is_sure = self._simple[patterns] & texts.plain[rows]
        # assigned backwards, so that of several matches the first stays
        last_first = np.flatnonzero(is_sure)[::-1]
        match_ends[patterns[last_first], rows[last_first]] = within[last_first]
        for place in np.flatnonzero(~is_sure).tolist():
            pattern = int(patterns[place])
            row = int(rows[place])
            if match_ends[pattern, row] or (pattern, row) in refuted:
                continue
            needle = self._needles[pattern]
            if needle.crosses:
                # The engine's match may reach into the next text, so this one is searched alone.
                end = end_in(needle, texts.one(row))
                match_ends[pattern, row] = end
                if end == 0:
                    refuted.add((pattern, row))
            elif at_edges(needle, texts.data, int(stops[place])):
                match_ends[pattern, row] = within[place]


def _passes(texts: Joined) -> list[int]:
    """The bounds of passes, so that none scans more than it may."""
    ends = texts.ends + 1
    bounds = [0]
    bytes_before = 0  # in earlier passes
    while bounds[-1] < len(ends):
        most = bytes_before + _PASS_BYTES
        fitting = int(np.searchsorted(ends, most, side="right"))
        bound = max(bounds[-1] + 1, fitting)  # one text at least
        bounds.append(bound)
        bytes_before = int(ends[bound - 1])
    return bounds


def _database(needles: Sequence[CompiledPattern]) -> Any:
    """Compile patterns with hyperscan; a ValueError if one can't be."""
    import hyperscan

    database = hyperscan.Database()
    if not needles:  # hyperscan refuses to compile nothing
        return database
    caseless = hyperscan.HS_FLAG_CASELESS
    expressions = [needle.raw for needle in needles]
    flags = [caseless if needle.flags else 0 for needle in needles]
    try:
        database.compile(expressions=expressions, flags=flags)
    except hyperscan.error as problem:
        raise ValueError(f"a pattern can't be compiled: {problem}") from None
    return database


_MOST_KEPT = 8  #: Lists of shipped patterns that are kept compiled.


def _shipped_database(needles: Sequence[CompiledPattern]) -> Any:
    """Patterns as an earlier run compiled them, else compiled and kept.

    Hyperscan refuses a damaged database, or one of another version or for another processor.
    """
    import hyperscan

    key = _database_key(needles)
    kept = open_kept("patterns", key)
    if kept is not None:
        with kept, suppress(hyperscan.error):
            database = hyperscan.loadb(kept.read(), hyperscan.HS_MODE_BLOCK)
            database.scratch = hyperscan.Scratch(database)
            return database
    database = _database(needles)
    keep("patterns", key, hyperscan.dumpb(database), _MOST_KEPT)
    return database


def _database_key(needles: Sequence[CompiledPattern]) -> str:
    """The name under which these patterns are kept compiled, for this version of hyperscan."""
    parts = [version("hyperscan").encode()]
    for needle in needles:
        parts += [needle.raw, str(needle.flags).encode()]
    return key_of(parts)


def _scanner(database: Any) -> Callable[[memoryview, OnHit], None]:
    """A function that scans bytes with a database."""
    one_at_a_time = threading.Lock()  # a database has one scratch space

    def scan(data: memoryview, seen: OnHit) -> None:
        with one_at_a_time:
            database.scan(data, match_event_handler=seen)

    return scan
