"""Made-up traces for format, terms, voice and instructions: clean ones with all their quirks, and
the same with faults where a plan says so.

A plan is an array of conversations by turns, true for a fault (``planted.faults`` draws one). Each
world returns the batch and the signal that should look at it. Quirks of clean traces are what a
detector might take for a fault: nulls, empty lists, optional keys of a schema, refusals, right
terms that hold a wrong one, users who say the wrong word, sentences that nearly are generic.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from plain_engine import batch
from tuneworthy.measure.signals import format as signal_format
from tuneworthy.measure.signals.base import TraceSignal as Signal
from tuneworthy.measure.signals.instructions import InstructionsSignal as Instructions
from tuneworthy.measure.signals.terms import TermsSignal as Terms
from tuneworthy.measure.signals.voice import VoiceSignal as Voice
from tuneworthy.model.case import Materials, Term
from tuneworthy.model.case import VoiceSamples as Wanted
from tuneworthy.model.evidence import Batch, ToolCall

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plan = NDArray[np.bool_]

Rng = np.random.Generator
World = Callable[[Rng, "Plan"], tuple[Batch, Signal]]

NOUNS = (
    "order",
    "parcel",
    "invoice",
    "router",
    "booking",
    "door",
    "meter",
    "bike",
    "form",
    "card",
)
VERBS = (
    "arrives",
    "waits",
    "works",
    "opens",
    "closes",
    "stays",
    "moves",
    "counts",
    "starts",
)
PLACES = (
    "by noon",
    "on Monday",
    "at the desk",
    "in your account",
    "next week",
    "near the gate",
)


def one_of(rng: Rng, values: tuple[str, ...]) -> str:
    """A value drawn at even odds."""
    return values[int(rng.integers(len(values)))]


def sentence(rng: Rng) -> str:
    """A short plain sentence."""
    words = f"the {one_of(rng, NOUNS)} {one_of(rng, VERBS)} {one_of(rng, PLACES)}."
    return words[0].upper() + words[1:]


def traces(
    rng: Rng, plan: Plan, output: Callable[[Rng, bool], str | None], **columns: Any
) -> Batch:
    """One trace a cell of the plan; a function among the columns is called for each trace."""
    made: dict[str, list[Any]] = {
        name: [] for name in ("output", "conversation", "turn", *columns)
    }
    for conversation, turns in enumerate(plan.tolist()):
        for turn, wrong in enumerate(turns):
            made["output"].append(output(rng, wrong))
            made["conversation"].append(f"c{conversation}")
            made["turn"].append(turn)
            for name, value in columns.items():
                made[name].append(value(rng, wrong) if callable(value) else value)
    return batch(**made)


def _ticket(rng: Rng) -> dict[str, Any]:
    return {
        "id": f"T{rng.integers(10_000)}",
        "priority": one_of(rng, ("low", "high")),
        "summary": " ".join(sentence(rng) for _ in range(rng.integers(1, 4))),
        "tags": [one_of(rng, NOUNS) for _ in range(rng.integers(0, 4))],
        "due": None if rng.random() < 0.3 else "2026-11-24",
        "customer": {"tier": int(rng.integers(3)), "name": one_of(rng, NOUNS)},
        "steps": [
            {"do": sentence(rng), "minutes": 5} for _ in range(rng.integers(0, 3))
        ],
    }


def _broken(rng: Rng, ticket: dict[str, Any]) -> str:
    """A ticket with one of the faults that models make."""
    text = json.dumps(ticket)
    kind = int(rng.integers(6))
    if kind == 0:
        return text[: len(text) * 2 // 3]
    if kind == 1:
        return f"Here is the ticket you asked for:\n\n{text}"
    if kind == 2:
        return text[:-1] + ",}"
    if kind == 3:
        ticket["prio"] = ticket.pop("priority")
    elif kind == 4:
        del ticket["summary"]
    else:
        ticket["tags"] = ", ".join(ticket["tags"]) or "none"
    return json.dumps(ticket)


def tickets(rng: Rng, plan: Plan) -> tuple[Batch, Signal]:
    """JSON without a schema: some sets fenced, some spread over lines, a refusal in fifty."""
    fenced, indent = rng.random() < 0.3, 2 if rng.random() < 0.5 else None

    def output(rng: Rng, wrong: bool) -> str:
        if wrong:
            return _broken(rng, _ticket(rng))
        if rng.random() < 0.02:
            return "I'm sorry, but I can't help with that request."
        text = json.dumps(_ticket(rng), indent=indent)
        return f"```json\n{text}\n```" if fenced else text

    return traces(rng, plan, output), signal_format.FormatSignal(Materials())


SCHEMA = {
    "type": "object",
    "required": ["id", "priority", "summary", "tags"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "pattern": "^T[0-9]+$"},
        "priority": {"enum": ["low", "high"]},
        "summary": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "due": {"type": ["string", "null"]},
        "customer": {"type": "object"},
        "steps": {"type": "array"},
    },
}


def tickets_with_schema(rng: Rng, plan: Plan) -> tuple[Batch, Signal]:
    """JSON with a schema that lets half of the keys be missing, as they often are."""

    def output(rng: Rng, wrong: bool) -> str:
        ticket = _ticket(rng)
        if wrong:
            return _broken(rng, ticket)
        for key in ("due", "customer", "steps"):
            if rng.random() < 0.4:
                del ticket[key]
        return json.dumps(ticket)

    return traces(rng, plan, output), signal_format.FormatSignal(
        Materials(output_schema=SCHEMA)
    )


def tool_calls(rng: Rng, plan: Plan) -> tuple[Batch, Signal]:
    """Calls of three tools with optional arguments."""

    def calls(rng: Rng, wrong: bool) -> tuple[ToolCall, ...]:
        name = one_of(rng, ("find", "book", "note"))
        arguments: dict[str, Any] = {
            "id": f"A{rng.integers(99)}",
            "count": int(rng.integers(1, 9)),
        }
        for key in ("limit", "since"):
            if rng.random() < 0.5:
                arguments[key] = int(rng.integers(9))
        text = json.dumps(arguments)
        if wrong:
            kind = int(rng.integers(3))
            if kind == 0:
                text = text[:-2]
            elif kind == 1:
                text = json.dumps(arguments | {"count": "three"})
            else:
                text = f"id={arguments['id']}"
        return (ToolCall(name, text),)

    made = traces(rng, plan, lambda _rng, _wrong: "", tool_calls=calls)
    return made, signal_format.FormatSignal(Materials())


GLOSSARY = (
    Term(term="work item", forbidden=("ticket", "item"), due_when=("bug",)),
    Term(term="member", forbidden=("customer", "client")),
    Term(term="Hub", forbidden=("dashboard", "hub"), case_sensitive=True),
    Term(term="check-in", forbidden=("arrival",)),
)
SAYS_IT = "Say work item, never the other word. A member opens the Hub after check-in."


def glossary(rng: Rng, plan: Plan) -> tuple[Batch, Signal]:
    """Answers with terms of a glossary; users often say the wrong word, and words look alike."""

    def output(rng: Rng, wrong: bool) -> str:
        term = GLOSSARY[int(rng.integers(len(GLOSSARY)))]
        word = one_of(rng, term.forbidden) if wrong else term.term
        alike = one_of(
            rng, ("itemised", "ticketing", "clientele", "arrivals", "Hubble", "members")
        )
        return f"{sentence(rng)} Your {word} is ready. Not {alike}. {sentence(rng)}"

    def asked(rng: Rng, _wrong: bool) -> str:
        return f"Where is my {one_of(rng, ('ticket', 'client', 'dashboard', 'bike'))}?"

    made = traces(rng, plan, output, input=asked, system=SAYS_IT)
    return made, _terms()


GENERIC = (
    "I'd be happy to help.",
    "Is there anything else I can help you with?",
    "Thank you for reaching out!",
    "I hope this helps.",
    "Please don’t hesitate to ask.",
)
NEARLY = (
    "That was a great match.",
    "Reaching the gate helps.",
    "We hope to see you.",
    "Feel free.",
)


def phrasing(rng: Rng, plan: Plan) -> tuple[Batch, Signal]:
    """Answers in a voice of their own, which slide into anybody's."""

    def output(rng: Rng, wrong: bool) -> str:
        middle = one_of(rng, GENERIC if wrong else NEARLY)
        return f"{sentence(rng)} {middle} {sentence(rng)}"

    return traces(rng, plan, output), _voice()


