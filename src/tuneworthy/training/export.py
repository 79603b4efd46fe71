"""The training set in the form of a service or a library, checked before anything is sent.

A target is a data file under ``targets/``: the layout of a line, its limits and rules, its job and
its command, each as its maker's pages said on a day. ``line`` is a template: ``$messages`` and the
like are filled in, and a key that ends in ``?`` is left out if it would be empty. ``turn``,
``call``, ``result`` and ``tool`` are the layouts of a message, a tool call, its result and its
description, if they differ from OpenAI's.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, Json

from tuneworthy.errors import FrameworkError, InputError
from tuneworthy.facts.load import age_text, facts_on
from tuneworthy.facts.records import Method, ModelFact, ServiceFact
from tuneworthy.files.disk import made_whole, with_home, write_new
from tuneworthy.files.stores import read_disliked, read_pilot
from tuneworthy.llm.embedded import ORIGIN
from tuneworthy.measure.hiding import hider
from tuneworthy.measure.signals.base import ESTIMATE_FACTOR
from tuneworthy.model.base import (
    TOKENS_PER_MTOK,
    FileRecord,
    Name,
    Natural,
    Text,
    Unknown,
)
from tuneworthy.model.case import Case, Medium, Model, PersonalPolicy
from tuneworthy.model.pilot import Method as Learning
from tuneworthy.model.pilot import PilotResult, Recipe
from tuneworthy.model.training import (
    ChatTurn,
    FunctionCall,
    TrainingExample,
    TrainingSet,
)
from tuneworthy.money.terms import forced_move
from tuneworthy.pipeline import framework_of, load_case, today
from tuneworthy.plugins import plugin_texts
from tuneworthy.report import blocks as b
from tuneworthy.report.markdown import render
from tuneworthy.report.sections.lab_pilot import card_section
from tuneworthy.syntax.document import ParsedFile, build, did_you_mean, parse
from tuneworthy.text.json import read_json, validator
from tuneworthy.training.as_piloted import AsPiloted, as_piloted
from tuneworthy.training.bases import (
    OWN_BASE,
    ChosenBase,
    TargetBases,
    asked_text,
    choose_base,
)
from tuneworthy.training.candidates import GATED_ELSEWHERE, training_set
from tuneworthy.training.gate import called, hidden_example, tokens_of
from tuneworthy.training.lora import WARMUP
from tuneworthy.training.recipes import (
    billions_by_name,
    billions_in,
    model_folder,
    recipe_row,
)
from tuneworthy.words import amount, count, counted, listing, sentence, small_usd

_TURN = {
    "role": "$role",
    "content?": "$content",
    "tool_calls?": "$calls",
    "tool_call_id?": "$call_id",
    "name?": "$name",
}
"""OpenAI's layout of a message."""
_PARTS = {
    "rate": "rate",
    "rank": "rank",
    "alpha": "alpha",
    "dropout": "dropout",
    "clip": "clipping",
    "micro": "batch",
    "warmup": "warm-up",
    "sequence": "length",
    "seed": "seed",
}
"""Settings of a recipe beside its epochs, by the word that stands for each in a target's files."""
_FOUR = 4  # bits of a weight
_IF = re.compile(r"\{\{if (\w+)\}\}$")  # at the end of a line that needs a flag
_CALL = {
    "id": "$id",
    "type": "function",
    "function": {"name": "$name", "arguments": "$text"},
}


class HostedJobs(FileRecord):
    """The interface of a service's training jobs, with addresses below that of its models."""

    upload: Literal["form", "redirect", "dataset"] = "form"
    """Whether the file is sent with the form, to an address in the answer, or into a new data set."""
    files: Name = "files"
    jobs: Name
    place: tuple[Name, Name] | None = None
    """A part of the models' address and its replacement, as the same host takes jobs at another
    address; ``$account`` is the account's name."""
    body: dict[str, Any]  #: Of a job; a template, as ``line`` is.
    listed: Name = "data"  #: Field of a list that holds what is listed.
    id: Name = "id"  #: Field that names a job or a file.
    file: Name = "training_file"  #: Field of a job that names the file it learns from.
    status: Name = "status"
    #: States of a file that may be trained on; empty for any.
    ready: tuple[Name, ...] = ()
    model: Name  #: Field of a job that names what came of it.
    #: Field that counts the tokens that are paid; empty where it isn't plain.
    tokens: Text = ""
    done: tuple[Name, ...]
    failed: tuple[Name, ...]
    cancelled: tuple[Name, ...] = ("cancelled",)
    at_once: Annotated[int, Field(ge=1, le=20)] = 1  #: Jobs that it runs side by side.
    served_as: Literal["model", "job"] = "model"
    """Whether the tuned model is called by its own name, or deployed under the job's name."""


