"""The process that serves a base model and a pilot's adapters, at an address of this machine.

It reads its settings as a line of JSON from its input, and says when it is ready. It ends when its
input ends, which also happens when its parent is killed. Waiting requests for the same model are
answered together. It has the part of OpenAI's API that a lab uses: messages, the most tokens, and a
temperature.
"""

from __future__ import annotations

import hmac
import json
import os
import queue
import sys
import threading
from contextlib import AbstractContextManager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

PREFIX = "pilot-"  #: Of the names of adapters: the folder of a run follows.
_MOST_BYTES = 8 << 20  # bytes of a request
_MOST_TOGETHER = 16  # calls answered at once: each needs memory of its own
_USUAL_TOKENS = 512  # of an answer, where a request sets no limit
_MOST_TOKENS = 8192
_GOOD = 200
_BAD = 400
_NO_KEY = 401
_NO_MODEL = 404
_NOT_TAKEN = ("response_format", "tools", "grammar", "logit_bias")


class ChatCall:
    """A request that waits for its answer."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.model = str(asked["model"])
        self.messages = asked["messages"]
        most = asked.get("max_tokens") or asked.get("max_completion_tokens")
        self.most = min(_MOST_TOKENS, int(most or _USUAL_TOKENS))
        self.temperature = float(asked.get("temperature") or 0.0)
        self.answer: dict[str, Any] = {}
        self.done = threading.Event()

    @property
    def alike(self) -> tuple[str, float]:
        """The model and temperature. Calls with an equal pair are answered together."""
        return self.model, self.temperature


class AdapterModels:
    """A base model in memory, with adapters of runs that are loaded on demand."""

    def __init__(self, settings: dict[str, Any]) -> None:
        import torch
        import transformers

        transformers.logging.set_verbosity_error()
        self._base = settings["base"]
        self._name = settings["name"]
        self._runs = Path(settings["runs"])
        self._device = settings["device"]
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(
            self._base,
            local_files_only=True,
            trust_remote_code=False,
            padding_side="left",
        )
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._model: Any = transformers.AutoModelForCausalLM.from_pretrained(
            self._base,
            dtype=torch.bfloat16,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
        ).to(self._device)
        self._adapters: set[str] = set()

    def knows(self, model: str) -> bool:
        """Whether a name is the base's, or that of a run with a written adapter."""
        if model == self._name:
            return True
        run = model.removeprefix(PREFIX)
        # a name of letters and digits can't lead out of the folder of runs
        if not model.startswith(PREFIX) or not run.isalnum():
            return False
        files = ("adapter_config.json", "adapter_model.safetensors")
        return all((self._runs / run / name).is_file() for name in files)

    def answers(self, calls: list[ChatCall]) -> list[dict[str, Any]]:
        """Return the answers of one model to some calls of the same temperature, in their order."""
        import torch

        texts = [
            self._tokenizer.apply_chat_template(
                call.messages, tokenize=False, add_generation_prompt=True
            )
            for call in calls
        ]
        asked = self._tokenizer(
            texts, add_special_tokens=False, return_tensors="pt", padding=True
        ).to(self._device)
        first = calls[0]  # the others have its model and temperature
        more: dict[str, Any] = {"do_sample": False}
        if first.temperature > 0:
            more = {"do_sample": True, "temperature": first.temperature}
        with self._with_adapter_of(first.model), torch.no_grad():
            made = self._model.generate(
                input_ids=asked["input_ids"],
                attention_mask=asked["attention_mask"],
                max_new_tokens=max(call.most for call in calls),
                pad_token_id=self._tokenizer.pad_token_id,
                **more,
            )
        # the model repeats the prompt, padded to the longest one
        width = asked["input_ids"].shape[1]
        read = asked["attention_mask"].sum(dim=1).tolist()
        return [
            self._completion(call, row[width:].tolist(), tokens)
            for call, row, tokens in zip(calls, made, read, strict=True)
        ]

    def _with_adapter_of(self, model: str) -> AbstractContextManager[None]:
        """Use a run's adapter, or none for the base, within the block."""
        if model != self._name:
            self._use(model.removeprefix(PREFIX))
        elif self._adapters:
            disabled: AbstractContextManager[None] = self._model.disable_adapter()
            return disabled
        return nullcontext()

    def _completion(
        self, call: ChatCall, tokens: list[int], read: int
    ) -> dict[str, Any]:
        """The reply to a call in OpenAI's form, with the text up to the first token that ends it.

        ``tokens`` may be longer, as calls that are answered together get the length of the longest.
        """
        length = self._length_to_end(tokens)
        wrote = min(length, call.most)
        text = self._tokenizer.decode(tokens[:wrote], skip_special_tokens=True)
        cut = wrote == call.most and length >= call.most
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text.strip()},
            "finish_reason": "length" if cut else "stop",
        }
        return {
            "object": "chat.completion",
            "model": call.model,
            "choices": [choice],
            "usage": {"prompt_tokens": read, "completion_tokens": wrote},
        }

    def _length_to_end(self, tokens: list[int]) -> int:
        """The number of tokens before the first one that ends an answer."""
        ends = self._ends()
        for place, token in enumerate(tokens):
            if token in ends:
                return place
        return len(tokens)

    def _ends(self) -> set[int]:
        """Tokens that end an answer, by the model's settings and its tokenizer."""
        configured = self._model.generation_config.eos_token_id
        ends = set(configured) if isinstance(configured, list) else {configured}
        ends.add(self._tokenizer.eos_token_id)
        ends.discard(None)  # either may name none
        return ends

    def _use(self, run: str) -> None:
        """Load the adapter of a run where that is needed, and use it from now on."""
        import peft

        place = str(self._runs / run)
        if not self._adapters:
            self._model = peft.PeftModel.from_pretrained(
                self._model, place, adapter_name=run
            )
        elif run not in self._adapters:
            self._model.load_adapter(place, adapter_name=run)
        self._adapters.add(run)
        self._model.set_adapter(run)


