"""What schemas say of fields comes from the source, and only when somebody asks for a schema."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tuneworthy import Case
from tuneworthy.framework import schema as framework_schemas
from tuneworthy.model import framework as model_framework


def test_a_field_means_what_the_line_below_it_says() -> None:
    assert framework_schemas.field_docs(Case)["name"] == "The name of the use case."
    assert (
        framework_schemas.field_docs(model_framework.Check)["at_least"]
        == "For a check that counts: how many are wanted."
    )


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
