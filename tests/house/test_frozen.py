"""What the program does is what it did: a rebuild of the code changes no byte of it.

``python tests/frozen.py --write`` renews the goldens, once somebody has read the difference.
"""

from __future__ import annotations

from functools import cache

import pytest

from frozen import KINDS, LAW, LOOKS, Goldens, alike, compared, kept, made


@cache
def now(kind: str) -> Goldens:
    return made(kind)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_json_and_exit_codes_are_byte_for_byte_as_frozen(kind: str) -> None:
    assert compared(now(kind), kept(kind), LAW) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "dossiers"])
def test_words_and_pages_are_as_last_read(kind: str) -> None:
    assert compared(now(kind), kept(kind), LOOKS) == []


def test_a_golden_that_is_changed_gone_or_new_is_named_with_its_first_line_that_differs() -> (
    None
):
    old = {"law/a": "1\n2\n3", "law/b": "1", "looks/c": "1", "law/same": "1"}
    new = {"law/a": "1\n2\n4", "looks/c": "1\n", "law/d": "1", "law/same": "1"}
    found = compared(new, old)
    assert [line.partition("\n")[0] for line in found] == [
        "law/a:3:",
        "law/b: is no longer made",
        "law/d: has no golden",
        "looks/c:2:",
    ]
    assert compared(new, old, LOOKS) == found[-1:]
    assert compared(new, new) == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ('"usd": 2681.52187', '"usd": 2681.52188', True),  # a half, on two processors
        ('"usd": 2681.52187,', '"usd": 2681.52188', False),
        ('"usd": 2681.52187', '"usd": 2681.52199', False),
        ('"share": 0.52', '"share": 0.53', False),
        ("9 of 10", "8 of 10", False),
        ("1.5", None, False),
    ],
)
def test_the_last_digits_of_a_long_number_are_the_processors(
    one: str, other: str | None, same: bool
) -> None:
    assert alike(one, other) is same
