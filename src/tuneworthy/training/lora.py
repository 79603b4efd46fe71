"""The process that trains: LoRA on a base model on this machine.

It loads the base once, and then takes a job in each line of its input, as JSON. It answers in lines
of JSON, and ends when its input ends, which also happens when its parent is killed. A job continues
from the last state that it wrote, so a stop loses a minute at most. The recipe was measured with
SmolLM2-135M on two cores (docs/evidence/accuracy.md); the same loop runs on CUDA.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import queue
import re
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tuneworthy.llm.seals import origin, seal
from tuneworthy.training.steps import IGNORED, order, share_of_rate, split_tokens

_BETA = 0.1  # the beta of DPO, as published
_FOUR = 4  # bits of a weight
_SEAL = re.compile(rb"(?:[0-9a-f]{64}){1,2}")
_GGUF = {
    "q_proj": "attn_q",
    "k_proj": "attn_k",
    "v_proj": "attn_v",
    "o_proj": "attn_output",
    "gate_proj": "ffn_gate",
    "up_proj": "ffn_up",
    "down_proj": "ffn_down",
}
Row = dict[str, Any]
Say = Callable[..., None]


def main() -> None:
    """Train the jobs of the input, until it ends or a job is impossible."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints goes to the log
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(0)  # the input ended: its parent is gone

    def say(**what: Any) -> None:
        answers.write(json.dumps(what) + "\n")
        answers.flush()

    # in a thread, so that the end of the input also ends a running job
    threading.Thread(target=read, daemon=True).start()
    base: Base | None = None
    while True:
        job = json.loads(lines.get())
        try:
            if base is None:  # all jobs of a process have the same base
                base = _base_of(job)
            say(done=base.train(job, say))
        except Exception as caught:  # noqa: BLE001  # any library may raise anything
            say(failed=f"{type(caught).__name__}: {caught}"[:300])


def _base_of(job: Row) -> Base:
    """Load the base of a job."""
    bits = job["recipe"]["bits"] if "recipe" in job else 16
    return Base(job["base"], job["device"], job["threads"], bits)


