"""Glossary, voice, schema and targets of a case are read from its folder, and only from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuneworthy import Case, CaseError, load_case
from tuneworthy.files import materials as files_materials
from tuneworthy.model.case import Materials, Term, VoiceSamples
from tuneworthy.text import glossary as text_glossary

CASE = """
name: x
data: {glossary: g.yaml, voice: voice, output_schema: s.json, prompts: prompts}
targets: {quality: {metric: exact_match, at_least: 0.9}, latency_p95_s: 2}
"""
BIG = "x" * 197


def case_in(folder: Path, text: str = CASE, **files: str) -> Case:
    """A case with files beside it; ``__`` in a name stands for a folder, ``_`` for a dot."""
    (folder / "case.yaml").write_text(text)
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    return load_case(folder)


def test_a_case_that_names_nothing_has_no_materials(tmp_path: Path) -> None:
    assert files_materials.read_materials(case_in(tmp_path, "name: x\n")) == Materials()
    assert files_materials.read_materials(load_case({"name": "x"})) == Materials()


def test_what_is_named_and_not_there_is_none(tmp_path: Path) -> None:
    found = files_materials.read_materials(case_in(tmp_path))
    assert found == Materials(latency_target_s=2)


def test_every_material_is_read(tmp_path: Path) -> None:
    case = case_in(
        tmp_path,
        g_yaml="- {term: sign in, forbidden: [log in], due_when: [account]}\n- term: Überweisung\n",
        voice__b_md="Second sample.", voice__a_txt="First sample.", voice__c_csv="not text",
        voice__avoid_txt="leverage\n\n  reach out \nleverage\n#hashtag\n",
        s_json='{"type": "object"}', prompts__one_md="Answer.",
    )  # fmt: skip
    assert files_materials.read_materials(case) == Materials(
        glossary=(
            Term(term="sign in", forbidden=("log in",), due_when=("account",)),
            Term(term="Überweisung"),
        ),
        voice=VoiceSamples(
            ("First sample.", "Second sample."), ("leverage", "reach out", "#hashtag")
        ),
        output_schema={"type": "object"},
        latency_target_s=2,
    )


def test_terms_may_stand_under_a_key(tmp_path: Path) -> None:
    found = files_materials.read_materials(
        case_in(tmp_path, g_yaml="terms:\n  - term: a\n")
    )
    assert found.glossary == (Term(term="a"),)


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("g_yaml", "a: b", "g.yaml: is not a list of terms"),
        ("g_yaml", "- {term: a, forbiden: [b]}", 'g.yaml:1: "forbiden" is not a key'),
        ("g_yaml", "- term: a\n- means: b\n", "g.yaml:2: "),
        ("g_yaml", "[", "is not YAML"),
        ("s_json", "{", "s.json:1: isn't JSON"),
        ("s_json", "[]", "is not a JSON Schema"),
        ("s_json", "[" * 200_000, "is nested too deeply"),
        ("s_json", "1" * 2_000_000, "is larger than 1 MiB"),
        ("voice__a_md", "x" * 2_000_000, "is larger than 1 MiB"),
        (
            "g_yaml",
            f"- {{term: a, forbidden: [{'b, ' * 20_000}]}}",
            "g.yaml: holds more than 20,000",
        ),
        (
            "g_yaml",
            f"- {{term: a, due_when: [{f'{BIG}, ' * 2_040}]}}",
            "or 400,000 bytes of them",
        ),
        (
            "g_yaml",
            "- {term: a, forbidden: [b], due_when: [c]}\n" * 6_667,
            "g.yaml: holds more than",
        ),
        (
            "voice__avoid_txt",
            "\n".join(map(str, range(20_001))),
            "avoid.txt: holds more than 20,000",
        ),
        (
            "voice__avoid_txt",
            "\n".join(f"{BIG[:-9]}{n}" for n in range(2_200)),
            "avoid.txt: holds more",
        ),
        (
            "voice__avoid_txt",
            "a\n" + "z" * 201,
            "avoid.txt:2: holds a word or phrase of more than",
        ),
        (
            "g_yaml",
            f"- term: a\n- {{term: {'ä' * 101}}}",
            "g.yaml:2: holds a word or phrase of more",
        ),
        (
            "g_yaml",
            f"- {{term: a, forbidden: [{'ä' * 101}]}}",
            "g.yaml:1: holds a word or phrase",
        ),
        (
            "g_yaml",
            f"- {{term: a, due_when: [{'ä' * 101}]}}",
            "g.yaml:1: holds a word or phrase of",
        ),
    ],
)
def test_a_wrong_material_is_one_line_with_its_place(
    tmp_path: Path, file: str, content: str, says: str
) -> None:
    case = case_in(tmp_path, **{file: content})
    with pytest.raises(CaseError) as caught:
        files_materials.read_materials(case)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("letter", ["z", "ß", "ΐ", "ᾷ", "- ", "字"])
def test_the_longest_word_that_is_read_can_be_looked_for(
    tmp_path: Path, letter: str
) -> None:
    word = (letter * (200 // len(letter.encode()))).strip()
    glossary = f"- {{term: a, forbidden: ['{word}'], due_when: ['{word}']}}"
    found = files_materials.read_materials(
        case_in(tmp_path, g_yaml=glossary, voice__avoid_txt=word)
    )
    assert found.glossary is not None
    assert text_glossary.Phrases(found.voice).any([word]).all()
    glossary_searched = text_glossary.Glossary(found.glossary)
    assert glossary_searched.called_for(glossary_searched.look([word]), 0).all()


@pytest.mark.parametrize(
    "link", ["g.yaml", "s.json", "voice", "voice/a.md", "voice/avoid.txt"]
)
def test_a_material_outside_the_case_folder_is_refused(
    tmp_path: Path, link: str
) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "case"
    (folder / "voice").mkdir(parents=True)
    outside.mkdir()
    (outside / "file").write_text("[]")
    path = folder / link
    if path.is_dir():
        path.rmdir()
    path.symlink_to(outside if link == "voice" else outside / "file")
    with pytest.raises(CaseError, match="leads out of the case folder"):
        files_materials.read_materials(case_in(folder))
