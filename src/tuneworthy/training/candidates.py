"""Examples that a model might be tuned on, from training files and logs in any format."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
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
from tuneworthy.lab.prepare import PreparedLab, paid, prepare
from tuneworthy.lab.session import PaidCalls, ledger_or_none
from tuneworthy.llm.runner import Job, quote
from tuneworthy.measure.engine import conversation_keys
from tuneworthy.measure.evalset import FRAME_CHARACTERS, FRAME_TRACES, failures
from tuneworthy.measure.sample import Sample
from tuneworthy.model.base import readable
from tuneworthy.model.case import Case
from tuneworthy.model.evalset import PAIRS, CaseMessage, EvalCase, digest_of
from tuneworthy.model.evidence import Batch
from tuneworthy.model.lab import Arm, Quote, Settled, end_kind
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
        """Drop repetitions, and note their sources: the first of a file stays, else of a log."""
        first: dict[str, Candidate] = {}
        # "file" comes before "trace" in the alphabet
        by_origin = sorted(
            self.found, key=lambda each: (each.example.origin, each.example.source)
        )
        for candidate in by_origin:
            if candidate.example.id in first:
                self.repeated.append(candidate.example.source)
            else:
                first[candidate.example.id] = candidate
        # by id, so that the order of files and lines doesn't matter
        self.found = [first[id_] for id_ in sorted(first)]
        return self


def read_candidates(case: Case) -> Candidates:
    """Read the candidates in a case's training files and logs.

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
    if training is not None:
        about, examples = training
        if examples:
            return about, examples
    fix = f"review and gate it first: tuneworthy data {argument(case.folder)}"
    raise CaseError("has no training set", where=case.name, fix=fix)


# Training files: one object a line, in any of the forms that tuning services and libraries take.

_PAIRS = (
    ("prompt", "completion"),
    ("prompt", "chosen"),
    ("input", "output"),
    ("input", "reference"),
    ("question", "answer"),
    ("instruction", "output"),
    ("instruction", "response"),
)
"""Names of the fields of a question and its answer, where a line isn't a chat."""
_ROLES = {
    "developer": "system",
    "human": "user",
    "function": "tool",
    "observation": "tool",
    "gpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
}
"""Our role for each name of another format."""
_CUT_OFF_FIELDS = ("finish_reason", "stop_reason", "finishReason", "stopReason")
"""Fields in which the maker of a line may say that the answer reached its limit."""


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


_LOOKED_AT = 20  # first lines of a file by which the names of its fields are guessed


def _as_pair(record: Mapping[str, Any], pair: Mapping[str, str]) -> Mapping[str, Any]:
    """A record of an unknown form, with our names for its question and its answer."""
    if not pair:
        return record
    renamed = {key: value for key, value in record.items() if key in _KEPT}
    for ours, theirs in pair.items():
        renamed[ours] = record.get(theirs)
    return renamed


#: Fields that a record of an unknown form keeps beside its question and answer.
_KEPT = frozenset({"conversation_id", "tools"})


