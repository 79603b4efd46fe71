"""The catalogue of outside facts: nothing dead is offered, and an old question keeps its answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml
from test_training import folder, plenty

from tuneworthy import Case, decide, load_case, load_framework
from tuneworthy.cli import run
from tuneworthy.errors import FrameworkError, InputError
from tuneworthy.facts import load as facts_load
from tuneworthy.facts import records as facts_records
from tuneworthy.model.base import Range, Unknown
from tuneworthy.model.dossier import InvestmentResult
from tuneworthy.model.ways import WayResult
from tuneworthy.money import tuned as money_tuned
from tuneworthy.money.serving import serving_costs
from tuneworthy.training import bases as training_bases
from tuneworthy.training import export as training_export
from tuneworthy.training import gate as training_gate

TODAY = date(2026, 12, 1)
RELEASE = facts_load.facts_on().dated  # a look-up moves the clock of what ships
SAFE_DAYS = 90
ENDING_MAKERS = frozenset({"openai", "anthropic", "google", "mistral"})
FACTS = facts_load.facts_on(TODAY)
PROJECT = Path(__file__).resolve().parents[2]

# Files that people read or copy from, and what in them may name a model that ends.
READ = ("README.md", "docs/start.md", "docs/guides/*.md", "docs/concepts/*.md")
SHIPPED = (
    "src/tuneworthy/**/*.py",
    "src/tuneworthy/**/*.toml",
    "src/tuneworthy/**/*.html",
)
DATA = (
    "src/tuneworthy/training/targets/*.yaml",
    "src/tuneworthy/framework/catalogue/fields.yaml",
)
TEMPLATES = (
    "src/tuneworthy/report/templates/*.yaml",
    "src/tuneworthy/interview/*.yaml",
)
SHOWN = {  # what runs today in examples/task-api, a case that shows an ending
    "README.md": "now: gpt-4o ",
    "docs/guides/measure.md": r"\(ends 14 Jan|Best so far   prompt|Next best     prompt",
    "src/tuneworthy/answers/tables.toml": r"^openai = \[",  # beginnings of names, no models
}


def ending_names(day: date, within: int) -> set[str]:
    """Names, without their host, of models of makers that end within some days."""
    last = day + timedelta(days=within)
    return {
        name.partition(":")[2]
        for fact in facts_load.facts_on(day).models
        for name in fact.models
        if fact.end is not None
        and fact.end <= last
        and name.partition(":")[0] in ENDING_MAKERS
    }


def named_in(text: str, names: set[str]) -> Iterator[tuple[int, str]]:
    """Lines that name one of some models, by their numbers."""
    longest = sorted(names, key=len, reverse=True)
    pattern = rf"(?<![\w./-])(?:{'|'.join(map(re.escape, longest))})(?![\w-]|\.\d)"
    for number, line in enumerate(text.splitlines(), 1):
        match = re.search(pattern, line)
        if match:
            yield number, line


@pytest.mark.slow
def test_no_page_no_help_no_target_and_no_default_names_a_model_that_ends_soon() -> (
    None
):
    names = ending_names(RELEASE, SAFE_DAYS)
    assert "gpt-4o" in names
    wrong = []
    for pattern in (*READ, *SHIPPED, *DATA, *TEMPLATES):
        for path in sorted(PROJECT.glob(pattern)):
            where = str(path.relative_to(PROJECT))
            agreed = SHOWN.get(where, "$^")
            for number, line in named_in(path.read_text("utf-8"), names):
                if not re.search(agreed, line):
                    wrong.append(f"{where}:{number}: {line.strip()}")
    assert wrong == []


def test_an_example_names_a_model_that_ends_soon_only_to_show_an_ending() -> None:
    last = RELEASE + timedelta(days=SAFE_DAYS)
    for path in sorted(PROJECT.glob("examples/*/case.yaml")):
        case = load_case(path)
        ends = [FACTS.end_of(model.id, model.base_url) for model in case.models]
        if any(
            fact is not None and fact.end is not None and fact.end <= last
            for fact in ends
        ):
            assert "model_in_use_ends" in (path.parent / "expected.yaml").read_text(
                "utf-8"
            ), path


def test_the_law_above_sees_a_model_that_ends() -> None:
    line = "tuneworthy ceiling my-case --judge-model openai:gpt-4o"
    assert [*named_in(line, ending_names(TODAY, SAFE_DAYS))] == [(1, line)]
    assert not [*named_in("openai:gpt-4o-audio-2027 stays", {"gpt-4o"})]


def chosen(name: str, day: date, base: str | None = None) -> training_bases.ChosenBase:
    return training_bases.choose_base(training_export.bases_of(name), base, day)


@pytest.mark.parametrize("days", [0, SAFE_DAYS])
@pytest.mark.parametrize("name", training_export.target_names())
def test_no_target_tunes_a_dead_base_by_itself_today_or_90_days_on(
    name: str, days: int
) -> None:
    day = RELEASE + timedelta(days=days)
    base = chosen(name, day)
    assert bool(base.name) != bool(base.problem)
    if base.problem:
        assert re.search(r"--(to|base) [\w-]", base.problem)
        return
    host = training_export.target(name).offer
    if host is not None and host.host:
        fact = FACTS.model(f"{host.host}:{base.name}")
        gone = None if fact is None else fact.untunable_from
        assert gone is None or gone > day + timedelta(days=SAFE_DAYS)
    assert base.ends


@pytest.mark.parametrize("name", training_export.target_names())
def test_a_base_is_refused_from_the_day_it_is_gone_and_never_before(name: str) -> None:
    bases = training_export.bases_of(name)
    for full in bases.names:
        fact = FACTS.model(full)
        gone = None if fact is None else fact.untunable_from
        if gone is None or bases.service is None or bases.service.kind == "self_hosted":
            continue
        until = bases.service.until
        base = full.partition(":")[2]
        assert chosen(name, gone, base).problem
        before = gone - timedelta(days=1)
        if until is None or until > before:
            assert not chosen(name, before, base).problem


@pytest.mark.slow
def test_a_base_that_is_gone_is_refused_with_live_ones_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = folder(tmp_path, plenty(30))
    training_gate.pass_gates(place)
    asked = ["export", str(place), "--to", "openai-sft", "--base", "gpt-4.1-mini"]
    assert run([*asked, "--as-of", "2027-01-14", "--format", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["folder"] is None
    assert len(re.findall(r"--to [\w-]+", report["problems"][0])) == 3
    assert not (place / "export").exists()


def test_a_base_that_ends_within_half_a_year_is_warned_of_with_the_cost_of_the_move(
    tmp_path: Path,
) -> None:
    place = folder(tmp_path, plenty(30), more="economics: {hourly_rate_usd: 100}\n")
    training_gate.pass_gates(place)
    done = training_export.export(
        place, "openai-sft", base="gpt-4.1-mini", usd_per_mtok=5, as_of=TODAY
    )
    assert done.folder is not None
    assert "44 more days" in done.warning
    assert re.search(r"\$2,0\d\d–\$4,0\d\d: 20–40 hours", done.warning)


def test_every_export_names_an_end_or_says_that_none_is_published() -> None:
    for name in training_export.target_names():
        to = training_export.target(name)
        if to.offer is None or to.offer.kind == "self_hosted":
            assert chosen(name, TODAY).ends.startswith("never"), name
            continue
        for full in to.bases:
            base = full.partition(":")[2]
            ends = chosen(name, TODAY, base).ends
            assert re.search(r"ends on|ended on|no end is published", ends), full


def test_a_base_that_was_taken_out_of_tuning_is_refused_while_it_still_answers() -> (
    None
):
    gone = chosen("together-sft", TODAY, "Qwen/Qwen3-8B")
    assert "takes no new tuning jobs since 29 Jul 2026" in gone.problem
    assert "--base Qwen/Qwen3.5-9B" in gone.problem


def feasible(
    *models: dict[str, object], day: date = TODAY, **tuning: str
) -> tuple[str, str]:
    """The gate of where it would be tuned, of a case that would tune some models."""
    tuned = [{"kind": "tuned", **model} for model in models]
    case = Case.model_validate({"name": "A", "models": tuned, "tuning": tuning})
    gates = decide(case, load_framework("lesson"), as_of=day).verdict.gates
    gate = next(gate for gate in gates if gate.id == "feasibility")
    return gate.state, gate.why


def test_a_case_whose_base_takes_no_more_jobs_has_nothing_to_tune_on() -> None:
    gone: dict[str, object] = {"id": "together:Qwen/Qwen3-8B"}
    state, why = feasible(gone, available="yes")
    assert (state, why) == (
        "no",
        "Qwen/Qwen3-8B takes no new tuning jobs since 29 Jul 2026",
    )
    assert feasible(gone, day=date(2026, 7, 1), available="yes")[0] == "yes"
    # another base, a machine of one's own, and what was tuned before it closed
    assert feasible(gone, {"id": "together:Qwen/Qwen3.5-9B"}, available="yes") == (
        feasible({"id": "together:Qwen/Qwen3.5-9B"}, available="yes")
    )
    assert feasible(gone, service="self_hosted")[0] == "yes"
    assert feasible({**gone, "quality": 0.9}, available="yes")[0] == "yes"
    own = {**gone, "base_url": "https://a.example/v1"}
    assert feasible(own, available="yes")[0] == "yes"


def test_a_base_that_answers_no_longer_by_the_token_may_still_be_tuned() -> None:
    base = chosen("together-sft", TODAY, "google/gemma-4-31B-it")
    assert not base.problem
    assert not base.warning
    assert "No end of models tuned on it is published" in base.ends


# The catalogue itself.


def test_there_are_60_models_and_14_services_with_sources_and_no_day_ahead() -> None:
    every = facts_load.shipped_facts()
    assert len(FACTS.models) >= 60
    assert len(FACTS.services) >= 14
    for fact in every.entries:
        assert fact.sources, fact.entry
        assert fact.dated <= date.today(), fact.entry


def test_the_compiled_catalogue_is_what_the_files_say(project: Path) -> None:
    room = project / "src" / "tuneworthy" / "facts"
    every = facts_records.FactsFile()
    for name in facts_load.FILES:
        text = (room / name).read_text("utf-8")
        every = every.joined(facts_load.read_facts(text, name, FrameworkError))
    shipped = facts_load.shipped_facts()
    assert [fact.model_dump() for fact in every.entries] == [
        fact.model_dump() for fact in shipped.entries
    ], "run: python tools/facts.py"


def test_an_entry_that_is_replaced_names_no_model_that_is_lost() -> None:
    every = facts_load.shipped_facts().models
    replaced = {fact.replaces for fact in every}
    for fact in every:
        if fact.entry in replaced:
            lost = [name for name in fact.models if FACTS.model(name) is None]
            assert not lost, fact.entry


def test_every_base_of_a_service_has_its_facts() -> None:
    for name in training_export.target_names():
        to = training_export.target(name)
        if to.offer is not None and to.offer.kind == "hosted":
            assert [base for base in to.bases if FACTS.model(base) is None] == [], name


def test_what_a_service_keeps_stands_in_the_catalogue_alone() -> None:
    for name in training_export.target_names():
        to = training_export.target(name)
        if to.offer is not None and to.offer.kind == "hosted":
            assert to.keeps is None, name


def test_an_old_question_keeps_its_answer() -> None:
    before = facts_load.facts_on(date(2026, 11, 28))
    assert before.dated < TODAY
    assert before.model("openai:gpt-5.1") is None
    assert FACTS.model("openai:gpt-5.1") is not None
    first = facts_load.facts_on(date(2020, 1, 1))
    assert [fact.entry for fact in first.models] == [
        fact.entry for fact in before.models
    ]


def test_a_tuned_model_a_snapshot_and_an_alias_end_with_their_base() -> None:
    known = FACTS.model("openai:gpt-4o-mini")
    assert known is not None
    for name in (
        "openai:ft:gpt-4o-mini-2024-07-18:org::id",
        "openai:gpt-4o-mini-2024-07-18",
    ):
        assert FACTS.model(name) is known
    assert FACTS.model("openai:gpt-4o", "https://elsewhere.example/v1") is None
    assert FACTS.model("openai:o4-mini-2025-04-16") is FACTS.model("openai:o4-mini")


ENTRY = """
models:
  - entry: ours
    models: [vllm:ours]
    ends: {ends}
    sources: [https://wiki.example.com]
    dated: 2026-11-30
"""


def add_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    home = tmp_path / "config" / "tuneworthy"
    home.mkdir(parents=True)
    (home / "config.yaml").write_text("facts: {path: ours.yaml}\n", "utf-8")
    (home / "ours.yaml").write_text(text, "utf-8")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def test_facts_of_a_user_add_to_the_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_own(tmp_path, monkeypatch, ENTRY.format(ends="2026-12-20"))
    assert run(["models", "--ends", "--as-of", "2026-12-01", "--format", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)["models"]
    assert [model["ends"] for model in listed if model["models"] == ["vllm:ours"]] == [
        "2026-12-20"
    ]


def test_a_wrong_file_of_facts_is_one_line_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_own(tmp_path, monkeypatch, ENTRY.format(ends="soon"))
    assert run(["models", "--ends"]) == 2
    says = capsys.readouterr().err
    assert "ours.yaml:5" in says
    assert says.count("\n") == 1


def test_a_home_of_nobody_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_own(tmp_path, monkeypatch, "")
    config = tmp_path / "config" / "tuneworthy" / "config.yaml"
    config.write_text("facts: {path: ~no-such-user/ours.yaml}\n", "utf-8")
    assert run(["models", "--ends"]) == 2
    says = capsys.readouterr().err
    assert "~no-such-user/ours.yaml: does not exist" in says
    assert says.count("\n") == 1


def test_a_project_adds_no_facts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = folder(tmp_path, plenty(2))
    (place / "tuneworthy.yaml").write_text("facts: {path: ours.yaml}\n", "utf-8")
    assert run(["models", str(place)]) == 2
    assert "your own file" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "why"), [
    ("models: [{entry: a, models: ['x:y'], sources: [http://no], dated: 2026-11-30}]", "address"),
    ("models: [{entry: a, sources: ['https://a'], dated: 2026-11-30}]", "missing"),
    ("models: 3", "list"),
    ("- a", "mapping"),
])  # fmt: skip
def test_what_is_no_file_of_facts_is_refused(text: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        facts_load.read_facts(text, "ours.yaml", InputError)


# The calendar of a folder.


def case_of(place: Path, name: str, model: str, bill: int | None) -> None:
    (place / name).mkdir(parents=True)
    today = f"today: {{usd_per_month: {bill}}}\n" if bill is not None else ""
    text = f"name: {name}\nmodels: [{{id: '{model}'}}]\n{today}"
    (place / name / "case.yaml").write_text(text, "utf-8")


def test_the_calendar_of_a_folder_adds_up_the_bills_that_a_day_hits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, model, bill in (
        ("a", "openai:gpt-4o", 400),
        ("b", "openai:gpt-4.1-mini", 100),
        ("c", "openai:gpt-5.1", None),
        ("d", "vllm:ours", 900),
    ):
        case_of(tmp_path / "cases", name, model, bill)
    (tmp_path / "cases" / "e").mkdir()
    (tmp_path / "cases" / "e" / "case.yaml").write_text("name: [", "utf-8")
    asked = ["models", "--ends", str(tmp_path / "cases"), "--as-of", "2026-12-01"]
    assert run([*asked, "--format", "json"]) == 0
    calendar = json.loads(capsys.readouterr().out)
    hit = [(row["case"], row["ends"], row["bill"]) for row in calendar["models"]]
    assert hit == [
        ("a", "2027-01-14", [400.0] * 3),
        ("b", "2027-01-14", [100.0] * 3),
        ("c", "2027-04-01", None),
    ]
    assert calendar["without"] == ["d"]
    assert len(calendar["problems"]) == 1
    assert run(asked) == 0
    says = " ".join(capsys.readouterr().out.split())
    assert (
        "3 cases of 5 run on a model whose end is known, $500 per month in all" in says
    )
    assert "a and b" in says


# Money follows.

LOW, HIGH = 1e4, 1e9


def parsed_case(text: str) -> Case:
    return Case.model_validate(yaml.load(text, Loader=yaml.BaseLoader))


TOKENS = "input_tokens: 1000, output_tokens: 100"


def inference(requests: float, day: date, tokens: str = TOKENS) -> Range:
    text = (
        "name: Traffic\neconomics:\n  hourly_rate_usd: 100\n"
        f"  traffic: {{requests_per_month: {requests:.0f}, {tokens}}}\n"
        "models: [{id: 'openai:gpt-6-luna'}]\ntuning: {service: hosted}\ngoals: [generation]\n"
    )
    money = decide(parsed_case(text), load_framework("lesson"), as_of=day).investment
    assert isinstance(money, InvestmentResult)
    (item,) = (item for item in money.items if item.what == "inference")
    assert not isinstance(item.usd, Unknown)
    return (
        item.usd if isinstance(item.usd, Range) else Range(low=item.usd, high=item.usd)
    )


def test_serving_a_tuned_model_that_nobody_listed_grows_with_the_traffic() -> None:
    few, many = inference(LOW, TODAY), inference(HIGH, TODAY)
    assert many.low == pytest.approx(few.low * HIGH / LOW)
    assert many.most == pytest.approx(few.most * HIGH / LOW)
    # the lesson's table has 200 to 1,000 at any traffic
    assert few.most < 200 < many.low


def test_without_tokens_the_table_of_the_lesson_holds() -> None:
    table = inference(
        LOW, TODAY, tokens="growth_per_month: 0}\ntoday: {usd_per_month: 5000"
    )
    assert (table.low, table.most) == (200, 1000)


def test_before_services_by_the_token_were_looked_up_an_old_question_has_none() -> None:
    assert not money_tuned.tuned_offers(date(2026, 11, 28))
    assert any(offer.by_token for offer in money_tuned.tuned_offers(TODAY))


def costs(base: str, *, requests: float = LOW, more: str = "") -> dict[str, Range]:
    """Priced items of a case that would tune a base, by what they are for."""
    text = (
        "name: Base\neconomics:\n  hourly_rate_usd: 100\n"
        f"  traffic: {{requests_per_month: {requests:.0f}, {TOKENS}}}\n"
        f"models: [{{id: 'openai:gpt-6-luna'}}, {{id: '{base}', kind: tuned}}]\n"
        f"data: {{examples: 20000}}\ntuning: {{service: hosted}}\ngoals: [generation]\n{more}"
    )
    money = decide(parsed_case(text), load_framework("lesson"), as_of=TODAY).investment
    assert isinstance(money, InvestmentResult)
    known = {}
    for item in money.items:
        if not isinstance(item.usd, Unknown):
            usd = item.usd
            known[item.what] = (
                usd if isinstance(usd, Range) else Range(low=usd, high=usd)
            )
    return known


@pytest.mark.parametrize(("base", "low", "most"), [
    ("fireworks:qwen3-8b", 0.5, 0.5),
    ("fireworks:qwen3-32b", 3, 3),
    ("together:Qwen/Qwen3.5-9B", 0.48, 1.35),
    ("openai:gpt-4.1-mini", 5, 5),
    ("openai:gpt-4.1-2025-04-14", 25, 25),
])  # fmt: skip
def test_training_costs_what_the_service_of_the_base_asks_for_its_size(
    base: str, low: float, most: float
) -> None:
    each = 1000 + 100
    training = costs(base)["training"]
    # of the need of the approach, 1,000 to 10,000 examples, in one to three passes
    assert training.low == pytest.approx(1000 * each * low / 1e6)
    assert training.most == pytest.approx(3 * 10_000 * each * most / 1e6)


def test_the_price_of_a_base_that_no_page_names_is_nobody_s_guess_of_that_base() -> (
    None
):
    for base in ("bedrock:amazon.nova-micro-v1:0", "vertex:gemini-3.5-flash-lite"):
        assert FACTS.training_price(base, "supervised") is None
        assert costs(base)["training"] == costs("acme:unheard-of")["training"]


def test_an_endpoint_that_is_sold_by_the_hour_costs_the_same_at_any_traffic() -> None:
    few = costs("together:Qwen/Qwen3.5-9B", requests=LOW)
    many = costs("together:Qwen/Qwen3.5-9B", requests=LOW * 100)
    assert few["inference"] == many["inference"]
    assert few["inference"].low == pytest.approx(3.99 * 730)
    assert few["of it the endpoint"] == few["inference"]
    assert "endpoint of its own" not in few


def test_a_tuned_model_that_is_sold_by_the_token_needs_no_endpoint() -> None:
    few = costs("openai:gpt-4.1-mini", requests=LOW)
    assert few["inference"].low == pytest.approx(LOW * (1000 * 0.8 + 100 * 3.2) / 1e6)
    assert not {"endpoint of its own", "of it the endpoint"} & few.keys()


BOTH = """
services:
  - entry: acme
    service: Acme
    kind: hosted
    host: acme
    open_to_new: yes
    serves: [{by: hours, usd_per_hour: 2, usd_per_mtok: {input: 1, output: 10}}]
    sources: [https://wiki.example.com]
    dated: 2026-11-30
"""


def test_hours_and_tokens_are_added_where_a_service_sells_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_own(tmp_path, monkeypatch, BOTH)
    tokens = LOW * (1000 * 1 + 100 * 10) / 1e6
    assert costs("acme:base")["inference"].low == pytest.approx(2 * 730 + tokens)


# What a model takes: how long it thinks, and what it reads.


def option(name: str, model: str) -> WayResult:
    case = parsed_case(f"name: One\nmodels: [{{id: '{model}'}}]\ngoals: [generation]\n")
    dossier = decide(case, load_framework("lesson"), as_of=TODAY)
    (way,) = (way for way in dossier.ways if way.id == name)
    return way


def test_longer_thinking_is_no_move_of_a_model_that_takes_no_effort() -> None:
    for model in ("openai:gpt-4o", "openai:gpt-4.1-mini-2025-04-14"):
        way = option("reasoning_effort", model)
        assert way.state == "ruled_out"
        assert "takes no reasoning effort" in way.because
    knows = option("reasoning_effort", "openai:gpt-5.4")
    assert knows.state != "ruled_out"
    assert knows.because.endswith("takes the efforts none, low, medium, high and xhigh")
    assert "takes" not in option("reasoning_effort", "acme:unheard-of").because


def served(model: str, media: str) -> tuple[str, str]:
    """Whether a model may serve requests that hold some media, and why."""
    text = (
        f"name: Pictures\neconomics: {{traffic: {{requests_per_month: 1000, {TOKENS}}}}}\n"
        f"models: [{{id: 'openai:gpt-6-luna'}}, {{id: '{model}'}}]\n"
        f"factors: {{data_sovereignty: no}}\ndata: {{media: {media}}}\n"
    )
    ways = serving_costs(parsed_case(text), {}, "no", TODAY)
    (cost,) = (cost for cost in ways.costs if cost.option.model == model)
    return cost.admissible, "; ".join(cost.reasons)


def test_a_model_that_reads_text_alone_serves_no_request_with_an_image() -> None:
    state, why = served("deepseek:deepseek-v4-flash", "image")
    assert state == "no"
    assert "it reads no image" in why
    state, why = served("openai:gpt-5.4", "image")
    assert "reads" not in why
    state, why = served("openai:gpt-5.4", "[image, audio]")
    assert (state, "it reads no audio" in why) == ("no", True)
    state, why = served("acme:unheard-of", "image")
    assert state == "unknown"


@pytest.mark.parametrize("name", training_export.target_names())
def test_no_target_offers_a_base_that_reads_text_alone_for_requests_with_images(
    name: str,
) -> None:
    bases = training_export.bases_of(name)
    base = training_bases.choose_base(bases, None, TODAY, ("image",))
    if bases.service is None or bases.service.kind == "self_hosted":
        return
    host = bases.service.host
    if base.name:
        fact = FACTS.model(f"{host}:{base.name}")
        assert fact is None or not fact.reads or "image" in fact.reads
    for full in bases.names:
        if not FACTS.unread(full, ("image",)):
            continue
        short = full.partition(":")[2]
        stated = training_bases.choose_base(bases, short, TODAY, ("image",))
        assert stated.problem, full


def test_no_offer_for_trials_and_none_of_a_closed_service_serves_traffic() -> None:
    offers = money_tuned.tuned_offers(TODAY)
    closed = {each.service for each in FACTS.services if each.open_to_new != "yes"}
    assert not closed & {offer.service for offer in offers}
    says = money_tuned.endpoint_text(offers, usd_per_call=0.001)
    assert "serve it by the token" in says
    assert re.search(r"share one at Fireworks AI, which then is \$\d+ each", says)


def test_a_change_of_a_tuned_model_takes_longer_than_one_of_a_prompt() -> None:
    text = "name: Change\neconomics: {hourly_rate_usd: 100}\ntoday: {usd_per_month: 5000}\n"
    money = decide(parsed_case(text), load_framework("lesson"), as_of=TODAY).investment
    assert isinstance(money, InvestmentResult)
    changes = [item for item in money.items if item.when == "each change"]
    assert [item.what for item in changes] == [
        "one change of the prompt", "one change of the tuned model",
    ]  # fmt: skip
    prompt, tuned = (item.usd for item in changes)
    assert isinstance(prompt, Range)
    assert isinstance(tuned, Range)
    assert prompt.most < tuned.low
    assert all("days at 20 hours a week" in item.source for item in changes)


def test_a_bare_name_in_a_log_ends_on_its_makers_day_wherever_entries_stand() -> None:
    """A new entry of a maker once stood behind a reseller's, whose earlier day was taken."""
    known = facts_load.facts_on(None)
    by_maker = {
        name: known.model(name)
        for entry in known.models
        for name in entry.models
        if name.partition(":")[0] in ("openai", "anthropic", "google")
    }
    assert len(by_maker) > 50
    for name, fact in by_maker.items():
        assert fact is not None
        assert facts_load.logged_end(name.partition(":")[2], None) == fact.end
