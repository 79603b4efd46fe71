"""Endpoints that give no answer, for tools/chaos.py: those of the tests, and many more."""

from __future__ import annotations

import gzip
import json
import socket
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests")]

from test_chaos import BAD, NULL, Bad, says, told  # noqa: E402  # after the path

_LARGE = 5 * 1024 * 1024
_STATUSES = (204, 402, 403, 405, 406, 410, 413, 415, 422, 451, 501)
_FINISHES = ("length", "max_tokens", "content_filter", "safety", "recitation", "error")
_SAID = json.dumps({"error": {"message": "not today"}}).encode()
_RIGHT = {"choices": [{"message": {"content": "shelf 7"}, "finish_reason": "stop"}]}


def as_json(body: Any) -> Bad:
    return says(200, json.dumps(body).encode())


def choice(message: Any) -> Bad:
    return as_json({"choices": [{"message": message, "finish_reason": "stop"}]})


def wire(*pieces: bytes, times: int = 1) -> Bad:
    """Bytes as they are, and then the end of the connection."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        try:
            for _ in range(times):
                for piece in pieces:
                    handler.wfile.write(piece)
            handler.wfile.flush()
            handler.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            """The other side had enough."""

    return answer


def packed(kind: str, body: bytes) -> Bad:
    return says(200, body, **{"Content-Encoding": kind})


_BODIES: dict[str, Bad] = {
    "an empty object": as_json({}),
    "a list": as_json([]),
    "null alone": as_json(None),
    "a text alone": as_json("shelf 7"),
    "no choice": as_json({"choices": []}),
    "choices of null": as_json({"choices": None}),
    "choices of a number": as_json({"choices": 7}),
    "a choice without a message": as_json({"choices": [{}]}),
    "a message of null": choice(None),
    "a content that is a number": choice({"content": 7}),
    "a content that is a picture": choice({"content": [{"type": "image_url"}]}),
    "a content of an object": choice({"content": {"text": "shelf 7"}}),
    "a refusal": choice({"content": "", "refusal": "I can't help with that."}),
    "no number": says(200, b'{"choices": [{"message": {"content": NaN}}]}'),
    "bad UTF-8": says(200, b'{"choices": [{"message": {"content": "\xff\xfe"}}]}'),
    "half of it": says(200, json.dumps(_RIGHT).encode()[:-9]),
    "two of them": says(200, 2 * json.dumps(_RIGHT).encode()),
    "brackets": says(200, b"[" * 1_900_000),
    "a null in a stream": says(200, b"data: [DONE]\n\n", "text/event-stream"),
    "a stream": says(
        200,
        b'data: {"choices": [{"delta": {"content": "x"}}]}\n\n',
        "text/event-stream",
    ),
}
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_CHUNKED = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
_WIRE: dict[str, Bad] = {
    "a bomb in gzip": packed("gzip", gzip.compress(b" " * 20_000_000, 1)),
    "broken gzip": packed("gzip", b"\x1f\x8b broken"),
    "broken brotli": packed("br", b"broken"),
    "broken zstd": packed("zstd", b"\x28\xb5\x2f\xfd broken"),
    "an unknown packing": packed("zip", b"broken"),
    "five mebibytes": says(200, b'{"choices": "' + b"x" * _LARGE + b'"}'),
    "endless chunks": wire(_CHUNKED, *[b"ffff\r\n" + b" " * 65535 + b"\r\n"] * 200),
    "bad chunks": wire(_CHUNKED, b"zz\r\nx\r\n"),
    "HTTP/0.9": wire(b"shelf 7"),
    "20,000 headers": wire(_HEAD, *[b"X-A: b\r\n"] * 20_000, b"\r\n"),
    "a header without an end": wire(_HEAD, b"X-A: " + b"b" * 200_000),
    "many times 100": wire(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 1000),
    "half a status": wire(b"HTTP/1.1 40"),
    "a negative length": wire(_HEAD, b"Content-Length: -1\r\n\r\n{}"),
    "two lengths": wire(_HEAD, b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    "nothing": wire(b""),
    "a redirect to a form": says(
        302, b"", Location="https://sso.example.invalid/login"
    ),
    "a redirect for good": says(308, b"", Location="/elsewhere"),
    "a null answer, twice": says(200, 2 * json.dumps(NULL).encode()),
}
KINDS: dict[str, Bad] = {
    **BAD,
    **{f"status {status}": says(status, _SAID) for status in _STATUSES},
    "status 201": says(201, json.dumps(_RIGHT).encode()),
    **{f"ends by {word}": told("shelf", word) for word in _FINISHES},
    **_BODIES,
    **_WIRE,
}
"""Kinds without an answer. Those that say to come again later are left out: they are waited for."""
