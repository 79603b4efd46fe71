"""A way without a trained model, run from a folder alone: Python and numpy.

Nothing is sent anywhere, but where a head answers with a model behind it: below its score that
model is asked, at the address in ``way.json``.

``python server.py "a text"`` answers once. ``python server.py --port 8080`` serves this machine:
POST {"input": "a text"} to /.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import numpy as np

from tuneworthy.text.embedding import embed

_MOST_BYTES = 1 << 20  # bytes of a request
_DIGITS = 6  # digits of a cosine and a score; further digits depend on the machine
_BAD = 400
_GOOD = 200
_NO_ANSWER = 502
_PATIENCE_S = 60.0
_INPUT = re.compile(r"\{\{\s*input\s*\}\}")


def filled(template: str, text: str) -> str:
    """A template with a text in place of its input."""
    return _INPUT.sub(lambda _: text, template)


def nearest(vectors: Any, vector: Any, shown: int) -> list[int]:
    """The places of the examples most like a text, the nearest last."""
    likeness = np.round(vectors @ vector, _DIGITS)
    places = np.argsort(-likeness, kind="stable")[:shown]
    return [int(place) for place in places[::-1]]


def turns_of(example: dict[str, str], template: str) -> list[dict[str, str]]:
    """An example as a question and its answer."""
    asked = filled(template, example["input"])
    return [
        {"role": "user", "content": asked},
        {"role": "assistant", "content": example["answer"]},
    ]


class NoAnswerError(Exception):
    """The model behind a head gave no answer."""


class SameAddress(HTTPRedirectHandler):
    """Follows no redirect, which would take the key and the text elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        """Refuse."""


def ask_model(url: str, key_from: str, request: dict[str, Any]) -> str:
    """The text of a model's answer, by the key in an environment variable, if that is set.

    Raises NoAnswerError.
    """
    headers = {"Content-Type": "application/json"}
    if os.environ.get(key_from):
        headers["Authorization"] = f"Bearer {os.environ[key_from]}"
    raw = json.dumps(request).encode()
    asked = Request(url, raw, headers)  # noqa: S310  # the export wrote a checked address
    try:
        with build_opener(SameAddress).open(asked, timeout=_PATIENCE_S) as response:
            body = json.loads(response.read(_MOST_BYTES))
        return str(body["choices"][0]["message"]["content"]).strip()
    except HTTPError as caught:
        raise NoAnswerError(f"the model gives no answer: HTTP {caught.code}") from None
    except (OSError, HTTPException) as caught:
        name = type(caught).__name__
        raise NoAnswerError(f"the model gives no answer: {name}") from None
    except (ValueError, LookupError, TypeError, RecursionError):
        raise NoAnswerError("the model's answer isn't a chat completion") from None


class ServedWay:
    """The way in a folder: a trained head, or examples of which the nearest are shown."""

    def __init__(self, folder: Path) -> None:
        self.settings = json.loads((folder / "way.json").read_text("utf-8"))
        arrays = np.load(folder / "way.npz", allow_pickle=False)
        self._vectors = arrays["vectors"]
        self._near = arrays.get("near")

    def answer(self, text: str) -> dict[str, Any]:
        """The label of a text, or the messages to send to a model for it."""
        (vector,) = embed([text])
        if self.settings["kind"] != "head":
            return self._messages_with_nearest(text, vector)
        answer = self._label(vector)
        rest = self.settings.get("rest", {})
        if answer.get("sure", True) or "request" not in rest:
            return answer
        request = {**rest["request"], "messages": self._rest_messages(text, vector)}
        if "url" not in rest:
            return {**answer, "messages": request["messages"]}
        label = ask_model(rest["url"], rest["key_from"], request)
        return {**answer, "label": label, "by": rest["model"]}

    def _rest_messages(self, text: str, vector: Any) -> list[dict[str, str]]:
        """The messages for the model behind a head, with the nearest examples it is to see."""
        rest = self.settings["rest"]
        *before, newest = rest["request"]["messages"]
        turns = []
        if self._near is not None:
            examples = rest["examples"]
            for place in nearest(self._near, vector, rest["shown"]):
                turns += turns_of(examples[place], newest["content"])
        before = [{**each, "content": filled(each["content"], text)} for each in before]
        asked = {**newest, "content": filled(newest["content"], text)}
        return [*before, *turns, asked]

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
        places = nearest(self._vectors, vector, self.settings["shown"])
        template = self.settings["user"]
        messages = []
        if self.settings["system"]:
            system = filled(self.settings["system"], text)
            messages.append({"role": "system", "content": system})
        examples = [self.settings["examples"][place] for place in places]
        for example in examples:
            messages += turns_of(example, template)
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
        try:
            answer = self.way.answer(text)
        except NoAnswerError as caught:
            return self._say({"error": str(caught)}, _NO_ANSWER)
        return self._say(answer, _GOOD)

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
        try:
            answer = ServedWay(folder).answer(asked.text)
        except NoAnswerError as caught:
            sys.exit(str(caught))
        sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
        return
    with make_server(folder, asked.port) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
