"""How well swapped labels are named in training sets, line by line.

    python evidence/accuracy/wrong_labels.py ../shared/real [--sets N]

One label in ten is swapped with that of another line, or with the one that a head finds likeliest
after the right one, which is the harder kind and nearer to what people get wrong. Then the gate of
the product looks at the set. It chooses its cut by swaps of its own and sees none of these.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import numpy as np

from tuneworthy.model.base import Unknown
from tuneworthy.model.training import TrainingExample
from tuneworthy.training.wrong_labels import check_labels

Rows = list[tuple[str, str]]
SWAPPED = 0.1


def read_csv(path: Path, text: str, label: str) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return list(
            dict.fromkeys((row[text], row[label]) for row in csv.DictReader(file))
        )


def sets(real: Path) -> dict[str, tuple[Rows, int, int]]:
    """Labelled lines by name, with how many labels and lines are drawn of them; 0 for all."""
    banking = read_csv(real / "banking77" / "train.csv", "text", "category")
    data = json.loads((real / "clinc_oos" / "data_oos_plus.json").read_text("utf-8"))
    clinc = [(text, label) for text, label in data["train"]]
    sql = read_csv(
        real / "sql_eval" / "questions_gen_postgres.csv", "question", "db_name"
    )
    return {
        "BANKING77, 8 labels": (banking, 8, 320),
        "BANKING77, 77 labels": (banking, 0, 2_000),
        "CLINC150, 10 labels": (clinc, 10, 400),
        "CLINC150, 150 labels": (clinc, 0, 3_000),
        "SQL questions, by database": (sql, 0, 0),
    }


def drawn(rows: Rows, labels: int, lines: int, rng: np.random.Generator) -> Rows:
    names = sorted({label for _, label in rows})
    if labels:
        names = [names[place] for place in rng.permutation(len(names))[:labels]]
    kept = [row for row in rows if row[1] in names]
    return [kept[place] for place in rng.permutation(len(kept))[: lines or len(kept)]]


def example(place: int, text: str, label: str) -> TrainingExample:
    turns = [{"role": "user", "content": text}, {"role": "assistant", "content": label}]
    return TrainingExample.model_validate({"id": f"line {place}", "messages": turns})


def neighbours_label(rows: Rows, place: int) -> str:
    """The other label whose lines share most words with this one's."""
    own = set(rows[place][0].lower().split())
    shared: dict[str, list[float]] = {}
    for text, label in rows:
        words = set(text.lower().split())
        shared.setdefault(label, []).append(len(own & words) / max(1, len(own | words)))
    others = {
        label: max(many) for label, many in shared.items() if label != rows[place][1]
    }
    return max(others, key=lambda label: others[label])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("real", type=Path)
    parser.add_argument("--sets", type=int, default=3)
    options = parser.parse_args()
    for name, (rows, labels, lines) in sets(options.real).items():
        for kind in ("any", "near"):
            swapped = named = right = unknown = 0
            for seed in range(options.sets):
                rng = np.random.default_rng(seed)
                part = drawn(rows, labels, lines, rng)
                wrong = {
                    int(place)
                    for place in np.flatnonzero(rng.random(len(part)) < SWAPPED)
                }
                others = [label for _, label in part]
                examples = []
                for place, (text, own) in enumerate(part):
                    label = own
                    while place in wrong and label == own:
                        label = str(rng.choice(others))
                    if place in wrong and kind == "near":
                        label = neighbours_label(part, place)
                    examples.append(example(place, text, label))
                check = check_labels(examples)
                unknown += isinstance(check.planted, Unknown)
                places = {likely.place for likely in check.likely_wrong}
                swapped += len(wrong)
                named += len(places)
                right += len(places & wrong)
            precision = right / named if named else float("nan")
            print(
                f"{name}, {kind} label: {swapped} swapped, {named} named, precision "
                f"{precision:.2f}, recall {right / swapped:.2f}, unknown {unknown}"
            )


if __name__ == "__main__":
    main()
