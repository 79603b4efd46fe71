"""A mapping for records of nobody's format, guessed by the usual names of fields."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from statistics import median
from typing import Any

from tuneworthy.traces.mapping import FieldMap, RecordChunk, mapping_from_text
from tuneworthy.traces.rows import FIELDS
from tuneworthy.traces.values import number, unpacked, when

_NAMES: Mapping[str, str] = {
    "output": "modeloutput modelresponse modelanswer llmoutput llmresponse llmanswer actualoutput "
    "botresponse prediction output response completion answer reply generation generatedtext "
    "assistant result res resp antwort respuesta réponse risposta resposta",
    "messages": "messages",
    "input": "input prompt question query user usermessage userinput userquery instruction request "
    "req frage pregunta domanda pergunta",
    "system": "system systemprompt",
    "tool_calls": "toolcalls",
    "tools": "tools",
    "conversation_id": "conversationid sessionid threadid chatid dialogid session sess",
    "timestamp": "timestamp ts time createdat created starttime datetime date requesttime at "
    "sentat zeitstempel fecha",
    "model": "model modelid modelname engine deployment",
    "prompt_name": "promptname promptid promptversion prompttemplate variant arm",
    "case": "testid caseid testcase testcaseid exampleid sampleid itemid questionid",
    "reference": "reference expected groundtruth expectedoutput expectedanswer ideal gold",
    "contexts": "contexts passages retrievedcontexts retrievalcontext documents",
    "latency_s": "latency duration elapsed responsetime took dur",
    "time_to_first_token_s": "timetofirsttoken ttft firsttokenlatency",
    "input_tokens": "inputtokens prompttokens contexttokens tokensin tokensinput tokensprompt "
    "tokin usageinput usageprompt",
    "output_tokens": "outputtokens completiontokens generatedtokens tokensout tokensoutput "
    "tokenscompletion tokout usageoutput usagecompletion",
    "cached_tokens": "cachedtokens cachedinputtokens",
    "usd": "usd cost costusd totalcost totalcostusd",
    "score": "score rating thumbs reward feedbackscore csat passed iscorrect correct",
    "label": "label",
    "error": "error errormessage exception",
    "id": "id requestid callid responseid messageid logid traceid runid reqid",
}  #: Usual names in small letters and without signs, the likelier before the others.
_ENDS = {
    "output": ["answer", "response", "reply", "completion", "output", "antwort", "respuesta"],
    "input": ["question", "prompt", "query", "frage", "pregunta"],
}
"""Fields that a longer name may end with, as *bot answer*."""
_BUT = {"expected", "reference", "ref", "gold", "golden", "ideal", "target", "truth", "true"} | {
    *("correct", "corrected", "human", "best", "previous", "prior", "last", "draft"),
    *("rejected", "chosen", "system", "time", "date", "id"),
}  #: Words of what was neither asked of the model nor answered by it.
_TEXT_ONLY = frozenset({"res", "resp", "result", "req", "request"})
"""Names that mean a server's answer where they hold more than a text."""
OF_FOLDERS = frozenset(
    {"conversation_id", "timestamp", "model", "prompt_name", "prompt_version", "case", "group"}
)
"""Fields that a folder's name may hold for all its records, where no mapping says so."""
_VAGUE_WORDS = {"text", "content", "body", "message", "value", "data", "string", "raw", "payload"}
_TIMES = ("latency_s", "time_to_first_token_s")
_CLOCKS = (*_TIMES, "timestamp")
_UNIT = re.compile(r"(.+?)(?:in)?(ms|millis(?:econds)?|msec|us|ns|s|sec|secs|seconds)")
_LONG_S = 120  #: A usual time beyond this is none of seconds: gateways mostly log milliseconds.
_EARLY_S = 946_684_800  #: A clock before 2000 is none.
_SAYING = frozenset({"output", "messages", "tool_calls"})
_VAGUE = frozenset({"model", "label", "score", "error", "timestamp", "conversation_id", "id"})
_DEEPEST, _MOST = 4, 500


def guess(
    records: Sequence[Mapping[str, Any]], folders: Collection[str] = (), *, table: bool = False
) -> FieldMap | None:
    """A mapping by the names of fields, at the top or inside; None where none is likely.

    Those of ``folders`` are no fields of the records themselves.

    Records without what was answered are taken for traffic only from a ``table``.
    """
    chunk = RecordChunk([*records])
    paths = _paths(records)
    taken: dict[str, str] = {}
    for field in _NAMES:
        closed = {*taken.values(), *(() if field in OF_FOLDERS else folders)}
        known = next(_likely(field, paths, closed), None)
        if known is not None:
            taken[field] = known
    closed = {*taken, *taken.values(), *folders}
    taken |= {name: name for name in paths if name in FIELDS and name not in closed}
    lines = {field: _line(field, path, chunk) for field, path in taken.items()}
    taken = {field: path for field, path in taken.items() if lines[field]}
    if not taken.keys() - _VAGUE if table else _SAYING.isdisjoint(taken):
        return None
    made = mapping_from_text("".join(lines.values()), "a guessed mapping")
    answers = [made.picks[field].of(chunk) or () for field in _SAYING & made.picks.keys()]
    said = max((len(column) - list(column).count(None) for column in answers), default=0)
    return made if table or said * 2 >= len(records) else None


