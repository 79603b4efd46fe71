"""The interview and the what-ifs on the page, by plain forms: what is asked, written, and not."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

import hostile
from answering import answer_in
from tuneworthy import CaseError, decide, load_case, load_framework
from tuneworthy.cases.workspace import Workspace, open_directory
from tuneworthy.errors import ConflictError
from tuneworthy.files.stores import read_versions
from tuneworthy.interview import questions as interview_questions
from tuneworthy.interview.questions import next_ask, part_asks
from tuneworthy.model import interview as model_interview
from tuneworthy.model.base import Unknown
from tuneworthy.report.sections import money as sections_money
from web_world import DAY, OPEN_CASE, Seen, a_client, a_shelf, a_site

TALK = "/cases/one/interview"
MONEY = "/cases/one/money"
HTMX = {"HX-Request": "true"}
PAYING = """\
name: Claims helper  # as they call it
goals: [knowledge]
economics:
  hourly_rate_usd: 100
  upfront: {hours: {low: 40, likely: 60, high: 80}}
  monthly: {api_savings_usd: 1500, ongoing_usd: 500}  # guessed
  traffic: {growth_per_month: 0.05}
strategic_value: high
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_shelf(tmp_path / "shelf", one=OPEN_CASE, pays=PAYING)


@pytest.fixture
def client(folder: Path) -> TestClient:
    return a_client(a_site(folder))


def board_of(folder: Path) -> Workspace:
    return Workspace(open_directory(folder), DAY)


def get(client: TestClient, path: str, status: int = 200) -> Seen:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    return Seen(answer.text)


def form_of(seen: Seen, **said: object) -> dict[str, object]:
    """The form of a question as a browser would send it."""
    names = ("csrf", "digest", "ask", "way", "part")
    return {**{name: seen.hidden(name) for name in names}, **said}


def told(folder: Path, name: str = "one") -> str:
    return (folder / name / "case.yaml").read_text("utf-8")


def asked(seen: Seen) -> str:
    """Id of the question that is shown; empty at a rest."""
    fields = [
        one.get("value") or "" for one in seen.all("input") if one.get("name") == "ask"
    ]
    return fields[0] if fields else ""


def onward(client: TestClient, form: dict[str, object]) -> str:
    answer = client.post(TALK, data=form)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def kept(client: TestClient, seen: Seen) -> str:
    """Keep both sides of what doesn't fit; where it goes on."""
    fields = form_of(
        seen, challenge=seen.hidden("challenge"), clash=seen.hidden("clash")
    )
    answer = client.post(f"{TALK}/kept", data=fields)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


# One question at a time ------------------------------------------------------------------------


@pytest.mark.slow
def test_answers_are_written_one_by_one_until_all_of_the_lesson_is_asked(
    client: TestClient, folder: Path
) -> None:
    seen, names = get(client, TALK), list[str]()
    while name := asked(seen):
        if "challenge" in {one.get("name") for one in seen.all("input")}:
            seen = get(client, kept(client, seen))
            continue
        left = len(part_asks(load_case(folder / "one"), load_framework("lesson")))
        assert f"Question {17 - left + 1} of 17" in seen.text
        names.append(name)
        extra = (
            {"first": "persona", "also": ["format"]}
            if name == "goals"
            else {"said": "yes"}
        )
        seen = get(client, onward(client, form_of(seen, **extra)))
        assert told(folder).count("# asked twice") == 1
    dossier = decide(load_case(folder / "one"), load_framework("lesson"), as_of=DAY)
    assert dossier.verdict.final
    assert names[0] == "goals"
    assert part_asks(load_case(folder / "one"), load_framework("lesson")) == ()
    assert load_case(folder / "one").goals == ("persona", "format")
    assert "Worth knowing besides" in seen.text
    # the page does itself what the command would
    assert not isinstance(dossier.recommendation, Unknown)
    first, *_ = dossier.recommendation.steps
    says = seen.text.partition("What to do next: ")[2]
    assert f"then try {first.title} by " in says.partition(".")[0]


