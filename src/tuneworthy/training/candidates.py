"""Examples that a model might be tuned on, from training files and logs in any format."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, takewhile, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from tuneworthy.errors import CaseError, InputError, argument
from tuneworthy.files.case import beside
from tuneworthy.files.disk import read_text
from tuneworthy.files.materials import read_materials
from tuneworthy.files.stores import (
    TRAINING_LIMIT,
    read_training,
    training_record,
    written_choice,
)
from tuneworthy.lab.prepare import paid, prepare
from tuneworthy.lab.session import PaidCalls, ledger_or_none
from tuneworthy.llm.runner import Job, quote
from tuneworthy.measure.engine import conversation_keys
from tuneworthy.measure.evalset import FRAME_CHARACTERS, FRAME_TRACES, failures
from tuneworthy.measure.sample import Sample
from tuneworthy.model.base import readable
from tuneworthy.model.case import Case
from tuneworthy.model.evalset import PAIRS, CaseMessage, EvalCase, digest_of
from tuneworthy.model.lab import Quote, Settled, end_kind
from tuneworthy.model.training import (
    REVIEWS,
    ChatTurn,
    TrainingExample,
    TrainingSet,
    content_id,
)
from tuneworthy.report.sections.evalset import Item
from tuneworthy.scoring.base import Output
from tuneworthy.syntax.document import did_you_mean
from tuneworthy.text.json import validator


class Candidate(NamedTuple):
    """An example before all gates."""

    example: TrainingExample
    cut: bool = False  #: Whether its maker says that the answer reached its limit.


@dataclass
class Candidates:
    """The candidates of some files and logs, and the lines that gave none."""

    #: By what they say, each once.
    found: list[Candidate] = field(default_factory=list)
    disliked: list[Candidate] = field(default_factory=list)
    """Logged answers with a bad score, which a model may learn to avoid."""
    #: Lines that hold none, each with its reason.
    unread: list[str] = field(default_factory=list)
    #: Logged answers that went wrong.
    left_out: Counter[str] = field(default_factory=Counter)
    #: Sources of what another one says too.
    repeated: list[str] = field(default_factory=list)

    def once(self) -> Candidates:
        """The candidates without repetitions: those of files go first, then the others."""
        first: dict[str, Candidate] = {}
        for candidate in sorted(
            self.found, key=lambda c: (c.example.origin, c.example.source)
        ):
            if first.setdefault(candidate.example.id, candidate) is not candidate:
                self.repeated.append(candidate.example.source)
        self.found = [first[id_] for id_ in sorted(first)]
        return self


def read_candidates(case: Case) -> Candidates:
    """The candidates in a case's training files and logs.

    Training files are data.training, or data.examples where none is named; and the pairs of
    data.preference_pairs. From very large logs, conversations are drawn by a hash of their names.
    Raises CaseError if the case names neither, or one doesn't exist.
    """
    # imported here, because the page shows reviews without it
    from tuneworthy.traces.read import named

    candidates = Candidates()
    files = [*(named(case, "training") or named(case, "examples"))]
    files += [path for path in named(case, "preference_pairs") if path not in files]
    for path in files:
        _read_file(path, case, candidates)
    if case.data.traces:
        _read_traces(case, candidates)
    elif not files:
        fix = "name files under data.training, or logs under data.traces"
        raise CaseError(
            "names nothing to learn from", where=case.where("data"), fix=fix
        )
    return candidates.once()


GATED_ELSEWHERE = (
    "came with the folder: its gates didn't run on this machine (tuneworthy data CASE)"
)


def training_set(case: Case) -> tuple[TrainingSet, tuple[TrainingExample, ...]]:
    """The set that passed the gates, with its examples; a CaseError without one."""
    training = read_training(case)
    if training is None or not training[1]:
        fix = f"review and gate it first: tuneworthy data {argument(case.folder)}"
        raise CaseError("has no training set", where=case.name, fix=fix)
    return training


# Training files: one object a line, in any of the forms that tuning services and libraries take.

_PAIRS = (
    *(
        ("prompt", "completion"),
        ("prompt", "chosen"),
        ("input", "output"),
        ("input", "reference"),
    ),
    *(("question", "answer"), ("instruction", "output"), ("instruction", "response")),
)
_ROLES = {
    "developer": "system",
    "human": "user",
    "function": "tool",
    "observation": "tool",
}
_ROLES |= dict.fromkeys(("gpt", "model", "bot"), "assistant")


def _read_file(path: Path, case: Case, candidates: Candidates) -> None:
    """Read the candidates of one training file; note the lines that hold none."""
    # imported here, because the page shows reviews without it
    from tuneworthy.traces.records import read_records

    name = path.relative_to(case.folder).as_posix() if case.folder else path.name

    def broken(place: int | str, why: str) -> None:
        candidates.unread.append(f"{name}:{place} {why}")

    try:
        records = [*read_records(path, broken)]
    except InputError as caught:
        raise CaseError(caught.what, where=caught.where, fix=caught.fix) from None
    pair = _foreign_names([record for _, record in records[:_LOOKED_AT]])
    for place, record in records:
        where = f"{name}:{place}"
        try:
            candidates.found.append(_example(_as_pair(record, pair), where))
        except _NoExample as why:
            candidates.unread.append(f"{where} {why}")


_LOOKED_AT = 20


def _as_pair(record: Mapping[str, Any], pair: Mapping[str, str]) -> Mapping[str, Any]:
    """A record of an unknown form, with our names for its question and its answer."""
    if not pair:
        return record
    renamed = {key: value for key, value in record.items() if key in _KEPT}
    for ours, theirs in pair.items():
        renamed[ours] = record.get(theirs)
    return renamed


_KEPT = frozenset({"conversation_id", "tools"})


def _foreign_names(records: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
    """The file's own names for question, answer and worse answer; empty for a known form."""
    from tuneworthy.traces.guess import guess_pair

    if any(map(_is_known, records[:3])):
        return {}
    return guess_pair(records)


