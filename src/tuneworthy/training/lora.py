"""The process that trains: LoRA on a base model on this machine.

It loads the base once, and then takes a job in each line of its input, as JSON. It answers in lines
of JSON, and ends when its input ends, which also happens when its parent is killed. A job continues
from the last state that it wrote, so a stop loses a minute at most. Why the loop is ours and not a
library's stands in docs/evidence/dependencies.md.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import queue
import random
import re
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tuneworthy.llm.seals import origin, seal

WARMUP = 0.1  #: Share of the steps over which the rate rises from nought.
_BETA = 0.1  # the beta of DPO, as published
_IGNORED = -100  # label of a token that no loss is taken of
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
                bits = job["recipe"]["bits"]
                base = Base(job["base"], job["device"], job["threads"], bits)
            say(done=base.train(job, say))
        except Exception as caught:  # noqa: BLE001  # any library may raise anything
            say(failed=f"{type(caught).__name__}: {caught}"[:300])


class Base:
    """A base model in memory, with a new adapter for each job."""

    def __init__(self, place: str, device: str, threads: int, bits: int = 16) -> None:
        import torch
        import transformers

        transformers.logging.set_verbosity_error()
        torch.set_num_threads(threads)
        path = Path(place)
        self.gguf = path.is_file()
        self.device = device
        # code beside weights is a stranger's
        where: Row = {"local_files_only": True, "trust_remote_code": False}
        if self.gguf:
            where["gguf_file"] = path.name
        folder = str(path.parent if self.gguf else path)
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **where)
        if bits == 4:  # it needs a GPU and doesn't run on a processor
            where["quantization_config"] = transformers.BitsAndBytesConfig(
                load_in_4bit=True,
                bnb_4bit_quant_type="nf4",
                bnb_4bit_compute_dtype=torch.bfloat16,
            )
            where["device_map"] = {"": device}
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=torch.bfloat16,
            use_safetensors=True,  # other files of weights can hold code
            **where,
        )
        self.model = model if bits == 4 else model.to(device)

    def train(self, job: Row, say: Say) -> Row:
        """Train one adapter, or only time the first steps if ``job`` asks for that."""
        import peft
        import torch

        recipe = job["recipe"]
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
            return self._train_adapter(model, job, say)
        finally:
            self.model = model.unload()  # the plain base, for the next job

    def _train_adapter(self, model: Any, job: Row, say: Say) -> Row:
        """Train by the recipe; a run that was stopped goes on from its last saved state."""
        recipe = job["recipe"]
        folder = Path(job["folder"])
        folder.mkdir(parents=True, exist_ok=True)
        # a job that only measures does its first steps
        batches = _batches(job["rows"], recipe, job["seed"])[: job["measure"] or None]
        run = _Run(model, recipe, len(batches), folder / "state.pt")
        run.restore()
        model.train()
        loss = 0.0
        for batch in batches[run.step :]:
            loss = self._compute_gradient(model, batch, recipe)
            run.update_weights()
            say(step=run.step, of=len(batches), loss=round(loss, 4))
            run.save_every(job["save_every_s"])
        seconds = run.seconds
        model.save_pretrained(str(folder))
        if self.gguf:
            adapter = folder / "adapter.gguf"
            write_gguf(_adapter(model), self.model.config, recipe, adapter)
        run.state.unlink(missing_ok=True)
        return {
            "seconds": seconds,
            "steps": len(batches),
            "loss": loss,
            "brought": run.brought,
            "memory_mib": _memory_mib(),
        }

    def _compute_gradient(self, model: Any, batch: Sequence[Row], recipe: Row) -> float:
        """Compute the gradient of a batch in the recipe's number of parts, and return its loss.

        A part weighs as many tokens, or pairs, as it has, so the number of parts changes nothing.
        """
        size = math.ceil(len(batch) / recipe["parts"])
        parts = [batch[at : at + size] for at in range(0, len(batch), size)]
        tokens = [self._tokens(part, recipe) for part in parts]
        if recipe["method"] == "sft":
            learn = _loss_of_answers
            weight = sum(_learned(part) for part in tokens)
        else:
            learn = _loss_of_pairs
            weight = len(batch)
        whole = 0.0
        for part in tokens:
            loss = learn(model, part) / weight
            loss.backward()
            whole += float(loss.detach())
        return whole

    def _tokens(self, part: Sequence[Row], recipe: Row) -> Any:
        """Id, position, label and answer of each token: (rows, tokens, 4); only answers have labels.

        Answers are numbered as the rows of ``part``; for pairs, the worse ones follow. A long
        prompt loses its beginning. Sequences share a row as long as they fit. Positions start again
        for each, which shows the model where it begins, so only the ends of rows are padded.
        """
        import torch

        talks = [row["messages"] for row in part]
        if recipe["method"] != "sft":
            for row in part:
                *asked, answer = row["messages"]
                talks.append([*asked, {**answer, "content": row["rejected"]}])
        longest = recipe["longest"]
        sequences = []
        for number, talk in enumerate(talks):
            prompt, answer = self._split(talk, longest)
            labels = [_IGNORED] * len(prompt) + answer
            places = range(len(labels))
            ids = prompt + answer
            sequences.append(
                [[*each, number] for each in zip(ids, places, labels, strict=True)]
            )
        # not every base can tell where the next example of a row begins
        is_llama = self.model.config.model_type == "llama"
        rows = _share_rows(sequences, longest if is_llama else 0)
        width = max(len(tokens) for tokens in rows)
        padding = self.tokenizer.pad_token_id or 0
        for tokens in rows:
            _, position, _, number = tokens[-1]
            for further in range(1, 1 + width - len(tokens)):
                tokens.append([padding, position + further, _IGNORED, number])
        return torch.tensor(rows, device=self.device)

    def _split(self, messages: list[Row], longest: int) -> tuple[list[int], list[int]]:
        """Tokens of a prompt and of its answer, at most ``longest`` together."""
        prompt = self._ids(messages[:-1], ends_in_prompt=True)
        whole = self._ids(messages, ends_in_prompt=False)
        answer = whole[len(prompt) :][:longest]
        return prompt[max(0, len(prompt) + len(answer) - longest) :], answer

    def _ids(self, messages: list[Row], *, ends_in_prompt: bool) -> list[int]:
        text = self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=ends_in_prompt
        )
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])


def _share_rows(sequences: Sequence[list[Any]], room: int) -> list[list[Any]]:
    """Put each sequence into the first row with room for it, the longest sequences first."""
    rows: list[list[Any]] = []
    for sequence in sorted(sequences, key=len, reverse=True):
        for row in rows:
            if len(row) + len(sequence) <= room:
                row.extend(sequence)
                break
        else:  # no row has room for it
            rows.append(list(sequence))
    return rows


def _batches(rows: Sequence[Row], recipe: Row, seed: int) -> list[list[Row]]:
    """The rows of each step: every epoch has an order of its own."""
    chance = random.Random(seed)  # noqa: S311  # hides nothing
    ordered = list[Row]()
    for _ in range(recipe["epochs"]):
        ordered += chance.sample(rows, len(rows))
    size = recipe["batch"]
    return [ordered[at : at + size] for at in range(0, len(ordered), size)]


# The losses.


def _learned(tokens: Any) -> int:
    """How many tokens are learned; the first of a row is never predicted, and never learned."""
    *_, labels, _ = tokens.unbind(-1)
    return int((labels[:, 1:] != _IGNORED).sum())


def _loss_of_answers(model: Any, tokens: Any) -> Any:
    """The loss of all tokens of the answers together."""
    _, likelihoods = _answer_likelihoods(model, tokens)
    return -likelihoods.sum()


def _loss_of_pairs(model: Any, tokens: Any) -> Any:
    """The loss of direct preference optimization (Rafailov et al. 2023), of all pairs together.

    How much likelier the better answer has become than in the base, less the same for the worse.
    """
    import torch

    with model.disable_adapter(), torch.no_grad():
        in_base = _sum_by_answer(model, tokens)
    change = _sum_by_answer(model, tokens) - in_base
    better, worse = change.chunk(2)  # the better answers stand first
    return -torch.nn.functional.logsigmoid(_BETA * (better - worse)).sum()


def _sum_by_answer(model: Any, tokens: Any) -> Any:
    """The log-likelihood of each answer: the sum over its tokens."""
    import torch

    answer, likelihoods = _answer_likelihoods(model, tokens)
    answers = int(tokens[..., -1].max()) + 1
    nothing = torch.zeros(answers, device=tokens.device)
    return nothing.index_add(0, answer, likelihoods)


def _answer_likelihoods(model: Any, tokens: Any) -> tuple[Any, Any]:
    """The answer of each token that is learned, and the token's log-likelihood.

    Only the places before such tokens reach the last layer. Over a whole vocabulary, that layer
    takes the most memory, and prompts don't need it.
    """
    ids, positions, labels, answers = tokens.unbind(-1)
    # a place predicts the token after it, so labels begin one place later
    rows, places = (labels[:, 1:] != _IGNORED).nonzero(as_tuple=True)
    head = model.get_base_model().get_output_embeddings()

    def keep_answers(_: Any, inputs: tuple[Any]) -> Any:
        (hidden,) = inputs
        return hidden[rows, places]

    with head.register_forward_pre_hook(keep_answers):
        # what pads a row comes last, where no answer sees it: no mask is needed
        logits = model(input_ids=ids, position_ids=positions, use_cache=False).logits
    likely = logits.float().log_softmax(-1)
    learned = labels[rows, places + 1].unsqueeze(-1)
    return answers[rows, places], likely.gather(-1, learned).squeeze(-1)


# The state of a run, and what it leaves.


class _Run:
    """The changing parts of a run, which are saved so that it can go on."""

    def __init__(self, model: Any, recipe: Row, steps: int, state: Path) -> None:
        import torch

        self.state = state
        self.step = 0  # the number of steps that are done
        self.brought = (
            False  # whether it went on from a state that came with the folder
        )
        self._model = model
        self._clip = recipe["clip"]
        self._weights = [p for p in model.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(
            self._weights, lr=recipe["rate"], weight_decay=0.0
        )
        rise = max(1, int(steps * WARMUP))

        def share_of_rate(step: int) -> float:
            falling = (steps - step) / max(1, steps - rise)
            return min((step + 1) / rise, max(0.0, falling))

        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer, share_of_rate
        )
        self._began = self._saved = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def update_weights(self) -> None:
        """Move the weights by the gradient of a batch, and begin the next one's."""
        import torch

        torch.nn.utils.clip_grad_norm_(self._weights, self._clip)
        self._optimizer.step()
        self._schedule.step()
        self._optimizer.zero_grad()
        self.step += 1

    def save_every(self, seconds: float) -> None:
        """Write the state, where the last one is older, whole or not at all, behind its seal."""
        import torch

        if time.monotonic() - self._saved <= seconds:
            return
        raw = io.BytesIO()
        checkpoint = {
            "step": self.step,
            "seconds": self.seconds,
            "adapter": _adapter(self._model),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "chance": torch.get_rng_state(),
            "brought": self.brought,
        }
        torch.save(checkpoint, raw)
        part = self.state.with_suffix(".part")
        sealed = seal(hashlib.sha256(raw.getvalue()).hexdigest())
        part.write_bytes(f"{sealed}\n".encode() + raw.getvalue())
        part.replace(self.state)
        self._saved = time.monotonic()

    def restore(self) -> None:
        """Go on from the saved state; from the beginning without one, or where it was changed."""
        import torch

        if not self.state.is_file():
            return
        sealed, _, raw = self.state.read_bytes().partition(b"\n")
        if not _SEAL.fullmatch(sealed):
            return
        made = origin(hashlib.sha256(raw).hexdigest(), sealed.decode())
        if made == "edited":
            return
        checkpoint: Row = torch.load(io.BytesIO(raw), weights_only=True)
        self.step = checkpoint["step"]
        self.brought = made == "brought" or checkpoint["brought"]
        self._began -= checkpoint["seconds"]
        # the base's own weights aren't saved with the adapter's
        self._model.load_state_dict(checkpoint["adapter"], strict=False)
        self._optimizer.load_state_dict(checkpoint["optimizer"])
        self._schedule.load_state_dict(checkpoint["schedule"])
        torch.set_rng_state(checkpoint["chance"])


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
            # the runtime rotates neighbouring rows: the halves of each head are interleaved
            halves = values.reshape(heads[kind], 2, -1, values.shape[1])
            values = halves.swapaxes(1, 2).reshape(values.shape)
        writer.add_tensor(f"blk.{layer}.{_GGUF[kind]}.weight.lora_{side}", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.replace(path)


if __name__ == "__main__":
    main()