def test_the_page_asks_what_the_interview_asks(
    client: TestClient, folder: Path
) -> None:
    case, lesson = load_case(folder / "one"), load_framework("lesson")
    for chosen in (None, *model_interview.PARTS):
        passed = ["goals", "factors.low_volume", "attempts.1.name", "tuning.pilot"]
        way = " ".join(f"-{one}" for one in passed)
        ask = next_ask(case, lesson, passed=passed, part=chosen)
        assert ask is not None
        seen = get(client, f"{TALK}?{urlencode({'part': chosen or '', 'way': way})}")
        assert asked(seen) == ask.id
        assert ask.question in seen.text
        assert ask.example in seen.text
        again = get(
            client,
            f"{TALK}?{urlencode({'part': chosen or '', 'way': way, 'ask': ask.id})}",
        )
        assert again.text == seen.text


@pytest.mark.slow
def test_every_open_question_has_a_form_that_can_answer_it(client: TestClient) -> None:
    case, lesson = (
        load_case({"name": "x", "goals": ["safety"]}),
        load_framework("lesson"),
    )
    names = {
        name for part in model_interview.PARTS for name in part_asks(case, lesson, part)
    }
    for name in sorted({*names, "goals"}):
        ask, seen = (
            interview_questions.ask_of(case, lesson, name),
            get(client, f"{TALK}?ask={name}"),
        )
        fields = {one.get("name") for one in (*seen.all("input"), *seen.all("button"))}
        if ask.kind in ("count", "number", "amount", "text"):
            assert "typed" in fields
        elif ask.kind == "choices":
            assert {c.id for c in ask.choices} <= {
                one.get("value") for one in seen.all("input")
            }
        said = {
            one.get("value") for one in seen.all("button") if one.get("name") == "said"
        }
        assert "unknown" in said
        if ask.kind == "state":
            assert {"yes", "no"} <= said
        if ask.kind == "choice":
            assert {c.id for c in ask.choices} <= said


@pytest.mark.slow
def test_not_knowing_writes_nothing_and_is_not_asked_again_until_it_is_wanted(
    client: TestClient, folder: Path
) -> None:
    before, seen, names = told(folder), get(client, f"{TALK}?ask=goals"), []
    for _ in range(5):
        names.append(asked(seen))
        seen = get(client, onward(client, form_of(seen, said="unknown")))
    assert len({*names, asked(seen)}) == 6
    assert told(folder) == before
    way = " ".join(f"-{name}" for name in names)
    assert seen.hidden("way") == way
    lesson = load_framework("lesson")
    every = part_asks(load_case(folder / "one"), lesson)
    rest = get(
        client, f"{TALK}?{urlencode({'way': ' '.join(f'-{name}' for name in every)})}"
    )
    assert asked(rest) == ""
    assert "Still possible: " in rest.text
    again = [one["href"] for one in rest.all("a") if one["href"] == TALK]
    assert again
    assert "Ask again what I didn’t know" in rest.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ask", "typed"),
    [("economics.hourly_rate_usd", "much"), ("ceiling.few_shot", "perhaps"),
     ("targets.quality.at_least", "190%"), ("data.evaluation", "nowhere.jsonl"),
     ("data.evaluation", "../../etc/passwd"), ("attempts.1.name", "a\x1b[31m"),
     ("economics.upfront.hours", "80-40"), ("tuning.service", "<script>")],
)  # fmt: skip
def test_what_is_no_answer_is_said_beside_the_question_and_nothing_is_written(
    client: TestClient, folder: Path, ask: str, typed: str
) -> None:
    before, seen = told(folder), get(client, f"{TALK}?ask={ask}")
    answer = client.post(TALK, data=form_of(seen, typed=typed))
    assert answer.status_code == 422
    again = Seen(answer.text)
    assert asked(again) == ask
    assert [one for one in again.all("p") if one.get("class") == "wrong"]
    with pytest.raises(CaseError) as caught:
        answer_in(folder / "one", ask, typed)
    assert " ".join(caught.value.fix[1:].split()) in again.text
    assert str(folder) not in answer.text
    assert "\x1b" not in answer.text
    assert "<script>" not in answer.text
    assert told(folder) == before
    part = client.post(TALK, data=form_of(seen, typed=typed), headers=HTMX)
    assert part.status_code == 422
    assert "Saved." not in part.text


