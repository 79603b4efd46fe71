"""Personal and secret data: published numbers are found, wrong ones not, and nothing is shown."""

from __future__ import annotations

import base64
import importlib
import random
import re
import sys
import time
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plain_engine import batch, measure, table_of
from tuneworthy.measure import personal as measure_personal
from tuneworthy.measure import personal as recogniser
from tuneworthy.measure.signals import personal
from tuneworthy.measure.signals import personal as signal_personal
from tuneworthy.model.base import Unknown
from tuneworthy.model.evidence import Evidence

# Amazon's own example, in two parts so that no scanner stops here
KEY = "AKIA" + "IOSFODNN7EXAMPLE"
JWT = ".".join(
    # The example of RFC 7519, section 3.1, with another signature.
    [
        base64.urlsafe_b64encode(b'{"typ":"JWT",\r\n "alg":"HS256"}').decode(),
        base64.urlsafe_b64encode(b'{"iss":"joe"}').decode().rstrip("="),
        "dBjftJeZ4CVPmB92K27uhbUJU1p1r",
    ]
)

SCANNER = measure_personal.Scanner()


def hits(scanner: measure_personal.Scanner, texts: list[str]) -> dict[str, list[bool]]:
    """Which texts hold each kind."""
    bits = scanner.bits(texts)
    return {
        each.id: (bits >> place & 1 == 1).tolist()
        for place, each in enumerate(measure_personal.KINDS)
    }


# Numbers their issuers or the networks publish as examples.
GOOD: list[tuple[str, str]] = [
    ("card", "4242 4242 4242 4242"),
    ("card", "5555555555554444"),
    ("card", "3782-822463-10005"),
    ("card", "6011111111111117"),
    ("card", "30569309025904"),
    ("card", "3530111333300000"),
    ("iban", "GB82 WEST 1234 5698 7654 32"),
    ("iban", "DE89370400440532013000"),
    ("iban", "fr1420041010050500013m02606"),
    ("iban", "NO93 8601 1117 947"),
    ("us_ssn", "219-09-9999"),
    ("uk_nino", "AB 12 34 56 C"),
    ("de_steuer_id", "Steuer-ID: 86 095 742 719"),
    ("fr_nir", "2 55 08 14 168 025 38"),
    ("es_dni", "12345678Z"),
    ("es_dni", "X-1234567-L"),
    ("it_codice_fiscale", "RSSMRA85T10A562S"),
    ("nl_bsn", "BSN 111222333"),
    ("pl_pesel", "PESEL: 44051401359"),
    ("br_cpf", "529.982.247-25"),
    ("in_aadhaar", "9999 4105 7058"),
    ("in_pan", "PAN: ACUPA7085R"),
    ("in_upi", "ada.lovelace@okhdfcbank"),
    ("national_id", "756.9217.0769.85"),
    ("national_id", "131052-308T"),
    ("national_id", "BOXW310820HNERXN09"),
    ("national_id", "12.531.909-2"),
    ("national_id_said", "personnummer 8112189876"),
    ("national_id_said", "Social insurance number 123-456-782"),
    ("national_id_said", "SIN: 123 456 782"),
    ("national_id_said", "rijksregisternummer 85 07 30 033 28"),
    ("national_id_said", "identity number: 7503305044089"),
    ("national_id_said", "my cpr is 211062-5629 so call me"),
    ("national_id_said", "RRN 971013-9019902"),
    ("national_id_said", "NIF 501964843 de Lisboa"),
    ("national_id_said", "oib 33392005961 je"),
    ("email", "ada.lovelace+notes@mail.uni-jena.de"),
    ("phone", "+49 (0)30 901820"),
    ("phone_us", "(212) 736-5000"),
    ("phone_national", "030 90182011"),
    ("phone_said", "Phone:\n736 5000"),
    ("street", "221B Baker Street"),
    ("street_in_front", "24 rue de la Paix"),
    ("street_in_front", "Via Roma 12"),
    ("street_joined", "Friedrichstraße 43"),
    ("post_box", "P.O. Box 1234"),
    ("ip_address", "193.99.144.80"),
    ("ip_address", "2a02:2e0:3fe:1001:302::"),
    ("aws_key", KEY),
    ("github_token", "ghp_" + "a1B2" * 9),
    ("gitlab_token", "glpat-" + "a1B2" * 5),
    ("model_key", "sk-proj-" + "a1B2" * 9),
    ("slack_token", "xoxb-" + "1234567890-abc"),
    ("stripe_key", "sk_live_" + "a1B2" * 6),
    ("google_key", "AIza" + "a1B2c" * 7),
    ("sendgrid_key", "SG." + "a1" * 11 + "." + "b2c" * 14 + "d"),
    ("package_token", "npm_" + "a1B2" * 9),
    ("cloud_token", "dop_v1_" + "a1" * 32),
    (
        "private_key",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
    ),
    ("jwt", JWT),
    ("url_password", "postgres://app:s3cr3t@db.internal/x"),
    ("bearer", "Authorization: Bearer a1b2c3d4e5f6g7h8i9j0k1"),
    ("assigned_secret", "password=hunter2-Tiger"),
    ("assigned_secret", '"api_key": "a91f-77b2-c3d4"'),
]