def _is_known(record: Mapping[str, Any]) -> bool:
    """Whether a record has one of the forms of services and libraries."""
    if any(isinstance(record.get(key), list) for key in ("messages", "conversations")):
        return True
    if isinstance(record.get("input"), dict):
        return True
    return any(first in record and second in record for first, second in _PAIRS)


class _NoExample(Exception):  # noqa: N818  # what a line is not, and whose fault is open
    """Why a line is no example."""


def _example(data: Any, where: str) -> Candidate:
    """Read one record as an example; raises ``_NoExample`` with the reason where it is none."""
    turns, listed, rejected = _forms(data)
    messages = [_turn(turn) for turn in turns]
    if not messages or messages[-1].role != "assistant":
        raise _NoExample("doesn't end with an answer of the assistant")
    if not any(turn.role in ("user", "tool") for turn in messages):
        raise _NoExample("has no message of a user")
    tools = tuple(tool for tool in listed if isinstance(tool, dict))
    talk = data.get("conversation_id")
    conversation = str(talk)[:200] if isinstance(talk, str | int) and talk else None
    content = {"messages": tuple(messages), "tools": tools, "rejected": rejected}
    id_ = content_id(messages, tools, rejected)
    example = TrainingExample(
        id=id_, source=where, conversation_id=conversation, **content
    )
    try:
        example.model_dump_json()
    except (ValueError, RecursionError):
        raise _NoExample("holds half a character, or is nested too deeply") from None
    names = ("finish_reason", "stop_reason", "finishReason", "stopReason")
    stopped = next((data[name] for name in names if data.get(name)), "")
    return Candidate(example, end_kind(str(stopped)) == "cut_off")


def _forms(data: Any) -> tuple[list[Any], list[Any], str]:
    """The turns of an example, its tools and its worse answer, in any known form."""
    if not isinstance(data, dict):
        raise _NoExample("is not an object")
    asked: Any = data.get("input")
    if isinstance(asked, dict) and "preferred_output" in data:
        better = data["preferred_output"]
        worse = data.get("non_preferred_output")
        tools = asked.get("tools") or []
        return (
            [*_require_list(asked.get("messages")), *_require_list(better)],
            _require_list(tools),
            _text_of_worse(worse),
        )
    tools = _require_list(data.get("tools") or [])
    rejected = _text_of_worse(data.get("rejected"))
    for key in ("messages", "conversations"):
        if isinstance(data.get(key), list):
            return data[key], tools, rejected
    if isinstance(asked, dict) and isinstance(asked.get("messages"), list):
        data = {**data, "input": asked["messages"]}
    for first, second in _PAIRS:
        if data.get(first) and second in data:
            before = data[first]
            if first == "instruction" and isinstance(asked, str) and asked:
                before = f"{before}\n\n{asked}"
            turns = _turns_of_pair(data.get("system"), before, data[second])
            return turns, tools, rejected
    raise _NoExample("holds no messages, and no prompt with its answer")


def _turns_of_pair(system: Any, before: Any, after: Any) -> list[Any]:
    """A prompt (text or turns) and its answer as turns; without a system turn if that is empty."""
    turns = []
    if system:
        turns.append({"role": "system", "content": system})
    if isinstance(before, list):
        turns += before
    else:
        turns.append({"role": "user", "content": before})
    turns += _answer(after)
    return turns