@pytest.mark.parametrize(("said", "value"), [("5%", "0.05"), ("500%", "5")])
def test_a_growth_of_more_than_all_a_month_is_asked_back_on_the_page(
    said: str, value: str, client: TestClient, folder: Path
) -> None:
    before = told(folder)
    ask = "economics.traffic.growth_per_month"
    seen = get(client, f"{TALK}?ask={ask}")
    answer = client.post(TALK, data=form_of(seen, typed="5"))
    assert answer.status_code == 422
    again = Seen(answer.text)
    assert "5 means 500% a month. Did you mean 5%?" in again.text
    assert {"5%", "500%"} <= {one.get("value") for one in again.all("button")}
    assert told(folder) == before
    onward(client, form_of(again, said=said))
    assert (
        str(yaml.safe_load(told(folder))["economics"]["traffic"]["growth_per_month"])
        == value
    )


def test_one_number_counts_beside_a_question(client: TestClient) -> None:
    seen = get(client, f"{TALK}?ask=ceiling.few_shot")
    assert seen.text.count("Question 2 of 17") == 1
    assert not re.search(r"\d+ open:", seen.text)


@pytest.mark.slow
def test_a_form_made_from_an_older_file_writes_nothing_and_says_so(
    client: TestClient, folder: Path
) -> None:
    form = form_of(get(client, f"{TALK}?ask=ceiling.few_shot"), said="yes")
    changed = OPEN_CASE + "ceiling: {few_shot: no}\n"
    (folder / "one" / "case.yaml").write_text(changed, "utf-8")
    answer = client.post(TALK, data=form)
    assert answer.status_code == 409
    assert "isn’t written yet" in answer.text
    assert "Now: no" in Seen(answer.text).text
    assert told(folder) == changed
    assert (
        client.post(TALK, data=form_of(Seen(answer.text), said="yes")).status_code
        == 303
    )


@pytest.mark.slow
def test_a_form_that_is_sent_twice_is_one_answer(
    client: TestClient, folder: Path
) -> None:
    form = form_of(get(client, f"{TALK}?ask=ceiling.few_shot"), said="yes")
    first, written = onward(client, form), told(folder)
    assert onward(client, form) == first
    assert told(folder) == written


@pytest.mark.slow
def test_a_step_taken_again_counts_once_and_the_way_back_is_the_way_there(
    client: TestClient,
) -> None:
    at = onward(
        client, form_of(get(client, f"{TALK}?ask=ceiling.few_shot"), said="yes")
    )
    at = onward(
        client, form_of(get(client, at + "&ask=factors.brand_voice"), said="unknown")
    )
    seen = get(client, at)
    assert seen.hidden("way") == "ceiling.few_shot -factors.brand_voice"
    at = onward(client, form_of(get(client, at + "&ask=ceiling.few_shot"), said="yes"))
    assert get(client, at).hidden("way") == "-factors.brand_voice ceiling.few_shot"
    back = [one["href"] or "" for one in get(client, at).all("a")]
    (last,) = [href for href in back if "ask=ceiling.few_shot" in href and TALK in href]
    assert parse_qs(urlsplit(last).query)["way"] == ["-factors.brand_voice"]


def test_what_is_answered_on_the_page_is_kept_as_a_version(
    client: TestClient, folder: Path
) -> None:
    onward(client, form_of(get(client, f"{TALK}?ask=ceiling.few_shot"), said="yes"))
    kept = read_versions(load_case(folder / "one"))
    assert ["few_shot: yes" in one.text for one in kept] == [False, True]


