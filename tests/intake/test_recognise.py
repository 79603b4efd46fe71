"""What a file is that somebody hands over, by its name and its first record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworthy.errors import InputError
from tuneworthy.intake.recognise import recognise_file, recognise_files

GALLERY = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    ("pattern", "kind"),
    [
        ("*/eval.jsonl", "evaluation"),
        ("*/logs/*.jsonl", "traces"),
        ("*/prompts/*.md", "prompts"),
        ("*/documents/*.html", "documents"),
        ("bank-call-routing/examples.jsonl", "training"),
        ("hospital-letters/letters.jsonl", "training"),
        ("game-dialogue/lines.jsonl", "training"),
        ("logistics-dispatch/calls.jsonl", "training"),
    ],
)
def test_files_of_the_gallery_are_what_their_cases_name_them_as(
    pattern: str, kind: str
) -> None:
    found = sorted(GALLERY.glob(pattern))
    assert found
    told: dict[str, str] = {}
    for path in found:
        try:
            told[path.name] = recognise_file(path)
        except InputError as caught:  # a text that speaks to nobody: it has to be said
            told[path.name] = str(caught)
    assert [
        name for name, what in told.items() if what not in (kind, *_asked(told))
    ] == []
    assert list(told.values()).count(kind) >= len(told) / 2


def _asked(told: dict[str, str]) -> list[str]:
    return [what for what in told.values() if "may be a prompt or a document" in what]


def test_logs_that_makers_wrote_are_logs(shared: Path) -> None:
    files = [
        path
        for path in sorted((shared / "real" / "maker_logs").rglob("*"))
        if path.is_file()
        and path.suffix in (".jsonl", ".json", ".csv", ".parquet", ".eval")
    ]
    assert len(files) > 10
    assert {recognise_file(path) for path in files if "truth" not in path.name} == {
        "traces"
    }


def test_a_plain_text_is_asked_about_and_kinds_are_sent_apart(tmp_path: Path) -> None:
    text = tmp_path / "dogs.md"
    text.write_text("# Dogs\n\nEvery dog is registered.\n")
    with pytest.raises(InputError, match="may be a prompt or a document"):
        recognise_file(text)
    page = tmp_path / "page.html"
    page.write_text("<p>Dogs</p>")
    cases = tmp_path / "cases.jsonl"
    cases.write_text('{"id": "a", "input": "x", "reference": "y"}\n')
    assert recognise_files([page]) == "documents"
    with pytest.raises(InputError, match="of several kinds"):
        recognise_files([page, cases])
    with pytest.raises(InputError, match="no file"):
        recognise_files([])


@given(
    st.binary(max_size=300),
    st.sampled_from([".jsonl", ".json", ".csv", ".txt", ".bin", ""]),
)
def test_no_file_is_too_odd_to_be_looked_at(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str
) -> None:
    file = tmp_path_factory.mktemp("sent") / f"odd{suffix}"
    file.write_bytes(content)
    try:
        kind = recognise_file(file)
    except InputError as caught:
        assert "may be a prompt or a document" in str(caught)  # noqa: PT017  # one that asks
    else:
        assert kind in ("traces", "evaluation", "prompts", "documents", "training")


def test_a_deep_record_is_no_case(tmp_path: Path) -> None:
    deep = tmp_path / "deep.json"
    deep.write_text('{"a":' * 20_000)
    assert recognise_file(deep) == "traces"
    deep.write_text(json.dumps([{"input": "x", "output": "y"}]))
    assert recognise_file(deep) == "training"