class Base:
    """A base model in memory, with a new adapter for each job."""

    def __init__(self, place: str, device: str, threads: int, bits: int = 16) -> None:
        import torch
        import transformers

        transformers.logging.set_verbosity_error()
        torch.set_num_threads(threads)
        path = Path(place)
        where: Row = {"gguf_file": path.name} if path.is_file() else {}
        folder = str(path.parent if where else path)
        self.device = device
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, **where
        )
        self.gguf = bool(where)
        if bits == _FOUR:  # 4 bits need a GPU and don't run on a processor
            where["quantization_config"] = transformers.BitsAndBytesConfig(
                load_in_4bit=True,
                bnb_4bit_quant_type="nf4",
                bnb_4bit_compute_dtype=torch.bfloat16,
            )
            where["device_map"] = {"": device}
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=torch.bfloat16,
            local_files_only=True,
            trust_remote_code=False,  # code beside weights is a stranger's
            use_safetensors=True,  # other files of weights can hold code
            **where,
        )
        self.model = model if bits == _FOUR else model.to(device)

    def train(self, job: Row, say: Say) -> Row:
        """Train one adapter, or only time the first steps if ``job`` asks for that."""
        import peft
        import torch

        recipe = job["recipe"]
        folder = Path(job["folder"])
        folder.mkdir(parents=True, exist_ok=True)
        # for the adapter's first weights and its dropout
        torch.manual_seed(job["seed"])
        config = peft.LoraConfig(
            r=recipe["rank"],
            lora_alpha=recipe["alpha"],
            lora_dropout=recipe["dropout"],
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
        if recipe["checkpointing"]:
            self.model.gradient_checkpointing_enable()
            # the base is frozen: without this, no gradient would pass its first layer
            self.model.enable_input_require_grads()
        model = peft.get_peft_model(self.model, config)
        try:
            return self._steps(model, job, folder, say)
        finally:
            self.model = model.unload()  # the plain base, for the next job

    def _steps(self, model: Any, job: Row, folder: Path, say: Say) -> Row:
        """Train by the recipe; a run that was stopped goes on from its last saved state."""
        recipe = job["recipe"]
        rows = job["rows"]
        # a job that only measures does its first steps
        batches = _batches(len(rows), recipe, job["seed"])[: job["measure"] or None]
        steps = len(batches)
        state = folder / "state.pt"
        run = _RunState(model, recipe, steps)
        run.restore(_read_state(state))
        model.train()
        saved = time.monotonic()
        loss = 0.0
        started = saved - run.seconds
        for step in range(run.step, steps):
            batch = [rows[place] for place in batches[step]]
            loss = self._step(model, batch, recipe)
            run.update_weights()
            say(step=step + 1, of=steps, loss=round(loss, 4))
            if time.monotonic() - saved > job["save_every_s"]:
                run.step = step + 1
                run.seconds = time.monotonic() - started
                _write_state(run.checkpoint(), state)
                saved = time.monotonic()
        seconds = time.monotonic() - started
        model.save_pretrained(str(folder))
        if self.gguf:
            write_gguf(
                _adapter(model), self.model.config, recipe, folder / "adapter.gguf"
            )
        state.unlink(missing_ok=True)
        return {
            "seconds": seconds,
            "steps": steps,
            "loss": loss,
            "brought": run.brought,
            "memory_mib": _memory_mib(),
        }

    def _step(self, model: Any, batch: Sequence[Row], recipe: Row) -> float:
        """Compute the gradient of a batch in the recipe's number of parts, and return its loss.

        A part weighs as many tokens, or pairs, as it has, so the number of parts changes nothing.
        """
        size = math.ceil(len(batch) / recipe["parts"])
        parts = [batch[at : at + size] for at in range(0, len(batch), size)]
        if recipe["method"] != "sft":
            loss = 0.0
            for part in parts:
                loss += self._learn_pairs(
                    model, part, recipe, pairs_in_batch=len(batch)
                )
            return loss
        return self._learn_answers(model, parts, recipe)

    def _learn_answers(
        self, model: Any, parts: Sequence[Sequence[Row]], recipe: Row
    ) -> float:
        """Compute the gradient of a batch's answers, and return the mean loss of their tokens."""
        tokens = [
            self._tokens([(row["messages"], "") for row in part], recipe)
            for part in parts
        ]
        # the first token of a row is never predicted, so it isn't learned
        answer_tokens = sum(
            int((part[:, 1:, _LABEL] != IGNORED).sum()) for part in tokens
        )
        whole = 0.0
        for part in tokens:
            _, likelihoods = _answer_likelihoods(model, part)
            loss = -likelihoods.sum() / answer_tokens
            loss.backward()
            whole += float(loss.detach())
        return whole

    def _learn_pairs(
        self, model: Any, part: Sequence[Row], recipe: Row, *, pairs_in_batch: int
    ) -> float:
        """Compute the gradient of some pairs of a batch, and return their part of its loss.

        It is the loss of direct preference optimization (Rafailov et al. 2023): how much likelier
        the better answer has become than in the base, less the same for the worse one.
        """
        import torch

        answers = [(row["messages"], "") for row in part]
        answers += [(row["messages"], row["rejected"]) for row in part]
        tokens = self._tokens(answers, recipe)
        with model.disable_adapter(), torch.no_grad():
            in_base = self._sum_by_answer(model, tokens, len(answers))
        tuned = self._sum_by_answer(model, tokens, len(answers))
        better, worse = (tuned - in_base).chunk(2)  # the better answers stand first
        losses = -torch.nn.functional.logsigmoid(_BETA * (better - worse))
        loss = losses.sum() / pairs_in_batch
        loss.backward()
        return float(loss.detach())

    def _sum_by_answer(self, model: Any, tokens: Any, answers: int) -> Any:
        """The log-likelihood of each answer: the sum over its tokens."""
        import torch

        answer, likelihoods = _answer_likelihoods(model, tokens)
        nothing = torch.zeros(answers, device=self.device)
        return nothing.index_add(0, answer, likelihoods)

    def _tokens(self, pairs: Sequence[tuple[list[Row], str]], recipe: Row) -> Any:
        """Id, position, label and pair of each token: (rows, tokens, 4); only answers have labels.

        A pair is a conversation, and an answer instead of its last one, "" for that one itself. A
        long prompt loses its beginning. Pairs share a row as long as they fit. Positions start
        again for each pair, which shows the model where it begins, so only the ends of rows are
        padded.
        """
        import torch

        sequences = [
            self._sequence(number, messages, instead, recipe["longest"])
            for number, (messages, instead) in enumerate(pairs)
        ]
        # not every base can tell where the next example of a row begins
        room = recipe["longest"] if self.model.config.model_type == "llama" else 0
        rows = _share_rows(sequences, room)
        width = max((len(row) for row in rows), default=0)
        padding_id = self.tokenizer.pad_token_id or 0
        for row in rows:
            last = row[-1]
            for further in range(1, 1 + width - len(row)):
                position = last.position + further
                row.append(_Token(padding_id, position, IGNORED, last.pair))
        return torch.tensor(rows, device=self.device)

    def _sequence(
        self, number: int, messages: list[Row], instead: str, longest: int
    ) -> list[_Token]:
        """The tokens of one pair, at most ``longest``."""
        *asked, answer = messages
        if instead:
            answer = {**answer, "content": instead}
        prompt_ids, answer_ids = split_tokens(self.tokenizer, asked, answer, longest)
        labels = [IGNORED] * len(prompt_ids) + answer_ids
        ids = prompt_ids + answer_ids
        return [
            _Token(token_id, position, label, number)
            for position, (token_id, label) in enumerate(zip(ids, labels, strict=True))
        ]


class _Token(NamedTuple):
    """A token of a row, in the order of the last axis of ``Base._tokens``."""

    id: int
    position: int  #: In its pair, from 0.
    label: int
    pair: int  #: The number of its pair in the part.


_LABEL = 2  # of a token, the place of its label


def _share_rows(sequences: Sequence[Sequence[_Token]], room: int) -> list[list[_Token]]:
    """Put each sequence into the first row with room for it, the longest sequences first."""
    rows: list[list[_Token]] = []
    for sequence in sorted(sequences, key=len, reverse=True):
        for row in rows:
            if len(row) + len(sequence) <= room:
                row.extend(sequence)
                break
        else:  # no row has room for it
            rows.append(list(sequence))
    return rows


class _RunState:
    """The changing parts of a run, which are saved so that it can go on."""

    def __init__(self, model: Any, recipe: Row, steps: int) -> None:
        import torch

        self._model = model
        self._clip = recipe["clip"]
        self._weights = [p for p in model.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(
            self._weights, lr=recipe["rate"], weight_decay=0.0
        )
        rise = max(1, steps // 10)  # the tenth that ``recipes.WARMUP`` states
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer, lambda step: share_of_rate(step, steps, rise)
        )
        self.step = 0  # the first one that isn't done
        self.seconds = 0.0
        self.brought = False

    def update_weights(self) -> None:
        """Move the weights by the gradient of a batch, and begin the next one's."""
        import torch

        torch.nn.utils.clip_grad_norm_(self._weights, self._clip)
        self._optimizer.step()
        self._schedule.step()
        self._optimizer.zero_grad()

    def checkpoint(self) -> Row:
        """The state as it is saved."""
        import torch

        return {
            "step": self.step,
            "seconds": self.seconds,
            "adapter": _adapter(self._model),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "chance": torch.get_rng_state(),
            "brought": self.brought,
        }

    def restore(self, checkpoint: Row | None) -> None:
        """Go on from a saved state; from the beginning where there is none."""
        import torch

        if checkpoint is None:
            return
        self.step = checkpoint["step"]
        self.seconds = checkpoint["seconds"]
        self.brought = checkpoint.get("brought", False)
        # the base's own weights aren't saved with the adapter's
        self._model.load_state_dict(checkpoint["adapter"], strict=False)
        self._optimizer.load_state_dict(checkpoint["optimizer"])
        self._schedule.load_state_dict(checkpoint["schedule"])
        torch.set_rng_state(checkpoint["chance"])


def _write_state(checkpoint: Row, path: Path) -> None:
    """Write the state of a run whole or not at all, behind a line with its seal."""
    import torch

    raw = io.BytesIO()
    torch.save(checkpoint, raw)
    part = path.with_suffix(".part")
    sealed = seal(hashlib.sha256(raw.getvalue()).hexdigest())
    part.write_bytes(f"{sealed}\n".encode() + raw.getvalue())
    part.replace(path)


def _read_state(path: Path) -> Row | None:
    """The state of a run that was stopped; None without one, and for one that was changed."""
    import torch

    if not path.is_file():
        return None
    sealed, _, raw = path.read_bytes().partition(b"\n")
    if not _SEAL.fullmatch(sealed):
        return None  # of before, when states had no seals
    made = origin(hashlib.sha256(raw).hexdigest(), sealed.decode())
    if made == "edited":
        return None
    checkpoint: Row = torch.load(io.BytesIO(raw), weights_only=True)
    if made == "brought":
        checkpoint["brought"] = True
    return checkpoint


def _answer_likelihoods(model: Any, tokens: Any) -> tuple[Any, Any]:
    """The pair of each token of an answer, and its log-likelihood.

    Only the places before such tokens reach the last layer. Over a whole vocabulary, that layer
    takes the most memory, and prompts don't need it.
    """
    # the last axis of tokens holds these four numbers of each
    ids, positions, labels, pairs = tokens.unbind(-1)
    # a place predicts the token after it, so labels begin one place later
    rows, places = (labels[:, 1:] != IGNORED).nonzero(as_tuple=True)
    head = model.get_base_model().get_output_embeddings()

    def keep_answers(_: Any, inputs: tuple[Any]) -> Any:
        (hidden,) = inputs
        return hidden[rows, places]

    with head.register_forward_pre_hook(keep_answers):
        # what pads a row comes last, where no answer sees it: no mask is needed
        logits = model(input_ids=ids, position_ids=positions, use_cache=False).logits
    likely = logits.float().log_softmax(-1)
    answers = labels[rows, places + 1]
    likelihoods = likely.gather(-1, answers.unsqueeze(-1)).squeeze(-1)
    return pairs[rows, places], likelihoods


def _batches(rows: int, recipe: Row, seed: int) -> list[list[int]]:
    """The rows of each step: every epoch has an order of its own."""
    size = recipe["batch"]
    places = order(rows, recipe["epochs"], seed)
    return [places[at : at + size] for at in range(0, len(places), size)]


def _adapter(model: Any) -> dict[str, Any]:
    """The weights that training changes, by name, in main memory."""
    return {
        name: weight.detach().cpu()
        for name, weight in model.named_parameters()
        if weight.requires_grad
    }


def _memory_mib() -> int:
    """The peak memory of this process; on a GPU, the peak there."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated() >> 20)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts in bytes, Linux in KiB
    return int(peak >> (20 if sys.platform == "darwin" else 10))


def write_gguf(adapter: dict[str, Any], config: Any, recipe: Row, path: Path) -> None:
    """Write an adapter of a Llama for the embedded runtime; its q and k rows are permuted."""
    import gguf

    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    part = path.with_suffix(".part")
    writer = gguf.GGUFWriter(str(part), "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(recipe["alpha"]))
    for name, tensor in adapter.items():
        # a name such as base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight
        words = name.split(".")
        layer = words[words.index("layers") + 1]
        kind = next(word for word in words if word in _GGUF)
        side = "a" if "lora_A" in words else "b"
        values = tensor.float().numpy()
        if side == "b" and kind in heads:
            values = _interleaved(values, heads[kind])
        writer.add_tensor(f"blk.{layer}.{_GGUF[kind]}.weight.lora_{side}", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.replace(path)


def _interleaved(values: Any, heads: int) -> Any:
    """Interleave each head's two halves, as the runtime rotates neighbouring rows."""
    rows, columns = values.shape
    halves = values.reshape(heads, 2, rows // heads // 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns)


if __name__ == "__main__":
    main()