def _foreign_names(records: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
    """The file's own names for question, answer and worse answer; empty for a known form."""
    from tuneworthy.traces.guess import guess_pair

    # some lines of a file in a known form may be broken, but hardly its first three
    if any(_is_known(record) for record in records[:3]):
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
    form = _forms(data)
    messages = tuple(_turn(turn) for turn in form.turns)
    if not messages or messages[-1].role != "assistant":
        raise _NoExample("doesn't end with an answer of the assistant")
    if not any(turn.role in ("user", "tool") for turn in messages):
        raise _NoExample("has no message of a user")
    tools = tuple(tool for tool in form.tools if isinstance(tool, dict))
    example = TrainingExample(
        id=content_id(messages, tools, form.rejected),
        source=where,
        conversation_id=_conversation_id(data),
        messages=messages,
        tools=tools,
        rejected=form.rejected,
    )
    try:
        example.model_dump_json()
    except (ValueError, RecursionError):
        raise _NoExample("holds half a character, or is nested too deeply") from None
    return Candidate(example, cut=_says_cut_off(data))


def _conversation_id(data: Mapping[str, Any]) -> str | None:
    """The conversation that a record names, cut to a usual length; None without one."""
    named = data.get("conversation_id")
    if isinstance(named, str | int) and named:
        return str(named)[:200]
    return None


def _says_cut_off(data: Mapping[str, Any]) -> bool:
    """Whether the first of the fields about an answer's end says that it reached its limit."""
    for field_name in _CUT_OFF_FIELDS:
        if data.get(field_name):
            return end_kind(str(data[field_name])) == "cut_off"
    return False


class _ExampleForm(NamedTuple):
    """The parts of a line in any form, not read yet."""

    turns: list[Any]
    tools: list[Any]
    rejected: str  #: The text of a worse answer; empty without one.


def _forms(data: Any) -> _ExampleForm:
    """Find the turns of an example, its tools and its worse answer, in any known form."""
    if not isinstance(data, dict):
        raise _NoExample("is not an object")
    asked: Any = data.get("input")
    if isinstance(asked, dict) and "preferred_output" in data:
        return _openai_preference(data, asked)
    tools = _require_list(data.get("tools") or [])
    rejected = _text_of_worse(data.get("rejected"))
    for key in ("messages", "conversations"):
        if isinstance(data.get(key), list):
            return _ExampleForm(data[key], tools, rejected)
    if isinstance(asked, dict) and isinstance(asked.get("messages"), list):
        data = {**data, "input": asked["messages"]}
    for first, second in _PAIRS:
        if data.get(first) and second in data:
            before = data[first]
            # an instruction may come with the text that it is about
            if first == "instruction" and isinstance(asked, str) and asked:
                before = f"{before}\n\n{asked}"
            turns = _turns_of_pair(data.get("system"), before, data[second])
            return _ExampleForm(turns, tools, rejected)
    raise _NoExample("holds no messages, and no prompt with its answer")


def _openai_preference(data: dict[str, Any], asked: dict[str, Any]) -> _ExampleForm:
    """Find the parts of a line in OpenAI's form for preferences."""
    before = _require_list(asked.get("messages"))
    better = _require_list(data["preferred_output"])
    return _ExampleForm(
        turns=[*before, *better],
        tools=_require_list(asked.get("tools") or []),
        rejected=_text_of_worse(data.get("non_preferred_output")),
    )


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
    """An answer as turns: a list of turns as it is, a text or any other value as one turn."""
    if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        return value
    return [{"role": "assistant", "content": _as_text(value)}]


def _as_text(value: Any) -> str:
    """A text as it is; any other value as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


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
    if "from" in turn and "role" not in turn:  # ShareGPT's names
        turn = {"role": turn["from"], "content": turn.get("value")}
    role = str(turn.get("role"))
    fields = {
        "role": _ROLES.get(role, role),
        "content": _content_of_turn(turn.get("content")),
        "tool_call_id": turn.get("tool_call_id") or "",
        "name": turn.get("name") or "",
        "tool_calls": [
            _call(call) for call in _require_list(turn.get("tool_calls") or [])
        ],
    }
    try:
        return ChatTurn.model_validate(fields)
    except ValidationError as caught:
        first_fault = caught.errors()[0]
        what = ".".join(str(part) for part in first_fault["loc"])
        raise _NoExample(f"has a message whose {what} isn't understood") from None


def _content_of_turn(content: Any) -> Any:
    """The text of a message; parts of text are joined, and a missing one is empty."""
    if content is None:
        return ""
    if not isinstance(content, list):
        return content
    for part in content:
        if not isinstance(part, dict) or part.get("type", "text") != "text":
            raise _NoExample("holds an image or sound, of which nothing here is read")
    return "".join(str(part.get("text", "")) for part in content)


def _call(call: Any) -> dict[str, Any]:
    """Read one call of a tool; arguments that aren't a text are written as JSON."""
    called = call.get("function") if isinstance(call, dict) else None
    if not isinstance(called, dict):
        raise _NoExample("has a call of a tool without a function")
    return {
        "id": str(call.get("id") or ""),
        "function": {
            "name": str(called.get("name") or ""),
            "arguments": _as_text(called.get("arguments", "{}")),
        },
    }


# Logs: what models answered, which nobody has called right yet.


def _read_traces(case: Case, candidates: Candidates) -> None:
    """Draw candidates from the logs; answers with a bad score are kept apart."""
    batch = _drawn_logs(case)
    fits_schema, _ = validator(read_materials(case).output_schema)
    wrong = dict(failures(batch, fits_schema))
    candidates.left_out.update(wrong.values())
    finishes = batch.column("finish")
    columns = [batch.column(name) for name in _LOGGED]
    for row, values in enumerate(zip(*columns, strict=True)):
        if row in wrong and wrong[row] != "low_score":
            continue
        example = _logged_example(row, _LoggedAnswer(*values))
        if example is None:
            if row not in wrong:
                candidates.left_out["nothing asked or answered"] += 1
            continue
        cut = end_kind(finishes[row] or "") == "cut_off"
        if row in wrong:
            candidates.disliked.append(Candidate(example, cut))
        else:
            candidates.found.append(Candidate(example, cut))


def _drawn_logs(case: Case) -> Batch:
    """The rows of a case's logs, of very large ones a sample of whole conversations."""
    from tuneworthy.traces.read import TraceFiles, case_map, named

    sample = Sample(FRAME_TRACES, FRAME_CHARACTERS)
    seen = 0
    logs = TraceFiles(named(case, "traces"), mapping=case_map(case), searched=True)
    for chunk in logs:
        names = chunk.batch.column("conversation")
        # the salt draws other conversations than an evaluation set does
        keys = conversation_keys(names, seen, salt="candidates ")
        sample.add(chunk.batch, keys, seen)
        seen += len(chunk.batch)
    batch, _ = sample.batch()
    return batch


class _LoggedAnswer(NamedTuple):
    """The values of a row of the logs, in the order of ``_LOGGED``."""

    system: Any
    asked: Any
    turns: Any
    output: Any
    calls: Any
    conversation: Any


_LOGGED = ("system", "input", "messages", "output", "tool_calls", "conversation")


def _logged_example(row: int, logged: _LoggedAnswer) -> TrainingExample | None:
    """A logged answer as an example; None without a question or an answer."""
    raw = [
        {"role": role, "content": readable(text)}
        for role, text in _logged_question(logged)
    ]
    answer_turn = {
        "role": "assistant",
        "content": readable(logged.output or ""),
        "tool_calls": _logged_calls(logged),
    }
    try:
        messages = [ChatTurn.model_validate(turn) for turn in (*raw, answer_turn)]
    except ValidationError:
        return None
    *questions, answer = messages
    asks = any(not turn.empty and turn.role != "system" for turn in questions)
    if answer.empty or not asks:
        return None
    talk = logged.conversation
    return TrainingExample(
        id=content_id(messages),
        messages=tuple(messages),
        source=f"log {digest_of(talk or '', str(row))[:8]}",
        conversation_id=talk[:200] if talk else None,
        origin="trace",
    )


def _logged_question(logged: _LoggedAnswer) -> list[tuple[str, str]]:
    """The turns before a logged answer, each with its role."""
    turns = list(logged.turns or ())
    roles = [role for role, _ in turns]
    # the log keeps the question apart from its turns
    if not roles or roles[-1] == "assistant":
        turns = [("user", logged.asked or "")]
    if logged.system and not any(role == "system" for role, _ in turns):
        turns = [("system", logged.system), *turns]
    return turns


def _logged_calls(logged: _LoggedAnswer) -> list[dict[str, Any]]:
    """The calls of tools in a logged answer. Logs keep no ids, so these are numbered."""
    named = [(name, arguments) for name, arguments in logged.calls or () if name]
    calls = []
    for number, (name, arguments) in enumerate(named, start=1):
        function = {"name": name, "arguments": readable(arguments)}
        calls.append({"id": f"call_{number}", "function": function})
    return calls


def tools_today(case: Case) -> Mapping[str, Mapping[str, Any]] | None:
    """Return the tools that a model may call today, by name; None if they aren't stated.

    They have OpenAI's form. Raises CaseError if the file that data.tools names isn't a list of
    tools.
    """
    path = beside(case, "data.tools", case.data.tools)
    if path is None:
        return None
    by_name = {}
    try:
        tools = json.loads(read_text(path, TRAINING_LIMIT, CaseError))
        listed = tools["tools"] if isinstance(tools, dict) else tools
        for tool in listed:
            # some files leave out the frame around the function
            whole = tool if "function" in tool else {"function": tool}
            by_name[str(whole["function"]["name"])] = {"type": "function", **whole}
    except (ValueError, RecursionError, KeyError, TypeError):
        fix = 'write [{"type": "function", "function": {"name": …, "parameters": {…}}}]'
        raise CaseError("is not a list of tools", where=str(path), fix=fix) from None
    return by_name


# Which of them people look at first, and what they see.

LABEL = "label"  #: The arm's name of an example's own answer, where people compare it.
_LABEL_CHARACTERS = 80  # characters of an answer that is a label
_MOST_LABELS = 50  # different answers, up to which they are labels


def named_lines(case: Case) -> frozenset[str]:
    """Return the sources of the lines that the last check marked but didn't leave out."""
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
    """Order candidates for review: in turn a random one and the most doubtful of a stratum.

    The most doubtful of all are those that a check has ``named``, by their sources. Strata are
    kinds of answer (labels, where these are few and short), origin and length. An answer is
    doubtful if it is cut off, or unusually long or short for its question. The order follows from
    the contents of the examples, so that two people review the same ones and nobody has to begin
    again.
    """
    at_random = _at_random(candidates)
    marked = [each for each in at_random if each.example.source in named]
    doubtful = [*marked, *_by_doubt(candidates)]
    order: dict[str, TrainingExample] = {}
    # both lists have every candidate, so each is reached by either
    for pair in zip_longest(at_random, doubtful):
        for candidate in pair:
            if candidate is not None:
                order.setdefault(candidate.example.id, candidate.example)
    return list(order.values())


def random_part(candidates: Sequence[Candidate], reviewed: Container[str]) -> list[str]:
    """Return the ids of a random sample that is reviewed completely: its shares hold for all."""
    ids = []
    for candidate in _at_random(candidates):
        if candidate.example.id not in reviewed:
            break  # those after it may have been reviewed because they are doubtful
        ids.append(candidate.example.id)
    return ids


def _at_random(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates in a random order that follows from their contents."""
    return sorted(candidates, key=lambda each: digest_of("review", each.example.id))


def _by_doubt(candidates: Sequence[Candidate]) -> Iterator[Candidate]:
    """One candidate of each stratum, the smallest stratum first, then the next one of each."""
    groups = sorted(_strata(candidates), key=len)
    by_doubt = [_most_doubtful_first(group) for group in groups]
    for turn in zip_longest(*by_doubt):
        for candidate in turn:
            if candidate is not None:
                yield candidate


def _strata(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Candidates of one kind of answer, one origin, and one third by length of their question."""
    answers = {each.example.answer.content for each in candidates}
    are_labels = len(answers) <= _MOST_LABELS and all(
        len(answer) <= _LABEL_CHARACTERS for answer in answers
    )
    sizes = sorted(len(each.example.asked) for each in candidates)
    if not sizes:
        return []
    end_of_short = sizes[len(sizes) // 3]
    end_of_middle = sizes[len(sizes) * 2 // 3]
    strata: dict[tuple[str, str, str], list[Candidate]] = defaultdict(list)
    for candidate in _at_random(candidates):
        example = candidate.example
        kind = example.answer.content if are_labels else ""
        if len(example.asked) <= end_of_short:
            length = "short"
        elif len(example.asked) <= end_of_middle:
            length = "middle"
        else:
            length = "long"
        strata[kind, example.origin, length].append(candidate)
    return list(strata.values())


def _most_doubtful_first(group: Sequence[Candidate]) -> list[Candidate]:
    """Cut-off answers first, then those farthest from the group's usual length."""
    ratios = sorted(_length_ratio(candidate) for candidate in group)
    usual = ratios[len(ratios) // 2]

    def certainty(candidate: Candidate) -> tuple[bool, float]:
        return not candidate.cut, -abs(_length_ratio(candidate) - usual)

    return sorted(group, key=certainty)


def _length_ratio(candidate: Candidate) -> float:
    """The length of an answer by that of its question; 20 more, as a short question says little."""
    example = candidate.example
    return len(example.answer.content) / (len(example.asked) + 20)


def turn_shown(turn: ChatTurn) -> str:
    """Return the text of a turn, with tool calls as separate lines."""
    lines = [turn.content] if turn.content else []
    for call in turn.tool_calls:
        lines.append(f"{call.function.name}({call.function.arguments})")  # noqa: PERF401  # a step beside the text
    return "\n".join(lines)


def as_case(example: TrainingExample) -> EvalCase:
    """Return a test case with the same question, without the answer."""
    turns = [
        CaseMessage(role=turn.role, content=turn_shown(turn))
        for turn in example.messages[:-1]
    ]
    return EvalCase(id=example.id, messages=tuple(turns))


def review_items(
    candidates: Sequence[Candidate], named: Container[str] = frozenset()
) -> list[Item]:
    """Return conversations with their answers for review, without source and model."""
    items = []
    for example in review_order(candidates, named):
        item = Item(
            task="training",
            case=as_case(example),
            outputs=(turn_shown(example.answer),),
            choices=REVIEWS,
        )
        items.append(item)
    return items


def pair_items(own: OwnAnswers) -> list[Item]:
    """Return labels beside an arm's own answers, in an order that doesn't show which is which."""
    items = []
    for example in own.examples:
        if example.id not in own.answers:
            continue
        # a digest decides which one is shown first: at random, and the same for everybody
        first_digit = digest_of("flip", example.id)[0]
        item = Item(
            task="pairwise",
            case=as_case(example),
            arms=(LABEL, own.arm),
            outputs=(turn_shown(example.answer), own.answers[example.id]),
            choices=PAIRS,
            flipped=int(first_digit, 16) % 2 == 1,
        )
        items.append(item)
    return items


# Labels against the model's own answers.

#: Examples that are compared; more would tire people, not settle more.
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
    """Return the best arm's answers to ``n`` examples at most, drawn from the training set.

    The arm is the one named. Without a name, it is the best that the ceiling lab chose, or else the
    first one with a prompt. With ``send``, models are asked for answers that the ledger lacks, as
    in ``lab.prepare.paid``; without it, only kept answers are returned. Models may be called at the
    hosts in ``to``, too. Raises InputError if there is no training set, no such arm, or the cap is
    too small.
    """
    lab = prepare(source, scored=False, to=to)
    _, passed = training_set(lab.case)
    asked = _arm_to_ask(lab, arm)
    by_draw = sorted(passed, key=lambda example: digest_of("compare", example.id))
    examples = tuple(by_draw[:n])
    jobs = {}
    for example in examples:
        job, _, _ = next(lab.plan.calls([asked], [as_case(example)]))
        jobs[example.id] = job
    every = list(jobs.values())
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
    return OwnAnswers(asked.id, examples, answers)


def _arm_to_ask(lab: PreparedLab, name: str) -> Arm:
    """The named arm; without a name, the best chosen one, else the first.

    Only arms of one call answer as a tuned model would. Raises InputError if it isn't one.
    """
    arms = {arm.id: arm for arm in lab.plan.called if not arm.steps}
    choice = written_choice(lab.case)
    chosen = choice.chosen if choice else ()  # the best first
    if not name:
        for id_ in (*chosen, *arms):
            if id_ in arms:
                return arms[id_]
    if name not in arms:
        fix = did_you_mean(name, tuple(arms))
        raise InputError(
            f'"{name[:80]}" is not an arm of one call', where="--arm", fix=fix
        )
    return arms[name]


async def _ask_all(
    calls: PaidCalls, _: Quote, *, jobs: Sequence[Job]
) -> dict[str, Settled]:
    """Make all calls, and return their outcomes by key; raises the reason of a stop."""
    outcome = await calls.runner().all(jobs)
    if outcome.stop:
        raise outcome.stop.error()
    return outcome.some([job.key for job in jobs])
