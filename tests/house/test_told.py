"""What schemas say of fields comes from the source, and only when somebody asks for a schema."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tuneworthy import Case, Dossier
from tuneworthy.framework import schema as framework_schemas
from tuneworthy.model import base as model_base
from tuneworthy.model import framework as model_framework


def test_a_field_means_what_the_line_below_it_says() -> None:
    assert framework_schemas.field_docs(Case)["name"] == "The name of the use case."
    assert (
        framework_schemas.field_docs(model_framework.Check)["at_least"]
        == "For a check that counts: how many are wanted."
    )


def test_a_base_tells_of_the_fields_it_gives() -> None:
    assert "title" not in vars(model_framework.Factor).get("__annotations__", {})
    assert (
        framework_schemas.field_docs(model_framework.Factor)["title"]
        == framework_schemas.field_docs(model_framework.Check)["title"]
        != ""
    )


def test_a_field_without_such_a_line_is_told_nothing() -> None:
    class Plain(model_base.Record):
        one: int
        two: str

    assert framework_schemas.field_docs(Plain) == {}
    assert "as_of" not in framework_schemas.field_docs(Dossier)


@pytest.mark.parametrize(
    ("schema", "place", "field"),
    [
        (framework_schemas.framework_schema(), "Threshold", "value"),
        (
            framework_schemas.dossier_schema(),
            "InvestmentResult",
            "ask_usd",
        ),  # under a reference of its own
    ],
)
def test_schemas_tell_it(schema: dict[str, dict[str, dict[str, dict[str, str]]]], place: str,
                         field: str) -> None:  # fmt: skip
    assert schema["$defs"][place]["properties"][field]["description"]  # type: ignore[index]  # deeper than its type says


@pytest.mark.slow
def test_a_decision_reads_no_source() -> None:
    code = (
        "import inspect\n"
        "def refuse(*_): raise AssertionError('source was read')\n"
        "inspect.getsource = inspect.getsourcelines = inspect.findsource = refuse\n"
        "import sys, tuneworthy\n"
        "case = tuneworthy.load_case({'name': 'x', 'goals': ['persona']})\n"
        "tuneworthy.decide(case, tuneworthy.load_framework('lesson'))\n"
        "print('tuneworthy.framework.schema' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr
