"""What we write for a target, held against its maker's own check or loader.

``python tools/makers.py`` brings them; without, these tests are skipped. Their modules are loaded
alone, with stand-ins for torch and the like: what reads a line is theirs.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from test_training import folder, pairs

from conftest import PROJECT
from tuneworthy import CaseError, load_case
from tuneworthy.files import stores as files_stores
from tuneworthy.model.training import TrainingExample
from tuneworthy.syntax.document import parse
from tuneworthy.training import export as training_export
from tuneworthy.training import gate as training_gate

MAKERS = PROJECT / "build" / "makers"
NOT_THERE = "the makers' own checks are not there: python tools/makers.py"


class StandIn(ModuleType):
    """A module of which anything may be taken."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


Theirs = Callable[..., Any]


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Theirs:
    """Loads one module of a maker's package."""

    def load(path: str, *absent: str, **present: dict[str, Any]) -> Any:
        place = MAKERS / path
        if not place.is_file():
            pytest.skip(NOT_THERE)
        for name in absent:
            monkeypatch.setitem(sys.modules, name, StandIn(name))
        for name, values in present.items():
            stand_in = StandIn(name.replace("__", "."))
            stand_in.__dict__.update(values)
            monkeypatch.setitem(sys.modules, name.replace("__", "."), stand_in)
        name = ".".join(Path(path).with_suffix("").parts[1:])
        spec = importlib.util.spec_from_file_location(name, place)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = folder(tmp_path_factory.mktemp("case"), pairs(30))
    training_gate.pass_gates(place)
    return place


def handed(case: Path, name: str, place: Path) -> tuple[Path, list[dict[str, Any]]]:
    """The folder of a hand-off and its lines to train on."""
    done = training_export.export(case, name, output=place / name)
    assert done.folder is not None, done.problems
    text = (done.folder / training_export.target(name).train).read_text("utf-8")
    return done.folder, [json.loads(line) for line in text.splitlines()]


def wanted(case: Path) -> list[TrainingExample]:
    found = files_stores.read_training(load_case(case))
    assert found is not None
    return [one for one in found[1] if one.split == "train"]


@pytest.mark.parametrize("name", ["together-sft", "together-dpo"])
def test_together_checks_the_file_and_finds_nothing(
    theirs: Theirs, case: Path, tmp_path: Path, name: str
) -> None:
    constants = theirs("together/together/lib/constants.py")
    checks = theirs(
        "together/together/lib/utils/files.py",
        *("together", "together.types", "together.lib"),
        together__lib__constants=vars(constants),
    )
    made, lines = handed(case, name, tmp_path)
    report = checks.check_file(made / "train.jsonl")
    assert report["is_check_passed"], report["message"]
    assert report["num_samples"] == len(lines)
    (made / "broken.jsonl").write_text('{"messages": [', encoding="utf-8")
    assert not checks.check_file(made / "broken.jsonl")["is_check_passed"]


@pytest.mark.parametrize("name", ["trl-sft", "trl-dpo", "unsloth"])
def test_trl_takes_each_line_for_a_conversation(
    theirs: Theirs, case: Path, tmp_path: Path, name: str
) -> None:
    data = theirs(
        "trl/trl/data_utils.py",
        *("pyarrow", "pyarrow.compute", "pyarrow.types", "datasets", "transformers"),
    )
    _, lines = handed(case, name, tmp_path)
    for line in lines:
        assert data.is_conversational(line)
        if name == "trl-dpo":
            # its prompt is apart already
            assert data.maybe_extract_prompt(line) == line


@pytest.mark.parametrize("name", ["llamafactory-sft", "llamafactory-dpo"])
def test_llamafactory_aligns_each_line_and_skips_none(
    theirs: Theirs, case: Path, tmp_path: Path, name: str
) -> None:
    class Role(StrEnum):
        USER, ASSISTANT, SYSTEM, FUNCTION, OBSERVATION = (
            "user", "assistant", "system", "function", "observation"
        )  # fmt: skip

    told: list[str] = []
    log = SimpleNamespace(
        get_logger=lambda _: SimpleNamespace(warning_rank0=told.append)
    )
    converter = theirs(
        "llamafactory/llamafactory/data/converter.py",
        *("llamafactory", "llamafactory.data"),
        llamafactory__extras={"logging": log},
        llamafactory__data__data_utils={"Role": Role},
    )
    parser = theirs(
        "llamafactory/llamafactory/data/parser.py",
        *(
            "huggingface_hub",
            "llamafactory.extras.constants",
            "llamafactory.extras.misc",
        ),
    )
    made, lines = handed(case, name, tmp_path)
    info = json.loads((made / "dataset_info.json").read_text("utf-8"))["train"]
    attributes = parser.DatasetAttr("file", dataset_name="train")
    attributes.join(info)
    convert = converter.SharegptDatasetConverter(attributes, None)
    for line, one in zip(lines, wanted(case), strict=True):
        aligned = convert(line)
        assert aligned["_prompt"][-1]["content"] == one.asked
        answers = [turn["content"] for turn in aligned["_response"]]
        assert answers == [one.answer.content, one.rejected][: len(answers)]
        assert len(answers) == (2 if name == "llamafactory-dpo" else 1)
    assert told == []


def test_axolotl_finds_prompt_chosen_and_rejected(
    theirs: Theirs, case: Path, tmp_path: Path
) -> None:
    class Tokenizer:
        @staticmethod
        def apply_chat_template(turns: list[dict[str, str]], **_: Any) -> str:
            return "".join(f"<{turn['role']}>{turn['content']}" for turn in turns)

    stand_ins: dict[str, dict[str, Any]] = {
        "axolotl__utils__chat_templates": {
            "extract_chat_template_args": lambda **_: ("", ""),
            "get_chat_template": lambda **_: "",
        },
        "axolotl__utils__data__utils": {"is_vision_dataset": lambda _: False},
        "axolotl__utils__schemas__utils": {
            "handle_legacy_message_fields_logic": lambda c: c
        },
    }
    strategy = theirs(
        "axolotl/axolotl/prompt_strategies/dpo/chat_template.py",
        *("axolotl", "axolotl.utils", "axolotl.utils.data", "axolotl.utils.schemas"),
        **stand_ins,
    )
    made, lines = handed(case, "axolotl-dpo", tmp_path)
    settings = parse(
        (made / "config.yaml").read_text("utf-8"), "config.yaml", CaseError
    ).data
    transform = strategy.default(settings)
    transform = transform[0] if isinstance(transform, tuple) else transform
    for line, one in zip(lines, wanted(case), strict=True):
        found = transform(line, tokenizer=Tokenizer())
        assert one.asked in found["prompt"]
        assert found["chosen"].endswith(one.answer.content)
        assert found["rejected"].endswith(one.rejected)


def test_mlx_reads_the_folder(theirs: Theirs, case: Path, tmp_path: Path) -> None:
    loader = theirs(
        "mlx_lm/mlx_lm/tuner/datasets.py",
        "transformers",
        "mlx_lm",
        "mlx_lm.tuner",
        "mlx_lm.cli_ui",
    )
    made, lines = handed(case, "mlx-sft", tmp_path)
    train, valid, test = loader.load_local_dataset(
        made, None, SimpleNamespace(mask_prompt=True)
    )
    assert (type(train).__name__, len(train)) == ("ChatDataset", len(lines))
    assert len(valid) == len((made / "valid.jsonl").read_text("utf-8").splitlines())
    assert test == []
