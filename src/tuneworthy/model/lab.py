"""A lab: the compared arms, the scores of each, and the conclusions from them."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Literal
from unicodedata import category

from pydantic import Field

from tuneworthy.errors import one_line
from tuneworthy.model.base import (
    ChatRole,
    Estimated,
    EstimatedShare,
    Name,
    Natural,
    NonNegative,
    Record,
    Share,
    State,
    Strings,
    Unknown,
    as_bytes,
)
from tuneworthy.model.evalset import Coefficient, Split
from tuneworthy.model.framework import TargetId
from tuneworthy.model.ways import CeilingGrade, HeldTarget


class JudgePlan(Record):
    """Who judges, and whose labels put that right; written down before a reporting case is sent."""

    model: Name  #: Id of the judging model.
    base_url: str = ""  #: Where it is served; empty for the usual address.
    file: str  #: Name of the rubric's file.
    rubric: str  #: Begin of the SHA-256 of rubric and scale, as in labels.
    labels: Natural
    """Cases of either part on which people's word counts: the first in an order drawn by the seed.
    More labels than these don't count, so that nobody can label until the result pleases."""
    seed: Natural  #: Of that order, and of the lab.
    #: Tokens an answer may have, as the lab was given it; 0 from probes.
    max_tokens: Natural


class Bias(Estimated):
    """The judge's word less people's, on the outputs that both have seen."""

    n: Natural  #: Outputs.


class JudgedArm(Record):
    """Scores of one arm by a judge and by people, on one part of the cases."""

    arm: str
    part: Split
    #: Share of outputs the judge lets pass: counts for nothing by itself.
    judge: Share | Unknown
    labels: Natural  #: Outputs among the drawn ones that people have labelled.
    missing: Natural  #: Outputs among the drawn ones that nobody has labelled yet.
    bias: Bias | Unknown
    kappa: Coefficient
    """Agreement of judge and people beyond chance, where people are of one mind."""


class JudgeOf(Record):
    """The judge of a lab, held against people."""

    plan: JudgePlan
    own: Strings = ()
    """Arms whose outputs the judging model wrote itself; () where it judges others alone."""
    chosen_by: Literal["judge", "people", "nobody"]
    """Whose word chose the arms: people's where each arm has its labels on the cases for selecting,
    else the judge's alone, which may choose badly but reports nothing; nobody's where there was
    nothing to choose from."""
    arms: tuple[JudgedArm, ...] = ()

    def missing(self, part: str) -> int:
        """Outputs of a part of the cases that are still to be labelled."""
        return sum(arm.missing for arm in self.arms if arm.part == part)


class Draw(Record):
    """One restart of a search for a better prompt."""

    arm: str = ""  #: Id of the arm it came to; empty for one that doesn't race.
    #: Name of the prompt it came to: a proposed one, or the one it began from.
    prompt: str
    parent: str = ""  #: Id of the arm it began from.
    round: Natural = 1  #: Rounds begin from the two best that are known by then.
    moves: Natural = 0  #: Other examples, effort or constraint that it tried.
    asked: Natural  #: Texts that were written on the way.
    unusable: Natural = 0  #: Those of them that are no prompt, or the same one again.
    whole: bool = True
    """Whether every text that was asked for came; one cut short is no draw like the others."""
    value: Share | Unknown
    """Share of right answers on the cases that the search is for, all of them. They were learned
    from, so it is too good to be reported."""


class Proposed(Record):
    """A prompt that a generator came to."""

    name: Name
    text: str  #: Its system template.
    file: str  #: Where it is kept, beside the case file; copy it to your prompts to keep it.


class Proposing(Record):
    """A search for better prompts: the request to the generator, and the prompts that came."""

    #: The model that wrote, with its host where that isn't its vendor's own.
    model: Name
    parents: Strings
    """Ids of the arms that the first round began from: the two best as written on those cases."""
    shown: Natural  #: Cases that were learned from; they raced nothing and reported nothing.
    draws: tuple[Draw, ...]
    #: Each text once; () where nothing better than the parent came.
    prompts: tuple[Proposed, ...]


class Gain(EstimatedShare):
    """Gain that one more draw of a generator would add to the best so far, in share of cases."""

    draws: Natural  #: Draws that it rests on.
    n: Natural  #: Cases that all of them were scored on.
    clusters: Natural  #: Conversations those come from.


