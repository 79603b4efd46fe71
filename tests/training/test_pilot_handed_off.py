"""The folder that is handed off to TRL trains to what the pilot measured.

Needs the extra ``pilot``. The base is a model of some thousand weights: what holds is the recipe,
the form of the lines and the mask, not what a real base learns.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from test_pilot_trains import need_training, tiny

from lab_world import folder_of
from pilot_world import MODELS, FakeTrainer, answers, pilot_of, rising
from tuneworthy import load_case
from tuneworthy.files import stores as files_stores
from tuneworthy.model import pilot as model_pilot
from tuneworthy.model import training as model_training
from tuneworthy.model.training import TrainingExample
from tuneworthy.stats.intervals import wilson
from tuneworthy.training import export as training_export
from tuneworthy.training import lora as training_lora
from tuneworthy.training import pilot as training_pilot

__all__ = ["tiny"]  # a fixture of another file, which is used by its name

PAIRS = [(a, b) for a in range(10) for b in range(10) if a != b]
LEARNED = [f"w{a} w{b}" for a, b in PAIRS if (a + b) % 2 == 0]
HELD = [f"w{a} w{b}" for a, b in PAIRS if (a + b) % 2 == 1]
TRAINERS = {
    "trl-sft": "SFTConfig",
    "trl-dpo": "DPOConfig",
    "trl-kto": "KTOConfig",
    "unsloth": "SFTConfig",
}
STATED = {
    *("seed", "num_train_epochs", "max_length", "learning_rate", "lr_scheduler_type"),
    *("per_device_train_batch_size", "gradient_accumulation_steps", "loss_type"),
    *("warmup_steps", "optim", "weight_decay", "max_grad_norm", "bf16"),
}
"""What a library may choose otherwise, and what then becomes of the recipe."""


def right(asked: str) -> str:
    """The rule that is to be learned: say the last word. Chance is a tenth."""
    return asked.rsplit(maxsplit=1)[-1]


def trained_on(folder: Path, questions: list[str]) -> Path:
    """Give a case a training set in the words of the small model."""
    examples = []
    for asked in questions:
        turns = [
            {"role": "user", "content": asked},
            {"role": "assistant", "content": right(asked)},
        ]
        worse = asked.split()[0]
        example = TrainingExample.model_validate(
            {"id": "none", "messages": turns, "rejected": worse}
        )
        id_ = model_training.content_id(example.messages, (), worse)
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


def handed_off(folder: Path) -> list[float]:
    """Train in a folder as its command does; the loss of each step."""
    ended = subprocess.run(
        [sys.executable, "train.py"],
        cwd=folder,
        capture_output=True,
        check=False,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"},
    )
    assert ended.returncode == 0, ended.stderr.decode()[-2000:]
    lines = ended.stdout.decode().splitlines()
    logs = [ast.literal_eval(line) for line in lines if line.startswith("{")]
    return [float(log["loss"]) for log in logs if "loss" in log]


def by_own_loop(
    base: Path, pilot: training_pilot.PreparedPilot, folder: Path
) -> list[float]:
    """Train as the pilot does, but for its planted secrets; the loss of each step."""
    work = pilot.works[-1]
    rows = [dict(row) for row in work.rows[: -pilot.plan.canaries]]
    recipe = work.recipe.model_dump(mode="json")
    job = {
        "recipe": recipe | {"epochs": work.recipe.epochs_of(len(rows))},
        "rows": rows,
        "folder": str(folder),
        "seed": work.job.seed,
        "measure": 0,
        "save_every_s": 600.0,
    }
    steps: list[dict[str, Any]] = []
    training_lora.Base(str(base), "cpu", 1).train(
        job, lambda **step: steps.append(step)
    )
    return [step["loss"] for step in steps]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")  # of one library about another
@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_a_folder_for_trl_trains_to_what_the_pilot_measured(
    tiny: Path, tmp_path: Path, method: Any
) -> None:
    need_training()
    folder = folder_of(
        tmp_path / "case", n=60, models=MODELS, prompts={"plain": "w9\n"}
    )
    trained_on(folder, LEARNED)
    recipe = model_pilot.Recipe(method=method, rate=0.005, dropout=0.0, epochs=12)
    pilot = pilot_of(folder, FakeTrainer(folder / "log"), seeds=1, recipe=recipe)
    training_pilot.run(pilot, cap_usd=1.0, transport=answers(rising()))
    done = training_export.export(
        folder, f"trl-{method}", output=tmp_path / "out", base=str(tiny)
    )
    assert done.recipe.source == training_export.PILOTS
    theirs = handed_off(tmp_path / "out")
    ours = by_own_loop(tiny, pilot, tmp_path / "own")
    # a library ends each epoch with a smaller batch
    assert 0 <= len(theirs) - len(ours) <= recipe.epochs
    for losses in (ours, theirs):
        assert losses[-1] < 0.5 * losses[0]
    measured, handed = shares(tiny, [tmp_path / "own", tmp_path / "out/out"], HELD)
    low, high = wilson(sum(measured), len(measured))
    assert method == "dpo" or sum(measured) / len(measured) > 0.7
    assert low <= sum(handed) / len(handed) <= high, (measured, handed)


def stated_in(name: str) -> set[str]:
    """Settings that the script of a target gives its trainer."""
    text = training_export.target(name).write["train.py"]
    plain = re.sub(r"\s*\{\{if \w+\}\}", "", text)
    script = ast.parse(re.sub(r"\{\{\w+\}\}", "1", plain))
    calls = [node for node in ast.walk(script) if isinstance(node, ast.Call)]
    settings = next(call for call in calls if ast.unparse(call.func) == TRAINERS[name])
    return {str(word.arg) for word in settings.keywords}


@pytest.mark.parametrize("name", TRAINERS)
def test_every_setting_that_matters_is_stated_in_the_script(name: str) -> None:
    assert not STATED - stated_in(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINERS)
def test_trl_knows_every_setting_that_a_script_states(name: str) -> None:
    need_training()
    config = getattr(import_module("trl"), TRAINERS[name])
    assert not stated_in(name) - config.__dataclass_fields__.keys()