# Alike, and nobody's: a wrong check digit, a number never given out, a date, a placeholder.
BAD = [
    "4242 4242 4242 4241",
    "4242424242424242424242",
    "0.4242424242424242",
    "GB82 WEST 1234 5698 7654 33",
    "XX82 WEST 1234 5698 7654 32",
    "078-05-1120",
    "666-09-9999",
    "219-00-9999",
    "QQ 12 34 56 C",
    "PAN: ACUZA7085R",
    "131052-308U",
    "756.9217.0769.86",
    "id number 20261027",
    "sin pagar 123456782",
    "SIN PAGAR 123456782",
    "Order ID no 123456782",
    "tfn 046454286",
    "oib 8112189876",
    "job 971013-9019902",
    "Steuer-ID: 86 095 742 718",
    "86095742719",
    "2 55 08 14 168 025 39",
    "12345678A",
    "RSSMRA85T10A562T",
    "BSN 111222334",
    "111222333",
    "PESEL: 44051401358",
    "PESEL: 44133101353",
    "529.982.247-26",
    "9999 4105 7059",
    "somebody@example.com",
    "@property",
    "2026-11-24 10:00:00",
    "01-02-2023 14:00",
    "order 20240520, 3 items at 12.50",
    "version 1.2.3.44",
    "section 4.2.1.3",
    "192.168.0.17 and 127.0.0.1",
    "a 2 way street",
    "2022 Superior Court",
    "via the API in 2 steps",
    "Spring 2024",
    "password=your_password_1",
    "password: ${DB_PASSWORD}",
    "api_key = settings.api.key1",
    "token: tokenizer",
    "max_tokens: 1234567890",
    "sk-learn-and-other-long-names-of-no-key-at-all",
    "eyJhbGciOiJ4.eyJ9.x",
    "https://host:8080/path@x",
]


@pytest.mark.parametrize("frame", ["{}", "Hello, {}.", "x\n{}\ny", "“{}” é"])
def test_a_published_example_is_found_as_its_kind(frame: str) -> None:
    missed = []
    for kind, text in GOOD:
        framed = frame.format(text)
        kinds = {span.kind for span in measure_personal.spans(framed)}
        if kind not in kinds or hits(SCANNER, [framed, "nothing here"])[kind] != [
            True,
            False,
        ]:
            missed.append((kind, text))
    assert missed == []


def test_what_only_looks_alike_is_left_alone() -> None:
    assert [text for text in BAD if measure_personal.spans(text)] == []
    assert [text for text in BAD if SCANNER.bits([text]).any()] == []


def test_every_kind_has_an_example_and_a_source() -> None:
    assert {kind for kind, _ in GOOD} == {kind.id for kind in measure_personal.KINDS}
    assert all(kind.source for kind in measure_personal.KINDS)
    assert len({kind.id for kind in measure_personal.KINDS}) == len(
        measure_personal.KINDS
    )


CHECKED = [
    ("card", "4539578763621486"),
    ("de_steuer_id", "86095742719"),
    ("fr_nir", "255081416802538"),
    ("nl_bsn", "123456782"),
    ("br_cpf", "11144477735"),
    ("in_aadhaar", "999941057058"),
]


@pytest.mark.parametrize(("name", "number"), CHECKED)
def test_one_wrong_digit_is_noticed(name: str, number: str) -> None:
    # All of these codes notice every single wrong digit; PESEL and the others here do not.
    check = {kind.id: kind.check for kind in measure_personal.KINDS}[name]
    assert check is not None
    assert check(number)
    for place, digit in enumerate(number):
        for other in set("0123456789") - {digit}:
            assert not check(number[:place] + other + number[place + 1 :])


