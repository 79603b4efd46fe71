"""Steps that trainers do differently, done as in a pilot: layout, order, rates, arithmetic.

The pilot's own loop uses it, and an export for TRL or Unsloth has a copy beside its script. So it
imports nothing else of this program.
"""

from __future__ import annotations

import json
import random
from typing import Any

Line = dict[str, Any]
Turn = dict[str, Any]
IGNORED = -100  #: Label of a token that no loss is taken of.
SETTINGS: dict[str, Any] = {
    # Every epoch is in the data already, in its order.
    "num_train_epochs": 1,
    "train_sampling_strategy": "sequential",
    "dataloader_drop_last": False,
    # A token weighs the same in every part of a batch and on every device.
    "average_tokens_across_devices": True,
    "label_smoothing_factor": 0.0,
    "optim": "adamw_torch",
    "adam_beta1": 0.9,
    "adam_beta2": 0.999,
    "adam_epsilon": 1e-8,
    "weight_decay": 0.0,
    # The base is read in 16 bits, the adapter is kept in 32, and nothing is cast in between.
    "bf16": False,
    "fp16": False,
    "save_strategy": "no",
    "report_to": "none",
    "logging_steps": 1,
}
"""Settings that no recipe states, and that libraries choose differently."""


def split_tokens(
    tokenizer: Any,
    asked: list[Turn],
    answer: Turn,
    longest: int,
    tools: list[Any] | None = None,
) -> tuple[list[int], list[int]]:
    """Tokens of a prompt and of its answer; a long prompt loses its beginning."""
    prompt = _ids(tokenizer, asked, tools, prompt=True)
    whole = _ids(tokenizer, [*asked, answer], tools, prompt=False)
    learned = whole[len(prompt) :][:longest]
    return prompt[max(0, len(prompt) + len(learned) - longest) :], learned


def _ids(
    tokenizer: Any, turns: list[Turn], tools: list[Any] | None, *, prompt: bool
) -> list[int]:
    text = tokenizer.apply_chat_template(
        turns, tools=tools, tokenize=False, add_generation_prompt=prompt
    )
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def laid_out(tokenizer: Any, name: str, longest: int) -> list[Line]:
    """Each line of a file as tokens and labels; only the answer is learned."""
    rows = []
    with open(name, encoding="utf-8") as file:  # noqa: PTH123  # a copy stands alone
        for text in file:
            line = json.loads(text)
            asked, answer = split_tokens(
                tokenizer,
                line["prompt"],
                line["completion"][0],
                longest,
                line.get("tools"),
            )
            labels = [IGNORED] * len(asked) + answer
            rows.append({"input_ids": asked + answer, "labels": labels})
    return rows


def order(examples: int, epochs: int, seed: int) -> list[int]:
    """Places of the examples, epoch after epoch, each in its own order."""
    chance = random.Random(seed)  # noqa: S311  # hides nothing
    places: list[int] = []
    for _ in range(epochs):
        places += chance.sample(range(examples), examples)
    return places


def share_of_rate(step: int, steps: int, rise: int) -> float:
    """The share of the recipe's rate at a step: it rises at first, then falls in a straight line."""
    return min((step + 1) / rise, max(0.0, (steps - step) / max(1, steps - rise)))


class PilotRates:
    """Gives a trainer these rates. Its own would be zero at the first step."""

    rise = 1  #: Steps over which the rate rises.
    optimizer: Any

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """The rates in torch's form; a trainer asks for them once."""
        from torch.optim.lr_scheduler import LambdaLR

        self.lr_scheduler = LambdaLR(
            optimizer or self.optimizer,
            lambda step: share_of_rate(step, num_training_steps, self.rise),
        )
        return self.lr_scheduler