class Target(FileRecord):
    """A service or a library, and one way of tuning with it."""

    title: Name
    service: Name  #: As the catalogue of services calls it, which knows until when it is open.
    line: dict[str, Any]
    worse_line: dict[str, Any] | None = None
    """A separate line for the worse answer of an example; None where the target takes none."""
    turn: dict[str, Any] = _TURN
    call: dict[str, Any] = _CALL
    result: dict[str, Any] | None = None  #: A tool's message; as any other where None.
    #: A tool's description; as OpenAI writes it where None.
    tool: dict[str, Any] | None = None
    roles: dict[str, str] = {}  #: Their word for a role, where that is another.
    #: JSON Schema of a line.
    schema_: Annotated[Json[dict[str, Any]], Field(alias="schema")]
    #: The rules that each line has to keep: names of ``RULES``, and their limits.
    refuses: dict[str, str] = {}
    #: Words that no text may hold, whatever their capitals.
    words: tuple[str, ...] = ()
    least: Natural = 1  #: Lines to train on.
    #: The same; None where its pages name no limit, as below.
    most: Natural | None = None
    most_in_all: Natural | None = None  #: Lines with those to validate on.
    most_validation: Natural | None = None
    most_tokens: Natural | None = None  #: Of a line.
    most_bytes: Natural | None = None  #: Of a file.
    advised: Natural | None = None  #: Lines to begin with.
    train: str = "train.jsonl"
    validation: str = "validation.jsonl"  #: Empty where none is taken.
    #: Models that it tunes, ``host:name``; the first is usual.
    bases: tuple[Name, ...] = ()
    method: Literal["sft", "dpo", "kto", "rft"] = "sft"  #: The method of training.
    learns: Literal["answer", "assistant", "unknown"] = "unknown"
    """The texts that the loss covers: the last answer, all of the assistant's, or unknown."""
    epochs: Annotated[float, Field(gt=0)] = 3
    write: dict[str, str] = {}  #: Further files by name: job or configuration.
    run: Text = ""  #: The commands, one a line.
    api: HostedJobs | None = None  #: Its jobs, where a pilot may ask for them.
    price: Name | None = None  #: Where it stands what training costs.
    #: The data that the service keeps and until when, where the catalogue is silent.
    keeps: Text | None = None
    says: Text = ""  #: Further remarks.
    sources: tuple[Name, ...]
    dated: date  #: When these were read.

    @property
    def offer(self) -> ServiceFact | None:
        """The service of this target, as the catalogue lists it."""
        return facts_on().service(self.service)

    @property
    def local(self) -> bool:
        """Whether it trains on a machine of the team."""
        return self.offer is not None and self.offer.kind == "self_hosted"

    @property
    def cannot(self) -> tuple[str, ...]:
        """Settings of a recipe that its files can't express, by name."""
        text = "\n".join((*self.write.values(), self.run))
        # "{{rate}}" in a file stands for the rate
        return tuple(
            name for word, name in _PARTS.items() if f"{{{{{word}}}}}" not in text
        )


_FOLDER = files("tuneworthy.training").joinpath("targets")


def target_names() -> list[str]:
    """Every shipped target, and those of installed packages."""
    ours = {file.name.removesuffix(".yaml") for file in _FOLDER.iterdir()}
    return sorted(ours | plugin_texts("targets").keys())


@cache
def target(name: str) -> Target:
    """Read a target by its name; an InputError with the likeliest name for an unknown one."""
    if name not in target_names():
        fix = did_you_mean(name, tuple(target_names()))
        raise InputError(f'"{name[:60]}" is not a target', where="--to", fix=fix)
    # the catalogue's limits are newer than the file's
    data = {**_data(name), **_limits(name)}
    return build(Target, ParsedFile(data, name), FrameworkError)


def _data(name: str) -> dict[str, Any]:
    """The file of a target, and for what it doesn't say the file that it is like."""
    text = plugin_texts("targets").get(name)
    if text is None:
        text = _FOLDER.joinpath(f"{name}.yaml").read_text("utf-8")
    data: dict[str, Any] = parse(text, name, FrameworkError).data
    like = data.pop("like", None)
    return data if like is None else {**_data(like), **data}


def _limits(name: str) -> dict[str, Any]:
    """The limits and bases of a target, as the catalogue lists them; {} where it has none."""
    fact = facts_on().limits_of(name)
    if fact is None:
        return {}
    return fact.model_dump(include=_LIMITS, exclude_defaults=True)


_LIMITS = {
    "least",
    "most",
    "most_in_all",
    "most_validation",
    "most_tokens",
    "most_bytes",
    "advised",
    "bases",
}
"""Fields of a target that the catalogue of facts may replace."""


def bases_of(name: str) -> TargetBases:
    """Return the bases that a target tunes, and other services' targets of the same method."""
    to = target(name)
    others = []
    for other_name in target_names():
        other = target(other_name)
        same_method = method_of(other_name) == method_of(name)
        if same_method and other.service != to.service and other.bases:
            usual, *_ = other.bases
            others.append((other_name, usual))
    return TargetBases(to.title, to.bases, to.offer, tuple(others))


def hosted_base(
    model: Model, method: Method, day: date, media: Sequence[Medium] = ()
) -> ChosenBase | None:
    """A model as a base that its own provider would tune; None where no target tunes it.

    None, too, for a model at an address of its own, as no provider's calendar applies to it.
    """
    if model.base_url is not None:
        return None
    host, _, name = model.id.partition(":")
    for each in target_names():
        offer = target(each).offer
        if offer is not None and offer.host == host and method_of(each) == method:
            return choose_base(bases_of(each), name, day, media)
    return None


_METHODS: Mapping[str, Method] = {
    "dpo": "preference",
    "kto": "preference",
    "rft": "reinforcement",
}


def method_of(name: str) -> Method:
    """The method of a target, by the last part of its name."""
    *_, last = name.split("-")
    return _METHODS.get(last, "supervised")


# Writing a line.


TRUTH = {"true": True, "false": False}
"""The values of $true and $false in a template: in these files, yes, true and no are words."""


def written_lines(example: TrainingExample, to: Target) -> list[dict[str, Any]]:
    """The lines of an example for a target: its own, and one for its worse answer if that counts."""
    if to.worse_line is None or not example.rejected.strip():
        return [written(example, to)]
    worse = written(example, to, to.worse_line)
    if example.disliked:  # nobody knows a better answer
        return [worse]
    return [written(example, to), worse]