SearchEnd = Literal["none", "short", "stopped", "plateau"]
"""How a search ended. ``none``: there was none. ``short``: its draws or its money ended first.
``stopped``: it was cut short. ``plateau``: another draw would add less than the margin."""


class PromptSearch(Record):
    """How far a search for better prompts went: what grades a ceiling."""

    ended: SearchEnd
    draws: Natural = 0  #: Whole draws that were scored on the same cases.
    margin: Share = 0.0
    """Share of cases: where the expected gain of another draw is below it, a search is at its
    plateau."""
    usd: NonNegative = 0.0  #: The cost of the arm; 0 where nobody counted it apart.
    #: Times that it began anew from the two best that were known by then.
    rounds: Natural = 0
    #: The most it could cost; None where there was no search.
    cap_usd: NonNegative | None = None
    #: The reason why it didn't reach its plateau, or begin; empty where it did.
    why: str = ""

    @property
    def grade(self) -> CeilingGrade:
        """The grade of the ceiling in the lab of this search."""
        return "searched" if self.ended == "plateau" else "tried"


class Headroom(EstimatedShare):
    """Gain that a search may bring, estimated by a few calls before it, in share of cases."""

    n: Natural  #: Cases that were asked, of those that the search is for.
    calls: Natural  #: Calls it took; a search that follows has made them already.
    best: Share  #: Share that the best arm as written gets right of them.
    rescued: Natural  #: Cases it gets wrong that another way of asking gets right.
    form: Natural  #: Those of them where the right answer was there, in another form.
    advice: Literal["search", "unclear"]
    """Unclear where no gain was seen: so few cases rule none out."""


class ChatMessage(Record):
    """One message of a request."""

    role: ChatRole
    content: str

    @property
    def size(self) -> int:
        """Bytes of its content."""
        return len(as_bytes(self.content))

    @property
    def canonical(self) -> str:
        """The message as canonical JSON."""
        return message_json(self.role, self.content)


def message_json(role: str, content: str) -> str:
    """A message as canonical JSON."""
    return f'{{"content":{json.encoder.encode_basestring(content)},"role":"{role}"}}'


class Request(Record):
    """One request to a model, in the wire format that all endpoints speak.

    Two requests with equal fields are the same question: one answer serves both.
    """

    provider: Name  #: Preset of the endpoint, as ``openai`` or ``local``.
    base_url: str  #: Where it is served, without a key.
    model: Name  #: The endpoint's own name of the model.
    messages: tuple[ChatMessage, ...]
    #: The most that may be written; it bounds the price.
    max_tokens: Natural | None = None
    temperature: float | None = 0.0  #: None leaves it to the model.
    seed: int | None = None
    effort: str | None = None  #: How long it may think, in the endpoint's own word.
    response_schema: str | None = None  #: JSON Schema of the output, as canonical JSON.
    #: GBNF grammar of the output, where an endpoint takes one.
    grammar: str | None = None
    tools: str | None = None  #: Tool definitions, as canonical JSON.
    choices: Strings | None = None  #: Labels, for a model that decides among them.

    def key(self, repeat: int = 0) -> str:
        """SHA-256 of the canonical request and the repeat."""
        before, after = self.around(repeat)
        messages = as_bytes(",".join([message.canonical for message in self.messages]))
        return hashlib.sha256(before + messages + after).hexdigest()

    def around(self, repeat: int = 0) -> tuple[bytes, bytes]:
        """Canonical JSON of the other fields: the part before the messages, and the one after them.

        Calls of one arm differ only in their messages, so the rest is written once.
        """
        rest = tuple(
            (name, value)
            for name, value in self.__dict__.items()
            if name != "messages" and value is not None
        )
        return _around(rest, repr(self.temperature), repeat)


@lru_cache(maxsize=256)
def _around(
    rest: tuple[tuple[str, Any], ...], _spelt_temperature: str, repeat: int
) -> tuple[bytes, bytes]:
    """The parts of a request before and after its messages.

    The temperature's spelling only tells the cache that -0.0, which equals 0.0, is another request.
    """
    request = as_bytes(canonical_json([{**dict(rest), "messages": []}, repeat]))
    # no text holds this mark, because its quotes would be escaped
    before, mark, after = request.partition(b'"messages":[')
    return before + mark, after