@pytest.mark.slow
def test_a_part_for_htmx_moves_the_question_the_verdict_and_the_side(
    client: TestClient,
) -> None:
    form = form_of(get(client, f"{TALK}?ask=ceiling.few_shot"), said="no")
    answer = client.post(TALK, data=form, headers=HTMX)
    assert answer.status_code == 200
    seen = Seen(answer.text)
    assert not seen.all("html")
    assert answer.headers["HX-Push-Url"].startswith(TALK)
    assert "Settled for today: not yet." in seen.text
    assert "Saved." in seen.text
    moved = [one["id"] for _, one in seen.elements if "hx-swap-oob" in one]
    assert {"verdict", "side", "notice"} <= set(moved)


# What doesn't fit ------------------------------------------------------------------------------


def clashing(client: TestClient, folder: Path) -> Seen:
    (folder / "one" / "case.yaml").write_text(
        "name: x\nfactors: {low_volume: yes}\n", encoding="utf-8"
    )
    form = form_of(get(client, f"{TALK}?ask=factors.cost_optimization"), said="yes")
    at = onward(client, form)
    assert "clash=" in at
    return get(client, at)


@pytest.mark.slow
def test_a_clash_offers_to_change_either_side_or_to_keep_both(
    client: TestClient, folder: Path
) -> None:
    seen = clashing(client, folder)
    links = [one["href"] or "" for one in seen.all("a")]
    for name in ("factors.cost_optimization", "factors.low_volume"):
        assert any(f"ask={name}" in link for link in links)
    assert "clash=" not in kept(client, seen)
    note = yaml.safe_load(told(folder))["factors"]["cost_optimization"]["note"]
    assert note == f"both kept: {seen.hidden('challenge')}"
    again = f"{TALK}?ask=factors.cost_optimization&clash={seen.hidden('clash')}"
    assert "challenge" not in {
        one.get("name") for one in get(client, again).all("input")
    }
    dossier = decide(load_case(folder / "one"), load_framework("lesson"), as_of=DAY)
    assert seen.hidden("challenge") in [one.id for one in dossier.challenges]


@pytest.mark.slow
def test_a_clash_that_somebody_settled_meanwhile_is_not_talked_about(
    client: TestClient, folder: Path
) -> None:
    seen = clashing(client, folder)
    fields = form_of(
        seen, challenge=seen.hidden("challenge"), clash=seen.hidden("clash")
    )
    changed = "name: x\nfactors: {low_volume: no, cost_optimization: yes}\n"
    (folder / "one" / "case.yaml").write_text(changed, encoding="utf-8")
    path = f"{TALK}?ask=factors.cost_optimization&clash={seen.hidden('clash')}"
    assert "challenge" not in {
        one.get("name") for one in get(client, path).all("input")
    }
    assert client.post(f"{TALK}/kept", data=fields).status_code in (409, 422)
    assert told(folder) == changed


@pytest.mark.slow
@pytest.mark.parametrize(
    "query",
    [{"ask": "nothing"}, {"ask": "../x"}, {"ask": hostile.PAYLOADS[0]}, {"way": "<b>"},
     {"way": "a" * 13_000}, {"part": "none"}, {"ask": "a" * 300}],
)  # fmt: skip
def test_an_address_nobody_gave_out_is_refused_in_a_line(
    client: TestClient, query: dict[str, str]
) -> None:
    answer = client.get(f"{TALK}?{urlencode(query)}")
    assert answer.status_code == 422
    assert "<script>" not in answer.text.replace("<script src", "")
    assert "<b>" not in answer.text


@pytest.mark.slow
def test_a_clash_of_any_name_is_none(client: TestClient) -> None:
    seen = get(client, f"{TALK}?ask=ceiling.few_shot&clash={'x,' * 60}<b>")
    assert asked(seen) == "ceiling.few_shot"
    assert not [one for one in seen.all("input") if one.get("name") == "challenge"]