def written(
    example: TrainingExample, to: Target, line: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Write an example as a line of a target, by its usual layout or by ``line``."""
    before = example.messages[:-1]
    system = "\n\n".join(turn.content for turn in before if turn.role == "system")
    asked = [turn for turn in before if turn.role != "system"]
    prompt = [text for text in (system, *(turn.content for turn in asked)) if text]
    turns = [_turn(turn, to) for turn in asked]
    with_system = [_turn(turn, to) for turn in before]
    answer = _turn(example.answer, to)
    worse = ChatTurn(role="assistant", content=example.rejected)
    # a target's template takes what it needs of these
    values = {
        "messages": [*with_system, answer],
        "weighted": [*(_unlearned(turn) for turn in with_system), answer],
        "asked": with_system,
        "turns": [*turns, answer],
        "asked_turns": turns,
        "answer": answer,
        "worse": _turn(worse, to),
        "system": system,
        "prompt": "\n\n".join(prompt),
        "completion": example.answer.content,
        "rejected": example.rejected,
        "tools": [_tool(tool, to) for tool in example.tools],
        **TRUTH,
    }
    return dict(filled(to.line if line is None else line, values))


def _unlearned(turn: dict[str, Any]) -> dict[str, Any]:
    """A turn that a service learns nothing of: an answer has weight 0."""
    if turn.get("role") == "assistant":
        return {**turn, "weight": 0}
    return turn


def _turn(turn: ChatTurn, to: Target) -> dict[str, Any]:
    """A message in the form that a target takes."""
    values: dict[str, Any] = {
        "content": turn.content,
        "call_id": turn.tool_call_id,
        "name": turn.name,
    }
    if turn.role == "tool" and to.result is not None:
        return dict(filled(to.result, values))
    values["role"] = to.roles.get(turn.role, turn.role)
    values["calls"] = [
        _written_call(call, number, to)
        for number, call in enumerate(turn.tool_calls, start=1)
    ]
    return dict(filled(to.turn, values))


def _written_call(call: FunctionCall, number: int, to: Target) -> Any:
    """A call of a tool in the target's form; one without an id is numbered within its turn."""
    values = {
        "id": call.id or f"call_{number}",
        "name": call.function.name,
        "text": call.function.arguments,
        "object": _object(call.function.arguments),
    }
    return filled(to.call, values)


def _tool(tool: Mapping[str, Any], to: Target) -> Any:
    """A description of a tool in the target's form; as it is where the target has no form."""
    function = tool.get("function", tool)
    if to.tool is None or not isinstance(function, Mapping):
        return dict(tool)
    names = ("name", "description", "parameters")
    return filled(to.tool, {name: function.get(name, "") for name in names})


def _object(text: str) -> Any:
    value, fenced = read_json(text)
    return value if isinstance(value, dict) and not fenced else text


def filled(template: Any, values: Mapping[str, Any]) -> Any:
    """Fill in the ``$words`` of a template.

    A key that ends with ``?`` is left out where its value is empty. A word that stands for a list
    adds its items to the list around it, without empty ones.
    """
    if isinstance(template, str) and template.startswith("$"):
        return values[template.removeprefix("$")]
    if isinstance(template, dict):
        return _filled_object(template, values)
    if isinstance(template, list):
        return _filled_list(template, values)
    return template


def _filled_object(
    template: Mapping[str, Any], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Fill in an object, without optional keys whose values are empty."""
    parts = {}
    for key, part in template.items():
        value = filled(part, values)
        if key.endswith("?") and _is_empty(value):
            continue
        parts[key.removesuffix("?")] = value
    return parts


def _filled_list(template: Sequence[Any], values: Mapping[str, Any]) -> list[Any]:
    """Fill in a list, whose words may stand for several items."""
    items: list[Any] = []
    for item in template:
        value = filled(item, values)
        if isinstance(item, str) and isinstance(value, list):
            items += value
        elif not _is_empty(value):
            items.append(value)
    return items


def _is_empty(value: Any) -> bool:
    """Whether a value is empty at every depth: a part with an empty text is empty."""
    if isinstance(value, dict):
        return all(_is_empty(part) for key, part in value.items() if key != "role")
    return value in ("", [], None)


# What a target would refuse.


def refused(example: TrainingExample, to: Target) -> Iterator[str]:
    """Yield the reasons why a target refuses an example; none where it accepts it."""
    broken = list(_broken_rules(example, to))
    yield from broken
    if broken:  # the schema would only say the same in other words
        return
    fits, problem = validator(to.schema_)
    if fits is None or not fits(written(example, to)):
        yield problem or "hasn't the fields that it takes"


def _broken_rules(example: TrainingExample, to: Target) -> Iterator[str]:
    """The rules and limits of a target that an example breaks, a sentence for each."""
    for name, asks in to.refuses.items():
        why = RULES[name](example, asks, to)
        if why:
            yield why
    forbidden = _forbidden_words(example, to)
    if forbidden:
        yield f"holds {', '.join(forbidden)}, which no text may hold"
    tokens = tokens_of(example)
    if to.most_tokens is not None and tokens > to.most_tokens:
        yield f"has about {tokens:,} tokens, and {to.most_tokens:,} are taken"
    if example.answer.empty:
        yield "has an empty answer"
    yield from _unpaired(example)


def _forbidden_words(example: TrainingExample, to: Target) -> list[str]:
    """The words in an example that no text of a target may hold."""
    if not to.words:
        return []
    text = json.dumps(written(example, to), ensure_ascii=False).casefold()
    return [word for word in to.words if word.casefold() in text]


def _unpaired(example: TrainingExample) -> Iterator[str]:
    """Tool calls without a result before the conversation goes on, and results without a call."""
    open_calls: list[
        str
    ] = []  # ids of calls that wait for their results; some may be empty
    for turn in example.messages:
        if turn.role == "tool":
            if not _close_call(open_calls, turn.tool_call_id):
                yield "has a tool's result without its call"
            continue
        if open_calls:
            yield "has a call without its result"
        open_calls = [call.id for call in turn.tool_calls]


def _close_call(open_calls: list[str], call_id: str) -> bool:
    """Remove the call of a result from those that wait; returns whether there was one.

    Where the result or a call has no id, they are matched in order.
    """
    if call_id in open_calls:
        open_calls.remove(call_id)
        return True
    all_named = bool(call_id) and all(open_calls)
    if open_calls and not all_named:
        open_calls.pop(0)
        return True
    return False


def _check_turns(example: TrainingExample, _: str, to: Target) -> str:
    """The reason why turns don't alternate as a target asks; empty where they do."""
    roles = []
    for turn in example.messages:
        if turn.role == "tool" and to.result is not None:
            roles.append("user")  # there, a tool's result is a message of the user
        elif turn.role != "system":
            roles.append(turn.role)
    if roles == ["user", "assistant"] * (len(roles) // 2):
        return ""
    return "doesn't alternate between user and assistant"


def _check_system(example: TrainingExample, _: str, __: Target) -> str:
    late = any(turn.role == "system" for turn in example.messages[1:])
    return "has a system message that isn't the first" if late else ""


def _check_tools(example: TrainingExample, asks: str, _: Target) -> str:
    """The reason why an example's tools break a target's rule; empty where they don't.

    The target ``asks`` for ``no`` tools, for ``described`` ones, or for some at least.
    """
    if asks == "no":
        return _uses_tools(example)
    for tool in example.tools:
        problem = _undescribed(tool)
        if problem:
            return problem
    if not example.tools:
        return "has no tools, and it takes some" if asks == "required" else ""
    lacking = called(example) - {tool["function"]["name"] for tool in example.tools}
    if lacking:
        return f"calls {min(lacking)}, which isn't among its tools"
    return ""


def _uses_tools(example: TrainingExample) -> str:
    has_results = any(turn.role == "tool" for turn in example.messages)
    if example.tools or called(example) or has_results:
        return "has tools, which aren't taken"
    return ""


def _undescribed(tool: Mapping[str, Any]) -> str:
    """The reason why a description of a tool isn't enough; empty where it is."""
    function = tool.get("function")
    if (
        not isinstance(function, dict)
        or not function.get("name")
        or not function.get("description")
    ):
        return "has a tool without a name or a description"
    if "type" not in (function.get("parameters") or {}):
        return "has a tool whose parameters have no type"
    return ""


def _check_single(example: TrainingExample, _: str, __: Target) -> str:
    roles = [turn.role for turn in example.messages if turn.role != "system"]
    if roles == ["user", "assistant"]:
        return ""
    return "is more than one question and its answer"


def _check_asked(example: TrainingExample, _: str, __: Target) -> str:
    before = example.messages[:-1]
    if before and before[-1].role == "user":
        return ""
    return "doesn't ask at last what is answered"


def _check_pair(example: TrainingExample, _: str, __: Target) -> str:
    if not example.rejected.strip():
        return "has no worse answer beside the better one"
    same = example.rejected.split() == example.answer.content.split()
    return "has the same answer as better and worse" if same else ""


RULES: dict[str, Callable[[TrainingExample, str, Target], str]] = {
    "turns": _check_turns,
    "system": _check_system,
    "tools": _check_tools,
    "single": _check_single,
    "asked": _check_asked,
    "pair": _check_pair,
}
"""By the name in a target's file. Each returns the reason why an example breaks the rule; empty where
it keeps it."""


# The hand-off.


class Refusal(NamedTuple):
    """A line that the target would refuse."""

    line: int  #: In the file it would stand in.
    file: str
    source: str  #: Where the example comes from.
    why: tuple[str, ...]


_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
"""A model's name on a hub: who made it, and what it is called."""


class ExportReport(NamedTuple):
    """The files that were written, or the reasons why none were."""

    case: str
    to: Target
    folder: Path | None  #: None where nothing was written.
    train: int
    validation: int
    refusals: tuple[Refusal, ...]
    problems: tuple[str, ...]  #: The faults of the files as a whole.
    trained_tokens: int  #: Estimated, those of every epoch.
    usd: float | Unknown  #: The price of training by its tokens.
    #: Whose price that is, with how it is known; empty where it was stated.
    asked: str
    base: str
    command: str
    training_set: str  #: Digest of the set.
    ends: str  #: When the base ends, or that no end is published.
    warning: str  #: The consequence of its end for this tuning; empty where it lasts.
    looked_up: str  #: How old the catalogue is that says so.
    recipe: RecipeFacts
    piloted: AsPiloted | None  #: None for the examples alone.
    #: Lines that say what not to answer; None where the target takes none.
    thumbs_down: int | None = None
    brought: bool = False  #: Whether its gates ran on another machine, or nobody knows.

    @property
    def reasons(self) -> Counter[str]:
        """The number of refused lines by reason, where numbers in reasons don't count."""
        reasons = Counter[str]()
        for refusal in self.refusals:
            reasons.update(re.sub(r"\d[\d,]*", "N", why) for why in refusal.why)
        return reasons


class RecipeFacts(NamedTuple):
    """The recipe of an export, and its source."""

    recipe: Recipe
    epochs: float
    source: str
    pages: str = ""  #: Where it was read; empty for the pilot's.


PILOTS = "the pilot's"
Shape = Literal["piloted", "bare"]
"""As a pilot trains, with prompt and general examples, or only the accepted examples."""


def export(
    source: str | Path,
    name: str,
    *,
    output: str | Path | None = None,
    base: str | None = None,
    usd_per_mtok: float | None = None,
    leave_out: bool = False,
    as_of: date | None = None,
    shape: Shape | None = None,
) -> ExportReport:
    """Write the training set of a case for a target, with its job and its command.

    ``output`` is a new folder, by default ``export/NAME`` in the case folder. ``base`` is the model
    to tune, or its folder; by default, the target's usual one. ``leave_out`` leaves out lines that
    the target would refuse; without it, nothing is written if there are any. The ``shape`` is the
    pilot's by default, once one has run. If the base has ended on ``as_of``, nothing is written.
    Raises InputError if there is no training set, or no such target; and OutputError if the folder
    exists.
    """
    case = load_case(source)
    to = target(name)
    day = as_of or today()
    examples = _examples_to_write(source, case, to, shape)
    # listed before any is left out, so that the report names them all
    refusals = examples.refusals(to)
    if leave_out:
        examples = examples.without({refusal.source for refusal in refusals})
    chosen, billions = _base(base, name, examples.piloted, day, case.data.media)
    facts = _recipe(to, billions, examples.piloted, named=chosen.name)
    # a service bills each epoch
    tokens = round(sum(tokens_of(each) for each in examples.train) * facts.epochs)
    price = _price(to, name, chosen, tokens, usd_per_mtok, day)
    files = _files(case.name, examples, to, chosen.name, facts)
    problems = tuple(_problems(examples, files, to, chosen))
    folder = (case.folder or Path()) / "export" / name if output is None else output
    # refused lines can be left out, but not what is wrong with the files as a whole
    writes = not problems and (leave_out or not refusals)
    report = ExportReport(
        case=case.name,
        to=to,
        folder=Path(folder) if writes else None,
        train=len(examples.train),
        validation=len(examples.held),
        refusals=tuple(refusals),
        problems=problems,
        trained_tokens=tokens,
        usd=price.usd,
        asked=price.whose,
        base=chosen.name,
        command=files.command,
        training_set=examples.training.digest,
        ends=chosen.ends,
        warning=_say_warning(case, chosen, price.usd),
        looked_up=age_text(day),
        recipe=facts,
        piloted=examples.piloted,
        thumbs_down=_count_down(examples.train, to),
        brought=examples.training.brought,
    )
    if report.folder is not None:
        card = model_card(report, chosen.fact, read_pilot(case))
        _write(report.folder, files, report, card)
    return report


class _ExportExamples(NamedTuple):
    """The examples of an export, in the order of their lines."""

    train: tuple[TrainingExample, ...]
    held: tuple[TrainingExample, ...]  #: To validate on.
    piloted: AsPiloted | None  #: None for the examples alone.
    training: TrainingSet  #: The set that they are from.

    def refusals(self, to: Target) -> list[Refusal]:
        """The lines that the target would refuse."""
        return [
            *_refusals(self.train, to.train, to),
            *_refusals(self.held, to.validation, to),
        ]

    def without(self, sources: set[str]) -> _ExportExamples:
        """The examples without those of some sources."""
        train = tuple(each for each in self.train if each.source not in sources)
        held = tuple(each for each in self.held if each.source not in sources)
        return self._replace(train=train, held=held)


def _examples_to_write(
    source: str | Path, case: Case, to: Target, shape: Shape | None
) -> _ExportExamples:
    """The examples as piloted, else those that passed the gates; and logged answers to avoid.

    Without a ``shape``, it is the pilot's where one has run.
    """
    training, passed = training_set(case)
    passed = shared_examples(passed, case.data.personal)
    if shape is None:
        shape = "bare" if read_pilot(case) is None else "piloted"
    piloted = None
    if shape == "piloted":
        piloted = as_piloted(source, training, passed, to.method)
        train = piloted.train
        held = piloted.validation
    else:
        train = tuple(each for each in passed if each.split == "train")
        held = tuple(each for each in passed if each.split == "validation")
    if not to.validation:  # it takes no such file
        held = ()
    return _ExportExamples(
        train=(*train, *_disliked_answers(case, to)),
        held=held[: to.most_validation],
        piloted=piloted,
        training=training,
    )


class _ExportFiles(NamedTuple):
    """The content of all files of an export, and the command that starts the training."""

    lines: dict[str, str]  #: Files of examples, by name.
    jobs: dict[str, str]  #: Jobs and scripts, by name.
    command: str


def _files(
    case: str, examples: _ExportExamples, to: Target, base: str, facts: RecipeFacts
) -> _ExportFiles:
    """Write out the files of an export, still in memory."""
    train = _lines(examples.train, to)
    held = _lines(examples.held, to)
    values = _values(case, [*examples.train, *examples.held], train.count("\n"), facts)
    values["base"] = base
    flags = {"validation": bool(examples.held), "four_bit": facts.recipe.bits == _FOUR}
    return _ExportFiles(
        lines={to.train: train, to.validation: held},
        jobs={file: _with(text, values, flags) for file, text in to.write.items()},
        command=_with(to.run, values, flags),
    )


def _write(folder: Path, files: _ExportFiles, report: ExportReport, card: str) -> None:
    """Write all files of an export into a new folder, or none of them."""
    with made_whole(folder) as place:
        for contents in (files.lines, files.jobs):
            for file, text in contents.items():
                if text:  # a target may take no file to validate on
                    write_new(place / file, text)
        write_new(place / "export.json", export_json(report))
        write_new(place / "README.md", card)


def model_card(
    report: ExportReport, base: ModelFact | None, pilot: PilotResult | None
) -> str:
    """The card of the model that a folder trains, as Markdown in the form of model hubs.

    What isn't known is left out. The pilot's card is part of it where it speaks of this very set
    and base.

    Args:
        report: The export.
        base: Facts of the base; None where nobody knows it.
        pilot: The last pilot of the case; None where none has ended.
    """
    head = []
    if _HUB_NAME.fullmatch(report.base):
        head.append(f"base_model: {report.base}")
    if base is not None and base.license is not None:
        head.append(f"license: {base.license}")
    rows = [(*row, "")[:3] for row in _facts(report)]
    facts = b.table("What it is trained on", "What | It is | More", rows)
    sections = [b.section("", "Training", facts)]
    piloted = report.piloted
    speaks = piloted is not None and piloted.same_set and bool(piloted.card)
    if pilot is not None and speaks and report.recipe.source == PILOTS:
        sections.append(card_section(pilot.card))
    text = render(b.Document(report.case, "a tuned model's card", sections))
    front = "\n".join(["---", *head, "---"])
    return f"{front}\n\n{text}" if head else text


def _disliked_answers(case: Case, to: Target) -> tuple[TrainingExample, ...]:
    """Logged answers with a bad score, for a target that takes thumbs; else ()."""
    if to.worse_line is None:
        return ()
    return shared_examples(read_disliked(case), case.data.personal)


def shared_examples(
    examples: tuple[TrainingExample, ...], policy: PersonalPolicy | None
) -> tuple[TrainingExample, ...]:
    """Examples that may leave the machine: without personal data, if a policy is stated."""
    if policy is None:
        return examples
    rule = policy.exports
    return tuple(
        hidden_example(each, hider(policy, rule, each.id)) for each in examples
    )


def shared_rows(
    rows: Sequence[dict[str, Any]], policy: PersonalPolicy | None
) -> list[dict[str, Any]]:
    """Rows of messages for a pilot's service, without personal data if a policy is stated."""
    if policy is None:
        return list(rows)
    shared = []
    for place, row in enumerate(rows):
        hide = hider(policy, policy.exports, str(place))
        *_, answer = row["messages"]
        hide.learn(answer["content"])  # what the answer repeats is hidden before it too
        messages = [
            {**turn, "content": hide(turn["content"] or "")} for turn in row["messages"]
        ]
        hidden = {**row, "messages": messages}
        if "rejected" in row:
            hidden["rejected"] = hide(row["rejected"])
        shared.append(hidden)
    return shared


class _TrainingPrice(NamedTuple):
    """The price of training, and whose it is with how it is known; empty for a stated one."""

    usd: float | Unknown
    whose: str = ""


def _price(
    to: Target,
    name: str,
    base: ChosenBase,
    tokens: int,
    usd_per_mtok: float | None,
    day: date,
) -> _TrainingPrice:
    """The price of training by its tokens: at the stated price, else at the catalogue's highest."""
    if usd_per_mtok is not None:
        return _TrainingPrice(tokens * usd_per_mtok / TOKENS_PER_MTOK)
    if to.offer is not None:
        model = f"{to.offer.host}:{base.name}"
        method = method_of(name)
        price = facts_on(day).training_price(model, method)
        if price is not None:  # a service may ask a least amount for a job
            usd = max(tokens * price.most / TOKENS_PER_MTOK, price.minimum_usd)
            return _TrainingPrice(usd, asked_text(model, method, day))
    if to.price is None:
        ask = "no service is paid; measure the time of your machine: tuneworthy pilot"
    else:
        ask = f"look it up, then give --usd-per-mtok: {to.price}"
    return _TrainingPrice(Unknown(ask=ask))


def _say_warning(case: Case, chosen: ChosenBase, usd: float | Unknown) -> str:
    """Say how the end of a base affects this tuning; empty where the base lasts."""
    if not chosen.warning:
        return ""
    known = None if isinstance(usd, Unknown) else usd
    move = forced_move(case, framework_of(case), known)
    cost = f" Tuning again on another base then takes {move}" if move else ""
    return f"{chosen.warning}.{cost}"


class _ExportBase(NamedTuple):
    """The base of an export, in the words of the target's files."""

    chosen: ChosenBase
    billions: float | None  #: Of weights; None where they aren't known.


def _base(
    name: str | None,
    target_name: str,
    piloted: AsPiloted | None,
    day: date,
    media: Sequence[Medium],
) -> _ExportBase:
    """The named base, else the pilot's, else the target's usual one.

    Raises InputError for a folder without a model, or one that a service can't read.
    """
    to = target(target_name)
    if name is None and piloted is not None:
        name = _piloted_base(piloted, to)
    if name is None or not with_home(name).is_dir():
        if name is not None:
            _refuse_quotes(name)
        chosen = choose_base(bases_of(target_name), name, day, media)
        return _ExportBase(chosen, billions_by_name(chosen.name))
    if not to.local:
        what = "is a folder of this machine, which no service reads"
        fix = "name a model of the service, or write for a library: --to trl-sft"
        raise InputError(what, where="--base", fix=fix)
    folder = model_folder(name)
    _refuse_quotes(str(folder))
    chosen = choose_base(bases_of(target_name), str(folder), day)
    return _ExportBase(chosen, billions_in(folder))


def _piloted_base(piloted: AsPiloted, to: Target) -> str | None:
    """The base of the pilot, if the target can tune it; else None."""
    if piloted.way == "embedded" and to.local:
        return ORIGIN
    if piloted.way != "hosted" or to.offer is None:
        return None
    provider, _, model = piloted.base.partition(":")
    if provider != to.offer.host or not model:
        return None
    return model


def _refuse_quotes(name: str) -> None:
    """Refuse a name with a quote, which would end the string that it is written into."""
    if not name.isprintable() or any(sign in name for sign in "\"'\\`$"):
        fix = "rename the folder, or name the model otherwise"
        raise InputError(
            "has a quotation mark, $ or \\ in its name", where="--base", fix=fix
        )


def _recipe(
    to: Target, billions: float | None, piloted: AsPiloted | None, *, named: str
) -> RecipeFacts:
    """The pilot's recipe if the target trains the same way, else the recipe to start from.

    ``billions`` and ``named`` are of the base that the target tunes.
    """
    # a target that learns from rewards takes the recipe of examples
    method: Learning = to.method if to.method != "rft" else "sft"
    row = recipe_row(method, billions)
    source = f"{row.says} Read on {row.dated}"
    # without a pilot that trained there, the target's usual number of epochs counts
    usual = RecipeFacts(row.recipe, to.epochs, source, row.source)
    if piloted is None or piloted.recipe is None or to.method == "rft":
        return usual
    if _trained_elsewhere(piloted, to, named):
        return usual
    if piloted.recipe.method != method:
        return usual._replace(epochs=row.recipe.epochs)
    piloted_billions = billions_by_name(
        ORIGIN if piloted.way == "embedded" else piloted.base
    )
    sizes_known = billions is not None and piloted_billions is not None
    is_other_base = named not in (OWN_BASE, ORIGIN)
    # a recipe is for a range of sizes
    if is_other_base and sizes_known and recipe_row(method, piloted_billions) != row:
        other_size = f"another size than the pilot's. {source}"
        return usual._replace(epochs=row.recipe.epochs, source=other_size)
    return RecipeFacts(piloted.recipe, piloted.epochs, PILOTS)


def _trained_elsewhere(piloted: AsPiloted, to: Target, named: str) -> bool:
    """Whether the pilot trained with a service and the target doesn't, or tuned another base there."""
    at_service = piloted.way == "hosted"
    if at_service == to.local:
        return True
    _, _, piloted_name = piloted.base.partition(":")
    return at_service and named != piloted_name


def export_json(report: ExportReport) -> str:
    """Write the report of an export as JSON, so that it can be read again later."""
    data = report._asdict() | {"to": report.to.title, "dated": report.to.dated}
    data["recipe"] = {
        **report.recipe.recipe.model_dump(),
        "epochs": report.recipe.epochs,
        "source": report.recipe.source,
        "pages": report.recipe.pages,
        "cannot": report.to.cannot,
    }
    piloted = report.piloted
    if piloted is not None:
        data["piloted"] = {
            "base": piloted.base,
            "prompt": piloted.prompt,
            "general": piloted.general,
            "there": piloted.available,  # as in the files of earlier versions
            "secrets": piloted.secrets,
            "way": piloted.way,
            "same_set": piloted.same_set,
            "card": piloted.card,
        }
    data["refusals"] = [refusal._asdict() for refusal in report.refusals]
    if isinstance(report.usd, Unknown):
        data["usd"] = report.usd.model_dump()
    return json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n"


def _count_down(examples: Sequence[TrainingExample], to: Target) -> int | None:
    """The number of lines with answers to avoid; None where the target takes none."""
    if to.worse_line is None:
        return None
    return sum(bool(example.rejected.strip()) for example in examples)


_NO_THUMB_DOWN = (
    "no answer with a thumb down: add pairs or a log with ratings, or edit answers"
)


def _refusals(
    examples: Sequence[TrainingExample], file: str, to: Target
) -> Iterator[Refusal]:
    """The lines of a file that the target would refuse."""
    for line, example in enumerate(examples, start=1):
        reasons = tuple(refused(example, to))
        if reasons:
            yield Refusal(line, file, example.source, reasons)


def _lines(examples: Sequence[TrainingExample], to: Target) -> str:
    """The text of a file of examples."""
    lines = []
    for example in examples:
        for line in written_lines(example, to):
            lines.append(f"{json.dumps(line, ensure_ascii=False)}\n")  # noqa: PERF401  # two plain loops
    return "".join(lines)


def _problems(
    examples: _ExportExamples, files: _ExportFiles, to: Target, base: ChosenBase
) -> Iterator[str]:
    """Name what is wrong with the base, and with the files as a whole."""
    if base.problem:
        yield base.problem
    train = len(examples.train)
    if train < to.least:
        yield f"{train:,} lines to train on, and it takes {to.least:,} or more"
    in_all = train + len(examples.held)
    for lines, most in ((train, to.most), (in_all, to.most_in_all)):
        if most is not None and lines > most:
            yield f"{lines:,} lines, and it takes {most:,} at most"
    largest = max(len(text.encode("utf-8")) for text in files.lines.values())
    if to.most_bytes and largest > to.most_bytes:
        yield f"a file of more than {to.most_bytes:,} bytes"
    if _count_down(examples.train, to) == 0:
        yield _NO_THUMB_DOWN


def _values(
    name: str, examples: Sequence[TrainingExample], train: int, facts: RecipeFacts
) -> dict[str, str]:
    """The text for each ``{{word}}`` in jobs and commands. ``train`` is the lines to train on."""
    recipe = facts.recipe
    length = recipe.longest
    if facts.source != PILOTS:
        length = _length_for(examples)
    parts = _equal_parts(recipe)
    micro = recipe.batch // parts
    steps = math.ceil(train * facts.epochs / recipe.batch)
    return {
        # services take names of small letters, digits and hyphens
        "name": re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "case",
        "epochs": f"{facts.epochs:g}",
        "sequence": str(length),
        "iters": str(math.ceil(train * facts.epochs / micro)),
        "steps": str(steps),
        "warmup": str(max(1, int(steps * WARMUP))),
        "micro": str(micro),
        "batch": str(recipe.batch),
        "parts": str(parts),
        "rate": f"{recipe.rate:.10f}".rstrip("0"),  # never as 1e-05
        "rank": str(recipe.rank),
        "alpha": str(recipe.alpha),
        "scale": f"{recipe.alpha / max(1, recipe.rank):g}",
        "dropout": f"{recipe.dropout:g}",
        "clip": f"{recipe.clip:g}",
        # YAML's words, and Python's
        "checkpointing": str(recipe.checkpointing).lower(),
        "Checkpointing": str(recipe.checkpointing),
        "four_bit": str(recipe.bits == _FOUR).lower(),
        "Four_bit": str(recipe.bits == _FOUR),
        "seed": "0",
    }


def _length_for(examples: Sequence[TrainingExample]) -> int:
    """Tokens that 99% of the examples fit into, even where the estimate is far too low.

    A whole multiple of 256, and 512 at least, as accelerators compute with such lengths.
    """
    tokens = sorted(tokens_of(each) for each in examples) or [1]
    rank = math.ceil(0.99 * len(tokens))
    longest = tokens[rank - 1] * ESTIMATE_FACTOR
    return max(512, 256 * math.ceil(longest / 256))


def _equal_parts(recipe: Recipe) -> int:
    """The number of equal parts of a batch, at least as many as in the recipe.

    A trainer multiplies the number of parts by their size, so unequal parts would change the batch.
    """
    parts = min(recipe.parts, recipe.batch)
    while recipe.batch % parts != 0:
        parts += 1
    return parts


def _with(text: str, values: Mapping[str, str], flags: Mapping[str, bool]) -> str:
    """Fill in the ``{{words}}`` of a template.

    A line that ends with ``{{if FLAG}}`` is dropped without the flag.
    """
    lines = []
    for line in text.split("\n"):
        mark = _IF.search(line)
        if mark is None:
            lines.append(line.rstrip())
        elif flags[mark.group(1)]:
            lines.append(line[: mark.start()].rstrip())
    whole = "\n".join(lines)
    return re.sub(r"\{\{(\w+)\}\}", lambda word: values[word.group(1)], whole)


# What is shown of it.


_MOST_REFUSALS = 20  # refused lines that the document lists


def export_document(done: ExportReport) -> b.Document:
    """Compose the document with the files that were written, or the reasons why none were."""
    if done.folder is None:
        return _refused_document(done)
    held = f", {count(done.validation)} to validate on" if done.validation else ""
    headline = (
        f"wrote {done.folder}: {counted(done.train, 'example')} to train on{held}"
    )
    steps = b.bullets(done.command.strip().split("\n"), ordered=True)
    sections = [
        b.section("", "How to start it, in that folder", steps),
        b.section("", done.to.title, b.facts(_facts(done))),
    ]
    return b.Document(done.case, headline, sections)


def _refused_document(done: ExportReport) -> b.Document:
    """The document with the reasons why nothing was written, and the refused lines."""
    headline = f"nothing was written, as {done.to.title} would refuse it"
    reasons = list(done.problems)
    for reason, lines in done.reasons.most_common():
        reasons.append(f"{counted(lines, 'line')}: {reason}")
    parts: list[b.Parts] = [b.bullets([sentence(reason) for reason in reasons])]
    after = []
    if done.refusals:
        every = counted(done.train + done.validation, "line")
        parts.append(f"It would refuse {count(len(done.refusals))} of {every}.")
        rows = [
            (f"{refusal.file}:{refusal.line}", refusal.source, "; ".join(refusal.why))
            for refusal in done.refusals[:_MOST_REFUSALS]
        ]
        parts.append(b.table("Lines", "Line | From | Why", rows, quiet=True))
        after.append("Edit these, or leave them out with --leave-out")
    return b.Document(done.case, headline, [b.section("", "Why", *parts)], after=after)


_LEARNS = {
    "answer": "the last answer alone",
    "assistant": "every answer of the assistant, earlier ones in a conversation too",
    "unknown": "unknown: its pages don't say",
}


def _facts(done: ExportReport) -> Iterator[tuple[str, ...]]:
    """The rows of the report on an export: a title, what it says, and perhaps a note."""
    yield "Base model", done.base
    yield "Its end", done.ends
    if done.warning:
        yield "Forced move", done.warning
    yield from _as_piloted(done)
    yield from _training_rows(done)
    yield from _service_rows(done)
    yield from _set_rows(done)
    if done.to.says:
        yield "To know", done.to.says
    yield "Catalogue", done.looked_up
    yield "As read on", str(done.to.dated), ", ".join(done.to.sources)


def _training_rows(done: ExportReport) -> Iterator[tuple[str, ...]]:
    """How the model is trained, and on how many tokens."""
    to = done.to
    recipe = done.recipe.recipe
    epochs = f"{done.recipe.epochs:g} epochs"
    if to.cannot:
        says = f"{listing(to.cannot)}: its files have no place for them"
        yield "Set by the target", says
    if "rate" not in to.cannot:
        carried = (
            f"rate {recipe.rate:g}, rank {recipe.rank}, alpha {recipe.alpha}, "
            f"batch {recipe.batch}, {epochs}"
        )
        yield "Recipe", carried, done.recipe.source
    yield "It learns", _LEARNS[to.learns]
    # an estimate by characters carries two digits
    tokens = amount(float(f"{done.trained_tokens:.2g}"))
    rests = f"in {epochs}, by characters: up to {ESTIMATE_FACTOR:g} times more or fewer"
    yield "Tokens trained", f"about {tokens}", rests


def _service_rows(done: ExportReport) -> Iterator[tuple[str, ...]]:
    """The price of the service, what it keeps, where it works and until when."""
    offer = done.to.offer
    if isinstance(done.usd, Unknown):
        yield "Price", f"unknown: {done.usd.ask}"
    elif done.asked:
        yield "Price", small_usd(done.usd), done.asked
    else:
        yield "Price", small_usd(done.usd)
    kept = done.to.keeps or (offer.keeps if offer is not None else "")
    yield "Kept by the service", kept or "unknown: ask it in writing"
    if offer is not None and offer.regions:
        yield "Tuned in", listing(offer.regions)
    if offer is not None and offer.until:
        yield "New work until", str(offer.until), offer.says


def _set_rows(done: ExportReport) -> Iterator[tuple[str, ...]]:
    """The number of lines, where it falls short, and the lines left out."""
    advised = done.to.advised
    if advised is not None and done.train < advised:
        yield (
            "Advised",
            f"{count(advised)} examples or more; there are {count(done.train)}",
        )
    if done.brought:
        yield "Training set", GATED_ELSEWHERE
    if done.thumbs_down is not None:
        yield "Thumbs down", counted(done.thumbs_down, "line")
    if done.refusals:
        yield "Left out", f"{counted(len(done.refusals), 'line')} that it would refuse"


def _as_piloted(done: ExportReport) -> Iterator[tuple[str, ...]]:
    """Rows with the parts taken from the pilot, and those left out."""
    piloted = done.piloted
    if piloted is None:
        says = (
            "the accepted examples alone; --as piloted adds prompt and general examples"
        )
        yield "Form", says
        return
    form = f"prompt {piloted.prompt}, {count(piloted.general)} general examples"
    rests = "of the pilot that would run"
    if piloted.card:
        rests = f"of the pilot, whose card says {piloted.card.replace('_', ' ')}"
    yield "Form", form, rests
    task = len(piloted.train) - piloted.general
    if task < piloted.available:
        of_all = f"{count(task)} of {count(piloted.available)}"
        yield "Examples", f"{of_all}, those that the pilot judged"
    if piloted.same_set is False:
        says = "another set than the pilot's: its card says nothing of this one"
        yield "Examples", says
    if piloted.card and done.recipe.source != PILOTS:
        yield "The card", f"of {piloted.base}, and so it says nothing of this base"
    yield from _left_out_rows(piloted)
    if done.base == ORIGIN:
        yield "The pilot's own weights", "a 4-bit copy of this base"


def _left_out_rows(piloted: AsPiloted) -> Iterator[tuple[str, ...]]:
    """Rows with what an export in the pilot's form leaves out."""
    if piloted.tooled:
        left = f"of {counted(piloted.tooled, 'example')}, as a pilot asks without any"
        yield "Tools left out", f"{left}; --as bare keeps them"
    if piloted.calling:
        left = f"{counted(piloted.calling, 'example')}, as a pilot learns text alone"
        yield "Calls left out", f"{left}; --as bare keeps them"
    if piloted.secrets:
        left = f"{counted(piloted.secrets, 'planted secret')} of the pilot, which were for a probe"
        yield "Left out on purpose", left
