"""The recommendation in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tuneworthy.report.options.pieces import Numbers
from tuneworthy.report.words import listing, plain

Titles = Mapping[str, str]


def _first(n: Numbers, titles: Titles) -> str:
    return listing([titles[name] for name in n["first"]])


def _was(n: Numbers) -> str:
    return "wasn't" if len(n["first"]) == 1 else "weren't"


def _pilot(n: Numbers) -> str:
    return ", with a pilot" if n["pilot"] else ""


def _tuning(n: Numbers, titles: Titles) -> str:
    return titles[n["tuning"]]


_WHY = {
    "improve_rag_or_switch_model": "the reasons for tuning are too few",
    "address_anti_indicators": "the reasons against tuning stand",
    "gate_in_the_way": "tuning is held up",
    "no_tuning_fits": "no kind of tuning fits as things stand",
}

ADVICE: dict[str, Callable[[Numbers, Titles], str]] = {
    "nothing_missing": lambda _n, _t: (
        "The present prompt meets what is asked, and nothing is cheaper to keep"
    ),
    "still_open": lambda _n, _t: (
        "Too early to say: answers that decide are still open. Some options are worth trying "
        "whatever they turn out to be"
    ),
    "all_open": lambda _n, _t: (
        "Too early to say: answers that decide are still open, and with them whether anything helps"
    ),
    "checks_first": lambda n, _t: (
        "Prompting isn't at its ceiling, so do first what the ceiling test "
        f"lacks: {listing([plain(name) for name in n['names']])}"
    ),
    "improve_rag_or_switch_model": lambda _n, _t: (
        "The reasons for tuning are too few; start with what helps here"
    ),
    "address_anti_indicators": lambda _n, _t: (
        "The reasons against tuning stand; clear those first, and meanwhile do what helps anyway"
    ),
    "gate_in_the_way": lambda _n, _t: "Tuning has its reasons, but a gate before it is closed",
    "nothing_known_helps": lambda n, _t: (
        f"No honest recommendation yet: {_WHY[n['why']]}, and none of the alternatives is known to "
        "help. Settle what the unknown ones ask for"
    ),
    "no_tuning_fits": lambda _n, _t: (
        "No kind of tuning fits as things stand, and something simpler helps"
    ),
    "simpler_first": lambda n, t: (
        f"What is simpler comes first: {_first(n, t)} would help and {_was(n)} tried. If the "
        f"target is still missed after that: {_tuning(n, t)}{_pilot(n)}"
    ),
    "safety_first": lambda n, t: (
        f"Review the data and name a process first. Then {_tuning(n, t)}"
        + (f"; in the meantime, as the simpler part, {_first(n, t)}" if n["first"] else "")
    ),
    "nothing_simpler_left": lambda n, t: (
        f"{_tuning(n, t)}{_pilot(n)}. Nothing simpler is known to be left that helps"
    ),
}
"""Reason id to its words, from its numbers and the options' titles."""

CHOICES = {
    "fine_tune": "fine-tune",
    "simpler_path": "the simpler path",
    "both": "the simpler path first, then tuning",
    "undecided": "undecided",
}
"""The choice in words."""
