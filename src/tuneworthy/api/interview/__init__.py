"""The interview: what to ask, what an answer came to. It keeps nothing but the case file.

A surface shows ``next_ask``, hands what was said to ``answered`` with the digest it holds, shows
``standing`` and every clash, remembers the ids that were passed, and goes back with ``ask_of``.
When ``next_ask`` has nothing more, nothing asked can change the verdict, and ``offers`` says in
which part something is still worth knowing.
"""

from __future__ import annotations

from tuneworthy.api.interview.asks import ask_of
from tuneworthy.api.interview.kept import clash_of
from tuneworthy.api.interview.order import (
    asked_again,
    is_answered,
    next_ask,
    offers,
    part_asks,
    standing,
)
from tuneworthy.api.interview.script import Script, read_script
from tuneworthy.api.interview.step import answered, keep_both
from tuneworthy.api.interview.suppose import amounts, put_all, supposed
from tuneworthy.domain.interview import (
    PARTS,
    Ask,
    AskKind,
    Choice,
    Clash,
    Offer,
    Part,
    Standing,
    Step,
)
from tuneworthy.files.edit import Written, read_with_digest, text_digest

__all__ = [
    "PARTS", "Ask", "AskKind", "Choice", "Clash", "Offer", "Part", "Script", "Standing", "Step",
    "Written", "amounts", "answered", "ask_of", "asked_again", "clash_of", "is_answered",
    "keep_both", "next_ask", "offers", "part_asks", "put_all", "read_script", "read_with_digest",
    "standing", "supposed", "text_digest",
]  # fmt: skip