def _require_list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _NoExample("has something else where a list belongs")
    return value


def _answer(value: Any) -> list[Any]:
    if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return [{"role": "assistant", "content": text}]


def _text_of_worse(value: Any) -> str:
    """The text of a worse answer; empty without one."""
    if isinstance(value, list) and value:
        last = value[-1]
        value = last.get("content") if isinstance(last, dict) else None
    return value if isinstance(value, str) else ""


def _turn(turn: Any) -> ChatTurn:
    """Read one message of a chat in any common form."""
    if not isinstance(turn, dict):
        raise _NoExample("has a message that is not an object")
    if "from" in turn and "role" not in turn:
        turn = {"role": turn["from"], "content": turn.get("value")}
    role = str(turn.get("role"))
    content = turn.get("content")
    if isinstance(content, list):
        if not all(
            isinstance(p, dict) and p.get("type", "text") == "text" for p in content
        ):
            raise _NoExample("holds an image or sound, of which nothing here is read")
        content = "".join(str(part.get("text", "")) for part in content)
    calls = [_call(call) for call in _require_list(turn.get("tool_calls") or [])]
    fields = {
        "role": _ROLES.get(role, role),
        "content": "" if content is None else content,
        "tool_call_id": turn.get("tool_call_id") or "",
        "name": turn.get("name") or "",
        "tool_calls": calls,
    }
    try:
        return ChatTurn.model_validate(fields)
    except ValidationError as caught:
        what = ".".join(map(str, caught.errors()[0]["loc"]))
        raise _NoExample(f"has a message whose {what} isn't understood") from None


def _call(call: Any) -> dict[str, Any]:
    """Read one call of a tool."""
    called = call.get("function") if isinstance(call, dict) else None
    if not isinstance(called, dict):
        raise _NoExample("has a call of a tool without a function")
    arguments = called.get("arguments", "{}")
    text = (
        arguments
        if isinstance(arguments, str)
        else json.dumps(arguments, ensure_ascii=False)
    )
    name = str(called.get("name") or "")
    return {
        "id": str(call.get("id") or ""),
        "function": {"name": name, "arguments": text},
    }


# Logs: what models answered, which nobody has called right yet.


def _read_traces(case: Case, candidates: Candidates) -> None:
    """Draw candidates from the logs; answers with a bad score are kept apart."""
    from tuneworthy.traces.read import TraceFiles, case_map, named

    sample = Sample(FRAME_TRACES, FRAME_CHARACTERS)
    seen = 0
    logs = TraceFiles(named(case, "traces"), mapping=case_map(case), searched=True)
    for chunk in logs:
        names = chunk.batch.column("conversation")
        sample.add(
            chunk.batch, conversation_keys(names, seen, salt="candidates "), seen
        )
        seen += len(chunk.batch)
    batch, _ = sample.batch()
    test, _ = validator(read_materials(case).output_schema)
    wrong = dict(failures(batch, test))
    candidates.left_out.update(wrong.values())
    columns = (batch.column(name) for name in _COLUMNS)
    for row, (finish, *values) in enumerate(zip(*columns, strict=True)):
        if row in wrong and wrong[row] != "low_score":
            continue
        example = _logged_example(row, *values)
        if example is None and row not in wrong:
            candidates.left_out["nothing asked or answered"] += 1
        if example is None:
            continue
        candidate = Candidate(example, end_kind(finish or "") == "cut_off")
        if row in wrong:
            candidates.disliked.append(candidate)
        else:
            candidates.found.append(candidate)


_COLUMNS = (
    "finish",
    "system",
    "input",
    "messages",
    "output",
    "tool_calls",
    "conversation",
)


def _logged_example(
    row: int, system: Any, asked: Any, turns: Any, output: Any, calls: Any, talk: Any
) -> TrainingExample | None:
    """A logged answer as an example; None without a question or an answer."""
    before = list(turns or ())
    last_role = before[-1][0] if before else "assistant"
    if last_role == "assistant":  # the log keeps the question apart from its turns
        before = [("user", asked or "")]
    if system and not any(role == "system" for role, _ in before):
        before = [("system", system), *before]
    named = [(name, arguments) for name, arguments in calls or () if name]
    tool_calls = [
        {
            "id": f"call_{n}",
            "function": {"name": name, "arguments": readable(arguments)},
        }
        for n, (name, arguments) in enumerate(named, start=1)
    ]
    raw = [{"role": role, "content": readable(text)} for role, text in before]
    raw.append(
        {
            "role": "assistant",
            "content": readable(output or ""),
            "tool_calls": tool_calls,
        }
    )
    try:
        messages = [ChatTurn.model_validate(turn) for turn in raw]
    except ValidationError:
        return None
    *questions, answer = messages
    asks = any(not turn.empty and turn.role != "system" for turn in questions)
    if answer.empty or not asks:
        return None
    return TrainingExample(
        id=content_id(messages),
        messages=tuple(messages),
        source=f"log {digest_of(talk or '', str(row))[:8]}",
        conversation_id=talk[:200] if talk else None,
        origin="trace",
    )


