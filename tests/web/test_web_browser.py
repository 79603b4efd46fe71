"""The page in a real browser: a person's whole way through it, and what may never happen there."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import pytest
import yaml
from test_html_browser import FLAGS, NO_BROWSER, chromium

import hostile
from lab_world import CAREFUL, LOUD, PLAIN, folder_of
from live import served
from tuneworthy import decide, load_case, load_framework
from tuneworthy.cli import run
from tuneworthy.interview import answers as interview_answers
from web_world import (
    DAY,
    a_client,
    a_shelf,
    a_site,
    all_routes,
    hostile_text,
    with_examples,
)

HERE = Path(__file__).resolve().parents[2]
PHONE = 390
LONGEST_MS = 20_000
LAB_CASES = 60
PRICED = "[{id: 'fake:one', usd_per_mtok: {input: 1, output: 2}}]"
OPEN = "name: Warehouse helper\ngoals: [knowledge]\nfactors: {brand_voice: no}\n"
CLASHING = "name: Clash\ngoals: [format]\nfactors: {low_volume: yes}\n"
BLANK = "name: Blank\ndata: {evaluation: eval.jsonl}\n"
TABS = ("", "/answers", "/interview", "/evidence", "/options", "/money", "/plan",
        "/lab", "/label", "/report", "/files", "/runs", "/models")  # fmt: skip
ASKED = ("goals", "ceiling.few_shot", "ceiling.prompt_variations", "strategic_value",
         "economics.hourly_rate_usd", "attempts.1.name", "description")  # fmt: skip
"""One question of each kind."""


class World:
    """A server over some cases."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.home = folder, f"http://127.0.0.1:{port}"

    def text(self, name: str) -> str:
        """Of a case file."""
        return (self.folder / name / "case.yaml").read_text("utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser with an empty profile of its own."""
    path = chromium()
    if (
        path is None
        or not find_spec("playwright")
        or not find_spec("axe_playwright_python")
    ):
        if os.environ.get("TUNEWORTHY_BROWSER") == "required":
            pytest.fail(NO_BROWSER)
        pytest.skip(NO_BROWSER)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield running
        running.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Cases of the gallery, open ones, a hostile one, one with a lab, and a server over them."""
    folder = tmp_path_factory.mktemp("world")
    with_examples(folder, HERE, "task-api", "energy-supplier", "broadband-helpdesk")
    attack = hostile.Attack()
    rules = hostile_text(hostile.framework(attack))
    told = hostile_text({**hostile.case(attack), "framework": "rules.yaml"})
    a_shelf(
        folder, open_one=OPEN, toggles=OPEN, keys=OPEN, plain=OPEN, clash=CLASHING, evil=told,
        broken=hostile_text({"name": "x", hostile.PAYLOADS[0]: 1}), blank=BLANK, talk=OPEN,
        notes=OPEN,
    )  # fmt: skip
    (folder / "evil" / "rules.yaml").write_text(rules, "utf-8")
    asked = [{"id": f"c{n}", "input": f"{text} {hostile.HIDDEN}"}
             for n, text in enumerate(hostile.PAYLOADS[:4])]  # fmt: skip
    lines = "".join(json.dumps(one) + "\n" for one in asked)
    (folder / "blank" / "eval.jsonl").write_text(lines, "utf-8")
    prompts = {"plain": PLAIN, "careful": CAREFUL, "loud": LOUD}
    folder_of(folder / "library", n=LAB_CASES, prompts=prompts, models=PRICED)
    folder_of(
        folder / "ran",
        n=40,
        prompts=prompts,
        models=PRICED.replace("fake:one", "fake:echo"),
    )
    with ThreadPoolExecutor(1) as beside:  # the browser has a loop in this thread
        assert (
            beside.submit(
                run, ["ceiling", str(folder / "ran"), "--budget", "1"]
            ).result()
            == 0
        )
    with served(a_site(folder)) as port:
        yield World(folder, port)


class Watched:
    """A tab of the browser: what it asks for, which dialogs it opens, what it complains of."""

    def __init__(
        self, browser: Any, world: World, *, width: int = 1100, **more: Any
    ) -> None:
        self.world = world
        self.strangers: list[str] = []
        self.dialogs: list[str] = []
        self.complaints: list[str] = []
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, **more
        )
        self.context.set_default_timeout(LONGEST_MS)
        self.page = self.context.new_page()
        self.page.on("request", self._asked)
        self.page.on("dialog", self._dialog)
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.world.home + "/", "data:,")):
            self.strangers.append(request.url)

    def _dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def go(self, path: str, wait: str = "load") -> Self:
        """Go to an address of the server."""
        self.page.goto(self.world.home + path, wait_until=wait)
        return self

    def ask(self, code: str) -> Any:
        """What an expression comes to in the page; the page's own policy doesn't bind us."""
        return self.page.evaluate(code)

    def text(self, selector: str = "body") -> str:
        """What is shown, blanks as one."""
        return " ".join(self.page.inner_text(selector).split())

    def until(self, selector: str, holds: str) -> None:
        """Wait until something shows a text."""
        self.page.wait_for_function(
            "([at, said]) => document.querySelector(at)?.innerText.replace(/\\s+/g, ' ')"
            ".includes(said)",
            arg=[selector, holds],
        )

    def try_answer(self, name: str, state: str) -> None:
        """Press an answer of the page, and wait until what it would change is there.

        Another press, or another page, before that would break off the request on purpose.
        """
        with self.page.expect_response("**/answers/if"):
            self.page.check(f"input[name='{name}'][value={state}]", force=True)
        self.page.wait_for_function("() => !document.querySelector('.htmx-request')")

    def unfold(self) -> None:
        """Open everything that opens."""
        self.ask("document.querySelectorAll('details').forEach(one => one.open = true)")

    def answer(self, label: str) -> None:
        """Press a button of the interview, and wait for what follows."""
        before = self.page.url
        self.page.get_by_role("button", name=label, exact=True).click()
        self.page.wait_for_function("was => location.href !== was", arg=before)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.context.close()
        if kind is None:
            assert self.strangers == []
            assert self.dialogs == []
            assert self.complaints == []


# The interview ---------------------------------------------------------------------------------


def asked(watched: Watched) -> str:
    """Id of the question that is shown; empty at a rest."""
    fields = watched.page.locator("#talk input[name=ask]")
    return fields.first.input_value() if fields.count() else ""


def reply(watched: Watched, said: str) -> None:
    """Answer what is asked as a person would: with a button, a tick or a line; keep both."""
    page, before = watched.page, watched.page.url
    if page.locator("#talk input[name=challenge]").count():
        page.locator("#talk form button").click()
    elif said in ("yes", "no"):
        page.locator(f"#talk button[value={said}]").click()
    elif page.locator("#talk input[name=first]").count():
        goals = said.split(", ")
        page.locator(f"#talk input[name=first][value={goals[0]}]").check()
        for goal in goals[1:]:
            page.locator(f"#talk input[name=also][value={goal}]").check()
        page.get_by_role("button", name="Save", exact=True).click()
    elif said and page.locator("#typed").count():
        page.locator("#typed").fill(said)
        page.keyboard.press("Enter")
    else:
        page.locator(f"#talk button[value={said or 'unknown'}]").first.click()
    page.wait_for_function("was => location.href !== was", arg=before)


@pytest.mark.slow
def test_from_an_empty_form_to_a_verdict_and_the_report_of_the_command_line(
    browser: Any, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    script = interview_answers.read_script(
        HERE / "examples/task-api/answers.yaml", load_framework("lesson")
    ).answers
    with Watched(browser, world).go("/") as watched:
        page = watched.page
        page.get_by_role("link", name="New case").click()
        page.get_by_label("What is the use case called?").fill("My <b>first</b> case")
        page.get_by_role("button", name="Create case").click()
        page.wait_for_url("**/interview")
        seen = []
        while name := asked(watched):
            assert name not in seen
            seen.append(name)
            reply(watched, script[name])
        assert "Pilot it," in watched.text("h1")
        assert watched.text("#talk h2").startswith(
            "Every check and every reason is answered"
        )
        page.get_by_role("link", name="What would it cost and bring?").click()
        watched.until("#talk", "Question")
        while (name := asked(watched)) and name != "economics.hours_per_week":
            reply(watched, script.get(name, ""))
        page.get_by_role("link", name="Report", exact=True).click()
        with page.expect_download() as download:
            page.get_by_role("link", name="Text", exact=True).click()
        got = Path(download.value.path()).read_text("utf-8")
        place = world.folder / "my-b-first-b-case"
        assert run(["decide", str(place), "--as-of", DAY.isoformat()]) == 0
        assert got == capsys.readouterr().out
        dossier = decide(load_case(place), load_framework("lesson"), as_of=DAY)
        assert dossier.verdict.outcome == "fine_tune_candidate"
        assert "The lesson's checklist: 4 of 6 for" in got


@pytest.mark.slow
def test_the_list_is_gone_through_by_keys_and_says_in_its_address_what_is_asked(
    browser: Any, world: World
) -> None:
    with (
        Watched(browser, world)
        .go("/cases/energy-supplier")
        .go("/cases/task-api") as watched
    ):
        page, keys = watched.go("/").page, watched.page.keyboard
        focused = "() => document.activeElement.textContent.trim()"
        keys.press("/")
        assert page.evaluate("() => document.activeElement.id") == "find"
        keys.type("api assis")
        watched.until(".chips", "1 of")
        assert page.url.endswith("/?find=api%20assis&reverse=false")
        keys.press("ArrowDown")
        assert page.evaluate(focused) == "Task API assistant"
        keys.press("Enter")
        page.wait_for_url("**/cases/task-api")
        keys.press("Control+k")
        page.wait_for_selector("#palette[open] [role=option]")
        keys.type("explaining")
        page.wait_for_function(
            "() => /Explaining/.test(document.querySelector('[aria-selected=true]')?.textContent)"
        )
        keys.press("Escape")
        page.wait_for_selector("#palette", state="hidden")
        keys.press("Control+k")
        keys.type("money")
        page.wait_for_function(
            "() => /^Money/.test(document.querySelector('[aria-selected=true]')?.textContent)"
        )
        keys.press("Enter")
        page.wait_for_url("**/cases/task-api/money")
        watched.go("/")
        page.locator(".case-row", has_text="Task API").locator(".number").first.click(
            force=True
        )
        page.wait_for_url("**/cases/task-api")


@pytest.mark.slow
def test_going_back_by_the_link_and_by_the_browser_shows_what_was_said(
    browser: Any, world: World
) -> None:
    with Watched(browser, world).go("/cases/talk/interview") as watched:
        first = asked(watched)
        reply(watched, "yes")
        second = asked(watched)
        reply(watched, "yes")
        watched.page.get_by_role("link", name="Back", exact=True).click()
        watched.until("#talk .now", "Now: yes")
        assert asked(watched) == second
        watched.page.go_back()
        watched.page.wait_for_function(
            "was => document.querySelector('#talk input[name=ask]').value !== was",
            arg=second,
        )
        watched.page.go_back()
        watched.until("#talk .now", "Now: yes")
        assert asked(watched) == second
        watched.go(f"/cases/talk/interview?ask={first}")
        assert watched.text("#talk .now").startswith("Now: ")


@pytest.mark.slow
def test_what_does_not_fit_is_pushed_back_at_once_and_both_can_be_kept(
    browser: Any, world: World
) -> None:
    with Watched(browser, world).go(
        "/cases/clash/interview?ask=factors.cost_optimization"
    ) as watched:
        watched.answer("Yes")
        assert "doesn't fit with low volume (yes)" in watched.text("#talk h2")
        watched.page.wait_for_function(
            "() => document.activeElement.id === 'talk-title'"
        )
        watched.answer("Both hold, and note it")
        assert asked(watched) not in ("", "factors.cost_optimization")
        told = yaml.safe_load(world.text("clash"))["factors"]["cost_optimization"]
        assert told["value"] is True or told["value"] == "yes"
        assert told["note"].startswith("both kept: ")


@pytest.mark.slow
def test_without_scripts_an_interview_and_a_what_if_work_by_plain_forms(
    browser: Any, world: World
) -> None:
    with Watched(browser, world, java_script_enabled=False).go(
        "/cases/plain/interview"
    ) as watched:
        seen = []
        for said in ("Yes", "Yes", "I don’t know"):
            seen.append(asked(watched))
            with watched.page.expect_navigation():
                watched.page.get_by_role("button", name=said, exact=True).click()
        assert len({*seen, asked(watched)}) == 4
        told = yaml.safe_load(world.text("plain"))
        room, name = seen[0].split(".")
        assert told[room][name] in (True, "yes")
        watched.go("/cases/plain/money")
        watched.page.get_by_label("Saving per month", exact=True).fill("900")
        watched.page.get_by_label("Running cost", exact=True).fill("100")
        watched.page.get_by_label("Work up front", exact=True).fill("40")
        watched.page.get_by_label("Hourly rate", exact=True).fill("100")
        with watched.page.expect_navigation():
            watched.page.get_by_role("button", name="Compute").click()
        assert "Pays back (break-even) – 5 months" in watched.text("#side")
        assert "economics" not in yaml.safe_load(world.text("plain"))


# The overview ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_all_that_decides_is_on_one_screen_and_leads_to_the_next_thing_to_do(
    browser: Any, world: World
) -> None:
    bottom = "(at) => document.querySelector(at).getBoundingClientRect().bottom"
    with Watched(browser, world, width=1440).go("/cases/task-api") as watched:
        page = watched.page
        # above what is scrolled to
        assert page.evaluate(bottom, ".overview .against") <= 800
        page.set_viewport_size({"width": PHONE, "height": 844})
        assert page.evaluate(bottom, ".strip .choose") <= 844
        for name, at in (
            ("Saving per month", "**/interview?ask=*"),
            ("State it", "**/interview?ask=*"),
            ("See all: one contradiction", "**/answers#fit-title"),
            ("Brand voice", "**/answers?factors.brand_voice=no#q-factors.brand_voice"),
        ):
            page.get_by_role("link", name=name).first.click()
            page.wait_for_url(at)
            watched.go("/cases/task-api")
        page.get_by_role("link", name="Sign…").click()
        page.wait_for_url("**/sign")
        assert "$4,125–$7,825, 41–78 hours" in watched.text(".sheet")
        page.get_by_label("Owner").fill("Ada")
        page.get_by_label("Looked at again on").fill("2027-02-01")
        page.get_by_label("today, as").fill("Grace")
        page.get_by_role("checkbox").check()
        with page.expect_navigation():
            page.get_by_role("button", name="Sign", exact=True).click()
        signed = "Pilot it, signed by Grace on 24 Nov 2026. It holds. Its review is on 1 Feb 2027."
        assert signed in watched.text(".signed")
        watched.go("/").go(
            "/cases/task-api#%"
        )  # a broken link leads nowhere, and breaks nothing
        watched.go("/").go("/cases/task-api#q-factors.brand_voice")
        page.wait_for_url("**/answers#q-factors.brand_voice")


# Answers and money -----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_toggle_shows_what_it_would_move_and_moves_it_once_it_is_saved(
    browser: Any, world: World
) -> None:
    with Watched(browser, world).go("/cases/toggles/answers") as watched:
        before = [watched.text(f"#side section:has(#{part}-title)") for part in
                  ("fit", "change")]  # fmt: skip
        headline = watched.text("h1")
        page = watched.page
        for name, state in (("factors.cost_optimization", "yes"), ("factors.low_volume", "yes"),
                            ("ceiling.few_shot", "no")):  # fmt: skip
            watched.try_answer(name, state)
        watched.until("#what-if h2", "few-shot examples: no")
        assert "few-shot examples: no" in watched.text("#what-if h2")
        assert watched.text("h1") == headline
        assert world.text("toggles") == OPEN
        after = [watched.text(f"#side section:has(#{part}-title)") for part in
                 ("fit", "change")]  # fmt: skip
        assert headline.startswith("Can't say yet.")
        assert all(was != now for was, now in zip(before, after, strict=True))
        assert "To settle it" in after[0]
        page.reload()
        assert page.is_checked("input[name='ceiling.few_shot'][value=no]")
        page.get_by_role("link", name="Discard").click()
        page.wait_for_url("**/toggles/answers")
        assert watched.text("#what-if") == ""
        watched.try_answer("ceiling.few_shot", "no")
        page.get_by_role("button", name="Save", exact=True).click()
        watched.until(".verdict-line", "Saved.")
        assert yaml.safe_load(world.text("toggles"))["ceiling"] == {"few_shot": False}
        page.get_by_role("button", name="Undo").click()
        page.wait_for_url("**/toggles/answers")
        assert watched.text("h1") == headline
        assert world.text("toggles") == OPEN


@pytest.mark.slow
def test_a_note_is_kept_and_what_is_tried_stays_as_it_is(
    browser: Any, world: World
) -> None:
    with Watched(browser, world).go("/cases/notes/answers") as watched:
        page = watched.page
        page.get_by_label("Your name").fill("Ada <b>")
        with page.expect_navigation():
            page.get_by_role("button", name="Remember it").click()
        watched.try_answer("ceiling.few_shot", "no")
        asked = page.locator("[id='q-factors.brand_voice']")
        asked.locator("summary").click()
        asked.get_by_label("Note").fill("<img src=x onerror=alert(1)>")
        asked.get_by_role("button", name="Save the note").click()
        watched.until(
            "[id='noted-factors.brand_voice']", "onerror=alert(1)> (Ada <b>, 24 Nov"
        )
        assert page.is_checked("input[name='ceiling.few_shot'][value=no]")
        page.get_by_role("button", name="Save", exact=True).click()
        watched.until("#what-if", "Saved.")
        # a second one, after the answer
        asked = page.locator("[id='q-factors.low_volume']")
        asked.locator("summary").click()
        asked.get_by_label("Note").fill("counted")
        asked.get_by_role("button", name="Save the note").click()
        watched.until("[id='noted-factors.low_volume']", "counted (Ada <b>, 24 Nov")
        told = yaml.safe_load(world.text("notes"))
        assert told["ceiling"] == {"few_shot": False}
        assert told["factors"]["brand_voice"]["note"].endswith("(Ada <b>, 24 Nov 2026)")


@pytest.mark.slow
def test_a_lever_on_a_telephone_keeps_its_result_in_view_and_no_box_cuts_a_range(
    browser: Any, world: World
) -> None:
    wide = {"economics.upfront.hours": "90 to 120 to 150",
            "economics.monthly.ongoing_usd": "100000 to 250000 to 400000"}  # fmt: skip
    path = f"/cases/energy-supplier/money?{urlencode(wide)}"
    for width in (PHONE, 1024, 1440):
        with Watched(browser, world, width=width).go(path) as watched:
            page = watched.page
            assert not watched.ask("[...document.querySelectorAll('.amount input')]"
                                   ".some(one => one.scrollWidth > one.clientWidth)")  # fmt: skip
            units = watched.ask("[...document.querySelectorAll('.amount .small')]"
                                ".map(one => one.getClientRects().length)")  # fmt: skip
            assert set(units) == {1}
            lever = page.get_by_label("Requests a month, as a lever")
            lever.scroll_into_view_if_needed()
            lever.focus()
            page.keyboard.press("End")
            watched.until("#what-if h2", "Not saved yet")
            box = watched.ask(
                "document.querySelector('#what-if').getBoundingClientRect().toJSON()"
            )
            assert 0 <= box["top"] < box["bottom"] <= 900
    with Watched(browser, world).go("/cases/broadband-helpdesk/money") as watched:
        assert "measured: 38,000 (36,100–40,000) requests a month" in watched.text(
            ".levers"
        )


@pytest.mark.slow
def test_a_lever_shows_what_it_does_and_writes_when_told_to(
    browser: Any, world: World
) -> None:
    with Watched(browser, world).go("/cases/task-api/money") as watched:
        page, before = watched.page, world.text("task-api")
        lever = page.get_by_label("Saving per month, as a lever")
        lever.focus()
        page.keyboard.press("Home")
        watched.until(
            "#worked h2", "with these numbers"
        )  # else the next amount takes its place
        assert "never" in watched.text("#side")
        page.get_by_label("Saving per month", exact=True).fill("3000")
        watched.until("#side", " 2 months")
        assert lever.input_value() == "3000"
        assert "4 months" in watched.text("#side")
        assert "with these numbers" in watched.text("#worked h2")
        assert world.text("task-api") == before
        page.reload()
        watched.until("#side", " 2 months")
        page.get_by_role("button", name="Save", exact=True).click()
        page.wait_for_url("**/money")
        assert " 2 months" in watched.text("#worked")
        was, now = yaml.safe_load(before), yaml.safe_load(world.text("task-api"))
        assert now["economics"]["monthly"].pop("api_savings_usd") == 3000
        assert was["economics"]["monthly"].pop("api_savings_usd") == 1500
        assert now == was


@pytest.mark.slow
def test_a_server_that_is_gone_is_said_on_the_page(browser: Any, world: World) -> None:
    watched = Watched(browser, world).go("/cases/toggles/answers")
    watched.context.set_offline(True)
    watched.page.check("input[name='signals.latency'][value=yes]", force=True)
    watched.until("#notice", "The server doesn’t answer")
    watched.context.close()


# The lab and labels ----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_lab_is_quoted_and_its_command_is_copied(browser: Any, world: World) -> None:
    rights = ["clipboard-read", "clipboard-write"]
    with Watched(browser, world, permissions=rights).go(
        "/cases/library/lab"
    ) as watched:
        watched.page.get_by_role("button", name="Copy the command").click()
        watched.until("[data-copied]", "The command is copied.")
        copied = watched.ask("navigator.clipboard.readText()")
        assert copied.startswith("tuneworthy ceiling library --budget ")
        assert copied in watched.text("main")


@pytest.mark.slow
def test_labels_are_given_by_the_keyboard_and_hostile_texts_stay_texts(
    browser: Any, world: World
) -> None:
    with Watched(browser, world).go("/cases/blank/label") as watched:
        page = watched.page
        page.get_by_label("Your name").fill("ada")
        page.keyboard.press("Enter")
        for number in range(len(hostile.PAYLOADS[:4])):
            watched.until("main", f"Number {number + 1} of 4")
            page.keyboard.type(f"<b>answer {number}</b>")
            page.keyboard.press("Control+Enter")
        watched.until("main", "All are labelled")
        assert watched.ask("window.hit") is None
        kept = list((world.folder / "blank/.tuneworthy/labels").glob("*"))
        assert kept[0].read_text("utf-8").count("<b>answer ") == 4


# Files -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("scripts", [True, False])
def test_files_are_chosen_added_and_told(
    browser: Any, world: World, scripts: bool
) -> None:
    name = f"v{int(scripts)}.md"
    prompt = {
        "name": name,
        "mimeType": "text/plain",
        "buffer": f"{name}: {{{{ input }}}}".encode(),
    }
    with Watched(browser, world, java_script_enabled=scripts).go(
        "/cases/plain/files"
    ) as watched:
        if not scripts:  # else it is recognised
            watched.page.get_by_text("Say what they are").click()
            watched.page.check("input[value=prompts]")
        watched.page.set_input_files("#files", [prompt])
        watched.page.get_by_role("button", name="Add", exact=True).click()
        watched.page.wait_for_selector("#added-title")
        assert watched.text("#added-title") == (
            "Added as prompts" if scripts else "Added"
        )
        assert f"prompts/{name}" in watched.text("main")
        assert (world.folder / "plain" / "prompts" / name).is_file()


# What may never happen -------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("tab", [*TABS, "/interview?ask=factors.brand_voice"])
def test_a_hostile_case_is_shown_and_does_nothing(
    browser: Any, world: World, tab: str
) -> None:
    with Watched(browser, world).go(f"/cases/evil{tab}") as watched:
        watched.unfold()
        for target in watched.page.query_selector_all("main summary, main td, main li")[
            :150
        ]:
            target.dispatch_event("mouseover")
        watched.page.wait_for_timeout(50)
        assert watched.ask("window.hit") is None
        assert watched.page.url.startswith(world.home)
        assert watched.ask("getComputedStyle(document.body).display") == "block"
        refused = (
            "iframe, object, embed, base, img:not(.still), image, foreignObject, style"
        )
        assert watched.ask(f"document.querySelectorAll('{refused}').length") == 0
        assert watched.ask("document.documentElement.scrollWidth") <= 1100


@pytest.mark.slow
def test_the_watch_sees_what_the_policy_refuses(browser: Any, world: World) -> None:
    watched = Watched(browser, world).go("/")
    watched.ask("const s = document.createElement('script'); s.textContent = 'window.hit = 1';"
                "document.body.append(s)")  # fmt: skip
    watched.ask("fetch('https://evil.test/').catch(() => 0)")
    assert watched.ask("window.hit") is None
    assert len(watched.complaints) >= 2
    watched.context.close()


def pages() -> list[str]:
    """Addresses of every kind of page, with everything on them."""
    found = [
        "/",
        "/new",
        "/?find=nothing-like-it",
        "/?budget=2000&sort=stake",
        "/?answer=no",
        *(f"/cases/task-api{tab}" for tab in TABS),
    ]
    found += [f"/cases/open-one/interview?ask={name}" for name in ASKED]
    found += [
        "/cases/energy-supplier/evidence",
        "/cases/open-one/money",
        "/cases/open-one",
        "/cases/open-one/answers",
    ]
    moved = {
        "economics.monthly.api_savings_usd": "600 to 900",
        "economics.hourly_rate_usd": "70",
    }
    found += [f"/cases/task-api/money?{urlencode(moved)}", "/cases/library/lab"]
    found += [
        "/cases/ran/runs",
        "/cases/ran/runs/LAST",
        "/cases/ran/runs/LAST/cases?show=wrong",
    ]
    found += [
        "/cases/ran/runs/LAST/cases?case=eval.jsonl+2",
        "/cases/library/lab?kind=pilot",
    ]
    found += [
        "/cases/blank/label/next?kind=answer&labeller=eve",
        "/cases/library/label/agreement",
    ]
    found += [
        "/login",
        "/cases/task-api/sign",
        "/cases/open-one/sign",
        "/cases/task-api/answers?factors.low_volume=yes",
        "/cases/library/lab/offer?kind=ceiling",
        "/cases/library/lab?kind=verify",
        "/cases/library/lab?kind=retrieve",
        "/cases/task-api/report/view",
    ]
    return found + REFUSED


REFUSED = [
    "/nothing-like-it",
    "/cases/nothing-like-it",
    "/cases/broken",
]
"""Addresses that are answered with an error, which is a page too."""
NO_PAGES = {
    "/cases/{name}/charts/{chart}",
    "/cases/{name}/find",
    "/cases/{name}/money/if/{code}/charts/{chart}",
    "/cases/{name}/report/{form}",
    "/cases/{name}/runs/{run}/charts/{chart}",
}
"""Routes that answer with data, or with a file to take away."""


def test_every_route_that_shows_a_page_is_audited(tmp_path: Path) -> None:
    audited = [path.partition("?")[0] for path in pages()]
    routes = [
        route
        for route in all_routes(a_client(a_site(tmp_path)))
        if "GET" in (route.methods or ()) and "/static/" not in route.path
    ]
    assert len(routes) > 2 * len(NO_PAGES)
    shown = [route for route in routes if route.path not in NO_PAGES]
    left_out = [
        route.path
        for route in shown
        if not any(route.path_regex.fullmatch(path) for path in audited)
    ]
    assert left_out == []


@pytest.mark.slow
@pytest.mark.parametrize("path", pages())
def test_every_page_is_open_to_all_in_both_schemes_and_fits_a_telephone(
    browser: Any, world: World, path: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    (last,) = (world.folder / "ran/.tuneworthy/runs").glob("*.cases.json")
    path = path.replace("LAST", last.name.partition(".")[0])
    with Watched(browser, world, reduced_motion="reduce").go(path) as watched:
        if watched.page.locator("#offer[hx-get]").count():
            watched.page.wait_for_selector("#offer:not([hx-get])")
        watched.unfold()
        serious = []
        for scheme, options in (
            ("light", None),
            ("dark", {"runOnly": ["color-contrast"]}),
        ):
            watched.page.emulate_media(color_scheme=scheme)
            found = Axe().run(watched.page, options=options)
            assert found.response["passes"] != []
            serious += [
                (scheme, one["id"], one["nodes"][0]["html"][:200])
                for one in found.response["violations"]
            ]
        assert serious == [], json.dumps(serious, indent=1)
        if path in REFUSED:
            watched.complaints = [
                line for line in watched.complaints if "a status of 4" not in line
            ]
        paper = watched.ask("getComputedStyle(document.body).backgroundColor")
        assert sum(map(int, re.findall(r"\d+", paper)[:3])) < 150
        moving = watched.ask(
            "[...document.querySelectorAll('*')].filter(one => { const s = getComputedStyle(one);"
            "return s.animationName !== 'none' || parseFloat(s.transitionDuration) > 0; }).length"
        )
        assert moving == 0
        watched.page.set_viewport_size({"width": PHONE, "height": 800})
        assert watched.ask("document.documentElement.scrollWidth") <= PHONE


@pytest.mark.slow
@pytest.mark.parametrize("width", [PHONE, 720, 860, 1000, 1280])
def test_a_list_has_room_for_names_at_every_width(
    browser: Any, world: World, width: int
) -> None:
    with Watched(browser, world, width=width).go("/?budget=2000") as watched:
        at = "[...document.querySelectorAll('{}')].map(one => one.getBoundingClientRect().width)"
        names = watched.ask(at.format(".case-row .name"))
        assert len(names) > 3
        assert min(names) >= 120
        (table,) = watched.ask(at.format(".cases"))
        (main,) = watched.ask(at.format("#cases"))
        assert abs(main - table) < 1
        rows = watched.ask(at.format(".cases tbody tr"))
        assert max(rows) - min(rows) < 1, "no row has columns that others lack"


@pytest.mark.slow
def test_the_keyboard_alone_reaches_everything_and_is_never_trapped(
    browser: Any, world: World
) -> None:
    here = "document.activeElement"
    for path in (
        "/cases/keys",
        "/cases/keys/answers",
        "/cases/keys/money",
        "/cases/keys/interview",
    ):
        with Watched(browser, world).go(path) as watched:
            watched.page.keyboard.press("Tab")
            assert watched.ask(f"{here}.className") == "skip"
            assert watched.ask(f"{here}.getBoundingClientRect().left") >= 0
            seen = []
            for _ in range(150):
                watched.page.keyboard.press("Tab")
                if watched.ask(f"{here} === document.body"):
                    break
                shown = watched.ask(
                    f"(one => {{ const at = one.matches('.states input') ? one.nextElementSibling"
                    f" : one; return getComputedStyle(at).outlineStyle }})({here})"
                )
                assert shown == "solid", watched.ask(f"{here}.outerHTML")
                seen.append(watched.ask(f"{here}.name || {here}.textContent.trim()"))
            else:
                pytest.fail(f"the keyboard doesn't leave {path}")
            named = watched.ask(
                "new Set([...document.querySelectorAll('main [name]:not([type=hidden])')]"
                ".filter(one => one.checkVisibility()).map(one => one.name)).size"
            )
            assert len({name for name in seen if name}) > named


@pytest.mark.slow
def test_answers_and_the_interview_are_worked_by_keys_alone(
    browser: Any, world: World
) -> None:
    with Watched(browser, world).go("/cases/keys/answers") as watched:
        page = watched.page
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert watched.ask("document.activeElement.id") == "main"
        page.keyboard.press("Tab")
        name = watched.ask("document.activeElement.name")
        with page.expect_response("**/answers/if"):
            page.keyboard.press("ArrowLeft")
        watched.until("#what-if h2", "Not saved")
        assert watched.ask("document.activeElement.name") == name
        page.get_by_role("button", name="Save", exact=True).focus()
        page.keyboard.press("Enter")
        watched.until("#what-if", "Saved.")
        page.wait_for_function("() => document.activeElement.textContent === 'Saved.'")
        room, key = name.split(".")
        assert yaml.safe_load(world.text("keys"))[room][key] in (False, "no")
        watched.go("/cases/open-one/interview?ask=ceiling.structured_prompt")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert watched.ask("document.activeElement.textContent") == "Yes"
        page.keyboard.press("Enter")
        watched.until("#talk .small", "Question 4")
        watched.page.wait_for_function(
            "() => document.activeElement.id === 'talk-title'"
        )
        page.keyboard.press("Tab")
        assert watched.ask("document.activeElement.closest('#talk') !== null")
