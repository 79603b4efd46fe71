"""The page: what it shows, what it writes, and that both are what the command line says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from urllib.parse import urlencode

import pytest
import yaml
from jinja2 import Environment, meta, nodes
from starlette.testclient import TestClient

import hostile
from tuneworthy import decide, load_case, load_framework
from tuneworthy.cases import judging as cases_judging
from tuneworthy.cli import run
from tuneworthy.files.stores import read_versions
from tuneworthy.model.dossier import ChallengeResult
from tuneworthy.report.sections import memo as sections_memo
from tuneworthy.report.sections import payback as sections_payback
from tuneworthy.report.sections import signing as sections_signing
from tuneworthy.report.sections import verdict as sections_verdict
from tuneworthy.report.sections.common import headline
from tuneworthy.report.sections.record import titles
from web_world import (
    DAY,
    OPEN_CASE,
    Seen,
    a_client,
    a_shelf,
    a_site,
    hostile_text,
    with_examples,
)

HTMX = {"HX-Request": "true"}
TABS = ("", "/answers", "/interview", "/evidence", "/options", "/money", "/plan",
        "/report")  # fmt: skip
FIRST = ("", "/answers", "/evidence", "/lab", "/money", "/options", "/report")
"""The page that each tab opens."""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, a part of a list ends when it is full."""
    monkeypatch.setattr("tuneworthy.cases.workspace._MOMENT_S", 60.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_shelf(tmp_path / "shelf", one=OPEN_CASE, bad="name: [")


@pytest.fixture
def client(folder: Path) -> TestClient:
    return a_client(a_site(folder))


def get(client: TestClient, path: str, status: int = 200) -> Seen:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    return Seen(answer.text)


def form_of(seen: Seen, changes: dict[str, str] | None = None) -> dict[str, str]:
    """The form of a case as a browser would send it after some changes."""
    fields = {name: seen.hidden(name) for name in ("csrf", "digest", "seen")}
    return {**fields, **seen.checked(), **(changes or {})}


# The list --------------------------------------------------------------------------------------


def test_every_case_has_a_line_and_one_that_cannot_be_read_says_why(
    client: TestClient, folder: Path
) -> None:
    seen = get(client, "/")
    dossier = decide(load_case(folder / "one"), load_framework("lesson"), as_of=DAY)
    assert dossier.verdict.because[1:].removesuffix(".") in seen.text
    assert "Warehouse helper" in seen.text
    assert "Can’t be read. bad/case.yaml:" in seen.text
    assert str(folder) not in seen.text


def test_a_list_goes_on_by_a_plain_link_until_all_were_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuneworthy.cases.workspace._PAGE", 2)
    names = [f"n{number}" for number in range(5)]
    client = a_client(a_site(a_shelf(tmp_path, **dict.fromkeys(names, OPEN_CASE))))
    address, found = "/", []
    while address:
        seen = get(client, address)
        links = [one["href"] or "" for one in seen.all("a")]
        found += [link for link in links if re.fullmatch(r"/cases/n\d", link)]
        address = next((link for link in links if "after=" in link), "")
    assert found == [f"/cases/{name}" for name in names]
    part = client.get("/?after=n1", headers=HTMX).text
    assert part.lstrip().startswith("<tr")
    assert "n2" in part


def test_a_filter_leaves_what_it_names_and_says_so(client: TestClient) -> None:
    assert "1 of 2 cases" in get(client, "/?find=ON").text
    # its title, and its folder
    assert "1 of 2 cases" in get(client, "/?find=warehouse+one").text
    assert "No case matches “zebra”." in get(client, "/?find=zebra").text


def test_an_empty_folder_offers_to_start(tmp_path: Path) -> None:
    assert "No case here yet." in get(a_client(a_site(tmp_path)), "/").text


def test_a_new_case_is_made_whole_and_an_old_one_is_never_touched(
    client: TestClient, folder: Path
) -> None:
    csrf = get(client, "/new").hidden("csrf")
    made = client.post("/new", data={"csrf": csrf, "title": "Größe & <b>Maß</b>"})
    assert made.status_code == 303
    assert made.headers["location"].startswith("/cases/gr%C3%B6%C3%9Fe-b-ma%C3%9F-b")
    assert load_case(folder / "größe-b-maß-b").name == "Größe & <b>Maß</b>"
    again = client.post("/new", data={"csrf": csrf, "title": "x", "folder": "one"})
    assert again.status_code == 422
    assert "already exists" in Seen(again.text).text
    assert (folder / "one" / "case.yaml").read_text("utf-8") == OPEN_CASE
    for name in ("../out", "/etc/x", "a/b", "..", ".hidden"):
        assert client.post(
            "/new", data={"csrf": csrf, "title": "x", "folder": name}
        ).is_error
    assert {path.name for path in folder.parent.iterdir()} == {"shelf"}


# A case on one screen --------------------------------------------------------------------------


@pytest.mark.slow
def test_an_overview_says_what_the_dossier_says_of_every_case_of_the_gallery(
    tmp_path: Path, project: Path
) -> None:
    names = sorted(path.name for path in (project / "examples").iterdir())
    site = a_site(with_examples(tmp_path, project, *names))
    client = a_client(site)
    for name in names:
        dossier = site.workspace.evaluated(name).dossier
        seen = get(client, f"/cases/{name}")
        said = [
            dossier.verdict.headline,
            *(row.value for row in sections_memo.turns_facts(dossier).rows),
        ]
        said += [
            sections_verdict.say_in_short(one.says)
            for one in sorted(dossier.challenges, key=heaviness)[:3]
        ]
        said += [
            sections_memo.to_do(dossier).value,
            sections_payback.pays_back(dossier).value,
            sections_payback.rival_text(dossier),
        ]
        said += ["Nobody has named an owner, an approver"]
        assert [one for one in said if " ".join(one.split()) not in seen.text] == []
        cells = [
            one for one in seen.all("a") if "cell" in (one.get("class") or "").split()
        ]
        states = [one.state for one in dossier.factors.values()]
        states += [one.state for one in dossier.ceiling.checks.values()]
        assert len(cells) == len(states)
        kinds = [set(str(one["class"]).split()) for one in cells]
        assert sum("unknown" in kind for kind in kinds) == states.count("unknown")
        turning = sum("turns" in kind for kind in kinds)
        assert turning == len(set(dossier.verdict.basis.turning))


def test_what_figures_of_the_first_page_rest_on_is_a_link_to_a_place_that_is_there(
    tmp_path: Path, project: Path
) -> None:
    client = a_client(
        a_site(with_examples(tmp_path, project, "task-api", "bank-call-routing"))
    )
    shown_on = {
        "task-api": {"money#calculation", "options"},
        "bank-call-routing": {
            "evidence",
            "interview?ask=targets.quality.at_least",
            "interview?ask=today.latency_p95_s",
        },
    }
    for name, pages in shown_on.items():
        links = [
            one.get("href") or "" for one in get(client, f"/cases/{name}").all("a")
        ]
        assert {one.removeprefix(f"/cases/{name}/") for one in links} >= pages
    for asked in ("targets.quality.at_least", "today.latency_p95_s"):
        page = get(client, f"/cases/bank-call-routing/interview?ask={asked}")
        assert page.all("form")
    worked = get(client, "/cases/task-api/money")
    assert "calculation" in {one.get("id") for one in worked.all("div")}


def test_the_first_page_says_how_often_the_money_is_not_seen_again(
    tmp_path: Path, project: Path
) -> None:
    client = a_client(a_site(with_examples(tmp_path, project, "task-api")))
    seen = get(client, "/cases/task-api").text
    says = re.search(
        r"Failures counted, (\d+%) of all runs aren’t repaid in (\d+) months", seen
    )
    assert says is not None
    share, months = says.groups()
    assert f"{share} of the simulated runs aren’t repaid in {months} months" in seen


def heaviness(challenge: ChallengeResult) -> int:
    """Place of a challenge's kind, the heaviest first."""
    return ["contradiction", "doubt", "pushback"].index(challenge.severity)


def test_money_that_is_not_known_is_a_picture_of_the_cost_and_the_questions_it_lacks(
    tmp_path: Path,
) -> None:
    client = a_client(a_site(a_shelf(tmp_path, one=OPEN_CASE)))
    seen = get(client, "/cases/one")
    (picture,) = seen.all("img")
    assert str(picture["src"]).endswith("/charts/gantt.svg")
    asked = [str(one.get("href")) for one in seen.all("a")]
    for path in (
        "economics.monthly.api_savings_usd",
        "economics.hourly_rate_usd",
        "today.usd_per_month",
    ):
        assert f"/cases/one/interview?ask={path}" in asked
    assert "(economics." not in seen.text


def test_the_memo_names_the_rival_and_a_model_that_ends_before_the_tuned_one_is_live(
    project: Path,
) -> None:
    case = load_case(project / "examples" / "task-api")
    late = DAY + timedelta(days=9)
    dossier = decide(case, load_framework("lesson"), as_of=late)
    rows = {row.label: row for row in sections_memo.facts(dossier)}
    assert "Strongest rival, untuned" not in rows, "it is what runs today"
    (live,) = [row for row in rows.values() if row.value == "Whether it goes live."]
    assert "The model in use ends on 14 Jan 2027, before a tuned one" in live.beside
    before = decide(case, load_framework("lesson"), as_of=DAY)
    (live,) = [
        row
        for row in sections_memo.facts(before)
        if row.value == "Whether it goes live."
    ]
    assert "ends on" not in live.beside

    other = load_case(project / "examples" / "insurance-claims")
    dossier = decide(other, load_framework("lesson"), as_of=late)
    rows = {row.label: row for row in sections_memo.facts(dossier)}
    assert re.fullmatch(
        r"openai:gpt-6-luna at \$\d+–\$\d+ per month for the same calls\.",
        rows["Strongest rival, untuned"].value,
    )


def test_the_end_of_an_interview_leads_to_a_page_and_names_no_command(
    tmp_path: Path, project: Path
) -> None:
    client = a_client(a_site(with_examples(tmp_path, project, "task-api")))
    seen = get(client, "/cases/task-api/interview")
    assert "What to do next: State a target" in seen.text
    assert "tuneworthy answer" not in seen.text
    assert "/cases/task-api/interview?ask=targets.quality.at_least" in [
        one.get("href") for one in seen.all("a")
    ]


def test_who_decides_is_written_only_into_the_file_that_was_seen(
    client: TestClient, folder: Path
) -> None:
    assert (
        "Nobody has named an owner, an approver and a day of review yet."
        in get(client, "/cases/one").text
    )
    seen = get(client, "/cases/one/sign")
    form = {name: seen.hidden(name) for name in ("csrf", "digest")}
    form |= {"owner": "Ada <b>&amp; Co</b>", "review_on": "2027-01-05"}
    assert client.post("/cases/one/sign", data=form).headers["location"] == "/cases/one"
    seen = get(client, "/cases/one")
    assert "Ada <b>&amp; Co</b>" in seen.text
    assert "Nobody has named an approver yet." in seen.text
    assert load_case(folder / "one").decision.owner == "Ada <b>&amp; Co</b>"
    assert (
        client.post("/cases/one/sign", data={**form, "owner": "Eve"}).status_code == 409
    )
    form["digest"] = get(client, "/cases/one/sign").hidden("digest")
    assert (
        client.post("/cases/one/sign", data={**form, "review_on": "soon"}).status_code
        == 422
    )
    cases_judging.write(folder / "one", {"targets.quality.at_least": "0.9"})
    assert (
        decide(load_case(folder / "one"), load_framework("lesson")).verdict.answer
        == "open"
    )
    shown = get(client, "/cases/one/sign")
    assert "There is no answer to sign yet." in shown.text
    early = {**form, "digest": shown.hidden("digest"), "by": "Ada", "answer": "open"}
    assert client.post("/cases/one/sign", data=early).status_code == 422


def test_signing_shows_what_is_signed_and_the_header_says_whether_it_holds(
    client: TestClient, folder: Path
) -> None:
    shut = form_of(get(client, "/cases/one/answers"), {"ceiling.few_shot": "no"})
    client.post("/cases/one/answers", data=shut)
    sheet = get(client, "/cases/one/sign")
    for title in (
        "Answer",
        "Ask",
        "Stop rule",
        "Open contradictions",
        "As of",
        "Case file",
    ):
        assert title in sheet.text
    assert sheet.hidden("digest")[:12] in sheet.text
    form = {name: sheet.hidden(name) for name in ("csrf", "digest", "answer")}
    form |= {"by": 'Ada: "{x}", <b>', "review_on": "2027-01-05"}
    wrong = client.post("/cases/one/sign", data={**form, "answer": "pilot"})
    assert wrong.status_code == 409  # that isn't its answer
    assert client.post("/cases/one/sign", data=form).status_code == 303
    signed = load_case(folder / "one").decision.signed
    assert signed is not None
    assert signed.case_digest == form["digest"]
    assert signed.ask
    seen = get(client, "/cases/one/money")  # the header of every page
    assert 'Not yet, signed by Ada: "{x}", <b> on 24 Nov 2026. It holds.' in seen.text
    client.post(
        "/cases/one/answers",
        data=form_of(
            get(client, "/cases/one/answers"), {"ceiling.few_shot": "unknown"}
        ),
    )
    assert "Today the answer is “Can't say yet”" in get(client, "/cases/one").text


def test_what_was_signed_holds_on_another_day_where_nothing_changed(
    tmp_path: Path, project: Path
) -> None:
    folder = with_examples(tmp_path, project, "hospital-letters")
    path = folder / "hospital-letters"
    seen = decide(load_case(path), load_framework("lesson"), as_of=DAY)
    digest = cases_judging.read_to_sign(path, "Ada")
    cases_judging.sign_answer(path, seen, "Ada", digest)
    for days in (0, 1, 4, 20):
        later = decide(
            load_case(path), load_framework("lesson"), as_of=DAY + timedelta(days=days)
        )
        held = sections_signing.hold_signature(later)
        assert held is not None
        assert (held.state, "It holds" in held.says) == ("holds", True), held.says


def test_who_signs_ticks_each_open_contradiction(tmp_path: Path, project: Path) -> None:
    client = a_client(a_site(with_examples(tmp_path, project, "task-api")))
    sheet = get(client, "/cases/task-api/sign")
    form = {name: sheet.hidden(name) for name in ("csrf", "digest", "answer")} | {
        "by": "Ada"
    }
    unseen = client.post("/cases/task-api/sign", data=form)
    assert unseen.status_code == 422
    assert "Tick each open contradiction" in unseen.text
    assert "decision" not in (tmp_path / "task-api" / "case.yaml").read_text("utf-8")
    ticks = [
        str(one["value"]) for one in sheet.all("input") if one.get("name") == "seen"
    ]
    assert ticks
    assert (
        client.post("/cases/task-api/sign", data={**form, "seen": ticks}).status_code
        == 303
    )
    assert "Pilot it, signed by Ada" in get(client, "/cases/task-api").text


# A case ----------------------------------------------------------------------------------------


def test_a_case_asks_everything_its_framework_asks_and_shows_what_the_file_says(
    client: TestClient,
) -> None:
    lesson = load_framework("lesson")
    seen = get(client, "/cases/one/answers")
    asked = titles(lesson)
    assert seen.checked() == {
        **dict.fromkeys(asked, "unknown"),
        "factors.brand_voice": "no",
    }
    assert [title for title in asked.values() if title not in seen.text] == []
    assert len(asked) == 5 + 11 + 6


def test_a_count_is_shown_as_the_answer_it_comes_to(tmp_path: Path) -> None:
    told = "name: x\nceiling: {prompt_variations: 4, foundation_models: 2}\n"
    seen = get(a_client(a_site(a_shelf(tmp_path, one=told))), "/cases/one/answers")
    assert seen.checked()["ceiling.prompt_variations"] == "no"
    assert seen.checked()["ceiling.foundation_models"] == "yes"


def test_what_counts_is_told_where_the_file_says_something_else(tmp_path: Path) -> None:
    told = "name: x\neconomics: {traffic: {requests_per_month: 900000}}\n"
    seen = get(a_client(a_site(a_shelf(tmp_path, one=told))), "/cases/one/answers")
    assert seen.checked()["factors.low_volume"] == "unknown"
    assert "counts as no, from numbers the team gave" in seen.text


def test_a_form_without_scripts_writes_what_changed_and_nothing_else(
    client: TestClient, folder: Path
) -> None:
    form = form_of(
        get(client, "/cases/one/answers"),
        {"ceiling.few_shot": "yes", "signals.latency": "no"},
    )
    done = client.post("/cases/one/answers", data=form)
    assert done.status_code == 303
    made = get(client, "/cases/one/answers").hidden("digest")
    at = f"/cases/one/answers?undo={form['digest']}&made={made}"
    assert done.headers["location"] == at
    told = (folder / "one" / "case.yaml").read_text("utf-8")
    assert told.startswith(OPEN_CASE)
    assert yaml.safe_load(told) == {
        "name": "Warehouse helper",
        "factors": {"brand_voice": False},
        "ceiling": {"few_shot": True},
        "signals": {"latency": False},
    }


def test_a_form_that_changes_nothing_writes_nothing(
    client: TestClient, folder: Path
) -> None:
    before = (folder / "one" / "case.yaml").stat()
    client.post("/cases/one/answers", data=form_of(get(client, "/cases/one/answers")))
    after = (folder / "one" / "case.yaml").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert not (folder / "one" / ".tuneworthy").exists()


def fragments(text: str) -> Iterator[tuple[str, str]]:
    """Id and opening of each part that takes its place in a page."""
    yield from re.findall(r'<(\w+)[^>]* id="([\w-]+)"[^>]* hx-swap-oob="true"', text)


def test_a_toggle_answers_with_the_parts_that_a_fresh_page_would_have(
    client: TestClient,
) -> None:
    form = form_of(get(client, "/cases/one/answers"), {"ceiling.few_shot": "no"})
    moved = client.post("/cases/one/answers", data=form, headers=HTMX)
    assert moved.status_code == 200
    assert {"verdict", "seen", "side", "notice"} <= {
        name for _, name in fragments(moved.text)
    }
    parts = Seen(moved.text)
    undo = {"undo": form["digest"], "made": parts.hidden("digest")}
    fresh = get(client, f"/cases/one/answers?{urlencode(undo)}")
    assert parts.hidden("digest") == fresh.hidden("digest") != form["digest"]
    assert parts.hidden("seen") == fresh.hidden("seen")
    said = {one.strip() for one in parts.texts} - {"", "Saved."}
    assert [one for one in said if one not in fresh.text] == []
    assert "Not yet." in parts.text


@pytest.mark.slow
def test_answers_are_tried_before_they_are_saved_and_what_was_said_comes_true(
    client: TestClient, folder: Path
) -> None:
    form = form_of(
        get(client, "/cases/one/answers"),
        {"ceiling.few_shot": "no", "factors.domain_knowledge": "yes"},
    )
    tried = client.post("/cases/one/answers/if", data=form, headers=HTMX)
    at = "/cases/one/answers?ceiling.few_shot=no&factors.domain_knowledge=yes"
    assert tried.headers["HX-Replace-Url"] == at
    assert {"side", "notice"} <= {name for _, name in fragments(tried.text)}
    assert not {"verdict", "seen"} & {name for _, name in fragments(tried.text)}
    plain = client.post("/cases/one/answers/if", data=form)
    assert (plain.status_code, plain.headers["location"]) == (303, at)
    seen = get(client, at)
    assert seen.checked()["ceiling.few_shot"] == "no"
    assert seen.hidden("seen") == form["seen"]
    assert (folder / "one" / "case.yaml").read_text("utf-8") == OPEN_CASE
    deltas = re.findall(
        r"<dt>(.*?)</dt><dd dir=\"auto\"><del>(.*?)</del> <ins>(.*?)</ins>", tried.text
    )
    promised = [now for name, _, now in deltas if name == "Answer"]
    assert promised == ["Not yet"]
    saved = client.post("/cases/one/answers", data=form)
    fresh = get(client, saved.headers["location"])
    assert Seen(promised[0]).text in fresh.text
    assert "Saved." in fresh.text
    undo = {name: fresh.hidden(name) for name in ("csrf", "then")}
    wrong = client.post(
        "/cases/one/answers/undo", data={**undo, "digest": form["digest"]}
    )
    assert wrong.status_code == 409
    undone = client.post(
        "/cases/one/answers/undo", data={**undo, "digest": fresh.hidden("digest")}
    )
    assert undone.headers["location"] == "/cases/one/answers"
    assert (folder / "one" / "case.yaml").read_text("utf-8") == OPEN_CASE
    back = client.post(
        "/cases/one/answers/if", data=form_of(get(client, "/cases/one/answers"))
    )
    assert back.headers["location"] == "/cases/one/answers"


@pytest.mark.slow
def test_an_undo_takes_back_nothing_of_others_and_says_who_changed_what(
    client: TestClient, folder: Path
) -> None:
    mine = form_of(get(client, "/cases/one/answers"), {"ceiling.few_shot": "no"})
    at = client.post("/cases/one/answers", data=mine).headers["location"]
    page = get(client, at)
    undo = {name: page.hidden(name) for name in ("csrf", "then", "digest")}
    other = a_client(a_site(folder))
    named = {"csrf": get(other, "/cases/one/answers").hidden("csrf"), "by": "Ada"}
    assert (
        other.post("/cases/one/notes", data=named).headers["location"]
        == "/cases/one/answers"
    )
    theirs = form_of(
        get(other, "/cases/one/answers"), {"factors.domain_knowledge": "yes"}
    )
    assert other.post("/cases/one/answers", data=theirs).status_code == 303
    written = (folder / "one" / "case.yaml").read_text("utf-8")
    refused = client.post("/cases/one/answers/undo", data=undo)
    assert refused.status_code == 409
    assert "Ada changed it since (domain knowledge: yes)" in Seen(refused.text).text
    late = client.post("/cases/one/answers", data=mine)
    assert "Ada and somebody else changed this case meanwhile" in Seen(late.text).text
    assert (folder / "one" / "case.yaml").read_text("utf-8") == written
    assert "Undo" not in get(client, at).texts
    kept = read_versions(load_case(folder / "one"))
    assert [version.by for version in kept] == ["", "", "Ada"]
    mine["digest"] = "0" * 64  # as of a version that isn't kept
    unknown = Seen(client.post("/cases/one/answers", data=mine).text)
    assert "somebody else changed this case meanwhile" in unknown.text.replace(
        "Somebody", "somebody"
    )
    assert "Ada" not in unknown.text.partition("changed this case meanwhile")[0]


def test_a_what_if_of_answers_gives_way_to_what_was_measured_as_a_saved_answer_does(
    tmp_path: Path, project: Path
) -> None:
    client = a_client(a_site(with_examples(tmp_path, project, "broadband-helpdesk")))
    base = "/cases/broadband-helpdesk/answers"
    form = form_of(get(client, base), {"factors.low_volume": "no"})
    tried = client.post(f"{base}/if", data=form, headers=HTMX).text
    told = re.findall(r"<ins>(Fine-tune\?.*?)</ins>", tried)
    client.post(base, data=form)
    assert [one for one in told if Seen(one).text not in get(client, base).text] == []
    assert told or headline(decide(load_case(tmp_path / "broadband-helpdesk"),
                                   load_framework("lesson"), as_of=DAY))  # fmt: skip


@pytest.mark.slow
def test_a_note_stands_beside_its_answer_with_who_wrote_it(
    client: TestClient, folder: Path
) -> None:
    seen, by = get(client, "/cases/one/answers"), "Ada <i>O'Neil</i>"
    note = {"csrf": seen.hidden("csrf"), "key": "factors.brand_voice", "by": by}
    note |= {"note.factors.brand_voice": "asked <b>twice</b>:\n # and 'again'",
             "note.ceiling.few_shot": "not this", "digest": seen.hidden("digest")}  # fmt: skip
    done = client.post("/cases/one/notes", data=note)
    assert done.headers["location"] == "/cases/one/answers#q-factors.brand_voice"
    signed = f"asked <b>twice</b>: # and 'again' ({by}, 24 Nov 2026)"
    assert load_case(folder / "one").factors["brand_voice"].note == signed
    answer = client.get("/cases/one/answers")
    assert signed in Seen(answer.text).text
    assert "<b>twice" not in answer.text
    assert {"name": "by", "value": by}.items() <= {
        key: value for one in Seen(answer.text).all("input") if one.get("name") == "by"
        for key, value in one.items()
    }.items()  # fmt: skip
    note |= {
        "digest": Seen(answer.text).hidden("digest"),
        "note.factors.brand_voice": signed,
    }
    assert client.post("/cases/one/notes", data=note).status_code == 303
    note["note.factors.brand_voice"] = signed.replace("twice", "thrice")
    parts = client.post("/cases/one/notes", data=note, headers=HTMX)
    assert 'id="noted-factors.brand_voice" hx-swap-oob="true"' in parts.text
    assert load_case(folder / "one").factors["brand_voice"].note == signed.replace(
        "twice", "thrice"
    )
    assert client.post("/cases/one/notes", data={**note, "digest": "0" * 64,
                       "note.factors.brand_voice": "late"}).status_code == 409  # fmt: skip
    assert (
        client.post("/cases/one/notes", data={**note, "key": "decision"}).status_code
        == 404
    )
    note |= {
        "digest": Seen(parts.text).hidden("digest"),
        "note.factors.brand_voice": "",
    }
    client.post("/cases/one/notes", data=note)
    assert load_case(folder / "one").factors["brand_voice"].note == ""


@pytest.mark.slow
@pytest.mark.parametrize("htmx", [False, True])
def test_two_editors_lose_nothing_and_are_told(
    client: TestClient, folder: Path, *, htmx: bool
) -> None:
    path = folder / "one" / "case.yaml"
    form = form_of(
        get(client, "/cases/one/answers"),
        {"ceiling.few_shot": "yes", "factors.data_sovereignty": "yes"},
    )
    theirs = (
        OPEN_CASE.replace("brand_voice: no", "brand_voice: yes")
        + "  data_sovereignty: no\n"
    )
    path.write_text(theirs, "utf-8")
    refused = client.post("/cases/one/answers", data=form, headers=HTMX if htmx else {})
    assert refused.status_code == 409
    assert path.read_text("utf-8") == theirs
    seen = Seen(refused.text)
    for said in ("Somebody else changed this case meanwhile", "brand voice: no → yes",
                 "data sovereignty: unknown → no", "few-shot examples: yes",
                 "(the file says no)"):  # fmt: skip
        assert said in seen.text
    if htmx:
        assert refused.headers["HX-Retarget"] == "#notice"
    kept = {
        one["name"] or "": one["value"] or ""
        for one in Seen(
            refused.text.partition('class="choose"')[2].partition("</form>")[0]
        ).all("input")
    }
    assert client.post("/cases/one/answers", data=kept).status_code == 303
    told = yaml.safe_load(path.read_text("utf-8"))
    assert told["factors"] == {"brand_voice": True, "data_sovereignty": True}
    assert told["ceiling"] == {"few_shot": True}


def test_an_answer_that_is_none_is_refused_in_words(
    client: TestClient, folder: Path
) -> None:
    form = form_of(get(client, "/cases/one/answers"), {"ceiling.few_shot": "perhaps"})
    refused = client.post("/cases/one/answers", data=form, headers=HTMX)
    assert refused.status_code == 422
    assert "ceiling.few_shot" in refused.text
    assert (folder / "one" / "case.yaml").read_text("utf-8") == OPEN_CASE


def test_a_question_that_is_not_asked_is_not_written(
    client: TestClient, folder: Path
) -> None:
    form = form_of(get(client, "/cases/one/answers"))
    form |= {
        "seen": form["seen"] + " name=unknown economics.hourly_rate_usd=1",
        "name": "Theirs",
    }
    assert client.post("/cases/one/answers", data=form).status_code == 303
    assert (folder / "one" / "case.yaml").read_text("utf-8") == OPEN_CASE


@pytest.mark.slow
@pytest.mark.parametrize("name", ["first-idea", "task-api", "broadband-helpdesk"])
def test_every_tab_of_a_case_has_its_verdict_and_its_links(
    tmp_path: Path, project: Path, name: str
) -> None:
    client = a_client(a_site(with_examples(tmp_path, project, name)))
    says = headline(
        decide(load_case(tmp_path / name), load_framework("lesson"), as_of=DAY)
    )
    found: set[str | None] = set()
    for tab in TABS:
        seen = get(client, f"/cases/{name}{tab}")
        assert says in seen.text
        links = {one["href"]: one.get("aria-current") for one in seen.all("a")}
        assert {f"/cases/{name}{each}" for each in FIRST} <= set(links)
        assert links[f"/cases/{name}{tab}"] == "page"
        found |= set(links)
    assert {f"/cases/{name}{each}" for each in TABS} <= found


# What is taken along ---------------------------------------------------------------------------


def assert_shown_by_its_own_policy(
    client: TestClient, name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report that is shown keeps its own style, and runs nothing but its own script."""
    monkeypatch.setattr("tuneworthy.web.render.render", lambda *_, **__: text)
    answer = client.get(f"/cases/{name}/report/view")
    assert answer.text == text
    policy = answer.headers["content-security-policy"]
    style = re.search(r"'sha256-[^']+'", text.replace("&#39;", "'"))
    assert style is not None
    assert style.group() in policy
    assert set(re.findall(r"script-src ([^;]+)", policy)) == set(
        re.findall(r"script-src ([^;]+)", text.replace("&#39;", "'"))
    )
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.slow
@pytest.mark.parametrize("form", ["text", "markdown", "html", "json", "record"])
def test_an_export_is_what_the_command_line_writes_byte_for_byte(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    # pictures take their time
    name = "first-idea" if form == "html" else "insurance-claims"
    folder = with_examples(tmp_path / "shelf", project, name)
    client, out = a_client(a_site(folder)), tmp_path / "out"
    case = str(folder / name)
    asked = [
        "decide",
        case,
        "--as-of",
        DAY.isoformat(),
        "--format",
        form,
        "--output",
        str(out),
    ]
    assert run(asked) == 0
    answer = client.get(f"/cases/{name}/report/{form}")
    assert answer.content == out.read_bytes()
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    if form == "html":
        assert_shown_by_its_own_policy(
            client, name, out.read_text("utf-8"), monkeypatch
        )


# Strangers' words ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile_client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    folder = tmp_path_factory.mktemp("hostile")
    attack = hostile.Attack()
    told = {**hostile.case(attack), "framework": "rules.yaml"}
    shelf = a_shelf(
        folder / "shelf",
        evil=hostile_text(told),
        broken=hostile_text({"name": "x", hostile.PAYLOADS[0]: 1}),
        worse=hostile_text(
            {"name": hostile.PAYLOADS[1], "factors": {hostile.PAYLOADS[2]: "yes"}}
        ),
    )
    rules = shelf / "evil" / "rules.yaml"
    rules.write_text(hostile_text(hostile.framework(attack)), "utf-8")
    client = a_client(a_site(shelf))
    csrf = Seen(client.get("/new").text).hidden("csrf")
    digest = Seen(client.get("/cases/evil/answers").text).hidden("digest")
    state = Seen(client.get("/cases/evil/answers").text).hidden("seen")
    client.post("/cases/evil/answers", data={"csrf": csrf, "digest": digest, "seen": state,
                                             "signals.latency": "no"})  # fmt: skip
    return client


OURS = re.compile(r"/static/[\w.]+\?[0-9a-f]+")


@pytest.mark.parametrize(
    "path",
    ["/", "/?find=<script>alert(1)</script>", "/new", "/cases/<script>", "/nowhere/<b>",
     *(f"/cases/evil{tab}" for tab in TABS), "/cases/worse", "/cases/broken"],
)  # fmt: skip
def test_nothing_a_stranger_wrote_becomes_markup(
    hostile_client: TestClient, path: str
) -> None:
    answer = hostile_client.get(path)
    assert answer.status_code in (200, 404, 422)
    seen = Seen(answer.text)
    for tag, attributes in seen.elements:
        assert tag not in {
            "style",
            "iframe",
            "object",
            "embed",
            "base",
            "form" * (path == "/x"),
        }
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name, value)
            assert name != "style"
            if name in {
                "src",
                "action",
                "formaction",
                "poster",
                "hx-get",
                "hx-post",
            }:
                assert (value or "").startswith("/"), value
                assert not (value or "").startswith("//")
            if name == "href":
                assert re.match(r"(/(?!/)|#|https?://|data:,$)", value or ""), value
    for script in seen.all("script"):
        assert OURS.fullmatch(script["src"] or "")
    assert all(OURS.fullmatch(one["href"] or "") for one in seen.all("link")[1:])
    assert "18671" + "041" not in seen.text  # 4321 * 2 computed by nobody
    assert "\u202e" not in answer.text
    assert "\x1b" not in answer.text


def test_strangers_words_are_shown_as_they_were_written(
    hostile_client: TestClient,
) -> None:
    seen = hostile.squeezed(Seen(hostile_client.get("/cases/evil/evidence").text).text)
    attack = hostile.Attack()
    hostile.framework(attack)
    hostile.case(attack)
    shown = [text for text in attack.given if hostile.squeezed(text) in seen]
    assert len(shown) > 60


def test_the_conflict_page_escapes_too(hostile_client: TestClient) -> None:
    seen = Seen(hostile_client.get("/cases/evil/answers").text)
    form = form_of(seen, {"ceiling.few_shot": "no", "digest": "0" * 64})
    answer = hostile_client.post("/cases/evil/answers", data=form)
    assert answer.status_code == 409
    assert not [
        one
        for one in Seen(answer.text).elements
        if one[0] in ("img", "iframe", "style")
    ]


# Templates ---------------------------------------------------------------------------------------


def test_what_a_template_says_of_a_module_of_words_is_there(package: Path) -> None:
    """Only templates call some of these functions; whoever tidies Python up doesn't see that."""
    web = package / "web"
    parser = Environment(autoescape=True)
    trees = {
        p.name: parser.parse(p.read_text("utf-8")) for p in web.glob("templates/*.html")
    }
    common = import_module("tuneworthy.report.sections.common")
    said = {
        (name, one.node.name, one.attr)
        for name, tree in trees.items()
        for one in tree.find_all(nodes.Getattr)
        if isinstance(one.node, nodes.Name) and one.node.name in ("words", "common")
    }
    given = [("common", name, common) for name in trees]
    for path in web.glob("*.py"):
        if (
            words := getattr(
                import_module(f"tuneworthy.web.{path.stem}"), "words", None
            )
        ) is None:
            continue
        reached, more = (
            set[str](),
            set(re.findall(r'"(\w+\.html)"', path.read_text("utf-8"))),
        )
        while new := (more & {*trees}) - reached:
            reached |= new
            more |= {
                n
                for one in new
                for n in meta.find_referenced_templates(trees[one])
                if n
            }
        given += [("words", name, words) for name in reached]
    seen = [(one, hasattr(of, one[2])) for kind, name, of in given for one in said
            if one[:2] == (name, kind)]  # fmt: skip
    assert [one for one, there in seen if not there] == []
    assert {one for one, _ in seen} == said
    assert len(said) > 25
