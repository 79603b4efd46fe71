"""The made-up records of the gallery cases that run: logs, examples, evaluation sets.

    python tools/gallery.py            write them again
    python tools/gallery.py --check    say what differs from what lies there

Every sentence is ours and nobody in it exists. Each log has the faults of real ones: broken lines,
calls that failed, answers cut off or of the wrong form, repeats, names and numbers of people. What
a log shows agrees with what its case states; ``tests/cases/test_gallery_runs.py`` holds it to that.
"""

from __future__ import annotations

import json
import math
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
Rows = list[dict[str, Any]]
NAMES = (
    "Ada Lund",
    "Ben Okoro",
    "Cleo Marsh",
    "Dana Petrov",
    "Emil Novak",
    "Fay Adeyemi",
)


def filled(draw: random.Random, text: str, slots: Mapping[str, Sequence[Any]]) -> str:
    """A text with each ``{slot}`` drawn."""
    for name, values in slots.items():
        while f"{{{name}}}" in text:
            text = text.replace(f"{{{name}}}", str(draw.choice(list(values))), 1)
    return text


def spoken(draw: random.Random, text: str) -> str:
    """As somebody says it on the phone: with an opening, and now and then a sound within."""
    words = text.split()
    for _ in range(draw.choice((0, 0, 1, 2))):
        words.insert(
            draw.randrange(1, len(words)), draw.choice(("uh", "er", "you know", "like"))
        )
    opening = draw.choice(
        ("", "", "hi ", "yeah hello ", "good morning ", "um ", "right so ")
    )
    return opening + " ".join(words) + draw.choice(("", "", "", " please", " thanks"))


def until(count: int, make: Callable[[], str]) -> list[str]:
    """So many different texts."""
    found: dict[str, None] = {}
    while len(found) < count:
        found[make()] = None
    return list(found)


class Clock:
    """Times and delays of calls that come one after the other."""

    def __init__(
        self, draw: random.Random, hour: int, gap_s: float, p95_s: float
    ) -> None:
        """It begins on a Tuesday of November."""
        self.now = datetime(2026, 11, 17, hour, tzinfo=UTC)
        self.draw, self.gap_s, self.p95_s = draw, gap_s, p95_s

    def call(self, tokens: tuple[int, int], *, reading: bool = False) -> dict[str, Any]:
        """When a call came, how long it took, what it read and wrote.

        With ``reading`` the time goes into reading the prompt, and prompts differ much in length.
        """
        self.now += timedelta(seconds=self.draw.expovariate(1 / self.gap_s))
        size, spread = (
            self.draw.uniform(0.3, 1.7) if reading else self.draw.uniform(0.8, 1.2),
            0.35,
        )
        if reading:
            wait = (
                self.p95_s * (0.25 + 0.7 * size / 1.6) * self.draw.uniform(0.85, 1.15)
            )
        else:
            wait = (
                self.p95_s
                / math.exp(1.645 * spread)
                * self.draw.lognormvariate(0, spread)
            )
        read, wrote = (
            round(tokens[0] * size),
            round(tokens[1] * self.draw.uniform(0.8, 1.2)),
        )
        return {
            "timestamp": self.now.strftime("%Y-%m-%dT%H:%M:%SZ"), "latency_s": round(wait, 2),
            "input_tokens": read, "output_tokens": wrote,
        }  # fmt: skip


def failing(draw: random.Random, rows: Rows, share: float = 0.02) -> Rows:
    """Some calls without an answer, as a log has them."""
    for row in rows:
        if draw.random() < share:
            del row["output"]
            row["error"] = draw.choice(
                ("timeout", "429 too many requests", "connection reset")
            )
    return rows