@given(st.text(max_size=40))
def test_a_check_gives_an_answer_for_any_text(text: str) -> None:
    for kind in measure_personal.KINDS:
        if kind.check is not None and text:
            assert kind.check(text) in {True, False}


PIECES = st.sampled_from(
    [text for _, text in GOOD]
    + BAD
    + ["Mr. John Miller", " ", "\n", "call ", "tel: ", "1", "-", "["]
)
MIXED = st.lists(PIECES | st.text(max_size=6), max_size=6).map("".join)


@given(st.lists(MIXED, max_size=4))
def test_what_is_found_in_a_batch_is_what_is_found_in_each_text(
    texts: list[str],
) -> None:
    fast = hits(SCANNER, texts)
    for kind in measure_personal.KINDS:
        # A kind's pattern for all texts must let through everything its exact one proves.
        assert fast[kind.id] == [
            bool(measure_personal.spans(text, [kind])) for text in texts
        ]


@given(MIXED)
def test_spans_stand_in_order_without_overlap(text: str) -> None:
    found = measure_personal.spans(text)
    assert all(0 <= span.start < span.end <= len(text) for span in found)
    assert all(one.end <= two.start for one, two in pairwise(found))


@given(MIXED)
def test_masking_twice_changes_nothing_more(text: str) -> None:
    once = measure_personal.mask(text)
    assert measure_personal.mask(once) == once
    assert measure_personal.spans(once) == ()
    assert recogniser.persons(once) == ()


def test_a_mask_keeps_no_part_of_what_it_hides() -> None:
    for kind, text in GOOD:
        hidden = next(
            span for span in measure_personal.spans(text) if span.kind == kind
        )
        secret = text[hidden.start : hidden.end]
        whole = f"see {text} there"
        shown = measure_personal.mask(whole)
        shown += measure_personal.excerpt(whole, 4, 4 + len(text))
        shown = re.sub(r"\[[a-z_]+\]", "", shown)
        parts = {secret[start : start + 4] for start in range(len(secret) - 3)}
        assert [part for part in parts if part in shown] == [], (kind, text)


def test_a_day_in_a_token_shows_none_of_it() -> None:
    assert (
        measure_personal.mask("key abcdefghijklmnop-2026-11-27-qrstuv") == "key [token]"
    )


def test_a_mask_says_what_was_there_and_not_how_long_it_was() -> None:
    assert measure_personal.mask(
        "write to ada@uni-jena.de or bob.the.builder@mail.uni-jena.de"
    ) == ("write to [email] or [email]")
    assert measure_personal.mask("My name is Ada Lovelace") == "My name is [name]"
    assert measure_personal.mask("order 123456 of today") == "order [number] of today"
    for day in (
        "2026-10-27",
        "27.10.2026",
        "10/27/2026",
        "2026-10-27T12:30:00Z",
        "2026-10-27 12:30",
    ):
        assert measure_personal.mask(f"due {day}, paid") == f"due {day}, paid"
    for hidden in (
        "1984-03-12",
        "4111 2026-10-27 1111",
        "2026-10-27-5551234",
        "2026-10-27 5551234",
    ):
        assert measure_personal.mask(f"of {hidden}.") == "of [number]."
    assert measure_personal.mask("") == ""


@given(st.integers(0, 200), st.integers(1, 30))
def test_an_excerpt_cuts_no_secret_in_two(start: int, around: int) -> None:
    text = f"{'word ' * 10}{KEY} {'word ' * 10}password=hunter2-Tiger {'word ' * 10}"
    shown = measure_personal.excerpt(text, start, start + 5, around=around)
    for secret in (KEY, "hunter2-Tiger"):
        assert not any(secret[at : at + 4] in shown for at in range(len(secret) - 3))
    assert "\n" not in shown


def test_names_are_seen_after_cues_and_in_the_list() -> None:
    def seen(text: str) -> list[str]:
        return [text[name.start : name.end] for name in recogniser.persons(text)]

    assert seen("Please ask Mrs. Labrie about it") == ["Labrie"]
    assert seen("ich heiße Jürgen Müller") == ["Jürgen Müller"]
    assert seen("I met Patricia van den Berg yesterday") == ["Patricia van den Berg"]
    assert seen("Thanks,\nZoltán") == ["Zoltán"]
    assert (
        seen("In May the Grace Hospital in Virginia, IRA 12, asked what an API is")
        == []
    )
    assert seen("") == []