def tools_today(case: Case) -> Mapping[str, Mapping[str, Any]] | None:
    """The tools that a model may call today, by name in OpenAI's form; None if they aren't stated.

    Raises CaseError if the file that data.tools names isn't a list of tools.
    """
    path = beside(case, "data.tools", case.data.tools)
    if path is None:
        return None
    try:
        tools = json.loads(read_text(path, TRAINING_LIMIT, CaseError))
        listed = tools["tools"] if isinstance(tools, dict) else tools
        whole = [tool if "function" in tool else {"function": tool} for tool in listed]
        return {
            str(tool["function"]["name"]): {"type": "function", **tool}
            for tool in whole
        }
    except (ValueError, RecursionError, KeyError, TypeError):
        fix = 'write [{"type": "function", "function": {"name": …, "parameters": {…}}}]'
        raise CaseError("is not a list of tools", where=str(path), fix=fix) from None


# Which of them people look at first, and what they see.

LABEL = "label"  #: The arm's name of an example's own answer, where people compare it.
_LABEL_CHARACTERS = 80
_MOST_LABELS = 50


def named_lines(case: Case) -> frozenset[str]:
    """Sources of the lines that the last check marked but didn't leave out."""
    training = training_record(case)
    gates = () if training is None else training.gates
    sources = set()
    for gate in gates:
        if gate.keeps_out:
            continue
        for line in gate.lines:
            # a line begins with its source: one word, or "log" and a word
            words = 2 if line.startswith("log ") else 1
            sources.add(" ".join(line.split()[:words]))
    return frozenset(sources)


def review_order(
    candidates: Sequence[Candidate], named: Container[str] = frozenset()
) -> list[TrainingExample]:
    """Candidates in the order of review: in turn a random one and the most doubtful of a stratum.

    The most doubtful of all are those that a check has ``named``, by their sources. Strata are
    kinds of answer (labels, where these are few and short), origin and length. An answer is
    doubtful if it is cut off, or unusually long or short for its question. The order follows from
    the contents of the examples, so that two people review the same ones and nobody has to begin
    again.
    """
    odd = (c for c in _at_random(candidates) if c.example.source in named)
    turns = zip_longest(_at_random(candidates), chain(odd, _by_doubt(candidates)))
    return [*dict.fromkeys(c.example for pair in turns for c in pair if c is not None)]


def random_part(candidates: Sequence[Candidate], reviewed: Container[str]) -> list[str]:
    """Ids of a random sample that is reviewed completely, so that its shares hold for all."""
    ids = (c.example.id for c in _at_random(candidates))
    return [*takewhile(lambda id_: id_ in reviewed, ids)]


