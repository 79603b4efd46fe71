"""Prompts that a generator proposes: what was asked for, what came, and what one more would add."""

from __future__ import annotations

from tuneworthy.domain.record import Name, Natural, Record, Share, Unknown


class Draw(Record):
    """One restart of a generator of prompts."""

    prompt: str
    """Name of the prompt it came to: a proposed one, or the one it began from."""
    asked: Natural
    """Texts that were written on the way."""
    unusable: Natural = 0
    """Those of them that are no prompt, or the same one again."""
    whole: bool = True
    """Whether every text that was asked for came; one cut short is no draw like the others."""
    value: Share | Unknown
    """Share of right answers on the cases for selecting, all of them."""
    low: Share = 0.0
    """Lower end of its 95% interval."""
    high: Share = 1.0
    """Upper end."""


class Proposed(Record):
    """A prompt that a generator came to."""

    name: Name
    text: str
    """Its system template."""
    file: str
    """Where it is kept, beside the case file; copy it to your prompts to keep it."""


class Proposing(Record):
    """What a generator was asked for, and what came."""

    model: Name
    """Id of the model that wrote."""
    parent: Name
    """Id of the arm that every draw began from: the best as written on the cases shown."""
    shown: Natural
    """Cases that were learned from; they raced nothing and reported nothing."""
    draws: tuple[Draw, ...]
    prompts: tuple[Proposed, ...]
    """Each text once; () where nothing better than the parent came."""


class Gain(Record):
    """What one more draw of a generator would add to the best so far, in share of cases."""

    value: Share
    low: Share
    high: Share
    draws: Natural
    """Draws it is told by."""
    n: Natural
    """Cases that all of them were scored on."""
    clusters: Natural
    """Conversations those come from."""
