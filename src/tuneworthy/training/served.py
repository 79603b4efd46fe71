"""A way without a trained model, run from a folder alone: Python and numpy, no network.

``python server.py "a text"`` answers once. ``python server.py --port 8080`` serves this machine:
POST {"input": "a text"} to /.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tuneworthy.text.embedding import embed

_MOST_BYTES = 1 << 20  # bytes of a request
_DIGITS = 6  # digits of a cosine and a score; further digits depend on the machine
_BAD = 400
_GOOD = 200
_INPUT = re.compile(r"\{\{\s*input\s*\}\}")


def filled(template: str, text: str) -> str:
    """A template with a text in place of its input."""
    return _INPUT.sub(lambda _: text, template)


class ServedWay:
    """The way in a folder: a trained head, or examples of which the nearest are shown."""

    def __init__(self, folder: Path) -> None:
        self.settings = json.loads((folder / "way.json").read_text("utf-8"))
        arrays = np.load(folder / "way.npz", allow_pickle=False)
        self._vectors = arrays["vectors"]

    def answer(self, text: str) -> dict[str, Any]:
        """The label of a text, or the messages to send to a model for it."""
        (vector,) = embed([text])
        if self.settings["kind"] == "head":
            return self._label(vector)
        return self._messages_with_nearest(text, vector)

    def _label(self, vector: Any) -> dict[str, Any]:
        """The label with the softmax of its score, which isn't calibrated.

        If a pilot chose the lowest score for answering alone, also whether this score is enough.
        """
        scores = np.append(vector, 1.0) @ self._vectors
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        best = int(np.argmax(scores))
        score = round(float(shares[best]), _DIGITS)
        answer = {"label": self.settings["labels"][best], "score": score}
        if "sure_from" in self.settings:
            answer["sure"] = score >= self.settings["sure_from"]
        return answer

    def _messages_with_nearest(self, text: str, vector: Any) -> dict[str, Any]:
        """The messages for a model, the nearest example last, and that example's own answer."""
        likeness = np.round(self._vectors @ vector, _DIGITS)
        places = np.argsort(-likeness, kind="stable")[: self.settings["shown"]]
        template = self.settings["user"]
        messages = []
        if self.settings["system"]:
            system = filled(self.settings["system"], text)
            messages.append({"role": "system", "content": system})
        examples = [self.settings["examples"][int(place)] for place in places[::-1]]
        for example in examples:
            asked = filled(template, example["input"])
            messages.append({"role": "user", "content": asked})
            messages.append({"role": "assistant", "content": example["answer"]})
        messages.append({"role": "user", "content": filled(template, text)})
        return {"messages": messages, "nearest": examples[-1]["answer"]}


class WayHandler(BaseHTTPRequestHandler):
    """Handles requests with one text each, as JSON."""

    way: ClassVar[ServedWay]

    def do_POST(self) -> None:
        """Answer a text, or say what is wrong with the request."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MOST_BYTES:
            return self._say({"error": "send JSON of 1 MB at most"}, _BAD)
        try:
            asked = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            asked = None
        text = asked.get("input") if isinstance(asked, dict) else None
        if not isinstance(text, str):
            return self._say({"error": 'send {"input": "a text"}'}, _BAD)
        return self._say(self.way.answer(text), _GOOD)

    def _say(self, answer: dict[str, Any], status: int) -> None:
        raw = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


def make_server(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server of a folder, only for this machine; port 0 takes any free port."""
    handler = type("OwnHandler", (WayHandler,), {"way": ServedWay(folder)})
    return ThreadingHTTPServer(("127.0.0.1", port), handler)


def main() -> None:
    """Answer the given text, or serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", nargs="?", help="answer this text")
    parser.add_argument(
        "--port", type=int, default=8080, help="serve this machine at this port"
    )
    asked = parser.parse_args()
    folder = Path(__file__).parent
    if asked.text is not None:
        answer = ServedWay(folder).answer(asked.text)
        sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
        return
    with make_server(folder, asked.port) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
