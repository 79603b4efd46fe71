"""Texts that come again and again, each held once."""

from __future__ import annotations

_MOST_KNOWN, _LONGEST_KNOWN = 1000, 100_000  # a hundred megabytes at most


class Known:
    """Gives equal texts as one object, so that who looks them up needn't read them.

    Of each length the last text is remembered: comparing with it is quicker than any hash.
    """

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}

    def one(self, text: str) -> str:
        """The text, as the object that was seen last if that is equal."""
        known = self._texts.get(len(text))
        if known == text:
            return known
        if len(text) <= _LONGEST_KNOWN:
            if len(self._texts) >= _MOST_KNOWN:
                self._texts.clear()
            self._texts[len(text)] = text
        return text