# What if ---------------------------------------------------------------------------------------

SAVING = "economics.monthly.api_savings_usd"
GIVEN = st.fixed_dictionaries(
    {},
    optional={
        SAVING: st.sampled_from(["0", "600", "900-1200", "unknown", "3k"]),
        "economics.monthly.ongoing_usd": st.sampled_from(["100", "2,000"]),
        "economics.hourly_rate_usd": st.sampled_from(["80 to 120", "unknown"]),
        "economics.traffic.growth_per_month": st.sampled_from(
            ["7%", "-5% to 10%", "unknown"]
        ),
        "economics.traffic.requests_per_month": st.sampled_from(["20000", "unknown"]),
        "economics.assumptions.horizon_months": st.sampled_from(["12", "unknown"]),
        "economics.upfront.hours": st.sampled_from(["10", "unknown"]),
    },
)


@pytest.mark.slow
@settings(max_examples=25)
@given(given_amounts=GIVEN)
def test_a_what_if_is_what_writing_would_come_to(
    tmp_path_factory: pytest.TempPathFactory, given_amounts: dict[str, str]
) -> None:
    folder = a_shelf(tmp_path_factory.mktemp("if") / "shelf", pays=PAYING)
    board = board_of(folder)
    judged = board.evaluated("pays")
    supposed = board.what_if("pays", given_amounts)
    assert told(folder, "pays") == PAYING
    unknown = {name for name, said in given_amounts.items() if said == "unknown"}
    assert {*given_amounts} - unknown <= supposed.case.origin.assumed
    written = board.set_answers("pays", given_amounts, judged.digest)
    # one is worked out when read
    assert written.dossier.to_dict() == supposed.dossier.to_dict()
    assert told(folder, "pays").count("# guessed") == 1
    with pytest.raises(ConflictError):
        board.set_answers("pays", {"strategic_value": "low"}, "0" * 64)


@pytest.mark.slow
def test_a_lever_moves_the_page_and_not_the_file(
    client: TestClient, folder: Path
) -> None:
    path = "/cases/pays/money"
    seen = get(client, path)
    assert "4 to 8 months" in seen.text  # (40 to 80 h at $100) / ($1,500 - $500)
    moved = get(client, f"{path}?{SAVING}=3500&economics.hourly_rate_usd=50")
    assert "0.7 to 1.3 months" in moved.text  # $2,000 to $4,000 / ($3,500 - $500)
    assert "4 to 8 months" in moved.text  # beside it, as the case says
    never = get(client, f"{path}?{SAVING}=500")
    assert "never" in never.text
    assert told(folder, "pays") == PAYING
    answer = client.post(
        path, data={name: moved.hidden(name) for name in ("csrf", "digest", "given")}
    )
    assert answer.status_code == 303
    now = yaml.safe_load(told(folder, "pays"))
    assert now["economics"]["hourly_rate_usd"] == 50
    assert now["economics"]["monthly"] == {"api_savings_usd": 3500, "ongoing_usd": 500}
    assert now["economics"]["upfront"] == {
        "hours": {"low": 40, "likely": 60, "high": 80}
    }


@pytest.mark.slow
def test_amounts_are_written_only_into_the_file_they_were_made_from(
    client: TestClient, folder: Path
) -> None:
    moved = get(client, f"/cases/pays/money?{SAVING}=3500")
    changed = PAYING.replace("1500", "1000")
    (folder / "pays" / "case.yaml").write_text(changed, "utf-8")
    form = {name: moved.hidden(name) for name in ("csrf", "digest", "given")}
    answer = client.post("/cases/pays/money", data=form)
    assert answer.status_code == 409
    assert told(folder, "pays") == changed
    again = Seen(answer.text)
    # $4,000 to $8,000 / ($1,000 - $500), as it says now
    assert "8 to 16 months" in again.text
    # and with what was to be written, $3,000 a month
    assert "1.3 to 2.7 months" in again.text
    assert [one for one in again.all("input") if one.get("value") == "3500"]