class Usage(Record):
    """Tokens as the endpoint counts them."""

    input_tokens: Natural = 0
    output_tokens: Natural = 0
    cached_tokens: Natural = 0
    reasoning_tokens: Natural = 0  #: Of the output: what was thought and not shown.


WHOLE_ENDS = frozenset(
    {"stop", "eos", "eos_token", "end_turn", "stop_sequence", "completed"}
)
"""How endpoints say, in any case of letters, that an answer came to its own end; one that says
nothing counts as ``stop``.

Only what is listed here is whole. Endpoints answer HTTP 200 with a part of an answer, or with a
sentence of their own, and say ``error``, ``abort``, ``OTHER`` or a word that nobody knew yesterday:
taken for answers, these would be wrong ones, and the model would look bad for them.
"""
TOOL_ENDS = frozenset({"tool_calls", "tool_call", "tool_use", "function_call"})
"""How they say that it ended with a tool to be called; whole where tools were offered."""
ERROR_END = "error"  #: The end of what holds an error, whatever else it holds.
_STRANGE_TOOL = "a tool that was not offered"
_CUT_OFF = "the answer was cut off: raise the tokens an answer may have (--max-tokens asks again)"
_REFUSED = "the model refused to answer"
_FILTERED = "a content filter withheld the answer"
CUT_OFF_ENDS = frozenset(
    {
        "length",
        "max_tokens",
        "max_output_tokens",
        "max_length",
        "max_completion_tokens",
        "max_new_tokens",
        "token_limit",
        "tokens_limit",
        "length_limit",
        "model_context_window_exceeded",
        "incomplete",
    }
)
"""How makers say that an answer reached a limit of tokens."""
REFUSED_ENDS = frozenset({"refusal", "refused"})
FILTERED_ENDS = frozenset(
    {
        "content_filter",
        "content_filtered",
        "contentfilter",
        "safety",
        "recitation",
        "blocklist",
        "blocked",
        "spii",
        "prohibited_content",
        "guardrail",
        "guardrail_intervened",
        "image_safety",
    }
)
_MISSING = {
    **dict.fromkeys(CUT_OFF_ENDS, _CUT_OFF),
    **dict.fromkeys(REFUSED_ENDS, _REFUSED),
    **dict.fromkeys(FILTERED_ENDS, _FILTERED),
    _STRANGE_TOOL: "it called a tool, and none was offered",
}
"""The words for each known end that leaves no answer; other ends are shown in the endpoint's words."""
EndKind = Literal["whole", "tool", "cut_off", "withheld", "other"]
"""How an answer ended: whole, with a tool call, cut off at a limit, withheld on purpose, or other."""


def plain_end(word: str) -> str:
    """The word for an end as the tables here have it: ``content-filter`` is ``content_filter``."""
    return word.strip().casefold().replace("-", "_")


def end_kind(word: str) -> EndKind:
    """Classify a maker's word for the end of an answer, by the one table of these words."""
    end = plain_end(word)
    if end in WHOLE_ENDS:
        return "whole"
    if end in TOOL_ENDS:
        return "tool"
    if _MISSING.get(end) == _CUT_OFF:
        return "cut_off"
    if _MISSING.get(end) in (_REFUSED, _FILTERED):
        return "withheld"
    return "other"


#: The sentence on an answer that ended in any other way.
MAY_LACK = "the answer may not be whole"
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"})
# letters and marks that show nothing
_FILLERS = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0")


def shows_nothing(text: str) -> bool:
    """Whether a text has no visible character."""
    for letter in text:
        if category(letter) in _INVISIBLE or letter in _FILLERS:
            continue
        if "\ufe00" <= letter <= "\ufe0f":
            continue  # these only choose how the letter before them looks
        return False
    return True


