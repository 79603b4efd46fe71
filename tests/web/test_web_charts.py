"""Charts on the page: the report's own pictures, drawn by the browser, and still without it."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from altair import LayerChart
from starlette.testclient import TestClient

import series
from hostile import PAYLOADS, squeezed
from tuneworthy.cases import judging as cases_judging
from tuneworthy.cases.workspace import Workspace
from tuneworthy.model import lab as model_lab
from tuneworthy.report import charts
from tuneworthy.report import charts as report_charts
from tuneworthy.report import document as report_document
from tuneworthy.report import html as report_html
from tuneworthy.report import html as script
from tuneworthy.report.document import html
from web_world import Seen, a_client, a_site, with_examples

HOME = "/cases/task-api"
SHAPES = {
    "svg",
    "g",
    "a",
    "title",
    "path",
    "rect",
    "line",
    "text",
    "tspan",
    "circle",
    "style",
}


@pytest.fixture
def client(tmp_path: Path, project: Path) -> TestClient:
    return a_client(a_site(with_examples(tmp_path / "shelf", project, "task-api")))


@pytest.fixture
def dossier(client: TestClient) -> Any:
    app: Any = client.app
    return app.state.site.workspace.evaluated("task-api").dossier


def every(value: Any) -> list[tuple[str, Any]]:
    """Every key of a JSON value with what stands under it."""
    if isinstance(value, dict):
        return [
            *value.items(),
            *(pair for each in value.values() for pair in every(each)),
        ]
    return (
        [pair for each in value for pair in every(each)]
        if isinstance(value, list)
        else []
    )


@pytest.mark.slow
def test_every_picture_of_the_report_is_served_as_the_report_draws_it(
    client: TestClient, dossier: Any
) -> None:
    found = report_document.pictures(dossier)
    assert {"fan", "gantt", "tornado"} <= set(found)
    for name, picture in found.items():
        for width, pixels in (
            ("wide", report_charts.WIDE),
            ("narrow", report_charts.NARROW),
        ):
            answer = client.get(f"{HOME}/charts/{name}.json?width={width}")
            assert answer.status_code == 200
            assert answer.json() == json.loads(
                json.dumps(picture.drawing.spec(pixels, HOME))
            )
            # checked against the grammar
            LayerChart.from_dict({**answer.json(), "config": {}})


def test_a_chart_names_no_address_of_others_and_no_code_to_load(
    client: TestClient, dossier: Any
) -> None:
    for name in report_document.pictures(dossier):
        told = client.get(f"{HOME}/charts/{name}.json").json()
        assert not [value for key, value in every(told) if key in ("url", "signals")]
        hrefs = [value for key, value in every(told) if key == "href"]
        assert all(
            one == {"field": "lead"} or one["value"].startswith("#") for one in hrefs
        )
        leads = [value for key, value in every(told) if key == "lead" and value]
        assert all(value.startswith(("#", f"{HOME}/")) for value in leads)
        schema = told.pop("$schema")
        assert schema.startswith("https://vega.github.io/schema/vega-lite/")
        assert "http" not in json.dumps(told)


def named_in(address: str) -> str:
    return address.rpartition("/")[2].removesuffix(".svg")


@pytest.mark.slow
@pytest.mark.parametrize("tab", ["money", "plan", "options"])
def test_every_mark_leads_to_what_it_rests_on(client: TestClient, tab: str) -> None:
    page = client.get(f"{HOME}/{tab}").text
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for name in re.findall(r"/charts/(\w+)\.json", page):
        told = client.get(f"{HOME}/charts/{name}.json").json()
        assert set(told["usermeta"]["leads"]) <= {f"#{one}" for one in ids}
        rows = told["data"]["values"]
        assert all(row["lead"] for row in rows if {"title", "back"} & set(row))
        drawn = [layer["encoding"] for layer in told["layer"] if "data" not in layer]
        assert drawn
        assert all("href" in encoding for encoding in drawn)


@pytest.mark.slow
def test_every_mark_of_a_report_leads_to_a_place_in_it(dossier: Any) -> None:
    text = html(dossier)
    ids = re.findall(r' id="([^"]+)"', text)
    links = re.findall(r"<a href=\"#([^\"]+)\"[^>]*?><title>([^<]*)</title>", text)
    assert len(ids) == len(set(ids))
    assert {to for to, _ in links} <= set(ids)
    assert all(title.strip() for _, title in links)
    kinds = {to.partition("-")[0] for to, _ in links}
    assert kinds >= {"back", "phase", "answer", "calculation", "given"}
    for picture in report_document.pictures(dossier).values():
        shown = text[text.index(f'<figure aria-labelledby="{picture.id}-title"') :]
        wide = re.search(r'<svg class="wide" role="group".*?</svg>', shown, re.DOTALL)
        assert wide is not None
        stops = re.findall(
            r'<a href="(#[^"]+)" aria-label="[^"]+"(?! tabindex)', wide.group()
        )
        assert stops
        assert len(stops) == len(set(stops))


@pytest.mark.slow
def test_a_page_names_a_chart_a_still_picture_and_a_table_for_each_picture(
    client: TestClient, dossier: Any
) -> None:
    named = set()
    for tab in ("/evidence", "/options", "/money", "/plan"):
        text = client.get(f"{HOME}{tab}").text
        seen = Seen(text)
        boxes = [one for one in seen.all("div") if "data-chart" in one]
        stills = [one["src"] or "" for one in seen.all("img")]
        assert [(one["data-chart"] or "").removesuffix(".json") for one in boxes] == [
            one.removesuffix(".svg") for one in stills
        ]
        for box, address in zip(boxes, stills, strict=True):
            assert (
                box["role"]
                == report_document.pictures(dossier)[named_in(address)].drawing.role
            )
            assert box["aria-label"]
            assert client.get(box["data-chart"] or "").status_code == 200
            assert (
                client.get(address).headers["content-type"].startswith("image/svg+xml")
            )
            named.add(named_in(address))
        assert text.count("<figure") == len(boxes)
        assert all(
            "<table" in part
            for part in re.findall(r"<figure.*?</figure>", text, re.DOTALL)
        )
    assert named >= {"fan", "gantt", "tornado"}


def test_a_chart_is_sent_once_and_again_when_it_has_changed(
    client: TestClient, dossier: Any, tmp_path: Path
) -> None:
    address = f"{HOME}/charts/reasons.json"
    first = client.get(address)
    known = {"If-None-Match": first.headers["etag"]}
    assert client.get(address, headers=known).status_code == 304
    assert dossier.factors["exploration_phase"].state == "no"
    cases_judging.write(tmp_path / "shelf" / "task-api", {"exploration_phase": "yes"})
    again = client.get(address, headers=known)
    assert again.status_code == 200
    assert again.json() != first.json()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["nothing.json", "fan", "fan.png", ".json", "..%2F..%2Fcase.yaml", "fan.json%00"],
)
def test_what_is_no_chart_is_not_found(client: TestClient, name: str) -> None:
    assert client.get(f"{HOME}/charts/{name}").status_code in (404, 422)
    assert client.get(f"{HOME}/charts/fan.json?width=huge").status_code == 422


def test_a_still_picture_runs_nothing_and_loads_nothing(
    client: TestClient, dossier: Any
) -> None:
    answer = client.get(f"{HOME}/charts/fan.svg")
    root = ET.fromstring(answer.text)
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert names <= SHAPES
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "url(" not in answer.text
    narrow = client.get(f"{HOME}/charts/fan.svg?width=narrow").text
    assert (
        narrow
        == report_html.still(
            report_document.pictures(dossier)["fan"].drawing, narrow=True
        )
        != answer.text
    )


def test_a_picture_is_drawn_once_however_often_it_is_asked_for(
    client: TestClient,
) -> None:
    report_charts._rendered.cache_clear()
    first = client.get(f"{HOME}/charts/fan.svg")
    drawn = report_charts._rendered.cache_info().misses
    again = client.get(f"{HOME}/charts/fan.svg")
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content
    assert drawn > 0
    assert report_charts._rendered.cache_info().misses == drawn


def test_a_still_picture_has_the_colours_of_the_page_in_the_dark() -> None:
    light, dark = (
        dict(re.findall(r"--(\w+): (#\w+)", block))
        for block in re.findall(r":root \{(.*?)\}", report_html.style(), re.DOTALL)[:2]
    )
    for one, other in report_html.DARK.items():
        (name,) = [key for key, value in light.items() if value == one]
        assert dark[name] == other


def test_the_script_that_draws_compiles_nothing_and_is_kept_by_its_digest(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    monkeypatch.setattr(script, "_built_script", lambda: b"drawn")
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: made.append("again"))
    box = next(one for one in Seen(client.get(f"{HOME}/money").text).all("div")
               if "data-chart" in one)  # fmt: skip
    answer = client.get(box["data-script"] or "")
    assert answer.content == b"drawn"
    assert "immutable" in answer.headers["cache-control"]
    assert "immutable" not in client.get("/charts.js").headers["cache-control"]
    known = {"If-None-Match": answer.headers["etag"]}
    assert client.get("/charts.js", headers=known).status_code == 304
    assert made == []
    assert "ast: true" in script._SNIPPET


@pytest.mark.slow
def test_the_script_is_made_by_the_library_in_a_process_of_its_own() -> None:
    made = script.chart_script()
    assert script.chart_script() is made
    assert b"data-chart" in made
    assert b"vega" in made
    assert len(made) > 500_000


@pytest.mark.slow
@pytest.mark.parametrize("say", ["", *PAYLOADS[:4]])
def test_what_was_measured_is_drawn_with_hostile_names_as_text(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch, say: str
) -> None:
    site = a_site(with_examples(tmp_path / "shelf", project, "broadband-helpdesk"))
    real = site.workspace.evaluated("broadband-helpdesk")
    found = real.dossier.model_copy(update={"series": series.every(say)})
    judged = replace(real, dossier=found)
    monkeypatch.setattr(Workspace, "evaluated", lambda self, name: judged)
    client, base = a_client(site), "/cases/broadband-helpdesk"
    page = client.get(f"{base}/evidence").text
    seen = Seen(page)
    named = {(one["data-chart"] or "").rpartition("-")[2] for one in seen.all("div")
             if "measured-" in (one.get("data-chart") or "")}  # fmt: skip
    kinds = (
        "arms",
        "volume",
        "latency",
        "signatures",
        "voice",
        "knowledge",
        "examples",
    )
    assert named == {f"{kind}.json" for kind in kinds}
    assert not [a for _, a in seen.elements if any(key.startswith("on") for key in a)]
    assert all(
        (one.get("src") or "").startswith("/static/") for one in seen.all("script")
    )
    told = client.get(f"{base}/charts/measured-signatures.json").json()
    values = [str(value) for key, value in every(told) if key == "title"]
    assert any(squeezed(say[:20]) in squeezed(value) for value in values)
    drawn = client.get(f"{base}/charts/measured-signatures.svg").text
    assert {
        element.tag.rpartition("}")[2] for element in ET.fromstring(drawn).iter()
    } <= SHAPES


# A lab's ---------------------------------------------------------------------------------------


def arm(
    name: str, value: float | None, dropped: int | None = None
) -> model_lab.ArmResult:
    quality: Any = {"unknown": True, "ask": "run it"}
    if value is not None:
        quality = {
            "value": value,
            "low": value - 0.1,
            "high": value + 0.1,
            "n": 9,
            "clusters": 9,
        }
    unknown = {"unknown": True, "ask": "x"}
    return model_lab.ArmResult.model_validate(
        {"arm": {"id": name, "kind": "prompt"}, "quality": quality, "usd_per_case": unknown,
         "latency_p95_s": unknown, "dropped_after": dropped}
    )  # fmt: skip


def data_of(drawing: report_charts.Drawing | None) -> list[dict[str, Any]]:
    assert drawing is not None
    spec = drawing.spec(report_charts.WIDE)
    own = [layer["data"]["values"] for layer in spec["layer"] if "data" in layer]
    return [row for rows in (spec["data"]["values"], *own) for row in rows]


def test_the_board_draws_every_arm_that_ran_and_the_target() -> None:
    found = [arm("a", 0.8), arm("b", 0.5, 20), arm("c", None)]
    rows = data_of(charts.board(found, 0.9))
    drawn = {row["title"]: row for row in rows if "title" in row}
    assert set(drawn) == {"a", "b"}
    assert (drawn["a"]["low"], drawn["a"]["high"]) == pytest.approx((0.7, 0.9))
    assert (drawn["a"]["look"], drawn["b"]["look"]) == ("stayed", "left")
    assert {"at": 0.9} in rows
    assert {"at": 0.9} not in data_of(charts.board(found, None))
    assert charts.board([arm("c", None)], 0.9) is None


def test_a_layer_without_a_mark_is_left_out() -> None:
    """A browser would complain that the scale of it has no end."""
    months: list[Any] = [
        {"month": n, "p10": -1.0, "all": 0.0, "p90": 1.0} for n in range(3)
    ]
    back: list[Any] = [{"month": 2, "back": "stated", "says": "2 months"}]
    for rows, shown in (
        (months, {"p10", "all"}),
        (months + back, {"p10", "all", "back"}),
    ):
        layers = report_charts.Drawing("fan", rows).spec(report_charts.WIDE)["layer"]
        filters = [
            step["filter"] for one in layers for step in one.get("transform", ())
        ]
        assert set(filters) == {f"isValid(datum.{name})" for name in shown}
    dots = [{"low": 0.8, "value": 0.9, "high": 1.0, "look": "met", "title": "one"}]
    for levels, many in (({"target": 0.9}, 3), ({"target": None}, 2), ({}, 2)):
        drawing = report_charts.Drawing("scored", dots, ["one"], levels)
        assert len(drawing.spec(report_charts.WIDE)["layer"]) == many
    for kinds, many in (
        (["whole"], 1),
        (["whole", "part"], 2),
        (["whole", "part", "ahead"], 4),
    ):
        bars = [{"month": kind, "requests": 1, "kind": kind} for kind in kinds]
        assert (
            len(report_charts.Drawing("volume", bars).spec(report_charts.WIDE)["layer"])
            == many
        )