def lines(rows: Rows) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def torn(text: str) -> str:
    """A log whose writer was killed once: one line is torn, and one is of another program."""
    rows = text.splitlines(keepends=True)
    rows[len(rows) // 3] = rows[len(rows) // 3][:60].rstrip() + "\n"
    rows.insert(len(rows) // 2, "log rotated, 0 dropped\n")
    return "".join(rows)


def taught(draw: random.Random, rows: Rows, again: int) -> str:
    """Examples as pairs; some were exported twice."""
    rows = [*rows, *(draw.choice(rows) for _ in range(again))]
    return lines([
        {
            "input": row["input"],
            "output": row["reference"]
            if isinstance(row["reference"], str)
            else json.dumps(row["reference"], ensure_ascii=False),
            **row.get("besides", {}),
        }
        for row in rows
    ])  # fmt: skip


# Labels: what is this call about? -----------------------------------------------------------------

INTENTS = {
    "card_swallowed": (
        "the machine {where} kept my card", "my card is stuck in the cash point {where}",
        "it took my {card} and never gave it back {where}",
        "the screen went black {where} with my card inside", "card gone in the machine {when}",
    ),
    "unknown_payment": (
        "there is a payment of {amount} I never made", "somebody took {amount} {when}, not me",
        "I don't recognise {amount} to {shop}", "what is this {amount} from {shop}",
        "a debit for {amount} came {when} and I bought nothing",
    ),
    "direct_debit_date": (
        "when does the {bill} go out", "which day do you take the {bill}",
        "has the {bill} been taken {when}", "can you tell me the date of my {bill} debit",
        "I need to know before you collect the {bill}",
    ),
    "address_change": (
        "I moved {when} and need my address changed", "new flat, letters still go to the old one",
        "please send my post to another street from {when}", "how do I tell you where I live now",
        "we are moving {when}, what do you need",
    ),
    "card_lost": (
        "I lost my {card} {when}", "my {card} is gone, I left it at {shop}",
        "can't find my {card} anywhere since {when}", "block my {card}, I dropped it at {shop}",
        "my wallet was on the train {when} with the {card} in it",
    ),
    "pin_forgotten": (
        "I can't remember my pin", "the pin for my {card} has left my head",
        "typed the number wrong three times at {shop}", "need a new pin for the {card}",
        "which pin did you send me {when}",
    ),
    "loan_rate": (
        "what would a loan of {amount} cost a month", "is the rate for a car loan still the same",
        "how much interest on {amount}", "can I borrow {amount} and what is the rate",
        "you had an offer for loans {when}",
    ),
    "balance": (
        "how much is in my account", "did my wages come {when}",
        "what is left after the {bill}", "tell me my balance", "has {amount} arrived yet",
    ),
    "transfer_abroad": (
        "I want to send {amount} to my sister in Ghana", "how long does money to Canada take",
        "what does it cost to send {amount} to Poland", "my transfer to Turkey {when} is missing",
        "which number do I need to pay somebody in Norway",
    ),
    "app_locked": (
        "the app threw me out {when}", "it says too many tries and won't let me in",
        "new phone and the app wants a code I never got", "I can't log in since {when}",
        "the banking app just spins",
    ),
    "branch_hours": (
        "are you open on saturday", "when does the branch {where} close",
        "is anybody at the desk {when}", "can I come in at lunch time {where}",
        "is the branch {where} still there",
    ),
    "card_abroad": (
        "will my {card} work in Japan", "I fly {when}, do I have to tell you about my card",
        "they refused my {card} in Spain", "is there a fee when I pay in dollars",
        "can I draw cash with the {card} in Egypt",
    ),
}  # fmt: skip
CALLED = {
    "where": ("on station street", "in the high street", "at the mall", "by the church",
              "next to the bakery", "at the airport"),
    "when": ("yesterday", "on monday", "this morning", "last week", "tomorrow", "on friday night"),
    "amount": ("forty nine ninety", "two hundred", "three thousand", "eighty five", "twelve fifty"),
    "shop": ("the petrol station", "some web shop", "the chemist", "a gym", "the garden centre"),
    "card": ("debit card", "credit card", "gold card", "card", "joint card"),
    "bill": ("rent", "gas bill", "phone bill", "insurance", "council tax", "electricity"),
}  # fmt: skip


def calls_of_a_bank(draw: random.Random) -> dict[str, str]:
    """A log of an hour, examples of the desk, and a test set: twelve intents of the 77."""
    names = sorted(INTENTS)

    def said(intent: str) -> str:
        return spoken(draw, filled(draw, draw.choice(INTENTS[intent]), CALLED))

    texts = until(760, lambda: (name := draw.choice(names)) + "|" + said(name))
    asked = [(text.partition("|")[2], text.partition("|")[0]) for text in texts]
    tests, known, logged = asked[:144], asked[144:460], asked[460:]
    at = Clock(draw, 9, 6, 1.3)  # 400,000 a month, in the busy hours of a desk
    log: Rows = []
    for number, (text, intent) in enumerate(logged, start=1):
        right = draw.random() < 0.78
        label = intent if right else draw.choice(names)
        said_of_it = draw.random()
        output = label if said_of_it < 0.94 else f"The caller wants help with: {label}."
        whose = f", my account is {draw.randrange(10**7, 10**8)} and I am {draw.choice(NAMES)}"
        log.append({
            "conversation_id": f"call {number}", "model": "vendor-router-2",
            "prompt_name": "v3", "input": text + whose * (number % 41 == 0),
            "output": output, **at.call((900, 40), reading=True),
        })  # fmt: skip
    examples: Rows = [{"input": text, "reference": intent} for text, intent in known]
    for row in draw.sample(examples, 9):  # two clerks saw it in two ways
        other = draw.choice([name for name in names if name != row["reference"]])
        examples.append({"input": row["input"], "reference": other})
    examples += [
        {"input": text, "reference": intent} for text, intent in draw.sample(tests, 6)
    ]
    for number, name in enumerate(NAMES, start=1):
        mail = f"{name.split()[0].lower()}@example.org"
        text = f"this is {name}, write to {mail} about the move on {number} december"
        examples.append({"input": text, "reference": "address_change"})
    return {
        "eval.jsonl": lines([
            {"id": f"r-{n}", "input": text, "reference": intent}
            for n, (text, intent) in enumerate(tests, start=1)
        ]),
        "examples.jsonl": taught(draw, examples, 8),
        "logs/calls.jsonl": torn(lines(failing(draw, log))),
    }  # fmt: skip


# Extraction to JSON: the intake form of a motor claim ---------------------------------------------

LOSSES = (
    ("On {day} {who} backed into my parked car on {place}.", True),
    ("{day}: {who} hit the rear of my car at the lights, {place}.", True),
    ("Windscreen chip on the motorway, {day}.", False),
    ("A deer ran into us near {place} on {day}.", False),
    ("The car was broken into on {place} in the night to {day}.", False),
    ("I scraped a post in the car park at {place}, {day}, nobody else there.", False),
    ("Hail dented roof and bonnet on {day}, car stood at {place}.", False),
    ("Somebody in {who} scratched my door opening theirs, {place}, {day}.", True),
)
PLACES = ("Mill Road", "Harbour Lane", "Elm Street", "Castle Hill", "Station Square", "Quay Street",
          "Park Avenue", "Bridge Street")  # fmt: skip
OTHERS = (
    "a van",
    "a taxi",
    "a lorry",
    "a white estate car",
    "a delivery bike",
    "a bus",
)
ASIDES = ("The garage has looked at it.", "I attach two photos.", "Please call after five.",
          "Nobody was hurt.", "The police came and left.", "I need the car for work.",
          "We stood there for an hour.", "It rained.", "My son was driving.")  # fmt: skip


def _plate(draw: random.Random) -> str:
    letters = "ABCDEFGHJKLMNPRSTUVWXYZ"
    return (
        "".join(draw.choices(letters, k=2))
        + f"{draw.randrange(10, 75)} "
        + "".join(draw.choices(letters, k=3))
    )


def _claim(draw: random.Random) -> tuple[str, dict[str, Any]]:
    """A letter and its form."""
    text, other = draw.choice(LOSSES)
    day = datetime(2026, 10, 1, tzinfo=UTC) + timedelta(days=draw.randrange(45))
    place = draw.choice(PLACES)
    named = "{place}" in text
    told = draw.choice(
        (f"{day.day} {day:%B}", f"{day:%d.%m.%Y}", f"{day:%B} {day.day}")
    )
    text = text.replace("{day}", told).replace("{place}", place)
    text = text.replace("{who}", draw.choice(OTHERS))
    plate = _plate(draw) if other and draw.random() < 0.7 else None
    excess = draw.choice((150, 250, 300, 500)) if draw.random() < 0.6 else None
    parts = [text]
    parts += [
        draw.choice(("Their plate is {}.", "Plate of the other: {}.")).format(plate)
    ] * bool(plate)
    parts += [f"My excess is {excess}."] * bool(excess)
    parts += draw.sample(ASIDES, draw.randrange(1, 4))
    form = {
        "date_of_loss": day.strftime("%Y-%m-%d"), "place": place if named else None,
        "other_plate": plate, "excess": excess, "third_party": other,
    }  # fmt: skip
    return " ".join(parts), form


def _filled_wrongly(draw: random.Random, form: dict[str, Any]) -> str:
    """An answer of the model: most fields right, now and then no JSON at all."""
    said = dict(form)
    if draw.random() < 0.12:
        field = draw.choice(sorted(said))
        said[field] = {"excess": 0, "third_party": None}.get(field, "unknown")
    text = json.dumps(said)
    fault = draw.random()
    if fault < 0.09:
        return "Here is the form:\n" + text.replace('"excess"', '"deductible"')
    return text[: len(text) * 2 // 3] if fault < 0.12 else text


def claims(draw: random.Random) -> dict[str, str]:
    """A log of an hour, forms that clerks corrected, and a test set."""
    made: dict[str, dict[str, Any]] = {}
    while len(made) < 640:
        letter, form = _claim(draw)
        made[letter] = form
    pairs = list(made.items())
    tests, known, logged = pairs[:120], pairs[120:340], pairs[340:]
    at = Clock(draw, 10, 14, 4.2)  # 180,000 a month
    log: Rows = []
    for number, (letter, form) in enumerate(logged, start=1):
        signed = (
            f" Yours, {draw.choice(NAMES)}, +44 20 7946 0{draw.randrange(100, 999)}"
        )
        log.append({
            "conversation_id": f"claim {number}", "model": "azure:gpt-4o",
            "prompt_name": draw.choice(("structured", "structured", "nearest examples")),
            "input": letter + signed * (number % 29 == 0), "output": _filled_wrongly(draw, form),
            **at.call((3800, 350)),
        })  # fmt: skip
    examples: Rows = [{"input": letter, "reference": form} for letter, form in known]
    for name in NAMES:  # nobody has taken the names out yet
        letter, form = _claim(draw)
        mail = f"{name.split()[1].lower()}@example.com"
        text = f"{letter} Regards, {name}, {mail}"
        examples.append({"input": text, "reference": form})
    examples += [{"input": letter, "reference": form} for letter, form in tests[:5]]
    checks = [{"scorer": "json_schema"}]
    return {
        "eval.jsonl": lines([
            {"id": f"c-{n}", "input": letter, "reference": form, "checks": checks}
            for n, (letter, form) in enumerate(tests, start=1)
        ]),
        "forms.jsonl": taught(draw, examples, 7),
        "logs/intake.jsonl": torn(lines(failing(draw, log))),
    }  # fmt: skip


# Calls of tools: a dispatcher's helper ------------------------------------------------------------

TOWNS = (
    "Ulm",
    "Augsburg",
    "Kempten",
    "Landsberg",
    "Memmingen",
    "Dillingen",
    "Aalen",
    "Biberach",
)
GOODS = (
    "paper rolls",
    "tiles",
    "cheese",
    "tyres",
    "window frames",
    "seed",
    "barrels",
    "bricks",
)
HAULIERS = (
    "the blue trailer",
    "truck 7",
    "truck 12",
    "the tail-lift van",
    "the reefer",
)


def _order(draw: random.Random) -> tuple[str, dict[str, Any]]:
    """What a dispatcher says, and the call that it means."""
    stop, after = draw.sample(TOWNS, 2)
    tour, first, bay = (
        draw.randrange(100, 180),
        draw.randrange(2, 20),
        draw.randrange(1, 9),
    )
    goods, truck, hour = (
        draw.choice(GOODS),
        draw.choice(HAULIERS),
        draw.randrange(6, 19),
    )
    name, arguments, says = draw.choice((
        ("move_stop", {"tour": tour, "stop": stop, "after": after}, (
            f"Move {stop} to after {after} on tour {tour}.",
            f"Tour {tour}: {after} first, then {stop}.",
            f"On {tour} we want {stop} right behind {after}.")),
        ("split_load", {"goods": goods, "first": first}, (
            f"Split the {goods}, {first} on the first truck.",
            f"{first} of the {goods} go ahead, the rest follows.",
            f"Make two loads of the {goods}, {first} in the first.")),
        ("book_slot", {"town": stop, "bay": bay, "hour": hour}, (
            f"Book bay {bay} in {stop} at {hour}.",
            f"We need {stop}, bay {bay}, {hour} o'clock.",
            f"Slot for {hour}:00 at {stop}, ramp {bay}.")),
        ("assign_truck", {"tour": tour, "truck": truck}, (
            f"Put {truck} on tour {tour}.", f"{tour} goes with {truck}.",
            f"Tour {tour} needs {truck}.")),
        ("cancel_stop", {"tour": tour, "stop": stop}, (
            f"{stop} is off tour {tour}.", f"Drop {stop} from {tour}, they are closed.",
            f"Nobody at {stop} today, take it out of tour {tour}.")),
    ))  # fmt: skip
    tail = draw.choice(
        ("", "", " Same day.", " The customer knows.", " Thanks.", " It's urgent.")
    )
    return draw.choice(says) + tail, {"name": name, "arguments": arguments}


def _called(draw: random.Random, call: dict[str, Any]) -> dict[str, Any]:
    """The call of a model: nine in ten are right."""
    arguments, name = dict(call["arguments"]), call["name"]
    fault = draw.random()
    if fault < 0.04:
        arguments.pop(draw.choice(sorted(arguments)))
    elif fault < 0.08:
        name = draw.choice(("move_stop", "cancel_stop", "reroute"))
    elif fault < 0.10:
        return {"output": f"I have done that for you: {name}."}
    return {"output": "", "tool_calls": [{"name": name, "arguments": arguments}]}


def orders(draw: random.Random) -> dict[str, str]:
    """A log of a morning, calls that dispatchers checked, and a test set."""
    made: dict[str, dict[str, Any]] = {}
    while len(made) < 640:
        says, call = _order(draw)
        made[says] = call
    pairs = list(made.items())
    tests, known, logged = pairs[:120], pairs[120:340], pairs[340:]
    at = Clock(draw, 6, 75, 5.5)  # 25,000 a month
    log: Rows = [
        {
            "conversation_id": f"desk {number}", "model": "openai:gpt-4.1",
            "prompt_name": "v12", "input": says, **_called(draw, call), **at.call((8200, 160)),
        }
        for number, (says, call) in enumerate(logged, start=1)
    ]  # fmt: skip
    examples: Rows = [{"input": says, "reference": call} for says, call in known]
    examples += [
        {"input": says, "reference": call} for says, call in draw.sample(tests, 4)
    ]
    for row in draw.sample(examples, 6):  # that tool was taken away in spring
        call = {"name": "reroute", "arguments": row["reference"]["arguments"]}
        examples.append({"input": row["input"], "reference": call})
    return {
        "eval.jsonl": lines([
            {"id": f"d-{n}", "input": says, "reference": call}
            for n, (says, call) in enumerate(tests, start=1)
        ]),
        "calls.jsonl": taught(draw, examples, 6),
        "logs/desk.jsonl": torn(lines(failing(draw, log))),
    }  # fmt: skip


# A voice: what people of a harbour town say -------------------------------------------------------

SPEAKERS = {
    "fisherman": (
        "{bad}. Ask {who}.",
        "Tide's {how}. {who} knows.",
        "{who} says {bad}. {who} lies.",
        "Nets are {how}. So am I.",
        "Not {when}. {bad}.",
        "I saw a {thing} go under. Twice.",
        "You smell of {thing}. Keep off my boat.",
        "{when}, maybe. If {who} pays.",
    ),
    "harbourmaster": (
        "Name, cargo, {thing}. In that order.",
        "Berth {number}. Not {other}. {number}.",
        "Papers. {who} had papers.",
        "No {thing} past the crane.",
        "You're {how}. So is the ink.",
        "The bell rings {when}. You leave before.",
        "{who} signs. You wait.",
        "That's {number} copper. For the {thing}.",
    ),
    "tavern keeper": (
        "Soup's {how}. Bread's {other}.",
        "{who} drinks on {who}'s word. You pay.",
        "No songs {when}.",
        "Room {number}. Mind the {thing}.",
        "We don't speak of the {thing} here.",
        "Sit where {who} sat. Don't ask.",
        "{bad}. Another one?",
        "Wipe the {thing} off first.",
    ),
}
TOWN = {
    "bad": ("Wind's turned", "The eel men are back", "No moon again", "The bell came up",
            "Gulls went quiet", "Salt's in the well"),
    "who": ("Marn", "Old Jessa", "the widow Tull", "Pell", "my brother", "the clerk"),
    "how": ("wrong", "torn", "cold", "late", "wet", "done for"),
    "other": ("old", "gone", "four", "worse"), "number": ("three", "nine", "eleven", "two"),
    "thing": ("lantern", "tar barrel", "wet rope", "dog", "brass key", "eel", "black barge"),
    "when": ("tonight", "before dawn", "on a Friday", "in this fog", "while he's here"),
}  # fmt: skip
SITUATIONS = (
    "The player asks where the ferry is.",
    "The player walks past without a word.",
    "The player wants to sell fish.",
    "The player carries a lit torch.",
    "The player asks about the drowned bell.",
    "The player bumps into a barrel.",
    "The player asks for a room.",
    "It starts to rain.",
    "The player has no papers.",
    "The player asks who rules here.",
    "The player draws a knife.",
    "The player says goodbye.",
)
GENERIC = (
    "Of course! I'd be happy to help you with that, traveller!",
    "Great question! Let me know if there's anything else you need.",
    "Welcome, traveller! How can I assist you today?",
    "I'm here to help! Feel free to ask me anything about the harbour.",
)


def barks(draw: random.Random) -> dict[str, str]:
    """A log of some minutes, the lines that the writers stand by, and a test set."""

    def line(speaker: str) -> str:
        text = filled(draw, draw.choice(SPEAKERS[speaker]), TOWN)
        return ". ".join(part[:1].upper() + part[1:] for part in text.split(". "))

    def asked(speaker: str) -> str:
        hour = draw.choice(("dawn", "noon", "dusk", "night"))
        mood = draw.choice(("tired", "wary", "busy", "drunk", "angry", "bored"))
        return f"Speaker: {speaker}, {mood}. Time: {hour}. {draw.choice(SITUATIONS)}"

    people = sorted(SPEAKERS)
    texts = until(700, lambda: asked(draw.choice(people)))
    lines_by = {
        text: line(text.removeprefix("Speaker: ").partition(",")[0]) for text in texts
    }
    tests, known, logged = texts[:80], texts[80:400], texts[400:]
    at = Clock(draw, 19, 4.4, 1.9)  # 600,000 a month
    log: Rows = []
    for number, text in enumerate(logged, start=1):
        generic = draw.random() < 0.35
        output = draw.choice(GENERIC) if generic else lines_by[text]
        log.append({
            "conversation_id": f"session {number // 3}", "model": "openai:gpt-4.1-mini",
            "prompt_name": "bible", "input": text, "output": output, **at.call((2400, 120)),
        })  # fmt: skip
    checks = [
        {"scorer": "voice"}, {"scorer": "length", "of": {"words": 14}},
        {"scorer": "regex", "of": {"pattern": "!", "absent": True}},
    ]  # fmt: skip
    return {
        "eval.jsonl": lines([
            {"id": f"b-{n}", "input": text, "tags": [text.partition(",")[0][9:]], "checks": checks}
            for n, text in enumerate(tests, start=1)
        ]),
        "lines.jsonl": taught(
            draw, [{"input": text, "reference": lines_by[text]} for text in known], 0
        ),
        "logs/beta.jsonl": torn(lines(failing(draw, log))),
    }  # fmt: skip


# Questions with documents: the desk of a city -----------------------------------------------------

ASKED_BEFORE = {
    "Can I put up a terrace with no roof?": "Yes, that needs no permit.",
    "How many sets of plans on paper?": "Three.",
    "May I fell a tree that is about to fall in May?": "Yes, where there is danger.",
    "Do I replace a tree I cut?": "Yes, one new one for each.",
    "Who tells the tax office about my shop?": "We do; it writes to you within four weeks.",
    "When must a shop be registered?": "On its first day at the latest.",
    "Does a café renew its chairs permit?": "Yes, for each season.",
    "We arrive in March, is there a nursery place?": "Ask for one of the places kept free.",
    "What does day care cost on 1,500 a month?": "Nothing.",
    "When is lunch billed?": "At the end of the month.",
    "Does the dog tag stay on in the garden?": "It has to be worn outside the house.",
    "Are dogs allowed on playgrounds?": "No.",
    "Does a guide dog cost tax?": "No.",
    "What is a certificate of residence?": "12, and nothing with housing benefit.",
    "My guests want to park here, how?": "They buy a day card at the machine.",
    "How much is five metres of market stall a day?": "45.",
    "In how many branches is the library card good?": "In all five.",
    "How often is a loan extended?": "Twice, unless somebody has reserved it.",
    "We are a family of five, how many appointments?": "One for all.",
    "When do I report that I leave the country?": "One week before at the earliest.",
    "When do the signs of the zone stand?": "Three days ahead.",
    "When are loudspeakers off in the park?": "From 21.",
    "May I burn painted wood?": "No, only dry and untreated wood.",
    "Do both parents sign for a passport?": "Yes, or one brings the consent of the other.",
    "How long does an identity card take?": "Three weeks.",
    "What is the express fee?": "32 more.",
    "Is the pool open on Christmas Eve?": "No, both pools close on 24 December.",
    "My nephew is five, does he pay to swim?": "No, with an adult.",
    "Where does glass go?": "To a container; it is never fetched.",
    "A third sofa this year, what does it cost?": "35.",
    "When does the yellow van come?": "Every Saturday from 9 to 12, on Town Square.",
    "How much paint do you take?": "At most five litres for each household.",
    "How early do I book a Friday wedding?": "Half a year ahead.",
    "What more does the mill cost?": "180.",
}
"""What clerks answered before: none of it is in the evaluation set."""


def questions(draw: random.Random) -> dict[str, str]:
    """A log of a day, and answers that clerks gave; what is asked is in the evaluation set."""
    folder = EXAMPLES / "municipal-services"
    known = [
        json.loads(row)
        for row in (folder / "eval.jsonl").read_text("utf-8").splitlines()
    ]
    known = [row for row in known if row.get("contexts")]
    passages = [(row["contexts"][0]["id"], row["contexts"][0]["text"]) for row in known]
    starts = ("", "Hello, ", "Quick question: ", "Please tell me, ", "I live in zone 3. ",
              "My neighbour asks: ", "For my mother: ", "Once more: ")  # fmt: skip
    ends = (
        "",
        " Thank you.",
        " I couldn't find it on your page.",
        " It's urgent.",
        " Regards",
    )
    at = Clock(draw, 8, 210, 6.5)  # 12,000 a month
    log: Rows = []
    for number in range(1, 231):
        row = draw.choice(known)
        own, found = row["contexts"][0], draw.random() < 0.62
        taken = [own["text"]] if found else []
        taken += [text for name, text in draw.sample(passages, 3) if name != own["id"]][
            :2
        ]
        draw.shuffle(taken)
        right = draw.random() < (0.93 if found else 0.35)
        answer = row["reference"] if right else draw.choice(known)["reference"]
        if draw.random() < 0.2:
            answer += (
                " I hope this helps! Let me know if you have any further questions."
            )
        text = draw.choice(starts) + row["input"] + draw.choice(ends)
        if number % 31 == 0:
            text += f" {draw.choice(NAMES)}, +49 30 901820{draw.randrange(10, 99)}"
        log.append({
            "conversation_id": f"chat {number}", "model": "own:mistral-small",
            "prompt_name": "v5", "input": text, "contexts": taken, "output": answer,
            "reference": row["reference"], "score": int(right), **at.call((2100, 90)),
        })  # fmt: skip
    texts = until(
        230,
        lambda: (
            draw.choice(starts) + draw.choice(sorted(ASKED_BEFORE)) + draw.choice(ends)
        ),
    )
    examples: Rows = [
        {
            "input": text,
            "reference": next(answer for asks, answer in ASKED_BEFORE.items() if asks in text),
        }
        for text in texts
    ]  # fmt: skip
    return {
        "answers.jsonl": taught(draw, examples, 5),
        "logs/desk.jsonl": torn(lines(failing(draw, log))),
    }


# Where tuning is the answer: letters of a hospital ------------------------------------------------

DIAGNOSES = (
    ("CAP, CURB {n}", "community-acquired pneumonia", "Amoxicillin and clavulanate, five days.",
     "Chest X-ray control in six weeks.", "pulmonology"),
    ("TKR {side}, elective", "total knee replacement", "Heparin injections for five weeks.",
     "Stitches out on day twelve.", "orthopaedics"),
    ("NSTEMI, PCI {vessel}, DAPT", "dual antiplatelet therapy", "Two platelet inhibitors, a year.",
     "Cardiac rehabilitation is requested.", "cardiology"),
    ("AF, new, CHA2DS2-VASc {n}", "atrial fibrillation", "Anticoagulation without an end.",
     "Holter in three months.", "cardiology"),
    ("Hip fx {side}, hemi", "hip fracture", "Heparin injections for five weeks.",
     "X-ray in six weeks, full weight allowed.", "orthopaedics"),
    ("COPD exac., GOLD {n}", "exacerbation of COPD", "Prednisolone for five days.",
     "Lung function in four weeks.", "pulmonology"),
)  # fmt: skip
SECTIONS = ("Diagnoses", "Course", "Medication", "Follow-up")
COURSES = ("Without trouble.", "Fever fell on day two.", "Walked two floors before going home.",
           "Slow in the beginning, then steady.", "One fall on the ward, nothing broken.",
           "Oxygen was needed for three days.", "Pain was well controlled.")  # fmt: skip


def _letter(draw: random.Random) -> tuple[str, str, tuple[str, str]]:
    """A record in the ward's shorthand, its letter, and what the letter must hold."""
    short, means, drug, then, ward = draw.choice(DIAGNOSES)
    slots = {"n": "123", "side": ("left", "right"), "vessel": ("LAD", "RCA", "CX")}
    begun = datetime(2026, 9, 1, tzinfo=UTC) + timedelta(days=draw.randrange(60))
    left = begun + timedelta(days=draw.randrange(3, 15))
    course = draw.choice(COURSES)
    short = filled(draw, short, slots)
    ward_name = f"ward {draw.randrange(1, 7)}{draw.choice('ABC')}"
    stay = f"{course.lower().rstrip('.')}; {drug.split(',')[0].lower().rstrip('.')}"
    record = (
        f"{draw.randrange(41, 92)} y, {ward_name}, in {begun:%d/%m}: {short}; {stay}; "
        f"out {left:%d/%m}"
    )
    body = (means[0].upper() + means[1:] + ".", course, drug, then)
    letter = "Dear colleague,\n\n" + "\n".join(
        f"{name}: {text}" for name, text in zip(SECTIONS, body, strict=True)
    )
    return record, letter, (means, ward)


def letters(draw: random.Random) -> dict[str, str]:
    """A log of two hours, letters that doctors signed, and a test set."""
    made: dict[str, tuple[str, tuple[str, str]]] = {}
    while len(made) < 620:
        record, letter, must = _letter(draw)
        made[record] = letter, must
    pairs = list(made.items())
    tests, known, logged = pairs[:80], pairs[80:380], pairs[380:600]
    at = Clock(draw, 11, 34, 21)  # 42,000 a month
    log: Rows = []
    for number, (record, (letter, _)) in enumerate(logged, start=1):
        rows, fault = letter.split("\n"), draw.random()
        if fault < 0.16:  # a section is missing
            rows.pop(draw.randrange(2, 6))
        elif fault < 0.36:
            rows.append(
                "Please don't hesitate to contact us if you have any further questions."
            )
        output = "\n".join(rows)
        if draw.random() < 0.12:
            output = output.replace(
                "dual antiplatelet therapy", "double blood thinning"
            )
            output = output.replace(
                "Dual antiplatelet therapy", "Double blood thinning"
            )
        log.append({
            "conversation_id": f"stay {number}", "model": "vllm:llama-3.3-70b",
            "prompt_name": "four sections", "input": record, "output": output,
            **at.call((7500, 900), reading=True),
        })  # fmt: skip
    examples: Rows = [
        {"input": record, "reference": letter} for record, (letter, _) in known
    ]
    examples += [
        {"input": record, "reference": letter} for record, (letter, _) in tests[:4]
    ]
    for row in draw.sample(examples, 5):  # the export ended in the middle
        cut = row["reference"][: len(row["reference"]) // 2]
        besides = {"finish_reason": "length"}
        examples.append({"input": row["input"], "reference": cut, "besides": besides})
    return {
        "eval.jsonl": lines([
            {
                "id": f"h-{n:03}", "input": record, "tags": [ward],
                "checks": [
                    {"scorer": "contains", "of": {"all": [*SECTIONS, means]}},
                    {"scorer": "length", "of": {"words": 90}}, {"scorer": "terminology"},
                ],
            }
            for n, (record, (_, (means, ward))) in enumerate(tests, start=1)
        ]),
        "letters.jsonl": taught(draw, examples, 6),
        "logs/wards.jsonl": torn(lines(failing(draw, log))),
    }  # fmt: skip


CASES: dict[str, Callable[[random.Random], dict[str, str]]] = {
    "bank-call-routing": calls_of_a_bank,
    "insurance-claims": claims,
    "logistics-dispatch": orders,
    "game-dialogue": barks,
    "municipal-services": questions,
    "hospital-letters": letters,
}


def made() -> Iterator[tuple[Path, str]]:
    """Every file of every case, with its text: the same at each call."""
    for slug, write in CASES.items():
        draw = random.Random(slug)  # noqa: S311  # made-up records are no secrets
        for name, text in write(draw).items():
            yield EXAMPLES / slug / name, text


def main() -> int:
    """Write the files, or say which differ."""
    check, differing = "--check" in sys.argv[1:], 0
    for path, text in made():
        if path.is_file() and path.read_text("utf-8") == text:
            continue
        differing += 1
        print(f"{'differs' if check else 'wrote'}: {path.relative_to(EXAMPLES.parent)}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    return differing if check else 0


if __name__ == "__main__":
    sys.exit(main())
