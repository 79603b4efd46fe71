"""Run the way without a trained model that lies in ``way.npz`` beside this script.

pip install numpy tokenizers
python run_way.py "a text"
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

WAY = dict(np.load(Path(__file__).with_name("way.npz")))
ABOUT = json.loads(WAY["about"].tobytes())
PIECES = Tokenizer.from_str(WAY["pieces"].tobytes().decode())


def embedded(text: str) -> Any:
    """The vector of a text, of length 1: the mean of its pieces' vectors."""
    pieces = PIECES.encode(text[:2000] or " ", add_special_tokens=False).ids
    mean = (WAY["table"][pieces] * WAY["steps"][pieces, None]).mean(axis=0)
    return mean / np.linalg.norm(mean)


def label(text: str) -> dict[str, Any]:
    """The label by the head, and whether its score is enough to do without a model."""
    scores = np.append(embedded(text), 1.0) @ WAY["vectors"]
    chances = np.exp(scores - scores.max())
    score = round(float(chances.max() / chances.sum()), 6)
    answer = {"label": ABOUT["labels"][scores.argmax()], "score": score}
    if "sure_from" in ABOUT:  # as a pilot chose it
        answer["sure"] = score >= ABOUT["sure_from"]
    return answer


def messages(text: str) -> dict[str, Any]:
    """The prompt for a model with the most similar examples, the nearest of them last."""
    likeness = np.round(WAY["vectors"] @ embedded(text), 6)
    nearest = np.argsort(-likeness, kind="stable")[: ABOUT["shown"]][::-1]
    shown = [ABOUT["examples"][place] for place in nearest]
    turns = []
    if ABOUT["system"]:
        system = ABOUT["system"].replace("{{input}}", text)
        turns.append({"role": "system", "content": system})
    for asked, answer in [*shown, [text, ""]]:
        content = ABOUT["user"].replace("{{input}}", asked)
        turns.append({"role": "user", "content": content})
        turns.append({"role": "assistant", "content": answer})
    turns.pop()  # the text itself has no answer yet
    return {"messages": turns, "nearest": shown[-1][1]}


if __name__ == "__main__":
    answered = label if "labels" in ABOUT else messages
    sys.stdout.write(json.dumps(answered(sys.argv[1]), ensure_ascii=False) + "\n")
