"""The outcome of a call, in one word for every maker: failed, cut off, refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from tuneworthy.errors import InputError
from tuneworthy.model.lab import CUT_OFF_ENDS, FILTERED_ENDS, REFUSED_ENDS
from tuneworthy.syntax.document import parse
from tuneworthy.traces.values import dumped

_WORDS: Mapping[str, frozenset[str]] = {
    kind: frozenset(words.split())
    for kind, words in parse(
        files("tuneworthy.traces").joinpath("outcome.yaml").read_text("utf-8"),
        "outcome.yaml",
        InputError,
    ).data.items()
}
_STOPS = {
    "length": CUT_OFF_ENDS,
    "refusal": REFUSED_ENDS,
    "content_filter": FILTERED_ENDS,
}
"""Our word for each reason to stop, with the makers' words for it, the same that labs use."""
_HTTP = re.compile(r"(?:http[ /]?\S* )?([1-5]\d\d)(?:\.0)?\b", re.IGNORECASE)
_CODES = ("code", "status_code", "statusCode", "status", "http_status", "error")
_FIRST_ERROR = 400  #: HTTP's codes from here on say that a request failed.
_LAST_ERROR = 599
REFUSAL = "refusal"
_BEFORE_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def failure_of(state: Any) -> str | None:
    """The failure that a code, a level or a state names; None where it names none."""
    if isinstance(state, Mapping):
        for key in _CODES:
            failure = failure_of(state.get(key))
            if failure is not None:
                return failure
        return None
    if isinstance(state, list):
        return failure_of(state[0]) if state else None
    # A yes or a no names no failure: tools differ in whether a yes is a success or an error.
    if state is None or isinstance(state, bool):
        return None
    word = state if isinstance(state, str) else dumped(state)
    return _failure_of_word(word)


@lru_cache(maxsize=1024)  # logs repeat the same few words
def _failure_of_word(state: str) -> str | None:
    """The failure that one word or number names; None for a success or an unknown word."""
    code = _HTTP.match(state.strip())
    if code is not None:
        number = int(code[1])
        return f"HTTP {number}" if _FIRST_ERROR <= number <= _LAST_ERROR else None
    word = _plain(state)
    return word if word in _WORDS["failed"] else None


@lru_cache(maxsize=1024)
def stop_of(finish: str) -> str:
    """Why a model stopped: our word for a cut-off and a refusal, else the maker's word."""
    word = _plain(finish)
    for kind, words in _STOPS.items():
        if word in words:
            return kind
    return finish


@lru_cache(maxsize=1024)
def is_no_answer(finish: str) -> bool:
    """Whether the reason to stop means that the request failed."""
    return _plain(finish) in _WORDS["no_answer"]


def _plain(word: str) -> str:
    """A maker's word for how an answer ended, in one spelling.

    ``FinishReason.MAX_TOKENS``, ``finish_reason_max_tokens`` and ``maxTokens`` are all ``max_tokens``.
    """
    spaced = _BEFORE_CAPITAL.sub("_", word.strip())
    snake_case = re.sub(r"[\s-]+", "_", spaced)
    last_part = snake_case.casefold().rpartition(".")[2]
    return last_part.removeprefix("finish_reason_").removeprefix("stop_reason_")