# replies that earlier editions kept also say when a parameter was refused
class Reply(Record, extra="ignore"):
    """One answer of an endpoint."""

    text: str
    tool_calls: tuple[tuple[str, str], ...] = ()
    """Name and arguments (JSON as the model wrote it) of each tool that is called."""
    #: Who answered, as the endpoint says it; empty where it says nothing.
    model: str = ""
    finish: str = "stop"  #: Why it ended, as the endpoint says it.
    usage: Usage = Usage()
    latency_s: NonNegative = 0.0  #: Until the answer was whole, our own queue left out.
    changed: Strings = ()  #: Parameters that it refused, and what it got instead.

    @property
    def cut_off(self) -> bool:
        """Whether the answer ended at its limit."""
        return end_kind(self._end) == "cut_off"

    @property
    def withheld(self) -> bool:
        """Whether the model or a filter gave no answer on purpose."""
        return end_kind(self._end) == "withheld"

    @property
    def _end(self) -> str:
        """The end in small letters, without an endpoint's words about an error."""
        end = plain_end(self.finish)
        return ERROR_END if end.startswith(f"{ERROR_END}:") else end

    @property
    def lacks(self) -> str:
        """Why it is no whole answer, though it was paid for; empty for a whole one."""
        kind = self.lack
        if kind == MAY_LACK:
            return f'{kind}: it ended as "{one_line(self.finish, limit=100)}"'
        return kind

    @property
    def lack(self) -> str:
        """The fault of an answer, without an endpoint's own words, which differ from call to call.

        Empty for a whole answer.
        """
        if self._end in _MISSING:
            return _MISSING[self._end]
        if self._end not in WHOLE_ENDS | TOOL_ENDS:
            return MAY_LACK
        if self.tool_calls or not shows_nothing(self.text):
            return ""
        return "the answer was empty"

    def held_against(self, request: Request) -> Reply:
        """The reply, checked against its request: a tool call is no answer if no tool was offered."""
        if request.tools is not None or self._end not in WHOLE_ENDS | TOOL_ENDS:
            return self
        called = bool(self.tool_calls) or self._end in TOOL_ENDS
        if not called:
            return self
        return self.model_copy(update={"finish": _STRANGE_TOOL})


Status = Literal["sent", "settled", "failed", "in_doubt"]
"""Money put aside and on the wire; answered and paid; refused and not paid; nobody knows."""


class Settled(Record):
    """The end of a request: settled, failed or in doubt."""

    key: str
    status: Status
    reply: Reply | None = None  #: None unless it was settled.
    usd: NonNegative = 0.0  #: Paid, or put aside while that isn't known.
    why: Annotated[str, Field(max_length=500)] = ""
    """For a failed or doubtful one: what happened, without a key or a header. For a settled one: why
    the count of its tokens isn't believed."""
    reused: bool = False
    brought: bool = False  #: Whether its answer wasn't given on this machine.

    @property
    def whole(self) -> Reply | None:
        """The reply if it is whole, else None."""
        return self.reply if self.reply and not self.reply.lacks else None


class Spend(Record):
    """A run's money, in USD."""

    cap: NonNegative
    paid: NonNegative
    held: NonNegative  #: Put aside for calls on the wire and in doubt.
    calls: Natural  #: Settled calls.
    reused: Natural  #: Answers that were there already.
    in_doubt: Natural
    failed: Natural
    hosts: Strings = ()  #: Hosts that calls of the run go to and that aren't their vendors' own.
    cut_off: Natural = 0  #: Of those in doubt, calls in flight when a run was killed.
    miscounted: Natural = 0
    """Answers whose endpoint counted more tokens than can be: each counts as what was put aside."""
    brought: Natural = 0
    """Answers that came with the folder: none of them was given, or checked, on this machine."""


class Quote(Record):
    """The price of a run, before anything is sent."""

    calls: Natural  #: Calls that would be sent.
    reused: Natural  #: Answers that are there already.
    usd_most: NonNegative  #: Worst case: every answer as long as it may be.
    usd_likely: NonNegative
    """With answers as long as those of the same model so far, or half as long as they may be."""
    unpriced: Strings = ()
    """Models without a price: they are refused until one is given; 0 is a price."""
    #: The cost of earlier calls of the run, paid or held; its cap counts it.
    usd_spent: NonNegative = 0.0


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no blanks, for schemas and tools inside a request."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


