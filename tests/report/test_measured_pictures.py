"""Pictures of what was measured: words and a table beside each, whatever the ledger holds."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
from test_html import STYLE, Page, decided

import series as made
from hostile import PAYLOADS, squeezed
from tuneworthy import Dossier
from tuneworthy.model.base import Unknown
from tuneworthy.model.evidence import Series
from tuneworthy.report.document import html
from tuneworthy.report.sections import evidence as section_evidence

KINDS = ["arms", "volume", "latency", "signatures", "voice", "knowledge", "examples"]


def measured(found: tuple[Series, ...] | Unknown) -> Dossier:
    """A case of the gallery that was measured, with these numbers for pictures."""
    return decided("broadband-helpdesk").model_copy(update={"series": found})


def figures(text: str) -> dict[str, str]:
    """The pictures of what was measured, by name."""
    found = re.findall(r"<figure.*?</figure>", text, re.DOTALL)
    named = {
        re.findall(r'labelledby="([\w-]+)-title"', figure)[0]: figure
        for figure in found
    }
    return {
        name.removeprefix("measured-"): figure
        for name, figure in named.items()
        if name.startswith("measured-")
    }


def cells(figure: str) -> list[list[str]]:
    """The rows of a picture's table as text."""
    body = figure[figure.index("<tbody") :]
    rows = re.findall(r"<tr.*?</tr>", body, re.DOTALL)
    return [
        [
            re.sub(r"<[^>]+>", "", cell).strip()
            for cell in re.findall(r"<t[hd].*?</t[hd]>", row)
        ]
        for row in (re.sub(r"\s*\n\s*", "", row) for row in rows)
    ]


@cache
def made_page() -> str:
    """The page with every picture."""
    return html(measured(made.every()))


@pytest.mark.slow
def test_every_picture_is_drawn_twice_with_words_and_a_table() -> None:
    found = figures(made_page())
    assert list(found) == KINDS
    for figure in found.values():
        assert figure.count("<svg ") == figure.count('role="img" aria-label="') == 2
        assert figure.count("<table") == 1
        assert len(cells(figure)) > 1
        assert "None" not in figure
        assert "inf" not in re.sub(r"<svg.*?</svg>", "", figure, flags=re.DOTALL)


@pytest.mark.slow
def test_the_tables_say_the_numbers_that_were_measured() -> None:
    found = {name: cells(figure) for name, figure in figures(made_page()).items()}
    assert found["arms"][0] == ["v2, openai:gpt-4o-mini", "0.81", "0.77 to 0.85", "412"]
    assert found["volume"][0] == [
        "Aug 2026",
        "400",
        "at least 400",
        "counted in part of the month",
    ]
    assert found["volume"][1] == ["Sep 2026", "18,000", "–", "counted"]
    assert found["volume"][4] == ["Dec 2026", "22,000", "20,100 to 24,700", "forecast"]
    assert found["latency"][2] == ["2,000 to 4,321", "1.9 s", "4.125 s", "501"]
    assert found["signatures"][0] == ["triage v1", "1,200", "91%", "83%", "14"]
    assert found["voice"][0] == ["1", "10%", "8% to 12%", "900"]
    assert found["knowledge"][1] == ["there", "wrong", "41", "8%"]
    assert found["examples"] == [
        ["answers read", "90"], ["ended in an error", "–2"], ["refused", "–3"],
        ["bad score or feedback", "–10"], ["near copies of another", "–5"], ["usable", "70"],
    ]  # fmt: skip


def test_what_is_taken_off_leaves_what_is_usable() -> None:
    first, *off, last = (
        row["n"] for row in section_evidence.step_rows(made.examples())
    )
    assert first - sum(off) == last


