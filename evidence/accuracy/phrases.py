"""How many real texts hold a generic phrase: people's, a model's, and what people wrote for models.

python evidence/accuracy/phrases.py ../shared/real
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from tuneworthy.stats.clustered import share
from tuneworthy.text.glossary import Phrases

Text = tuple[str, str]
"""A text and the conversation it stands in."""


def spoken(real: Path, role: str) -> Iterator[Text]:
    """What one speaker of tau_bench says."""
    told = json.loads(
        (real / "tau_bench/gpt-4o-airline.json").read_text(encoding="utf-8")
    )
    for number, each in enumerate(told):
        for message in each["traj"]:
            if message["role"] == role and message.get("content"):
                yield message["content"], str(number)


def references(real: Path) -> Iterator[Text]:
    """The right answers of mtrag, which people wrote or mended."""
    for line in (
        (real / "mtrag/reference.jsonl").read_text(encoding="utf-8").splitlines()
    ):
        task = json.loads(line)
        yield task["targets"][0]["text"], task["conversation_id"]


def messages(real: Path) -> Iterator[Text]:
    """Messages to a bank."""
    for name in ("train.csv", "test.csv"):
        with (real / "banking77" / name).open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                yield row["text"], f"{name}{row['text']}"


def main(real: Path) -> None:
    """Print a table."""
    looked = Phrases(None)
    sets = {
        "tau_bench, the agent (a model)": list(spoken(real, "assistant")),
        "tau_bench, its users (a model in their part)": list(spoken(real, "user")),
        "mtrag, right answers": list(references(real)),
        "banking77, messages": list(messages(real)),
    }
    print("| texts | with a phrase | 95% interval | n | most frequent |")
    print("|---|---:|---:|---:|---|")
    for name, texts in sets.items():
        words = [text for text, _ in texts]
        codes = {
            key: code for code, key in enumerate(dict.fromkeys(key for _, key in texts))
        }
        found = share(looked.any(words), [codes[key] for _, key in texts])
        assert found is not None
        often = ", ".join(f"{phrase} ({n})" for phrase, n in looked.counts(words)[:2])
        ends = f"{found.low:.4f} to {found.high:.4f}"
        print(f"| {name} | {found.value:.4f} | {ends} | {found.n} | {often} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