ArmKind = Literal["prompt", "baseline", "tuned"]
CeilingState = Literal["yes", "no", "too_few_cases", "unknown"]
VerifyAnswer = Literal[
    "meets",
    "not_needed",
    "misses",
    "open",
    "improved",
    "regressed",
    "no_gain",
    "too_few_cases",
    "unknown",
]
StopKind = Literal["", "cap", "refused", "user", "fault", "unanswered"]
"""Why a run ended early; empty for one that was finished, and in files of earlier versions."""


class Arm(Record):
    """One way to answer every case."""

    id: Name  #: Unique: prompt, model and what is added, as ``v3 · gpt-6-luna · nearest 8``.
    kind: ArmKind
    prompt: str = ""  #: Name of the prompt variant; empty for a baseline.
    model: str = ""  #: Model id of the case; empty for a baseline.
    few_shot: Natural = 0  #: Examples in the prompt.
    few_shot_from: Literal[
        "none", "fixed", "nearest", "drawn-1", "drawn-2", "drawn-3"
    ] = "none"
    """Equal ones for every case, spread over the answers; the nearest; or one of three drawn sets."""
    retrieval: bool = False  #: Whether the case's contexts are given.
    constrained: Literal["none", "schema", "grammar"] = "none"
    effort: str = ""  #: How long the model may think; empty leaves it to the endpoint.
    steps: Strings = ()  #: Prompts of a chain that come before ``prompt``.
    of: str = ""  #: For a baseline: how it answers without a model.


class ShareOf(EstimatedShare):
    """A share with its 95% interval."""

    n: Natural  #: Cases; repeats of one are one.
    clusters: Natural  #: Conversations those come from.


class Stand(Record):
    """How a lab stands while it runs."""

    arm: str  #: The leader; empty before the first round.
    quality: ShareOf | Unknown  #: Of the leader, on the cases so far.
    done: Natural
    of: Natural
    """Calls there may be in all, when no more arms are dropped; 0 while prompts are proposed."""
    running: Natural
    spend: Spend
    #: The thing that is waited for where no call was answered for a minute.
    waiting: str = ""


class StepResult(Record):
    """A step of a chain."""

    prompt: Name
    usd_per_case: NonNegative
    latency_p95_s: NonNegative


class ArmResult(Record):
    """An arm with what it scored."""

    arm: Arm
    quality: ShareOf | Unknown
    """On the cases it was run on for selecting: never the number to report of the winner."""
    usd_per_case: NonNegative | Unknown
    latency_p95_s: NonNegative | Unknown
    thinking: Share | Unknown = Unknown(ask="run it where the endpoint counts them")
    """Share of its output tokens that was thought and not shown; it is paid for all the same."""
    changed: Strings = ()  #: Parameters its model refused, and what it got instead.
    others: dict[str, Natural] = {}
    """Answers of models by other names than the one that was asked, by name: of a gateway that sent
    calls elsewhere, or of a server that calls its model so."""
    steps: tuple[StepResult, ...] = ()  #: Of a chain, in their order.
    dropped_after: Natural | None = None
    """Cases after which the race left it behind; None for one that stayed."""
    failed: Natural = 0
    """Cases with a call that was refused, withheld, cut off or empty: it may have been right or
    wrong, and ``quality`` holds both."""
    in_doubt: Natural = 0  #: Cases of which nobody knows what came; the same.
    aloud: Natural = 0
    """Cases with an answer that began with thinking in the open: that part isn't scored."""
    wrapped: str = ""
    """Text around every answer, if it alone makes each answer wrong: then the arm isn't measured."""
    unjudged: Natural = 0
    """Cases whose answer no scorer can judge; they are left out, and counted."""


class Contrast(Record):
    """Two arms on the same held-out cases; written down before these were looked at."""

    first: str
    second: str
    difference: float | Unknown
    """First less second, in share of cases; unknown where a judge's word lacks people's labels."""
    low: float
    high: float
    n: Natural
    clusters: Natural = 0  #: Conversations those come from.
    told_apart: Literal["yes", "no"]
    cases_needed: Natural | Unknown
    """To distinguish them at the observed difference, with 80% power."""


class JudgedGain(Estimated):
    """A gain by a judge's word, or a part of one, in share of cases."""

    n: Natural  #: Cases.


