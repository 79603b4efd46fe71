"""Unusable records of a file: their number by reason, with the first places."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tuneworthy.errors import InputError
from tuneworthy.model.evidence import Skipped
from tuneworthy.traces.stream import Limits

NOT_JSON = "isn't JSON"
NOT_UTF8 = "isn't UTF-8"
CUT_OFF = "is cut off"
TOO_LONG = "is a line that is too long"
TOO_DEEP = "is nested too deeply"
TOO_MANY = "holds too many lists and objects"
OUT_OF_RANGE = "holds a number that is too large"
NO_OBJECT = "isn't an object"
NO_OUTPUT = "has no output"
UNKNOWN_ENVELOPE = "has text in an envelope that isn't known"
NO_CALL = "is not a call to a model"
TWICE = "is written twice"
AROUND_A_CALL = "is around a call that counts by itself"
OF_THE_WHOLE = "has amounts of a whole conversation, which belong to no single call"
BELOW_ZERO = "has an amount below zero, which is left out"
TO_COME = "has a time that is still to come, which is left out"
NOTHING_AT = "has nothing at "  #: How a reason begins that names a path of a mapping.
IN_PART = frozenset({OF_THE_WHOLE, BELOW_ZERO, TO_COME})
"""Reasons that remove only some values of a record; its other values are used."""
BROKEN = frozenset({NOT_JSON, NOT_UTF8, TOO_LONG, TOO_DEEP, TOO_MANY, OUT_OF_RANGE})
"""Reasons that mean damage of the file, not just a useless record."""
UNREAD = (NO_OBJECT, NO_OUTPUT, UNKNOWN_ENVELOPE)
"""Reasons that mean that the records have another form than we assume."""
_PLACES = 10  #: Places that are kept for each reason, as examples for the user.


@dataclass(slots=True)
class SkippedRecords:
    name: str  #: The file, for places.
    #: A later time, in seconds since 1970, is that of a wrong clock.
    until_s: float = math.inf
    records: int = 0  #: Records seen, the broken ones among them.
    size: int = 0  #: Bytes or characters of those that were read one by one.
    reasons: dict[str, int] = field(default_factory=dict)
    places: dict[str, list[str]] = field(default_factory=dict)

    def skip(self, why: str, place: int | str) -> None:
        """Count a record; ``place`` is its line, its number or the file inside an archive."""
        self.reasons[why] = self.reasons.get(why, 0) + 1
        known = self.places.setdefault(why, [])
        if len(known) < _PLACES:
            known.append(f"{self.name}:{place}")

    def skipped(self) -> tuple[Skipped, ...]:
        """The reasons in alphabetical order, each with its number and first places."""
        rows: list[Skipped] = []
        for why, n in sorted(self.reasons.items()):
            in_part = why in IN_PART or why.startswith(NOTHING_AT)
            places = tuple(self.places[why])
            rows.append(Skipped(why=why, n=n, where=places, in_part=in_part))
        return tuple(rows)

    def check(self, where: str, limits: Limits) -> None:
        """Refuse a file if too much of it is broken.

        Raises:
            InputError: If more records are broken than the limits allow.
        """
        counts = {why: n for why, n in self.reasons.items() if why in BROKEN}
        broken = sum(counts.values())
        # A few broken lines are normal in a large log, and a small file may have a few, too.
        is_few = broken <= limits.broken_lines
        if is_few or broken <= limits.broken_share * self.records:
            return
        most_frequent = max(counts, key=counts.__getitem__)
        what = (
            f"has {broken} broken records of {self.records}, more than {limits.broken_share:.0%}; "
            f"the first that {most_frequent} is {self.places[most_frequent][0]}"
        )
        raise InputError(what, where=where, fix="fix the file or export it again")