class _Name:
    """What a path may be called: by its last key, by that and the one above, by what is above."""

    def __init__(self, path: str, *, is_object: bool) -> None:
        self.is_object = is_object
        above = [_words(key) for key in path.split(".")]
        self.every = {word for words in above for word in words}
        self.words = above.pop()
        telling = [word for word in self.words if word not in _VAGUE_WORDS]
        while not telling and above:
            telling = [word for word in above.pop() if word not in _VAGUE_WORDS]
        self.plain = "".join(self.words)
        parent = "".join(_words(path.split(".")[-2])) if "." in path else ""
        self.others = {"".join(telling), parent + self.plain} - {self.plain, ""}


def _likely(field: str, paths: Mapping[str, _Name], taken: set[str]) -> Iterator[str]:
    """Paths that may lead to a field, the likeliest first."""
    said = field in _ENDS
    free = {
        path: name
        for path, name in paths.items()
        if path not in taken and not (said and name.every & _BUT)
    }
    if field in free:
        yield field
    usuals, ends = _NAMES[field].split(), _ENDS.get(field, ())
    texts = {path: name for path, name in free.items() if not name.is_object}
    for usual in usuals:
        for path, name in texts.items():
            if usual == name.plain or (field in _CLOCKS and usual == _bare(name.plain)):
                yield path
    for usual in usuals:
        yield from (path for path, name in texts.items() if usual in name.others)
    longer = [path for path, name in texts.items() if name.words and name.words[-1] in ends]
    if len(longer) == 1:  # of several none is likelier
        yield longer[0]
    for usual in usuals:
        if usual not in _TEXT_ONLY:
            yield from (p for p, name in free.items() if name.is_object and usual == name.plain)


def _paths(records: Sequence[Mapping[str, Any]]) -> dict[str, _Name]:
    """Fields by their paths, those at the top before those below."""
    found: dict[str, bool] = {}
    level: list[tuple[str, Any]] = [("", record) for record in records]
    for _ in range(_DEEPEST):
        inside = [(f"{at}{key}", held) for at, rec in level for key, held in rec.items()]
        opened = [(path, unpacked(held)) for path, held in inside if _readable(path)]
        for path, held in opened:
            found[path] = found.get(path, False) or isinstance(held, dict)
        level = [(f"{path}.", held) for path, held in opened if isinstance(held, dict)]
    return {path: _Name(path, is_object=held) for path, held in islice(found.items(), _MOST)}


def _readable(path: str) -> bool:
    """Whether a mapping can hold it."""
    return path.isprintable() and path.strip() == path != "" and not set(path) & set('"|[]')


def _words(key: str) -> list[str]:
    """The words of a key, in small letters; a unit in brackets goes with the word before."""
    return re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", key).casefold())


def _bare(plain: str) -> str:
    found = _UNIT.fullmatch(plain)
    return found[1] if found else plain


def _line(field: str, path: str, chunk: RecordChunk) -> str:
    """A line of the mapping, with the unit of a time that isn't in seconds.

    Empty for what can't be a time: a clock before 2000, or minutes even if it counts milliseconds.
    """
    written = path if re.fullmatch(r"[\w.-]+(?: [\w.-]+)*", path) else json.dumps(path)
    values = chunk.values(tuple(path.split("."))) or ()
    if field == "timestamp":
        clocks = [moment for value in values if (moment := when(value)) is not None]
        return "" if clocks and median(clocks) < _EARLY_S else f"{field}: {written}\n"
    if field not in _TIMES or path == field:
        return f"{field}: {written}\n"
    found = _UNIT.fullmatch("".join(_words(path.rpartition(".")[2])))
    unit = {"m": "ms", "u": "us", "n": "ns"}.get(found[2][0], "s") if found else None
    if unit is None:
        usual = median([n for value in values if (n := number(value))] or [0])
        unit = "ms" if usual > _LONG_S else "s"
        if usual > _LONG_S * 1000:
            return ""
    return (
        f"{field}: {written}\n" if unit == "s" else f"{field}: {{path: {written}, unit: {unit}}}\n"
    )