class RubricGain(Record):
    """The gain of a search under a judge by its word, and the part that people don't see."""

    judged: JudgedGain | Unknown  #: By the judge's word alone, on held-out cases.
    broken: JudgedGain | Unknown
    """The gain by the judge's word less the gain by people's, on the cases that people labelled: won
    by breaking the rubric. Unknown while labels lack."""


class Failures(Record):
    """Wrong answers of one kind."""

    #: The problem they point to: a signal of the framework, or ``wrong_answer``.
    signal: str
    n: Natural  #: Cases.
    of: Natural  #: Cases that were scored.
    mends: State  #: Whether tuning changes this kind of failure.
    examples: Strings = ()
    """A few of them: what was asked → what came, and what is right; masked but in a terminal."""


class PartShare(ShareOf):
    """How often one field, or one class, of the answers is right."""

    part: str  #: Name of the field, or the class.


class TunedChange(Record):
    """Change by the best tuned arm on held-out cases, compared with the best prompt."""

    arm: str
    fixed: Natural  #: Those it answers right.
    of: Natural  #: Cases the prompt answers wrong and both were scored on.
    broken: Natural  #: Cases the prompt answers right, and it doesn't.


class CurvePoint(Record):
    """How good the best was after so many arms."""

    arms: Natural
    best: Share


RewardState = Literal["signal", "none", "nothing_to_gain", "unclear"]
"""Signal: on some cases answers are now right, now wrong. None: on next to no case."""


class RewardSignal(Record):
    """How often a prompt succeeds when it is asked again: what reinforcement tuning learns from."""

    arm: str
    repeats: Natural  #: Tries of each case.
    mixed: ShareOf  #: Cases answered now rightly, now wrongly.
    never: ShareOf  #: Cases never answered rightly.
    always: ShareOf
    right: ShareOf  #: Share right of all tries.
    headroom: Estimated  #: Share of cases right at least once, less the share right.
    state: RewardState


class CeilingResult(Record):
    """The result of a ceiling lab."""

    arms: tuple[ArmResult, ...]  #: The best first, by the selection split.
    best: str  #: Id of the arm that was chosen there.
    reported: ShareOf | Unknown  #: The chosen arm on cases that chose nothing.
    contrasts: tuple[Contrast, ...]
    rivals: tuple[ArmResult, ...] = ()
    """Other models that are cheaper or faster and may be enough, on cases that chose nothing."""
    target: Share | Unknown
    reached: CeilingState
    """Yes: the simultaneous upper bound of every tried arm lies below the target. No: an arm meets
    it. ``too_few_cases``: neither, and more cases would tell."""
    #: The simultaneous 95% upper bound of the best that was tried.
    upper: Share | Unknown
    effort: Natural
    """Pairs of a model and a prompt variant that really differs: how far was searched."""
    prompts: Natural = 0  #: Prompt variants; near copies count once.
    models: Natural = 0  #: Models that are prompted.
    select: Natural = 0  #: Cases for selecting.
    report: Natural = 0  #: Cases that chose nothing.
    seed: Natural = 0  #: Of the split.
    plateau: Gain | Unknown
    """Expected gain of one more draw of one generator; unknown for hand-written prompts."""
    proposing: Proposing | Unknown = Unknown(
        ask="search for better prompts: --propose 20"
    )
    """The search for better prompts, if there was one."""
    headroom: Headroom | Unknown = Unknown(
        ask="search for better prompts: --propose 20"
    )
    """Gain of a search, as the test before it predicted."""
    gained: Contrast | None = None
    """The prompt that a search came to less the best that was there before, on held-out cases;
    None where nothing that was searched for was chosen."""
    rubric: RubricGain | None = None
    """Of that gain what people don't see; None where rules score or nothing was gained."""
    search: PromptSearch = PromptSearch(ended="none")  #: How far it went.
    grade: CeilingGrade = "tried"  #: The grade of the ceiling by that.
    #: For ``too_few_cases``: how many in all, both parts together.
    cases_needed: Natural | Unknown
    #: Which of the five checks this run has answered, and how.
    checks: dict[str, State]
    failures: tuple[Failures, ...] = ()  #: Of the chosen arm, the commonest first.
    parts: tuple[PartShare, ...] = ()
    """Of the chosen arm on held-out cases, by field or by class, the worst first."""
    tuned: TunedChange | None = None  #: None without a tuned arm.
    tied: Strings | Unknown = Unknown(ask="run it to its end")
    """Other prompts that the best can't be distinguished from on the cases for selecting, with 95%
    for all pairs at once; () where the first place is decided."""
    curve: tuple[CurvePoint, ...] = ()
    """The best so far, arm by arm in the order they were planned, on the selection split."""
    scorer: str = ""  #: The scorer of the answers.
    reward: RewardSignal | None = None
    """Of the best prompt on held-out cases; None for fewer than four repeats."""
    judge: JudgeOf | None = None
    """The model that judged, held against people; None where rules scored. With one, ``quality`` of
    the arms and ``curve`` are its word alone; ``reported``, ``contrasts`` and ``upper`` rest on
    people's labels."""
    calls_saved: Natural = 0  #: Calls the race didn't have to make.
    stopped: str = ""
    """Why it ended early, or that an arm got too few answers; empty for one that has its answer."""
    stopped_by: StopKind = ""
    quote: Quote
    spend: Spend


