"""The folder that is handed off to TRL trains to what the pilot's own loop measured.

Needs the extra ``pilot``, and TRL, which no extra brings. The base is a model of some thousand
weights: what holds is the recipe, the form of the lines and the mask, not what a real base learns.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from internals import (
    Model,
    TrainingExample,
    TrainingWork,
    files_stores,
    model_pilot,
    model_training,
    training_export,
    training_pilot,
    training_trainers,
    wilson,
)
from lab_world import folder_of
from pilot_world import MODELS, FakeTrainer, answers, pilot_of, rising
from test_pilot_trains import need_training, tiny
from tuneworthy import load_case

RECIPE = model_pilot.Recipe(rate=0.02, dropout=0.0, epochs=12)
WORDS = [f"w{a} w{b}" for a in range(10) for b in range(10)]


__all__ = ["tiny"]  # a fixture of another file, which is used by its name


def right(asked: str) -> str:
    """The rule that is to be learned: by whether the first word has an even number."""
    return "w1" if int(asked[1]) % 2 else "w2"


def trained_on(folder: Path, questions: list[str]) -> Path:
    """Give a case a training set in the words of the small model."""
    examples = []
    for asked in questions:
        turns = [
            {"role": "user", "content": asked},
            {"role": "assistant", "content": right(asked)},
        ]
        example = TrainingExample.model_validate({"id": "none", "messages": turns})
        id_ = model_training.content_id(example.messages)
        examples.append(example.model_copy(update={"id": id_}))
    counts = {"accepted": 0, "edited": 0, "stated": len(examples), "rejected": 0}
    digest = model_training.set_digest(examples)
    sizes = {"train": len(examples), "validation": 0}
    made = model_training.TrainingSet(digest=digest, **sizes, **counts)
    files_stores.write_training(load_case(folder), made, examples)
    return folder


def shares(base: Path, adapters: list[Path], questions: list[str]) -> list[list[bool]]:
    """Whether each question is answered right, by the base with each of some adapters."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(base))
    rows = []
    for adapter in adapters:
        model = AutoModelForCausalLM.from_pretrained(str(base), dtype=torch.bfloat16)
        tuned = PeftModel.from_pretrained(model, str(adapter))
        row = []
        for asked in questions:
            turns = [
                {"role": "system", "content": "w9"},
                {"role": "user", "content": asked},
            ]
            text = tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=True
            )
            ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")[
                "input_ids"
            ]
            with torch.no_grad():
                word = tuned(input_ids=ids).logits[0, -1].argmax()
            row.append(tokenizer.decode([int(word)]).strip() == right(asked))
        rows.append(row)
    return rows


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")  # of one library about another
def test_a_folder_for_trl_trains_to_what_the_pilot_measured(
    tiny: Path, tmp_path: Path
) -> None:
    need_training()
    if find_spec("trl") is None or find_spec("datasets") is None:
        pytest.skip("TRL is not installed")
    folder = folder_of(
        tmp_path / "case", n=60, models=MODELS, prompts={"plain": "w9\n"}
    )
    trained_on(folder, WORDS[::2])
    pilot = pilot_of(folder, FakeTrainer(folder / "log"), seeds=1, recipe=RECIPE)
    training_pilot.run(pilot, cap_usd=1.0, transport=answers(rising()))
    done = training_export.export(
        folder, "trl-sft", output=tmp_path / "out", base=str(tiny)
    )
    assert done.recipe.source == training_export.PILOTS
    ended = subprocess.run(
        [sys.executable, "train.py"],
        cwd=tmp_path / "out",
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode()[-2000:]

    work = pilot.works[-1]
    rows = work.rows[: -pilot.plan.canaries]

    async def own() -> None:
        trainer = training_trainers.LoraTrainer(
            tmp_path / "runs", tiny, "cpu", Model(id="vllm:tiny")
        )
        try:
            again: Any = TrainingWork(work.job, RECIPE, rows)
            await trainer.finish(again, "own", lambda _: None)
        finally:
            await trainer.close()

    asyncio.run(own())
    asked = WORDS[1::2]
    measured, handed = shares(
        tiny, [tmp_path / "runs" / "own", tmp_path / "out" / "out"], asked
    )
    low, high = wilson(sum(measured), len(measured))
    assert sum(measured) / len(measured) > 0.7  # chance is one half
    assert low <= sum(handed) / len(handed) <= high, (measured, handed)