HOSTILE = [
    *(
        "a",
        "1",
        "1 ",
        "a.",
        "a@",
        "1.",
        "Aa ",
        "12 Aa ",
        "call 1",
        "password=",
        "eyJaaaaaaaaa.eyJ",
    ),
    *(
        "-----BEGIN PRIVATE KEY-----",
        "://a:",
        "01 ",
        "+1",
        "rue Aa ",
        "(",
        "my name is ",
        "a-",
    ),
    *(
        "a@a.",
        "a@b.de ",
        "Apt 5 ",
        "Mr Bo ",
        "straße ",
        "best\n",
        "::",
        "GB82 ",
        "bearer a",
        "\u0301",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("unit", HOSTILE)
def test_no_long_run_makes_a_pattern_slow(unit: str) -> None:
    def cpu_s(size: int) -> float:
        text = (unit * (size // len(unit) + 1))[:size]
        before = time.process_time()
        measure_personal.spans(text)
        recogniser.persons(text)
        SCANNER.bits([text])
        return time.process_time() - before

    # A pattern that tries again from every place would take sixteen times as long for four times
    # the text; the seconds allow for a busy machine.
    assert cpu_s(40_000) < 8 * cpu_s(10_000) + 1.0


def ask(rng: random.Random, planted: bool) -> str:
    """A message, by hand and with chance, with or without something personal in it."""
    words = [
        "order",
        "refund",
        "parcel",
        "late",
        "colour",
        "size",
        "shop",
        "return",
        "label",
        "invoice",
        "basket",
        "voucher",
    ]
    text = " ".join(rng.choices(words, k=12))
    digits = "".join(rng.choices("0123456789", k=7))
    things = (
        f"{rng.choice(words)}.{rng.choice(words)}@mail{digits[:2]}.net",
        f"+49 30 {digits}",
        "4242 4242 4242 4242",
        "GB82 WEST 1234 5698 7654 32",
        f"{digits[:2]}1 Willow Lane",
    )
    return (
        f"{text} {rng.choice(things)}"
        if planted
        else f"{text} no. {digits}, {digits[:2]} pcs"
    )


def world(seed: int, share: float, conversations: int = 100) -> dict[str, list[object]]:
    """Conversations of one to six requests; faults come in clusters of seven in ten."""
    rng = random.Random(seed)
    columns: dict[str, list[object]] = {"input": [], "conversation": []}
    for number in range(conversations):
        bad = rng.random() < share / 0.7
        for _ in range(rng.randint(1, 6)):
            columns["input"].append(ask(rng, bad and rng.random() < 0.7))
            columns["conversation"].append(f"c{number}")
    return columns


def fires(seed: int, share: float) -> bool:
    """Whether the whole interval lies above the lesson's limit of one request in a hundred."""
    found = {
        each.id: each
        for each in measure(
            signal_personal.PersonalSignal(), batch(**world(seed, share))
        ).evidence
    }
    low = found["personal_data_share"].low
    assert low is not None
    return low > 0.01


@pytest.mark.slow
def test_clean_worlds_do_not_fire_and_a_fifth_planted_does() -> None:
    seeds = range(20)
    assert sum(fires(seed, 0.0) for seed in seeds) <= 1
    assert sum(fires(seed, 0.2) for seed in seeds) >= 18


def evidence(personal: float, n: int = 100) -> dict[str, Evidence]:
    """Evidence of n conversations of one request each."""
    texts = [
        "Hello. Write to ada@uni-jena.de" if at < personal * n else "Hello. Write soon"
        for at in range(n)
    ]
    return {
        each.id: each
        for each in measure(
            signal_personal.PersonalSignal(), batch(input=texts)
        ).evidence
    }


def test_the_share_is_what_was_seen_and_its_interval_holds_the_errors_of_the_patterns() -> (
    None
):
    found = evidence(personal=0.3)["personal_data_share"]
    assert found.value == 0.3
    assert (found.n, found.clusters, found.sample) == (100, 100, "all")
    # Wilson's interval of 30 in 100 is 0.219 to 0.396 (Newcombe 1998's formula by hand); the
    # errors can only widen it: downward by false alarms, upward by what was missed.
    assert found.low is not None
    assert isinstance(found.high, float)
    assert found.low == pytest.approx((0.219 - 0.0078) / (1 - 0.0078), abs=0.004)
    assert found.high == pytest.approx(0.396 / personal_find(), abs=0.01)
    assert found.details == {"email": 30}
    assert found.examples == ("Hello. Write to [email]",)


def personal_find() -> float:
    """The least share of real ones that the patterns find."""
    return personal.PATTERNS_FIND[0]


def test_a_secret_counts_in_both_shares_and_a_card_only_in_one() -> None:
    texts = [f"use {KEY}"] * 10 + ["card 4242 4242 4242 4242"] * 10 + ["hello"] * 80
    found = {
        each.id: each
        for each in measure(
            signal_personal.PersonalSignal(), batch(input=texts)
        ).evidence
    }
    assert found["personal_data_share"].value == 0.2
    assert found["secret_share"].value == 0.1
    assert KEY not in found["secret_share"].model_dump_json()


def test_a_shared_system_prompt_counts_for_secrets_alone_and_a_filled_in_one_for_all() -> (
    None
):
    shared = "You are the help of ACME. Reach us at help@acme.io"
    one_each = [f"The customer is user{at}@acme.io" for at in range(30)]
    leaky = f"Use the key {KEY} for the shop"
    dated = [f"{shared}. It is day {at}." for at in range(30)]
    both = [f"{shared}. The customer is user{at}@acme.io" for at in range(30)]
    for systems, whole, secret in (
        ([shared] * 30, 0.0, 0.0),
        (one_each, 1.0, 0.0),
        (dated, 0.0, 0.0),
        (both, 1.0, 0.0),
        ([leaky] * 30, 1.0, 1.0),
        ([None] * 30, 0.0, 0.0),
    ):
        rows = batch(input=["hello"] * 30, system=systems)
        found = {
            each.id: each
            for each in measure(signal_personal.PersonalSignal(), rows).evidence
        }
        assert found["personal_data_share"].value == whole
        assert found["secret_share"].value == secret


def test_without_messages_it_is_unknown_and_names_the_field() -> None:
    for each in measure(
        signal_personal.PersonalSignal(), batch(output=["x"] * 30)
    ).evidence:
        assert isinstance(each.value, Unknown)
        assert "input" in each.value.ask


def test_under_twenty_conversations_it_is_unknown() -> None:
    for each in evidence(personal=0.5, n=19).values():
        assert isinstance(each.value, Unknown)
        assert "20" in each.value.ask
    assert evidence(personal=0.5, n=20)["personal_data_share"].is_known


def test_batches_together_say_what_one_batch_says() -> None:
    columns = world(3, 0.2)
    cut = 50
    first = {name: values[:cut] for name, values in columns.items()}
    second = {name: values[cut:] for name, values in columns.items()}
    whole = measure(signal_personal.PersonalSignal(), batch(**columns))
    assert (
        measure(signal_personal.PersonalSignal(), batch(**first), batch(**second))
        == whole
    )


def test_more_system_prompts_than_are_remembered_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    systems = [f"customer user{at}@acme.io" for at in range(40)]
    rows = [
        batch(input=["a"] * 10, system=systems[at : at + 10]) for at in range(0, 40, 10)
    ]
    expected = measure(signal_personal.PersonalSignal(), *rows)
    monkeypatch.setattr(personal, "_MOST_SYSTEMS", 12)
    assert measure(signal_personal.PersonalSignal(), *rows) == expected


def test_rows_are_not_a_number_where_nobody_asked() -> None:
    table = table_of(
        signal_personal.PersonalSignal(), [batch(input=["a@uni-jena.de", None, ""])]
    )
    assert np.isnan(table.numbers["input_kinds"]).tolist() == [False, True, False]
    assert table.numbers["input_kinds"][2] == 0


def test_every_sum_of_kinds_is_a_whole_number_that_a_float_holds() -> None:
    assert personal.ALL_BITS < 2**53


def tool(project: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script that measures accuracy."""
    folder = str(project / "evidence" / "accuracy")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "personal", raising=False)
    return importlib.import_module("personal")


@pytest.mark.slow
def test_the_errors_it_goes_by_are_those_measured(
    project: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tool(project, monkeypatch)
    measured = script.errors(script.records(shared / "real"))
    for name in ("PATTERNS_FIND", "PATTERNS_SPARE"):
        low, high = getattr(personal, name)
        assert low == pytest.approx(measured[name].low, abs=5e-5)
        # the mix of kinds elsewhere is another: they may find all of them
        assert high == 1.0
