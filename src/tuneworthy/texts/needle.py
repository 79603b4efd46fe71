"""A pattern, and what both engines of `search` make of it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

BETWEEN = b"\xff"
"""Stands between two texts: no UTF-8 holds it."""

_SPACES = rb"(?:[ \t\r\n]|\xc2\xa0){1,4}"
_ESCAPED = re.compile(r"\\.", re.DOTALL)
_CLASS = re.compile(r"\[\^?\]?[^\]]*\]")
_REFUSED = re.compile(r"\(\?[=!<P]|[\^$]")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff"
    "\uf900-\ufaff\U00020000-\U0003ffff]"
)  # Thai, Lao, Burmese, Khmer, Chinese, Japanese, Korean: words touch


@dataclass(frozen=True, slots=True)
class Pattern:
    r"""What to look for.

    A literal is text as it stands: a run of spaces in it stands for up to four spaces, tabs, line
    breaks or no-break spaces, and its composed and decomposed accents are the same. A regular
    expression is one that `re` and hyperscan both know, over UTF-8 bytes: `\w`, `\d` and `\b` know
    ASCII alone; `^`, `$`, look-around, back-references and other letters than ASCII inside `[]` are
    refused. hyperscan tells of every end of every match, so let a match have few ends: `a\d{8}`
    and not `a\d{8,}`, and begin or end with something rare.
    """

    text: str
    """The literal, or the regular expression."""
    literal: bool = False
    """Whether the text stands for itself."""
    word: bool = False
    """Whole words, for a literal: no letter, digit, ``_`` or accent of any alphabet touches it
    where it begins or ends with one itself. Scripts that set no spaces have no such edge."""
    caseless: bool = False
    """Whether capitals count as small letters, in every alphabet."""


@dataclass(frozen=True, slots=True)
class Needle:
    """A pattern ready for both engines."""

    raw: bytes
    flags: int
    """Those of `re`."""
    crosses: bool
    """Whether it could match the byte between two texts, and so has to be confirmed in one."""
    backward: re.Pattern[bytes] | None
    """For whole words: matches the literal at the end of what lies before."""
    longest: int
    """Bytes that such a match has at most."""
    edges: tuple[bool, bool]
    """Whether no letter may touch it in front, and behind."""
    simple: bool = False
    """Whether every match in a text of nothing but ASCII is one: the expression itself has the
    edges there."""


def as_bytes(text: str) -> bytes:
    """Text as UTF-8; half of a surrogate pair as three bytes of its own."""
    try:
        return text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, as broken JSON has it
        return text.encode("utf-8", "surrogatepass")


def make(name: str, pattern: Pattern) -> Needle:
    """A pattern for both engines.

    Raises:
        ValueError: It can't be looked for.
    """
    needle = (_literal if pattern.literal else _expression)(name, pattern)
    try:
        compiled = re.compile(needle.raw, needle.flags)
    except re.error as problem:
        raise ValueError(f"pattern {name}: {problem}") from None
    if compiled.match(b""):
        raise ValueError(f"pattern {name} matches the empty text")
    return needle


def _literal(name: str, pattern: Pattern) -> Needle:
    text = " ".join(pattern.text.split())
    if not text:
        raise ValueError(f"pattern {name}: there is nothing to look for")
    forms = sorted({unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)})
    raw = b"|".join(
        b"".join(_letter(each, caseless=pattern.caseless) for each in form) for form in forms
    )
    raw = b"(?:" + raw + b")"
    flags = re.IGNORECASE if pattern.caseless else 0
    edges = (False, False)
    backward = None
    if pattern.word:
        edges = (_has_edge(text[0]), _has_edge(text[-1]))
        backward = re.compile(raw + rb"\Z", flags)
        # What ASCII can tell of the edges keeps most of what is no word from being told at all.
        raw = rb"\b" * (edges[0] and text[0].isascii()) + raw
        raw += rb"\b" * (edges[1] and forms[0][-1].isascii() and forms[-1][-1].isascii())
    longest = max(12 * len(form) + 16 * form.count(" ") for form in forms)
    # With an edge of another alphabet nothing in ASCII matches, so nothing there has to be judged.
    return Needle(
        raw, flags, crosses=False, backward=backward, longest=longest, edges=edges, simple=True
    )


def _letter(letter: str, *, caseless: bool) -> bytes:
    """A letter of a literal as an expression; in other alphabets with its capital and small one."""
    if letter == " ":
        return _SPACES
    if letter.isascii() or not caseless:
        return _escaped(letter)
    forms = {letter, letter.lower(), letter.upper(), letter.title(), letter.lower().upper()}
    if letter == "ß":
        forms.add("\u1e9e")  # its capital, which upper() doesn't give
    return b"(?:" + b"|".join(_escaped(each) for each in sorted(forms)) + b")"


def _escaped(text: str) -> bytes:
    """Text that stands for itself, in a way both engines read."""
    return b"".join(
        bytes((byte,)) if chr(byte).isascii() and chr(byte).isalnum() else b"\\x%02x" % byte
        for byte in as_bytes(text)
    )


def _expression(name: str, pattern: Pattern) -> Needle:
    text = pattern.text
    bare = _ESCAPED.sub("", text)
    if any(not group.isascii() for group in _CLASS.findall(bare)):
        raise ValueError(f"pattern {name}: only ASCII may stand in []")
    outside = _CLASS.sub("", bare)
    if _REFUSED.search(outside) or re.search(r"\\[AZz1-9]", text) or pattern.word:
        raise ValueError(f"pattern {name}: anchors, look-around, references, `word` are refused")
    crosses = "." in outside or "[^" in bare or re.search(r"\\(?:[DSWB]|x[fF])", text)
    raw = b"".join(
        each.encode()
        if each.isascii()
        else b"(?:" + _letter(each, caseless=pattern.caseless) + b")"
        for each in text
    )
    flags = re.IGNORECASE if pattern.caseless else 0
    return Needle(
        raw, flags, bool(crosses), backward=None, longest=0, edges=(False, False),
        simple=not crosses,
    )  # fmt: skip


def _has_edge(letter: str) -> bool:
    return _touches(letter) and not _UNSPACED.match(letter)


def _touches(letter: str) -> bool:
    """Whether a neighbour makes what it touches part of a longer word."""
    return letter.isalnum() or letter == "_" or unicodedata.combining(letter) != 0


def at_edges(needle: Needle, joined: bytearray, end: int) -> bool:
    """Whether a whole-word literal that ends here is one; true for other patterns."""
    if needle.backward is None:
        return True
    if needle.edges[1]:
        after = joined[end : end + 4].decode("utf-8", "replace")[:1]
        if joined[end : end + 1] != BETWEEN and after and _touches(after):
            return False
    if not needle.edges[0]:
        return True
    from_here = max(0, end - needle.longest)
    match = needle.backward.search(joined[from_here:end])
    assert match is not None  # it ends here
    start = from_here + match.start()
    before = joined[max(0, start - 4) : start]
    return before[-1:] in (b"", BETWEEN) or not _touches(before.decode("utf-8", "replace")[-1:])
