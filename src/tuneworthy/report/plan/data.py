"""Words for data: what, how much, how to get it, and when it is ready."""

from __future__ import annotations

from tuneworthy.report.plan.registry import Voice
from tuneworthy.report.words import count, plain, sentence

_HOW = {
    "examples": (
        "Take them from conversations that went well and from answers people corrected; let "
        "experts write what is missing, and use generated ones only where a person has read each",
    ),
    "preference_pairs": (
        "Pair a better and a worse answer to one question: from edits, ratings and experts' "
        "choices; generated pairs only where a person has judged each",
    ),
    "documents": (
        "Gather them from your own archives with the right to use them, and read a sample of every "
        "source",
    ),
}


def data_steps(v: Voice) -> tuple[str, ...]:
    """What data, how much, how to get it, and how to go on getting it."""
    unit, have, low = plain(v.n["unit"]), v.n["have"], v.n["low"]
    if have is None:
        there = f"nobody has counted the {unit}: count them first"
    elif have < low:
        there = f"{count(have)} are there, {count(low - have)} are missing"
    else:
        there = f"{count(have)} are there: choose the best of them"
    return (
        f"{sentence(f'{need(v)} needed, {there}')}",
        *_HOW[v.n["unit"]],
        "Fold near-duplicates, take out refusals and personal data, and keep the untouched cases "
        "out",
        "From now on save what people correct and rate: it feeds every retraining",
    )


def data_done(v: Voice) -> str:
    """When the data are ready."""
    return (
        f"{count(v.n['low'])} usable {plain(v.n['unit'])} or more are counted after duplicates, "
        "refusals and personal data are out, none of them is among the untouched cases, and what "
        "people correct is being saved"
    )


def need(v: Voice) -> str:
    """How much data an approach takes, as ``1,000–10,000 examples``."""
    low, high, unit = v.n["low"], v.n.get("high", "open"), plain(v.n["unit"])
    span = f"{count(low)} or more" if high == "open" else f"{count(low)}–{count(high)}"
    return f"{span} {unit}"