def _at_random(candidates: Sequence[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda c: digest_of("review", c.example.id))


def _by_doubt(candidates: Sequence[Candidate]) -> Iterator[Candidate]:
    """One candidate of each stratum, the smallest stratum first, then the next one of each."""
    answers = {c.example.answer.content for c in candidates}
    few = len(answers) <= _MOST_LABELS and all(
        len(a) <= _LABEL_CHARACTERS for a in answers
    )
    sizes = sorted(len(c.example.asked) for c in candidates)
    ends = [sizes[len(sizes) * n // 3] for n in (1, 2)] if sizes else []
    strata: dict[tuple[str, str, int], list[Candidate]] = defaultdict(list)
    for candidate in _at_random(candidates):
        length = sum(len(candidate.example.asked) > end for end in ends)
        kind = candidate.example.answer.content if few else ""
        strata[kind, candidate.example.origin, length].append(candidate)
    groups = sorted(strata.values(), key=len)
    by_doubt = [_most_doubtful_first(group) for group in groups]
    for turn in zip_longest(*by_doubt):
        for candidate in turn:
            if candidate is not None:
                yield candidate


def _most_doubtful_first(group: Sequence[Candidate]) -> list[Candidate]:
    """Cut-off answers first, then those farthest from the group's usual length."""
    ratios = sorted(map(_ratio, group))
    usual = ratios[len(ratios) // 2]

    def doubt(candidate: Candidate) -> tuple[bool, float]:
        return not candidate.cut, -abs(_ratio(candidate) - usual)

    return sorted(group, key=doubt)


def _ratio(candidate: Candidate) -> float:
    return len(candidate.example.answer.content) / (len(candidate.example.asked) + 20)


def turn_shown(turn: ChatTurn) -> str:
    """The text of a turn, with tool calls as separate lines."""
    calls = [
        f"{call.function.name}({call.function.arguments})" for call in turn.tool_calls
    ]
    return "\n".join(filter(None, (turn.content, *calls)))


def as_case(example: TrainingExample) -> EvalCase:
    """A test case with the same question, without the answer."""
    turns = [
        CaseMessage(role=t.role, content=turn_shown(t)) for t in example.messages[:-1]
    ]
    return EvalCase(id=example.id, messages=tuple(turns))


def review_items(
    candidates: Sequence[Candidate], named: Container[str] = frozenset()
) -> list[Item]:
    """Conversations with their answers for review, without source and model."""
    return [
        Item(
            "training",
            as_case(example),
            outputs=(turn_shown(example.answer),),
            choices=REVIEWS,
        )
        for example in review_order(candidates, named)
    ]


def pair_items(own: OwnAnswers) -> list[Item]:
    """Labels beside an arm's own answers, in an order that doesn't show which is which."""
    items = []
    for example in own.examples:
        if example.id not in own.answers:
            continue
        outputs = (turn_shown(example.answer), own.answers[example.id])
        first_digit = int(digest_of("flip", example.id)[0], 16)
        flip = first_digit % 2 == 1
        items.append(
            Item("pairwise", as_case(example), (LABEL, own.arm), outputs, PAIRS, flip)
        )
    return items


# Labels against the model's own answers.

MOST_COMPARED = 1000
COMPARE_RUN = "compare"  #: Name of the run whose cap counts.


class OwnAnswers(NamedTuple):
    """An arm's answers to some examples of the training set."""

    arm: str
    examples: tuple[TrainingExample, ...]  #: In the order of showing.
    answers: dict[str, str]  #: By id; an example without a whole answer has none.


def own_answers(
    source: str | Path,
    *,
    arm: str = "",
    n: int = MOST_COMPARED,
    send: bool = False,
    cap_usd: float = 0.0,
    to: Collection[str] = (),
    **settings: Any,
) -> OwnAnswers:
    """The best arm's answers to ``n`` examples at most, drawn from the training set.

    The arm is the one named. Without a name, it is the best that the ceiling lab chose, or else the
    first one with a prompt. With ``send``, models are asked for answers that the ledger lacks, as
    in ``lab.prepare.paid``; without it, only kept answers are returned. Models may be called at the
    hosts in ``to``, too. Raises InputError if there is no training set, no such arm, or the cap is
    too small.
    """
    lab = prepare(source, scored=False, to=to)
    _, passed = training_set(lab.case)
    arms = {a.id: a for a in lab.plan.called if not a.steps}
    choice = written_choice(lab.case)
    chosen = choice.chosen if choice else ()
    # the first that may be asked: of those chosen, best first; then of all
    usable = [id_ for id_ in (*chosen, *arms) if id_ in arms]
    name = arm
    if not name and usable:
        name = usable[0]
    if name not in arms:
        fix = did_you_mean(name, (*arms,))
        raise InputError(
            f'"{name[:80]}" is not an arm of one call', where="--arm", fix=fix
        )
    examples = sorted(passed, key=lambda e: digest_of("compare", e.id))[:n]
    jobs = {}
    for example in examples:
        job, _, _ = next(lab.plan.calls([arms[name]], [as_case(example)]))
        jobs[example.id] = job
    every = [*jobs.values()]
    if send:
        price = lambda _, ledger: quote(every, ledger, lab.price_of)  # noqa: E731  # of these alone
        work = partial(_ask_all, jobs=every)
        settled = paid(lab, COMPARE_RUN, price, work, cap_usd=cap_usd, **settings)
    else:
        with ledger_or_none(lab.case) as ledger:
            settled = ledger.find_all([job.key for job in every]) if ledger else {}
    answers = {}
    for id_, job in jobs.items():
        call = settled.get(job.key)
        if call is not None and call.whole:
            answers[id_] = Output.from_reply(call.whole).text_with_calls
    return OwnAnswers(name, tuple(examples), answers)


async def _ask_all(
    calls: PaidCalls, _: Quote, *, jobs: Sequence[Job]
) -> dict[str, Settled]:
    outcome = await calls.runner().all(jobs)
    if outcome.stop:
        raise outcome.stop.error()
    return outcome.some([job.key for job in jobs])
