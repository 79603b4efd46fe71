"""Prints the tables of a refit from the record of the last.

python evidence/published/refit_tables.py
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

RECORD = Path(__file__).with_name("precedent_record.yaml")
CODERS = ("blind1", "blind2")

_GUESSERS = {
    "base_rate": "share of wins, known beforehand",
    "base_rate_in_fold": "share of wins of the other papers and companies",
    "goal_alone": "goal alone",
    "nearest_cases": "vote of the five nearest cases",
}
_RULES = {
    "always": "always fine-tune",
    "never": "never fine-tune",
    "tree_granted": "the lesson's tree, ceiling granted",
    "score": "the lesson's score, moderate or up",
    "difference": "the lesson's difference, moderate or up",
}
_WITHOUT = {
    "signs": "signs left free",
    "goals": "no goals",
    "lesson_questions_alone": "the lesson's eleven questions alone",
}
_MISSING = {
    "no": "unknown taken for no",
    "yes": "unknown taken for yes",
    "against": "unknown taken for what speaks against tuning",
    "for": "unknown taken for what speaks for tuning",
    "worst": "unknown taken for the side that lost",
}

Number = Mapping[str, float]


def main() -> int:
    """Print every table."""
    record = yaml.safe_load(RECORD.read_text(encoding="utf-8"))
    for table in tables(record):
        print("\n".join(table) + "\n")
    return 0


def tables(record: Mapping[str, Any]) -> Iterator[list[str]]:
    """The tables in the order of the page, a line an item."""
    nested = [record["nested"][codes] for codes in CODERS]
    yield [
        "| | first blind coder | second blind coder |",
        "| --- | ---: | ---: |",
        _row("right", *(share(one["fit"]["accuracy"]) for one in nested)),
        _row("Brier score", *(score(one["fit"]["brier"]) for one in nested)),
        _row("log loss", *(score(one["fit"]["log_loss"]) for one in nested)),
    ]
    yield list(_against(nested))
    yield list(_calibration(record["calibration"]))
    yield list(_changed(record))
    yield [
        "| Clusters to learn from | Brier gain on all others | middle 80% of draws |",
        "| ---: | ---: | ---: |",
        *(
            _row(
                str(one["clusters"]),
                f"{one['brier_gain']:.3f}",
                f"{one['tenth']:.3f} to {one['ninetieth']:.3f}",
            )
            for one in record["learning_curve"]
        ),
    ]
    yield list(_agreement(record["coders"]["kappa"]))


def _against(nested: list[Any]) -> Iterator[str]:
    yield "| Gain over | coder | right, points | Brier score | log loss |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for name, label in {**_GUESSERS, **_RULES}.items():
        for number, one in enumerate(nested, start=1):
            gain = one["gain"][name]
            scores = [
                score(gain[m]) if m in gain else "–" for m in ("brier", "log_loss")
            ]
            yield _row(label, str(number), points(gain["accuracy"]), *scores)


def _calibration(record: Mapping[str, Any]) -> Iterator[str]:
    yield "| Chance given | coder 1: cases, mean, won | coder 2: cases, mean, won |"
    yield "| --- | ---: | ---: |"
    told = [{one["from"]: one for one in record[codes]["table"]} for codes in CODERS]
    for start in sorted({*told[0], *told[1]}):
        cells = [
            f"{one[start]['cases']}, {100 * one[start]['said']:.0f}%, {one[start]['won']}"
            if start in one
            else "–"
            for one in told
        ]
        yield _row(f"{100 * start:.0f}–{100 * start + 20:.0f}%", *cells)


def _changed(record: Mapping[str, Any]) -> Iterator[str]:
    yield "| What was changed | coder | right | Brier gain over the base rate |"
    yield "| --- | ---: | ---: | ---: |"
    without, transfer = record["without"], record["transfer"]
    for name, label in _WITHOUT.items():
        for number, codes in enumerate(CODERS, start=1):
            yield _measured(label, str(number), without[name][codes])
    knew = without["lesson_questions_by_who_knew"]
    yield _measured("the same, by the coder who knew the outcome", "knew", knew)
    for a, b in ((1, 2), (2, 1)):
        found = transfer[f"blind{a}_to_blind{b}"]
        yield _measured(f"fitted to coder {a}, asked coder {b}", str(b), found)
    for name, label in _MISSING.items():
        for number, codes in enumerate(CODERS, start=1):
            yield _measured(label, str(number), record["missing"][name][codes])


def _measured(label: str, coder: str, found: Mapping[str, Number]) -> str:
    return _row(label, coder, share(found["accuracy"]), score(found["brier_gain"]))


def _agreement(kappa: Mapping[str, Any]) -> Iterator[str]:
    yield "| Question | the two blind | who knew, first blind | who knew, second blind |"
    yield "| --- | ---: | ---: | ---: |"
    for name, pairs in kappa.items():
        cells = [
            _kappa(pairs[pair]) if pair in pairs else "–"
            for pair in ("blind1_blind2", "knew_blind1", "knew_blind2")
        ]
        yield _row(name.replace("_", " "), *cells)


def _kappa(pair: Mapping[str, Any]) -> str:
    told = (pair["yes_or_not"], pair["three_answers"])
    return " / ".join("–" if isinstance(one, str) else f"{one:.2f}" for one in told)


def share(number: Number) -> str:
    """A share with its interval, in percent."""
    return f"{100 * number['value']:.0f}% ({100 * number['low']:.0f} to {100 * number['high']:.0f})"


def points(number: Number) -> str:
    """A difference of shares with its interval, in points."""
    low, middle, high = (round(100 * number[end]) for end in ("low", "value", "high"))
    return f"{middle:+d} ({low} to {high})" if middle else f"0 ({low} to {high})"


def score(number: Number) -> str:
    """A score with its interval."""
    return f"{number['value']:.3f} ({number['low']:.3f} to {number['high']:.3f})"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    raise SystemExit(main())