class AdapterHandler(BaseHTTPRequestHandler):
    """Handles a call for each request; an error names the unsupported field."""

    models: ClassVar[AdapterModels]
    calls: ClassVar[queue.Queue[ChatCall]]
    key: ClassVar[str]

    def do_POST(self) -> None:
        """Answer a call when its turn has come."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MOST_BYTES:
            return self._refuse("too long", _BAD)
        raw = self.rfile.read(int(length))
        shown = self.headers.get("Authorization", "").encode()
        wanted = f"Bearer {self.key}".encode()
        if self.key and not hmac.compare_digest(shown, wanted):
            return self._refuse("no such key", _NO_KEY)
        try:
            asked = json.loads(raw)
            unsupported = [name for name in _NOT_TAKEN if asked.get(name)]
            call = ChatCall(asked)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return self._refuse("no chat completion", _BAD)
        if unsupported:
            name = unsupported[0]
            message = f"{name} isn't supported by this server"
            return self._say({"error": {"message": message, "param": name}}, _BAD)
        if not self.models.knows(call.model):
            return self._refuse("no such model", _NO_MODEL)
        self.calls.put(call)
        call.done.wait()
        return self._say(call.answer, _BAD if "error" in call.answer else _GOOD)

    def _refuse(self, message: str, status: int) -> None:
        self._say({"error": {"message": message}}, status)

    def log_message(self, *_: Any) -> None:
        """Log nothing, as prompts are private."""

    def _say(self, answer: dict[str, Any], status: int) -> None:
        raw = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


def answer_calls(models: AdapterModels, calls: queue.Queue[ChatCall]) -> None:
    """Answer calls for ever; waiting calls for the same model are answered together."""
    waiting: list[ChatCall] = []
    while True:
        if not waiting:
            waiting.append(calls.get())
        while not calls.empty():
            waiting.append(calls.get())
        oldest = waiting[0]
        alike = [call for call in waiting if call.alike == oldest.alike]
        batch = alike[:_MOST_TOGETHER]
        try:
            answers = models.answers(batch)
        except Exception as caught:  # noqa: BLE001  # any library may raise anything
            error = {"error": {"message": f"{type(caught).__name__}: {caught}"[:300]}}
            answers = [error] * len(batch)
        for call, answer in zip(batch, answers, strict=True):
            call.answer = answer
            waiting.remove(call)
            call.done.set()


def main() -> None:
    """Serve until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints goes to the log
    settings = json.loads(sys.stdin.readline())

    def say(what: str, **more: Any) -> None:
        answers.write(json.dumps({"said": what, **more}) + "\n")
        answers.flush()

    try:
        calls: queue.Queue[ChatCall] = queue.Queue()
        models = AdapterModels(settings)
        # the server makes a handler for each request by its class, so what it needs is in the class
        values = {"models": models, "calls": calls, "key": settings["key"]}
        handler = type("OwnAdapterHandler", (AdapterHandler,), values)
        server = ThreadingHTTPServer(("127.0.0.1", settings["port"]), handler)
    except Exception as caught:  # noqa: BLE001  # any library may raise anything
        say("failed", why=f"{type(caught).__name__}: {caught}"[:300])
        return
    threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=answer_calls, args=(models, calls), daemon=True).start()
    say("ready", port=server.server_port)
    while sys.stdin.read(4096):  # empty when the input ends
        pass
    os._exit(0)  # nobody reads the answers any more


if __name__ == "__main__":
    main()
