"""Prompt files: three variables, two parts, and an error names its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworthy import CaseError
from tuneworthy.files import materials as files_materials

FILE = Path("prompts/v3.md")


def test_a_file_gives_its_front_matter_and_both_templates() -> None:
    found = files_materials.prompt_from(
        "---\nname: third\nfew_shot: {k: 4, from: nearest}\ntemperature: 0.5\n---\n"
        "# System\nBe {{ contexts }}\n\n# user\nQ: {{input}}\n",
        FILE,
    )
    assert (found.name, found.system, found.user) == (
        "third",
        "Be {{ contexts }}",
        "Q: {{input}}",
    )
    assert found.few_shot is not None
    assert (found.few_shot.k, found.few_shot.source, found.temperature) == (
        4,
        "nearest",
        0.5,
    )
    assert files_materials.names(found) == {"contexts", "input"}


def test_a_file_without_parts_is_a_system_prompt_named_after_it() -> None:
    found = files_materials.prompt_from("Be kind.\r\n\r\n## Rules\r\nNone.\r\n", FILE)
    assert (found.name, found.system, found.user) == (
        "v3", "Be kind.\n\n## Rules\nNone.", "{{ input }}",
    )  # fmt: skip


def test_windows_line_ends_are_line_ends() -> None:
    found = files_materials.prompt_from(
        "---\r\nname: w\r\n---\r\n# system\r\nHi\r\n# user\r\n{{ input }}\r\n", FILE
    )
    assert (found.name, found.system, found.user) == ("w", "Hi", "{{ input }}")


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("---\nname: x\ntempratur: 1\n---\nHi", 3, "temperature"),
        ("---\nname: x\ntemperature: hot\n---\nHi", 3, "not a number"),
        ("---\nname: x\nfew_shot:\n  k: 4\n  from: far\n---\nHi", 5, "nearest"),
        ("---\nname: x\nstructured: {persona: perhaps}\n---\nHi", 3, "persona"),
        ("---\nname: [x\n---\nHi", 3, ""),
        ("---\n- a\n---\nHi", 2, "not a mapping"),
        ("---\nname: x\nsystem: Hi\n---\nHi", 3, "in its front matter"),
        ("---\nname: x\nHi", 1, "without an end"),
        ("---\nname: x\n---\nHi\n{{ question }}", 5, 'uses "question"'),
        (
            "---\nname: x\n---\n# system\nHi\n\n# user\n{{ input }} {% if x %}",
            8,
            "Use {{ input }}",
        ),
        ("Hi\n{{ input | upper }}", 2, "more of a template language"),
        ("Hi\n{# no #}", 2, "more of a template language"),
        ("{{ input.__class__ }}", 1, "more of a template language"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, line: int, says: str) -> None:
    with pytest.raises(CaseError, match=r"^[^\n]+$") as caught:
        files_materials.prompt_from(text, FILE)
    assert str(caught.value).startswith(f"{FILE}:{line}: ")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("# system\nHi\n# user\nHello", "never shows the input"),
        ("# system\nHi\n# system\n{{ input }}", "a part twice"),
        ("Hi\n# user\n{{ input }}", "belongs to no part"),
    ],
)
def test_a_prompt_that_could_not_be_meant_is_refused(text: str, says: str) -> None:
    with pytest.raises(CaseError, match=says):
        files_materials.prompt_from(text, FILE)


@given(st.text(), st.text(), st.text(), st.text())
def test_nothing_that_is_put_in_is_expanded(
    one: str, two: str, three: str, four: str
) -> None:
    told = dict(zip(files_materials.VARIABLES, (one, two, three, four), strict=True))
    template = "a{{ input }}b{{contexts}}c{{- examples -}}d{{ input }}e{{ previous }}"
    assert (
        files_materials.filled(template, told) == f"a{one}b{two}c{three}d{one}e{four}"
    )


@given(st.text(alphabet=st.sampled_from("-{}%# \n:abinput[]\"'&*!|>"), max_size=80))
def test_any_text_is_a_prompt_or_one_line_of_error(text: str) -> None:
    found, said = None, ""
    try:
        found = files_materials.prompt_from(text, FILE)
    except CaseError as caught:
        said = str(caught)
    assert "\n" not in said
    assert said or (found and "input" in files_materials.names(found))