@cache
def _voice() -> Voice:
    """Made once: compiling its patterns takes longer than a small set of traces."""
    wanted = Wanted(
        samples=("Right then, bike's ready.",), avoid=("at your earliest convenience",)
    )
    return Voice(Materials(voice=wanted))


@cache
def _terms() -> Terms:
    return Terms(Materials(glossary=GLOSSARY))


RULES: tuple[tuple[str, Callable[[str], str], Callable[[str], str]], ...] = (
    ("Keep your answers under 40 words.", lambda t: t, lambda t: t + " and more" * 30),
    (
        'Start every reply with "Hello".',
        lambda t: f"Hello. {t}",
        lambda t: f"Well. {t}",
    ),
    ('End every reply with "Bye".', lambda t: f"{t} Bye.", lambda t: f"{t} Later."),
    ('Never say "ticket".', lambda t: f"{t} Ticketing.", lambda t: f"{t} Your ticket."),
    ("Do not use Markdown.", lambda t: f"{t} 2 * 3.", lambda t: f"{t} **Bold**."),
    ("No emojis.", lambda t: f"{t} Café.", lambda t: f"{t} \U0001f600."),
    (
        "Do not apologize.",
        lambda t: f"{t} A sorry state.",
        lambda t: f"{t} I apologize.",
    ),
    ("Avoid exclamation marks.", lambda t: t, lambda t: f"{t} Great! Yes."),
)
FILLER = (
    "You are the assistant of a bicycle shop.",
    "Be warm and brief.",
    "If the user is angry, answer in at most five words.",
    "Try to keep each reply under ten words.",
    "The shop opens at nine.",
)


def adherence(rng: Rng, plan: Plan) -> tuple[Batch, Signal]:
    """A prompt with verifiable rules among others; an answer at fault follows none of them."""
    chosen = [RULES[k] for k in sorted(rng.permutation(len(RULES))[:6].tolist())]
    lines = [rule[0] for rule in chosen] + list(FILLER)
    prompt = "\n".join(f"- {lines[k]}" for k in rng.permutation(len(lines)).tolist())
    # what opens and what closes an answer is put on last
    order = sorted(chosen, key=lambda rule: rule[0].startswith(("Start", "End")))

    def output(rng: Rng, wrong: bool) -> str:
        text = sentence(rng)
        for _, follow, ignore in order:
            text = (ignore if wrong else follow)(text)
        return text

    return traces(rng, plan, output, system=prompt), Instructions()


WORLDS: dict[str, tuple[World, str, float]] = {
    "format": (tickets, "invalid_output_share", 0.05),
    "format_with_schema": (tickets_with_schema, "invalid_output_share", 0.05),
    "tool_calls": (tool_calls, "invalid_tool_call_share", 0.05),
    "terms": (glossary, "forbidden_term_share", 0.05),
    "voice": (phrasing, "generic_phrase_share", 0.1),
    "instructions": (adherence, "ignored_instruction_share", 0.1),
}
"""By name: the world, what is measured in it, and the limit in the framework."""