class CeilingPlan(Record):
    """The plan that is written down before the chosen arms meet the cases that chose nothing."""

    chosen: Strings  #: Ids of the chosen arm, then of each it is held against.
    select: Natural  #: Cases that chose.
    #: Cases that will report; all of them are run, there is no other stop.
    report: Natural
    inputs: str  #: SHA-256 of those cases and of the arms.
    rivals: Strings = ()
    """Ids of other models' arms that are cheaper or faster and may be enough: they report too."""
    before: str = ""
    """Id of the best prompt that was there before a search, where a found one was chosen."""
    learned: Natural = 0
    """Cases for selecting that a search learned from; they race and report nothing."""
    searched: tuple[Arm, ...] = ()
    """Arms that it came to; their prompts lie where proposed ones are kept."""
    #: Who judges, on how many labels; None where rules score.
    judge: JudgePlan | None = None
    changed: Strings = ()  #: Parameters that models refused, and what they got instead.
    written_on: date
    brought: bool = Field(default=False, exclude=True)
    """Whether no seal of this machine is on it; worked out as it is read, and never kept."""


class VerifyPlan(Record):
    """The plan that was written down before the held-out cases were looked at."""

    tuned: str  #: Id of the tuned arm.
    untuned: str  #: Id of the best untuned arm, by the cases for selecting.
    margin: Share  #: Share of cases below which a difference is no gain.
    general_margin: Share  #: Share of general tasks it may be worse by.
    cases: Natural  #: Held-out cases; all of them are run, there is no other stop.
    general: Natural  #: General tasks.
    inputs: str  #: SHA-256 of cases, prompts and both models.
    judge: JudgePlan | None = None
    """Who judges, and how many labels count; None where rules score."""
    changed: Strings = ()  #: Parameters that models refused, and what they got instead.
    written_on: date
    #: Whether another plan was written before, so results were seen.
    after_results: bool = False
    brought: bool = Field(default=False, exclude=True)
    """Whether no seal of this machine is on it; worked out as it is read, and never kept."""


class RoutedWay(Record):
    """A trained head that answers where it is sure, and a model that answers the rest.

    How sure is enough was chosen on the cases for selecting, and all figures are of held-out cases.
    """

    head: Name  #: Id of the head's arm.
    model: Name  #: Id of the arm that answers the rest.
    #: Chance that the head gives to its answer, from which on it answers.
    sure_from: Share
    to_model: Share  #: Share of held-out cases that the model answers.
    quality: ShareOf
    usd_per_case: float | Unknown = Unknown(
        ask="state a price, or how the model is served"
    )