@pytest.mark.slow
def test_hostile_names_are_shown_and_do_nothing() -> None:
    many = len(PAYLOADS)
    rows = {k: (v[0],) * many for k, v in made.signatures("").columns.items()}
    signatures = Series(id="signatures", columns={**rows, "prompt": PAYLOADS})
    arms = Series(
        id="arms",
        columns={
            **{k: (v[0],) * many for k, v in made.arms("").columns.items()},
            "prompt": PAYLOADS,
            "model": PAYLOADS[::-1],
        },
    )
    page = Page(html(measured((signatures, arms))))
    text = squeezed(page.text)
    assert [one for one in PAYLOADS if squeezed(one) not in text] == []
    tags = {tag for tag, _ in page.tags}
    assert not {"img", "iframe", "object", "form", "base", "foreignobject"} & tags
    assert len(page.all("script")) == 1  # the page's own
    for tag, attributes in page.tags:
        assert not any(key.startswith("on") or key == "style" for key in attributes), (
            tag
        )


@pytest.mark.slow
def test_a_hostile_month_is_no_month_of_a_picture_s_code() -> None:
    rows = made.volume()
    columns = {**rows.columns, "month": tuple(f"'] || {p}" for p in PAYLOADS[:5])}
    figure = figures(html(measured((Series(id="volume", columns=columns),))))["volume"]
    assert "<script" not in figure
    assert len(cells(figure)) == 5


@pytest.mark.parametrize("kind", made.every(), ids=lambda each: each.id)
def test_numbers_that_are_none_draw_nothing_and_break_nothing(kind: Series) -> None:
    spoilt: list[dict[str, Any]] = [{}]
    for name, values in kind.columns.items():
        spoilt.append({k: v for k, v in kind.columns.items() if k != name})
        spoilt.append({**kind.columns, name: values[:-1]})
        wrong = tuple("x" if isinstance(v, int | float) else 1.5 for v in values)
        spoilt.append({**kind.columns, name: wrong})
        spoilt.append({**kind.columns, name: ()})
    for columns in spoilt:
        for picture in section_evidence.pictures(
            (Series(id=kind.id, columns=columns),)
        ):
            assert picture.drawing.spec(760)["layer"]
            assert picture.table.rows  # a column that no picture needs


def test_a_page_without_numbers_has_no_picture_of_them() -> None:
    assert (
        section_evidence.pictures(Unknown(ask="measure"))
        == section_evidence.pictures(())
        == ()
    )


@pytest.mark.slow
def test_colours_of_the_pictures_have_their_place_in_the_style() -> None:
    drawn = "".join(
        re.findall(r"<svg .*?</svg>", "".join(figures(made_page()).values()))
    )
    used = set(re.findall(r'(?:fill|stroke)="([^"]+)"', drawn)) - {
        "none",
        "transparent",
    }
    assert len(used) >= 6
    for colour in used:
        assert f'svg [fill="{colour}"]' in STYLE
    assert 'id="' not in drawn


def test_rows_are_finite_and_an_open_end_is_infinite() -> None:
    one = Series(
        id="a", columns={"n": (1, "open"), "t": ("x", "y"), "f": (True, False)}
    )
    assert section_evidence.rows_of(one, ("n",), ("t",), ("f",)) == [
        {"n": 1.0, "t": "x", "f": True}, {"n": float("inf"), "t": "y", "f": False}
    ]  # fmt: skip
    assert (
        section_evidence.rows_of(one, ("f",))
        == section_evidence.rows_of(one, ("t",))
        == section_evidence.rows_of(None, ("n",))
        == []
    )


def test_a_target_for_latency_is_a_line_of_the_picture_and_no_line_without_one() -> (
    None
):
    says = "target for the 95th percentile"
    for limit in (None, Unknown(ask="state it"), 2.0):
        pictures = section_evidence.pictures(made.every(), limit)
        (picture,) = [each for each in pictures if each.id == "measured-latency"]
        assert picture.drawing.levels.get("target") == (limit if limit == 2.0 else None)
        assert (says in [meaning for _, meaning in picture.key]) == (limit == 2.0)