def test_what_is_no_amount_is_said_and_the_numbers_stay_those_of_the_case(
    client: TestClient, folder: Path
) -> None:
    for text in ("much", "80-40", "<script>alert(1)</script>", "-5", "1e400", "9" * 40):
        answer = client.get(f"/cases/pays/money?{urlencode({SAVING: text})}")
        assert answer.status_code == 422, text
        assert "can’t be worked out" in answer.text
        assert "<script>alert" not in answer.text
        assert "4 to 8 months" in Seen(answer.text).text
    assert told(folder, "pays") == PAYING


@pytest.mark.slow
def test_the_charts_of_a_what_if_are_its_own(client: TestClient) -> None:
    seen = get(client, "/cases/pays/money")
    moved = get(client, f"/cases/pays/money?{SAVING}=3500")
    one, other = (
        [picture["src"] for picture in page.all("img")] for page in (seen, moved)
    )
    assert len(one) == len(other) > 0
    for before, after in zip(one, other, strict=True):
        assert before != after
        assert client.get(str(after)).status_code == 200
    assert client.get(str(one[0])).text != client.get(str(other[0])).text
    for code in ("x", "%00", "AAAA", "a" * 9_000):
        assert client.get(
            f"/cases/pays/money/if/{code}/charts/fan.svg"
        ).status_code in (200, 404)


@pytest.mark.slow
def test_a_part_for_htmx_has_the_sums_and_an_address_that_keeps_them(
    client: TestClient,
) -> None:
    answer = client.get(f"/cases/pays/money?{SAVING}=3500&nonsense=1", headers=HTMX)
    assert not Seen(answer.text).all("html")
    assert answer.headers["HX-Replace-Url"] == f"/cases/pays/money?{SAVING}=3500"


@given(
    value=st.sampled_from(["", "0", "5", "1500", "40 to 60 to 80", "0.1", "123456.5"]),
    text=st.one_of(
        st.none(), st.text(max_size=20), st.sampled_from(["9e9", "-7", "1 to 1e12"])
    ),
    name=st.sampled_from(sorted(sections_money.LEVERS)),
)
def test_a_lever_stands_between_its_ends_whatever_is_given(
    value: str, text: str | None, name: str
) -> None:
    ask = model_interview.Ask(
        name, "investment", "amount", "an amount", "How much?", value=value
    )
    found = sections_money.lever(ask, text)
    assert found.least <= found.at <= found.most
    assert 0 < found.step <= found.most - found.least
    assert (
        sections_money.lever(ask, found.text if text is None else None).text
        == found.stated
    )
    assert [
        one.id for _, group in sections_money.grouped([found]) for one in group
    ] == [name]


def test_growth_is_shown_in_per_cent_and_a_range_stands_at_its_middle() -> None:
    growth = model_interview.Ask(
        "economics.traffic.growth_per_month", "investment", "amount", "growth", "?",
        value="0.05 to 0.1 to 0.2",
    )  # fmt: skip
    found = sections_money.lever(growth)
    assert (found.text, found.at, found.unit) == ("5% to 10% to 20%", 10.0, "%")
    hours = model_interview.Ask(
        "economics.upfront.hours", "investment", "amount", "hours", "?", value="60"
    )
    assert sections_money.lever(hours, "40-80").at == 60.0
    assert sections_money.lever(hours).most == 500.0  # four times as much, rounded up


@pytest.mark.slow
def test_the_comparison_names_what_changes() -> None:
    lesson = load_framework("lesson")
    texts = (PAYING, PAYING.replace("1500", "500"))
    cases = [load_case(yaml.safe_load(text)) for text in texts]
    before, after = (decide(case, lesson, as_of=DAY) for case in cases)
    rows = {row[0]: row[1:] for row in sections_money.compared(before, after).rows}
    assert rows["Pays back (break-even)"] == ("4 to 8 months", "never")
    assert "Up front" not in rows  # it stays as it is
