"""How many of a team's prompt variants really differ."""

from __future__ import annotations

import re
from collections.abc import Sequence

_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


def distinct_prompts(texts: Sequence[str], near_copy: float) -> int:
    """Prompts left when near copies count once.

    Two prompts are near copies when the Jaccard similarity of their three-word runs is at least
    ``near_copy``; front matter, case and punctuation don't count. Copies of copies join one group.

    Args:
        texts: The prompt files.
        near_copy: Similarity between 0 and 1.

    Returns:
        The number of groups; 0 for no prompts. Prompts without a word count as one.
    """
    runs = [_runs(text) for text in texts]
    group = list(range(len(runs)))

    def root(index: int) -> int:
        while group[index] != index:
            index = group[index]
        return index

    for later in range(len(runs)):
        for earlier in range(later):
            if _alike(runs[later], runs[earlier]) >= near_copy:
                group[root(later)] = root(earlier)
    return sum(root(index) == index for index in range(len(runs)))


def _runs(text: str) -> frozenset[tuple[str, ...]]:
    words = re.findall(r"\w+", _FRONT_MATTER.sub("", text).casefold())
    if len(words) < 3:
        return frozenset({tuple(words)})
    return frozenset(zip(words, words[1:], words[2:], strict=False))


def _alike(left: frozenset[tuple[str, ...]], right: frozenset[tuple[str, ...]]) -> float:
    return len(left & right) / len(left | right)