class VerifyResult(Record):
    """Whether tuning did what it was for."""

    plan: VerifyPlan
    contrast: Contrast  #: Tuned less best untuned, on held-out cases.
    general: Contrast  #: Tuned less best untuned, on general tasks.
    tuned: ShareOf | Unknown
    untuned: ShareOf | Unknown
    targets: dict[TargetId, HeldTarget] = {}
    """Every target held against the tuned arm by the one criterion; empty where none is stated."""
    enough: str = ""  #: An untuned way that already meets every target; empty for none.
    may_be_enough: str = ""  #: One that may do so, and what would tell; empty for none.
    #: Whether the tuned arm brings what the untuned one doesn't.
    gains: State = "unknown"
    general_skills: State = "unknown"  #: Whether the tuned arm kept them.
    #: Held-out cases that the tuned arm answers wrong.
    failures: tuple[Failures, ...] = ()
    #: The errors of the untuned arm that tuning mended, and the answers that it broke.
    change: TunedChange | None = None
    tried: Natural = 0  #: Untuned arms that raced before.
    outcome: VerifyAnswer
    """Meets: the tuned arm meets every target, and no untuned way does at its price. Not needed: an
    untuned way does. Misses: it misses a target for certain. Open: a target is open, or whether an
    untuned way meets them too. No gain: the
    two are equal within the margin, or can't be told apart, and it meets no target that the other
    misses. Where no target is stated, improved: the whole interval lies above the margin; and
    regressed: it lies below zero. Regressed too where general skills fell by more than their
    margin. Unknown: a judge's word lacks people's labels, or an arm lacks answers. Else there are
    too few cases."""
    why: str = ""
    """Id of what decided: ``targets``, an untuned ``rival`` that may be enough too, ``task``,
    ``general``, ``interval``; under a judge
    ``labels`` that lack, or the ``choice`` of the untuned arm by the judge's word alone;
    ``unanswered`` where over 2% of an arm's calls got no answer; ``same_words`` where all
    got the same one and none is right; ``wrapped`` where none is right for what is around each; or,
    cut short, ``stopped``."""
    judge: JudgeOf | None = None
    """The model that judged, held against people; None where rules scored."""
    aloud: Natural = 0
    """Held-out cases with an answer that began with thinking in the open, which isn't scored."""
    sides: tuple[ArmResult, ...] = ()
    """The tuned arm and the untuned one on the held-out cases, with cost and latency; () in files
    of earlier versions."""
    cases_needed: Natural | Unknown = Unknown(
        ask="compare them by rules, on more cases"
    )
    """Held-out cases that tell the difference seen from the margin in 80 of 100 repetitions; as
    many as there were where these told already."""
    spend: Spend
    stopped: str = ""
    stopped_by: StopKind = ""


class Retrieved(Record):
    """A way of retrieving, with what it found of the known passages of some questions."""

    way: Name  #: How documents are cut, and what looks for the pieces: ``sections · BM25``.
    recall: ShareOf  #: Questions with a known passage among the first ``k`` pieces.
    mrr: ShareOf  #: Mean reciprocal rank of the first known passage, 0 from place ``k + 1`` on.
    #: Known passages among the first ``k``: the mean share of a question's.
    passages: Share
    words: NonNegative  #: Words of the first ``k`` pieces, on average: what a model has to read.


class SynthesisResult(Record):
    """Answers to some questions with retrieved passages, with the known ones, and with none."""

    arm: Name  #: The prompt and model that answered.
    retrieved: ShareOf | Unknown
    known: ShareOf | Unknown
    none: ShareOf | Unknown
    retrieval_gap: Contrast  #: With the known passages less with those retrieved.
    synthesis_gap: ShareOf | Unknown  #: Wrong although the known passages were there.
    gain: Contrast  #: With those retrieved less with none: what retrieval is worth.


class RetrievalResult(Record):
    """The result of a retrieval lab."""

    ways: tuple[Retrieved, ...]  #: On the questions for selecting, the best first.
    best: Retrieved  #: The best of them, on questions that chose nothing.
    contrasts: tuple[Contrast, ...]
    """Its recall there less that of the second best, then of the plainest way."""
    k: Natural
    words: Natural  #: The most words of a piece.
    source: str  #: Where the documents lie; empty for the passages of the evaluation set itself.
    documents: Natural
    pieces: dict[str, Natural]  #: By how documents are cut.
    select: Natural  #: Questions for selecting.
    report: Natural  #: Questions that chose nothing.
    left_out: dict[str, Natural]
    """Cases that count for nothing here, by why: unanswerable, no_passage, not_in_documents."""
    #: Files among the documents that are of no kind that is read.
    other_files: Natural = 0
    seed: Natural = 0
    #: The questions that a model answered from the passages.
    answers: SynthesisResult | Unknown
    spend: Spend | None = None  #: None where no model was to answer.
    stopped: str = ""
    stopped_by: StopKind = ""
